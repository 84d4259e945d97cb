"""What it means that ids of a batch are known from batches before it.

The same row again is welcome: the newest counts. The same id at another event time is another row under a name that
is taken, and would get the labels of the first. Neighbours: the store finds the repeats, ``checks`` lists the
findings. It refuses to guess where there is no event time: there it says what will be replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import Finding, Schema, Severity
from pipeline_core.stages.validation.codes import FindingCode

_NAMED_BATCHES = 3


def known_ids(repeats: pa.Table, schema: Schema, *, rows: int) -> Iterator[Finding]:
    """Say what it means that ids are known already.

    Parameters
    ----------
    repeats : pa.Table
        The accepted rows with these ids: ``batch_id``, and ``same`` (the same event time; the same values where the
        model has no event time).
    schema : Schema
        Names the id and the event time.
    rows : int
        Rows of the batch.

    Yields
    ------
    Finding
    """
    same = repeats.filter(repeats.column("same"))
    other = repeats.filter(pc.invert(repeats.column("same")))
    column, timed = schema.id.name if schema.id else None, schema.time is not None
    here, kind = f"Column {column!r} (id):", "event time" if timed else "values"
    if other.num_rows and timed:
        yield _finding(
            Severity.ERROR,
            column,
            f"{here} the id names an entity, not a row: {other.num_rows:,} ids came before with another event time"
            f" ({_batches(other)}), and their rows would take the labels of those. Define a model whose id is a column that"
            " is unique per row, or none.",
            share=other.num_rows / rows,
        )
    elif other.num_rows:
        yield _finding(
            Severity.WARNING,
            column,
            f"{here} {other.num_rows:,} rows replace rows of {_batches(other)} that had other values (same id), and keep"
            " their labels. If the id names an entity, not a row, define a model whose id is a column that is unique per"
            " row, or none.",
            share=other.num_rows / rows,
        )
    if same.num_rows:
        yield _finding(
            Severity.INFO,
            column,
            f"{here} {same.num_rows:,} rows replace rows of {_batches(same)} (same id, same {kind}); each counts once.",
            share=same.num_rows / rows,
        )


def _finding(severity: Severity, column: str | None, message: str, *, share: float) -> Finding:
    return Finding(
        code=FindingCode.IDS_KNOWN,
        column=column,
        severity=severity,
        message=message,
        value=share,
        allowed="one row for each id",
    )


def _batches(repeats: pa.Table) -> str:
    names = repeats.column("batch_id").unique().sort().to_pylist()
    more = len(names) - _NAMED_BATCHES
    shown = ", ".join(names[:_NAMED_BATCHES])
    return f"{shown} and {more:,} more" if more > 0 else shown
