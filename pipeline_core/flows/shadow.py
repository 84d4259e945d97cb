"""A challenger beside the champion: put it there, let it score what the champion scores, compare, take it away.

Each verb loads from the store, lets pure stages compute, saves in one transaction and returns a record. Neighbours:
``intake.score`` lets the shadow follow after the champion, ``verdicts`` asks the gate about the labelled rows. It refuses
to touch what callers are told: its predictions lie apart, and its errors are told here only.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline_core.errors import NotEnough, NotFound, PipelineError, Refused
from pipeline_core.flows import evidence, verdicts
from pipeline_core.flows.versions import loaded
from pipeline_core.records import (
    Act,
    ColumnType,
    Decision,
    Deed,
    ModelVersion,
    Role,
    Shadow,
    ShadowBatch,
    ShadowReport,
    Stage,
    Task,
)
from pipeline_core.stages import serving, shadow
from pipeline_core.store.home import Store

LOGGER = logging.getLogger(__name__)
ERROR_LENGTH_MAX = 500


# --- start and stop -----------------------------------------------------------------------------


def start(store: Store, model: str, *, version: int, by: str, reason: str) -> ShadowReport:
    """Let a challenger score what the champion scores from now on, unseen by callers.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int
        A challenger.
    by, reason : str
        Who does it and why; kept with it.

    Returns
    -------
    ShadowReport

    Raises
    ------
    Refused
        It is the champion, no challenger, or cannot be compared with the champion; or another shadow goes on.
    InvalidDefinition
        Nobody signed, or no reason is given.
    NotFound
        No such model or version.
    """
    found, champion = store.models.version(model, version), store.models.champion(model)
    running = current(store, model)
    signed = by.strip() and reason.strip()
    shadow.check_start(found, champion=champion, running=running, signed=signed)
    if champion is not None and evidence.rival(store, found, champion) is None:
        raise Refused(
            f"Version {version} of model {model!r} answers another question than version {champion.version}, the champion:"
            " nothing of the two can be compared. Define the new question as a model of its own."
        )
    with store.transaction():
        _settle(store, model)
        store.shadows.start(
            Shadow(
                model=model,
                number=0,
                version=version,
                started_by=by.strip(),
                started_at=store.now(),
                reason=reason.strip(),
            )
        )
        about = {"version": version, "sha256": found.artifact_sha256, "begins": True}
        store.audit.add(Deed(act=Act.SHADOW, model=model, by=by.strip(), reason=reason.strip(), about=about))
    return report(store, model, version=version)


def stop(store: Store, model: str, *, by: str = "", reason: str = "") -> ShadowReport:
    """Take the shadow away; what it has said stays.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    by, reason : str
        Who does it and why.

    Returns
    -------
    ShadowReport

    Raises
    ------
    NotFound
        No such model, or nobody is in shadow.
    """
    store.models.schema(model)
    running = current(store, model)
    if running is None:
        raise NotFound(f"No version of model {model!r} is in shadow; nothing was changed.")
    ended = replace(running, ended_at=store.now(), ended_by=by.strip(), end_reason=reason.strip())
    with store.transaction():
        store.shadows.put(ended)
        about = {"version": ended.version, "begins": False}
        store.audit.add(Deed(act=Act.SHADOW, model=model, by=by.strip(), reason=reason.strip(), about=about))
    return report(store, model, version=ended.version)


def current(store: Store, model: str) -> Shadow | None:
    """Give the shadow that scores beside the champion now.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.

    Returns
    -------
    Shadow or None
        None also where its version is no challenger any more.
    """
    newest = next(iter(store.shadows.list(model)), None)
    if newest is None or newest.ended_at is not None:
        return None
    return newest if store.models.version(model, newest.version).stage is Stage.CHALLENGER else None


def _settle(store: Store, model: str) -> None:
    """Write down the end of a shadow that has ended by itself."""
    newest = next(iter(store.shadows.list(model)), None)
    if newest is not None and newest.ended_at is None and current(store, model) is None:
        store.shadows.put(_ended(store, newest))


def _ended(store: Store, known: Shadow) -> Shadow:
    """Give a shadow as it is: with its end where it has ended by itself."""
    if known.ended_at is not None:
        return known
    version = store.models.version(known.model, known.version)
    if version.stage is Stage.CHALLENGER:
        return known
    moves = [m for m in store.models.promotions(known.model) if m.version == known.version and m.at >= known.started_at]
    if moves:
        first = min(moves, key=lambda move: move.epoch)
        return replace(known, ended_at=first.at, ended_by=first.by, end_reason="it became champion")
    return replace(known, ended_at=store.now(), end_reason=f"it is no challenger any more, but {version.stage}")


# --- scoring beside the champion ----------------------------------------------------------------


def follow(store: Store, model: str, batch_id: str, *, champion: ModelVersion, champion_ms: float | None) -> None:
    """Let the shadow, if there is one, score what the champion has just scored; whatever goes wrong is only noted.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_id : str
        The batch.
    champion : ModelVersion
        Who has answered.
    champion_ms : float or None
        How long that took; None where it had answered before.
    """
    try:
        _settle(store, model)
        running = current(store, model)
        if running is None or store.shadows.has(model, running.version, batch_id=batch_id):
            return
        _follow(store, running, batch_id, champion=champion, champion_ms=champion_ms)
    except Exception:
        # the champion has answered: nothing here may take that back
        LOGGER.exception("What the shadow of %s makes of batch %s could not be kept.", model, batch_id)


def _follow(store: Store, running: Shadow, batch_id: str, *, champion: ModelVersion, champion_ms: float | None) -> None:
    made = ShadowBatch(
        model=running.model,
        version=running.version,
        batch_id=batch_id,
        champion=champion.version,
        rows=store.batches.get(running.model, batch_id).rows,
        scored_at=store.now(),
        champion_ms=champion_ms,
    )
    try:
        said, took_ms = _predicted(store, running, batch_id)
    except Exception as error:
        # an estimator may raise anything; callers never see it
        LOGGER.warning(
            "Version %d of %s, in shadow, failed on batch %s.", running.version, running.model, batch_id, exc_info=True
        )
        store.shadows.add(replace(made, error=_said(error)), None)
        return
    store.shadows.add(replace(made, shadow_ms=took_ms), said)


def _predicted(store: Store, running: Shadow, batch_id: str) -> tuple[pa.Table, float]:
    version = store.models.version(running.model, running.version)
    schema = store.models.schema(running.model, version.schema_version)
    rows, pipeline = store.batches.read_rows(running.model, batch_id), loaded(store, version)
    began = time.perf_counter()
    said = serving.predict(pipeline, rows, schema)
    return said, (time.perf_counter() - began) * 1_000


def _said(error: Exception) -> str:
    told = error.message if isinstance(error, PipelineError) else f"{type(error).__name__}: {error}"
    return " ".join(told.split())[:ERROR_LENGTH_MAX]


# --- comparing ----------------------------------------------------------------------------------


def report(store: Store, model: str, *, version: int | None = None) -> ShadowReport:
    """Say how a shadow compares with the champion on the live rows that both scored.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        Which one; the newest shadow, unless said.

    Returns
    -------
    ShadowReport

    Raises
    ------
    NotFound
        No such model, or no version (or not this one) was ever in shadow.
    """
    known = _known(store, model, version)
    found, champion = store.models.version(model, known.version), store.models.champion(model)
    rival = evidence.rival(store, found, champion)
    task = store.models.schema(model, found.schema_version).task
    pairs, batches = _pairs(store, found, rival), store.shadows.batches(model, found.version)
    both = shadow.sides(pairs, task=task)
    beside = [b for b in batches if rival is not None and b.champion == rival.version]
    labelled = pairs.num_rows - pairs.column("label").null_count
    failed = [b for b in batches if b.error]
    return ShadowReport(
        model=model,
        version=found.version,
        champion=rival.version if rival else None,
        shadow=known,
        rows=both.rows,
        all_rows=pairs.column("all_rows")[0].as_py() if pairs.num_rows else 0,
        batches=pc.count_distinct(pairs.column("batch_id")).as_py(),
        rows_min=int(store.policy.window_rows_min),
        first_scored_at=min((b.scored_at for b in batches), default=None),
        last_scored_at=max((b.scored_at for b in batches), default=None),
        agreement=both.agreement,
        mean_difference=both.mean_difference,
        distance=both.distance,
        edges=both.edges,
        champion_bins=both.champion_bins,
        shadow_bins=both.shadow_bins,
        most_different=both.most_different,
        groups=shadow.groups(
            pairs, _protected(store, model, pairs), task=task, least=max(1, int(store.policy.class_rows_min))
        ),
        champion_latency=shadow.latency(beside, of_shadow=False),
        shadow_latency=shadow.latency(beside, of_shadow=True),
        errors=len(failed),
        last_error=failed[-1].error if failed else "",
        labelled_rows=labelled,
        rows_needed=_needed(store, known, pairs, task=task, rival=rival),
    )


def compare(store: Store, model: str, *, version: int | None = None) -> ShadowReport:
    """Compare as ``report`` does, and ask the gate about the live rows whose labels are in; its word is kept.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        Which one; the newest shadow, unless said.

    Returns
    -------
    ShadowReport
        ``shadow.live`` is what the gate said; it promotes nothing by itself.

    Raises
    ------
    NotFound
        No such model, or no version (or not this one) was ever in shadow.
    ArtifactRejected
        A model file is not what it should be.
    """
    known = _known(store, model, version)
    found, champion = store.models.version(model, known.version), store.models.champion(model)
    rival = evidence.rival(store, found, champion)
    pairs = _pairs(store, found, rival)
    if rival is None or pairs.column("label").null_count == pairs.num_rows:
        return report(store, model, version=version)
    batches = pc.unique(pairs.column("batch_id")).to_pylist()
    try:
        live = verdicts.on_batches(store, found, rival, batches=batches)
    except NotEnough:  # the labelled rows are rows that one of the two was fitted on
        return report(store, model, version=version)
    with store.transaction():
        for kept in store.shadows.list(model):
            if kept.number == known.number:
                store.shadows.put(replace(kept, live=live))
    return report(store, model, version=version)


def _known(store: Store, model: str, version: int | None) -> Shadow:
    store.models.schema(model)
    stretches = store.shadows.list(model)
    found = next((s for s in stretches if version in {None, s.version}), None)
    if found is None:
        which = f"Version {version}" if version is not None else "No version"
        was = "was never" if version is not None else "was ever"
        raise NotFound(
            f"{which} of model {model!r} {was} in shadow. Put a challenger there: shadow {model} --version N --by NAME"
            " --reason WHY."
        )
    return _ended(store, found)


def _pairs(store: Store, version: ModelVersion, rival: ModelVersion | None) -> pa.Table:
    """Lay both sides of each live row next to each other, both scores of the champion's positive class."""
    made_from = {*version.dataset.batches, *(rival.dataset.batches if rival else ())}
    pairs = store.shadows.pairs(
        version.model,
        version=version.version,
        champion=rival.version if rival else -1,
        made_from=sorted(made_from),
    )
    schemas = [store.models.schema(version.model, v.schema_version) for v in (version, rival) if v]
    if len(schemas) == 2 and schemas[0].task is Task.BINARY and schemas[0].positive != schemas[1].positive:
        turned = pc.subtract(1.0, pairs.column("shadow_score"))
        pairs = pairs.set_column(pairs.schema.get_field_index("shadow_score"), "shadow_score", turned)
    return pairs


def _protected(store: Store, model: str, pairs: pa.Table) -> dict[str, pa.Array]:
    """Give the levels of protected columns of the paired rows, in their order."""
    columns = [
        c for c in store.models.schema(model).columns if c.role is Role.PROTECTED and c.type is ColumnType.CATEGORY
    ]
    batches = pc.unique(pairs.column("batch_id")).to_pylist()
    if not columns or not batches:
        return {}
    keys, parts = ["batch_id", "row_number"], []
    for batch_id in batches:
        for path in store.batches.rows_paths(model, [batch_id], there=True):
            names = {*pq.read_schema(path).names}
            wanted = [c.column_id for c in columns if c.column_id in names]
            part = pq.read_table(path, columns=["row_number", *wanted])
            parts.append(part.append_column("batch_id", pa.array([batch_id] * part.num_rows, pa.string())))
    if not parts:
        return {}
    rows = pa.concat_tables(parts, promote_options="default")
    at = pairs.select(keys).append_column("place", pa.array(range(pairs.num_rows), pa.int64()))
    joined = at.join(rows, keys=keys, join_type="left outer").sort_by("place")
    return {c.name: joined.column(c.column_id) for c in columns if c.column_id in joined.column_names}


def _needed(store: Store, known: Shadow, pairs: pa.Table, *, task: Task, rival: ModelVersion | None) -> int | None:
    live = known.live
    if live is not None and rival is not None and live.champion == rival.version:
        return live.rows_needed if live.verdict is Decision.INSUFFICIENT else None
    return shadow.rows_needed(pairs, task=task, least=max(1, int(store.policy.class_rows_min)))
