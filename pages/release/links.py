"""The links of a lineage as nodes of a graph and as rows of a table; pure. Charts and tables escape names themselves."""

from __future__ import annotations

from collections.abc import Sequence

from pages.release import words
from pages.ui import periods, wording
from pages.ui.lineage_charts import Node
from pages.ui.wording import State
from pipeline_core.records import BatchReport, DatasetPart, Lineage, LineageCheck, LinkState, Schema

BATCHES_SHOWN = 4


def nodes(lineage: Lineage, check: LineageCheck | None, schema: Schema) -> list[Node]:
    """Give the graph of a version: its batches, and what was made from them up to the promotion."""
    batches = _batches(lineage, check)
    middle = (len(batches) - 1) / 2
    return [*batches, *_made(lineage, check, schema, row=middle, after=batches), *_judged(lineage, check, row=middle)]


def _batches(lineage: Lineage, check: LineageCheck | None) -> list[Node]:
    parts = {part.batch_id: part for part in lineage.source.parts} if lineage.source else {}
    kept = lineage.batches
    whole = len(kept) <= BATCHES_SHOWN
    shown = kept if whole else (*kept[: BATCHES_SHOWN - 2], kept[-1])
    found = [_batch(batch, parts.get(batch.batch_id), check, row=i) for i, batch in enumerate(shown)]
    if not whole:
        rest = kept[BATCHES_SHOWN - 2 : -1]
        found.insert(-1, _rest(rest, check, row=BATCHES_SHOWN - 2))
        found[-1] = _batch(kept[-1], parts.get(kept[-1].batch_id), check, row=BATCHES_SHOWN - 1)
    return found


def _batch(batch: BatchReport, part: DatasetPart | None, check: LineageCheck | None, *, row: int) -> Node:
    gave = wording.count(part.rows if part else batch.rows, "row")
    return Node(
        name=batch.batch_id, column=0, row=row, title=f"Batch {batch.batch_id}", figure=gave, sha256=batch.sha256,
        state=_state(check, "batches", about=(batch.batch_id,)), told=(batch.source, f"{wording.count(batch.rows, 'row')} in the file", f"received {wording.clock(batch.received_at)}"),
    )  # fmt: skip


def _rest(rest: Sequence[BatchReport], check: LineageCheck | None, *, row: int) -> Node:
    rows = wording.count(sum(batch.rows for batch in rest), "row")
    return Node(
        name="rest", column=0, row=row, title=f"{len(rest)} more batches", figure=rows,
        state=_state(check, "batches", about=tuple(batch.batch_id for batch in rest)),
        told=(f"{rest[0].batch_id} to {rest[-1].batch_id}; the table below names each",),
    )  # fmt: skip


def _made(
    lineage: Lineage, check: LineageCheck | None, schema: Schema, *, row: float, after: Sequence[Node]
) -> list[Node]:
    data, run = lineage.dataset, lineage.run
    metric = wording.primary_metric(lineage.metrics)
    figure = f"{wording.metric_name(metric)} {wording.number(words.value(lineage.metrics[metric]))}" if metric else ""
    return [
        Node(
            name="dataset", column=1, row=row, title=f"Dataset {data.dataset_id}".strip(), figure=wording.count(data.rows, "row"),
            sha256=data.sha256, state=_state(check, "dataset"), after=tuple(node.name for node in after),
            told=(periods.period(data.first_event_at, data.last_event_at, schema), f"schema version {lineage.source.schema_version if lineage.source else 'not kept'}"),
        ),
        Node(
            name="run", column=2, row=row, title="Run", figure=words.estimator_name(run.estimator), state=_state(check, "run"),
            after=("dataset",), told=(run.run_id, f"code {run.code_version}, seed {run.seed}", f"{data.fit_rows:,} rows fitted on"),
        ),
        Node(
            name="version", column=3, row=row, title=f"Version v{lineage.version}", figure=figure, sha256=lineage.artifact_sha256,
            state=_state(check, "version"), after=("run",), told=(lineage.stage.value, f"{data.holdout_rows:,} rows held out"),
        ),
    ]  # fmt: skip


def _judged(lineage: Lineage, check: LineageCheck | None, *, row: float) -> list[Node]:
    verdict, move = lineage.verdict, lineage.promotion
    against = "" if verdict is None else f"against v{verdict.champion}" if verdict.champion else "against no model"
    told = (
        ("not challenged yet",)
        if verdict is None
        else (f"{verdict.rows:,} rows, {against}", wording.clock(verdict.decided_at))
    )
    last = (
        ("never champion",)
        if move is None
        else (f"{move.action}, move {move.epoch}", wording.clock(move.at), move.reason)
    )
    return [
        Node(
            name="verdict", column=4, row=row, title="Verdict", figure=verdict.verdict.value if verdict else "none yet",
            sha256=verdict.sha256 if verdict else "", state=_state(check, "verdict"), after=("version",), told=told,
        ),
        Node(
            name="promotion", column=5, row=row, title="Promotion", figure=f"by {move.by}" if move else "none yet",
            state=_state(check, "promotion"), after=("verdict",), told=last,
        ),
    ]  # fmt: skip


def _state(check: LineageCheck | None, link: str, *, about: tuple[str, ...] = ()) -> State:
    """Say what verification found about a link; a batch is also spoken of where the dataset differs."""
    if check is None:
        return State.UNKNOWN
    own = [
        c for c in check.links if c.link == link and (not about or any(f"batch {name}," in c.what for name in about))
    ]
    own += [c for c in check.links if c.link == "dataset" and any(f"batch {name} " in c.words for name in about)]
    states = {c.state for c in own}
    if LinkState.DIFFERS in states:
        return State.PAGE
    return State.OK if LinkState.AGREES in states else State.UNKNOWN


def title(lineage: Lineage, schema: Schema) -> str:
    """Say what the graph shows (for a chart)."""
    return f"What v{lineage.version} of {wording.plain(schema.model)} was made from, and who let it out"


def legend(check: LineageCheck | None) -> str:
    """Say what the colours of the boxes mean."""
    if check is None:
        return "not verified yet; hover shows each hash in full"
    return (
        f"✓ agrees   ✗ no longer agrees   grey: nothing to hold it against   verified {wording.clock(check.checked_at)}"
    )


def rows(found: Sequence[Node]) -> list[dict[str, object]]:
    """Give the nodes as a table with full hashes."""
    return [
        {
            "Link": node.title,
            "What": node.figure,
            "SHA-256": node.sha256 or wording.DASH,
            "Verified": {State.OK: "agrees", State.PAGE: "no longer agrees"}.get(node.state, "not verified"),
            "Details": "; ".join(node.told),
        }
        for node in found
    ]


def found(check: LineageCheck) -> list[dict[str, object]]:
    """Give what no longer agrees, with both values."""
    return [
        {"What": link.what, "What to know": link.words, "Was": link.kept, "Is": link.found}
        for link in check.links
        if link.state is LinkState.DIFFERS
    ]
