"""What should somebody know who relies on a version? Its card: purpose, data, figures, limits, verdict, lineage.

Every sentence and cell is plain text with foreign names in it; ``service.cardtext`` writes it as Markdown or HTML and
escapes all of it. Neighbours: ``lineage`` says where a version comes from. It claims nothing that no record holds: what was
not tested stands under limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline_core.flows.lineage import asked, lineage
from pipeline_core.flows.times import number_of
from pipeline_core.policy import Policy
from pipeline_core.records import (
    BiasAudit,
    CardSection,
    CardTable,
    ColumnType,
    Figure,
    Lineage,
    Measured,
    ModelCard,
    ModelVersion,
    Role,
    Schema,
    Task,
    TimeUnit,
)
from pipeline_core.store.home import Store

FEW_HELD_OUT = 1_000
YEAR = timedelta(days=365)
SHARES_SHOWN = 20


def card(store: Store, model: str, *, version: int | None = None) -> ModelCard:
    """Tell everything that is known about a version.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        Which version; the champion, unless said.

    Returns
    -------
    ModelCard

    Raises
    ------
    NotFound
        No such model or version, or none was named and the model has no champion.
    """
    chosen = asked(store, model, version)
    schema = store.models.schema(model, chosen.schema_version)
    told = lineage(store, model, version=chosen.version)
    sections = (
        _purpose(chosen, schema),
        _data(chosen, schema),
        _columns(chosen, schema),
        _metrics(chosen),
        _groups(told, schema),
        _limits(chosen, schema, store.policy),
        _importance(chosen),
        _verdict(told),
        _lineage(store, told),
        _promotion(told),
    )
    return ModelCard(
        model=model,
        version=chosen.version,
        title=f"Model card: {model}, version {chosen.version} ({chosen.stage.value})",
        sections=tuple(section for section in sections if section is not None),
        made_at=store.now(),
    )


# --- what it is and what it was made from -------------------------------------------------------


def _purpose(version: ModelVersion, schema: Schema) -> CardSection:
    target = schema.target.name
    what = {
        Task.BINARY: f"For each row it gives the probability that “{target}” is “{schema.positive}”.",
        Task.MULTICLASS: f"For each row it says which of {len(schema.classes)} classes “{target}” is: {', '.join(schema.classes[:12])}.",
        Task.REGRESSION: f"For each row it gives a number: “{target}”.",
    }[schema.task]
    made = f"Version {version.version}, made {_clock(version.created_at)} with {version.run.estimator}."
    return CardSection(title="What it is for", sentences=(f"Model “{schema.model}”. {what}", made))


def _data(version: ModelVersion, schema: Schema) -> CardSection:
    data = version.dataset
    since = f", from {_moment(data.holdout_from, schema)} on" if data.holdout_from else ", chosen by hash"
    rows = (
        ("Dataset", f"{data.dataset_id or 'not numbered'}, SHA-256 {data.sha256}"),
        ("Period", _period(data.first_event_at, data.last_event_at, schema)),
        ("Rows", f"{data.rows:,}: {data.fit_rows:,} fitted on, {data.holdout_rows:,} held out{since}"),
        ("Batches", f"{len(data.batches)}: {_some(data.batches, most=6)}"),
        ("Schema", f"version {version.schema_version}"),
        ("Seed", str(version.run.seed)),
        ("Code", version.run.code_version),
    )
    return CardSection(title="Data", table=CardTable(header=("What", "Value"), rows=rows))


_STEPS = {
    ColumnType.NUMBER: "number: nulls become the median, with an indicator column",
    ColumnType.CATEGORY: "category: one column a level, the rarest beyond 25 share one; nulls are a level",
    ColumnType.TIMESTAMP: "time: as days since 1970; nulls become the median, with an indicator column",
}
_ROLES = {
    Role.PROTECTED: "protected: kept for audits, never seen by the model",
    Role.EXCLUDED: "excluded: not seen by the model",
    Role.ID: "id: names the row, not seen by the model",
    Role.TIME: "event time: orders the rows, not seen by the model",
    Role.TARGET: "target: what is predicted",
}


def _columns(version: ModelVersion, schema: Schema) -> CardSection:
    # versions from before treatments were kept had the plain one of their type
    done = {t.column: "; ".join((t.treated_as, *t.steps)) for t in version.run.treatments}
    rows = tuple(
        (c.name, done.get(c.name, _STEPS[c.type]) if c.role is Role.FEATURE else _ROLES[c.role]) for c in schema.columns
    )
    said = f"{len(schema.features)} of {len(schema.columns)} columns are features. All that is learned about them is learned on the fitted rows only."
    return CardSection(title="Preprocessing", sentences=(said,), table=CardTable(header=("Column", "Use"), rows=rows))


# --- how good it is -----------------------------------------------------------------------------


def _metrics(version: ModelVersion) -> CardSection:
    rows = tuple((name, *_cells(figure)) for name, figure in version.metrics.items())
    said = f"On {version.dataset.holdout_rows:,} rows that were held out from the fit. Intervals are at 95 %."
    table = CardTable(header=("Metric", "Value", "From", "To", "Rows"), rows=rows)
    return CardSection(title="Validation", sentences=(said,), table=table)


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    if not isinstance(figure, Measured):
        return f"not measured: {figure.reason}", "", "", ""
    return (
        _number(figure.value),
        _number(figure.low),
        _number(figure.high),
        "" if figure.rows is None else f"{figure.rows:,}",
    )


def _groups(told: Lineage, schema: Schema) -> CardSection:
    names = [column.name for column in schema.columns if column.role is Role.PROTECTED]
    if not names:
        said = "No column is marked as protected, so it is not known whether groups of people are treated differently."
        return CardSection(title="Groups", sentences=(said,))
    audit = audit_rows(told)
    if audit is None:
        said = f"Protected: {_some(names, most=12)}. No audit by group was kept with the verdict on this version."
        return CardSection(title="Groups", sentences=(said,))
    return CardSection(title="Groups", sentences=(f"Protected: {_some(names, most=12)}.",), table=audit)


def audit_rows(told: Lineage) -> CardTable | None:
    """Give the bias audit of the verdict as a table, where the verdict has one.

    Parameters
    ----------
    told : Lineage
        Of the version.

    Returns
    -------
    CardTable or None
    """
    audit = told.verdict.audit if told.verdict else None
    if not isinstance(audit, BiasAudit):
        return None
    found = [f for attribute in audit.attributes for f in attribute.findings if f.decides]
    rows = tuple(
        (f.attribute, f.group, f.measure.value, _cells(f.figure)[0], f"{f.limit:g}", f.state.value) for f in found
    )
    return CardTable(header=("Column", "Group", "Measure", "Against the rest", "Limit", "State"), rows=rows)


def _limits(version: ModelVersion, schema: Schema, policy: Policy) -> CardSection:
    data = version.dataset
    said = [
        f"It was judged on {data.holdout_rows:,} held-out rows and is not known to hold for rows unlike these.",
        *_limits_of_time(version, schema),
    ]
    if data.holdout_rows < FEW_HELD_OUT:
        said.append(
            f"{data.holdout_rows:,} held-out rows are few: differences within the intervals above are not shown."
        )
    unseen = [c.name for c in schema.columns if c.role in {Role.EXCLUDED, Role.PROTECTED}]
    if unseen:
        said.append(f"It does not see {_some(unseen, most=12)}.")
    levels = [c.name for c in schema.features if c.type is ColumnType.CATEGORY]
    if levels:
        said.append(
            f"A level of {_some(levels, most=6)} that no fitted row had says nothing to it; the door refuses a batch where more than"
            f" {100 * policy.unseen_share_max:.0f} % of a column are such."
        )
    return CardSection(title="Limits", sentences=tuple(said))


def _limits_of_time(version: ModelVersion, schema: Schema) -> list[str]:
    first, last = version.dataset.first_event_at, version.dataset.last_event_at
    if schema.time_unit is TimeUnit.NONE or first is None or last is None:
        return ["The rows have no event time: whether it holds for later ones was not tested."]
    if schema.time_unit is not TimeUnit.ROW and last - first < YEAR:
        days = (last - first).days
        return [f"The rows span {days} days: a whole year of seasons was not seen."]
    return []


def _importance(version: ModelVersion) -> CardSection | None:
    ranked = sorted(version.shap_shares.items(), key=lambda item: -item[1])[:SHARES_SHOWN]
    if not ranked:
        return None
    rows = []
    for name, share in ranked:
        low, high = version.shap_intervals.get(name, (None, None))
        interval = "" if low is None or high is None else f"{100 * low:.1f} % to {100 * high:.1f} %"
        rows.append((name, f"{100 * share:.1f} %", interval))
    said = "Share of mean absolute SHAP value on a sample of the fitted rows: how much the model leans on a column, not whether the column causes anything."
    table = CardTable(header=("Column", "Share", "95 % interval"), rows=tuple(rows))
    return CardSection(title="What it looks at", sentences=(said,), table=table)


# --- who let it out -----------------------------------------------------------------------------


def _verdict(told: Lineage) -> CardSection:
    verdict = told.verdict
    if verdict is None:
        return CardSection(title="Verdict", sentences=("It was not challenged yet.",))
    against = "the trivial predictor" if verdict.champion is None else f"version {verdict.champion}"
    said = [
        f"{verdict.verdict.value.capitalize()}: compared with {against} on {verdict.rows:,} rows that neither was fitted on,"
        f" {_clock(verdict.decided_at)}.",
        *verdict.reasons,
    ]
    if verdict.overlap:
        said.append(verdict.overlap.words)
    return CardSection(title="Verdict", sentences=tuple(said))


def _lineage(store: Store, told: Lineage) -> CardSection:
    data, run, verdict = told.dataset, told.run, told.verdict
    rows = [(f"Batch {b.batch_id}", b.sha256) for b in told.batches[:SHARES_SHOWN]]
    if len(told.batches) > SHARES_SHOWN:
        rows.append((f"{len(told.batches) - SHARES_SHOWN} more batches", "see lineage"))
    rows += [
        (f"Dataset {data.dataset_id}".strip(), data.sha256),
        (f"Run {run.run_id}", f"code {run.code_version}"),
        (f"Version {told.version}, model file", told.artifact_sha256),
    ]
    if verdict is not None:
        rows.append((f"Verdict {verdict.verdict_id}, rows", verdict.sha256 or "not kept"))
    check = store.datasets.check(told.model, told.version)
    said = "It was not verified yet."
    if check is not None:
        broken = [link.what for link in check.links if link.state.value == "differs"]
        found = "all of it agrees" if check.agrees else f"no longer agrees: {_some(broken, most=6)}"
        said = f"Verified {_clock(check.checked_at)}: {found}."
    return CardSection(title="Lineage", sentences=(said,), table=CardTable(header=("Link", "Hash"), rows=tuple(rows)))


def _promotion(told: Lineage) -> CardSection:
    move = told.promotion
    if move is None:
        return CardSection(title="Promotion", sentences=("It was never champion.",))
    what = "Made champion" if move.action == "promote" else "Made champion again (rolled back to)"
    said = f"{what} by {move.by}, {_clock(move.at)}, because: {move.reason}"
    return CardSection(title="Promotion", sentences=(said,))


# --- words --------------------------------------------------------------------------------------


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _clock(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _moment(at: datetime | None, schema: Schema) -> str:
    if at is None:
        return "not known"
    if schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW}:
        return f"{schema.time_unit.value} {number_of(at, schema.time_unit):,.0f}"
    return f"{at:%Y-%m-%d}" if at.time().isoformat() == "00:00:00" else _clock(at)


def _period(first: datetime | None, last: datetime | None, schema: Schema) -> str:
    if schema.time_unit is TimeUnit.NONE or first is None:
        return "no event time"
    return f"{_moment(first, schema)} to {_moment(last, schema)}"


def _some(names: Sequence[str], *, most: int) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
