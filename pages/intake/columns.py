"""Tables of the intake pages: batches, columns beside the baseline, rows under the names that people know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from pages.intake import words
from pages.intake.reads import Arrivals
from pages.ui import wording
from pipeline_core.records import BatchReport, ColumnArrival, ColumnBaseline, Schema

FORMATS: dict[str, Any] = {
    "Unreadable": st.column_config.NumberColumn(
        format="localized", width=82, help="Values that are not of the column's type; kept as nulls."
    ),
    "Distinct": st.column_config.NumberColumn(format="localized", width=66),
    "Rows": st.column_config.NumberColumn(format="localized"),
    "Status": st.column_config.MultiselectColumn(
        options=["accepted", "quarantined"], color=["green", "red"], width="small"
    ),
    "Findings": st.column_config.TextColumn(width=130),
    "Event time": st.column_config.TextColumn(width=180),
    "Labelled on arrival": st.column_config.TextColumn(
        help="Rows that came with their ground truth; later labels are not counted."
    ),
    "Range": st.column_config.TextColumn(width=106),
    "Range at first": st.column_config.TextColumn(width=106),
}
"""How the tables of these pages are formatted."""


def rows(report: BatchReport, schema: Schema) -> list[dict[str, object]]:
    """Give the columns of a batch as a table, those with findings first; nulls and range beside the first file's."""
    baselines = {b.column_id: b for b in schema.baselines}
    found = {f.column for f in report.findings}
    table: list[dict[str, object]] = []
    for arrival in sorted(report.columns, key=lambda column: column.column not in found):
        column = schema.by_name(arrival.column)
        baseline = baselines.get(column.column_id) if column else None
        table.append({
            "Column": wording.cell(arrival.column),
            "Finding": "yes" if arrival.column in found else "",
            "Role": column.role.value if column else "not in the schema",
            "Arrived as": arrival.arrived,
            "Stored as": arrival.stored,
            "Nulls": wording.percent(arrival.null_share),
            "Nulls at first": wording.percent(baseline.null_share) if baseline else wording.DASH,
            "Unreadable": arrival.failed_rows,
            "Range": _range(arrival),
            "Range at first": _range(baseline),
            "Distinct": arrival.distinct,
        })
    return table


def _range(column: ColumnArrival | ColumnBaseline | None) -> str:
    if column is None or column.low is None or column.high is None:
        return wording.DASH
    return f"{wording.number(column.low)} – {wording.number(column.high)}"


def named(table: pa.Table, schema: Schema) -> list[dict[str, object]]:
    """Give typed rows under the display names of their columns; the generated row id only where there is no other."""
    names = {c.column_id: c.name for c in schema.columns if c.column_id in table.column_names}
    picked = table.select([*([] if schema.id else ["row_id"]), *names])
    return [{names.get(key, key): wording.cell(value) for key, value in row.items()} for row in picked.to_pylist()]


def batches(reports: Sequence[BatchReport], arrivals: Arrivals, schema: Schema) -> list[dict[str, object]]:
    """Give batches as a table, in the order given."""
    return [
        {
            "Batch": b.batch_id,
            "Source": wording.cell(b.source),
            "Status": [b.status.value],
            "Rows": b.rows,
            "Findings": words.tally(b) if b.findings else "",
            "Event time": words.period(b, schema),
            "Labelled on arrival": wording.percent(b.labelled_rows / b.rows, digits=0) if b.rows else wording.DASH,
            "Scored": "yes" if b.batch_id in arrivals.scored else "no",
            "Received": wording.clock(b.received_at),
        }
        for b in reports
    ]
