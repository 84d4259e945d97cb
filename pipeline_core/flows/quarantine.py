"""What a person decides about a batch that the door refused: take it in all the same, or throw it away.

Neighbours: ``arrival`` judged it, the store keeps the file as it was received. A batch that the policy or the definition
would accept by now needs no decision: receive the file again. It refuses to decide without a name and a reason, and to
touch a batch that is not in quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.flows import arrival, judging, sandbox, taking
from pipeline_core.flows.compute import Compute
from pipeline_core.flows.taking import UnpackRequest
from pipeline_core.records import BatchReport, BatchStatus, Ruling
from pipeline_core.store.home import Store

OFFENDING_MAX = 200
HEAD_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Offending:
    """Rows of a refused file as they arrived: the offending ones, and where nothing is said of rows, the first.

    ``numbers`` are their rows in the file, from 0; ``cells`` names the offending columns of a row.
    """

    rows: pa.Table
    numbers: tuple[int, ...]
    cells: dict[int, frozenset[str]]


def readmit(
    store: Store, model: str, batch_id: str, *, by: str, reason: str, compute: Compute = sandbox.confined
) -> BatchReport:
    """Take a quarantined batch in all the same, under its own id and at the place at which it came.

    Of a row that a newer batch brought as well, the newer one counts.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_id : str
        The batch.
    by, reason : str
        Who decides, and why; both stay with the batch for good, and so do its findings.
    compute : callable
        Where its file is read.

    Returns
    -------
    BatchReport
        Accepted, with the ``ruling``.

    Raises
    ------
    NotFound
        No such model or batch.
    Stale
        Its content was accepted as another batch meanwhile.
    InvalidDefinition
        It is not in quarantine, or nobody and no reason was named.
    Unreadable
        It cannot be taken in whatever anybody says: it has no row with a usable id or time.
    """
    report = _quarantined(store, model, batch_id)
    ruling = _ruling(store, by, reason)
    schema = store.models.schema(model)
    arrived = arrival.again(store, report, store.batches.raw_path(report))
    with store.work_dir() as folder:
        taken = arrival.take(store, schema, arrived, folder=folder, compute=compute)
        if taken.facts.repeated_ids or taken.facts.missing_ids:
            wrong = taken.facts.repeated_ids + taken.facts.missing_ids
            raise Unreadable(
                f"Batch {batch_id} has {wrong:,} rows whose id is missing or repeated, so nobody could say which row a label"
                " belongs to. It cannot be taken in as it is: discard it and have it sent again with one id for each row."
            )
        judged = judging.judge(store, schema, taken, late=report)
        with store.transaction():
            repeats = judged.repeats
            if store.batches.rows_paths(model) != judged.against:  # another batch came in, or was taken in, meanwhile
                repeats = store.repeats.find(schema, taken.rows, batch=report)
            ruled = store.batches.rule(
                model,
                batch_id,
                ruling=ruling,
                status=BatchStatus.ACCEPTED,
                rows=taken.rows,
                counts=taken.counts,
                measures=judged.measures,
                aside=taken.aside,
            )
            replaced = judging.replaced_counts(store, schema, repeats)
            if replaced is not None:
                store.repeats.add(ruled, repeats, counts=replaced)
    return ruled


def discard(store: Store, model: str, batch_id: str, *, by: str, reason: str) -> BatchReport:
    """Throw a quarantined batch away: its file goes, what was found about it stays.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_id : str
        The batch.
    by, reason : str
        Who decides, and why.

    Returns
    -------
    BatchReport
        Discarded, with the ``ruling``.

    Raises
    ------
    NotFound
        No such model or batch.
    InvalidDefinition
        It is not in quarantine, or nobody and no reason was named.
    """
    _quarantined(store, model, batch_id)
    return store.batches.rule(model, batch_id, ruling=_ruling(store, by, reason), status=BatchStatus.DISCARDED)


def offending(store: Store, model: str, batch_id: str, *, compute: Compute = sandbox.confined) -> Offending:
    """Show the rows of a refused file that its findings are about, as they arrived.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    batch_id : str
        The batch; its file must be kept.
    compute : callable
        Where the file is read.

    Returns
    -------
    Offending

    Raises
    ------
    NotFound
        No such model, batch or file.
    """
    report = store.batches.get(model, batch_id)
    cells: dict[int, frozenset[str]] = {}
    for finding in report.findings:
        for example in finding.examples:
            known = cells.get(example.row_number, frozenset())
            cells[example.row_number] = known | ({finding.column} if finding.column else frozenset())
    numbers = tuple(sorted(cells)[:OFFENDING_MAX]) or tuple(range(min(HEAD_ROWS, report.rows)))
    raw = arrival.again(store, report, store.batches.raw_path(report))
    with store.work_dir() as folder:
        request = UnpackRequest(raw=raw.raw(store), folder=folder, only=numbers)
        rows = pq.read_table(compute(taking.unpack, request).arrived)
    return Offending(rows=rows, numbers=numbers[: rows.num_rows], cells={n: cells.get(n, frozenset()) for n in numbers})


def _quarantined(store: Store, model: str, batch_id: str) -> BatchReport:
    report = store.batches.get(model, batch_id)
    if report.status is not BatchStatus.QUARANTINED:
        raise InvalidDefinition(
            f"Batch {batch_id} of {model!r} is {report.status}; a decision is allowed on quarantined batches only. Reload the"
            " page to see it as it is."
        )
    return report


def _ruling(store: Store, by: str, reason: str) -> Ruling:
    if not by.strip() or not reason.strip():
        raise InvalidDefinition(
            "A decision about a quarantined batch needs a name and a reason, which stay with it for good. Say both."
        )
    return Ruling(decided_by=by.strip(), decided_at=store.now(), reason=reason.strip())
