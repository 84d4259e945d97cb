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
    "Changed": st.column_config.NumberColumn(
        format="localized", width=72, help="Cells that were changed on the way in; the ledger says how."
    ),
    "Distinct": st.column_config.NumberColumn(format="localized", width=66),
    "Rows": st.column_config.NumberColumn(format="localized"),
    "Status": st.column_config.MultiselectColumn(
        options=["accepted", "quarantined", "discarded"], color=["green", "red", "gray"], width=112
    ),
    "Findings": st.column_config.TextColumn(width=125),
    "Source": st.column_config.TextColumn(width=120),
    "Scored": st.column_config.TextColumn(width=60),
    "Event time": st.column_config.TextColumn(width=150),
    "Labelled": st.column_config.TextColumn(
        width=72, help="Rows that came with their ground truth; later labels are not counted."
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
            "Changed": sum(change.rows for change in arrival.changes),
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


def aside(table: pa.Table, schema: Schema) -> list[dict[str, object]]:
    """Give the rows that were set aside, each with the column and the reason."""
    names = {column.column_id: column.name for column in schema.columns}
    return [
        {
            "Row": row["row_number"],
            "Column": wording.cell(names.get(row["column_id"], row["column_id"])),
            "Why it was set aside": wording.cell(row["reason"]),
        }
        for row in table.to_pylist()
    ]


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
            "Labelled": wording.percent(b.labelled_rows / b.rows, digits=0) if b.rows else wording.DASH,
            "Scored": "yes" if b.batch_id in arrivals.scored else "no",
            "Received": wording.clock(b.received_at),
        }
        for b in reports
    ]
