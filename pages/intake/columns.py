"""Tables of the intake pages: batches, columns beside the baseline, rows under the names that people know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import streamlit as st

from pages.intake import words
from pages.intake.reads import Arrivals
from pages.ui import wording
from pipeline_core.records import BatchReport, ColumnArrival, ColumnBaseline, Schema, Severity

FORMATS: dict[str, Any] = {
    "unreadable": st.column_config.NumberColumn("unreadable", format="localized"),
    "distinct": st.column_config.NumberColumn("distinct", format="localized"),
    "rows": st.column_config.NumberColumn("rows", format="localized"),
    "status": st.column_config.MultiselectColumn(
        "status", options=["accepted", "quarantined"], color=["green", "red"], width="small"
    ),
    "event time": st.column_config.TextColumn("event time", width=180),
    "range": st.column_config.TextColumn("range", width=130),
    "range at first": st.column_config.TextColumn("range at first", width=130),
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
            "column": wording.cell(arrival.column),
            "finding": "yes" if arrival.column in found else "",
            "role": column.role.value if column else "not in the schema",
            "arrived as": arrival.arrived,
            "stored as": arrival.stored,
            "nulls": wording.percent(arrival.null_share),
            "nulls at first": wording.percent(baseline.null_share) if baseline else wording.DASH,
            "unreadable": arrival.failed_rows,
            "range": _range(arrival),
            "range at first": _range(baseline),
            "distinct": arrival.distinct,
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
            "batch": b.batch_id,
            "status": [b.status.value],
            "rows": b.rows,
            "errors": _count(b, Severity.ERROR),
            "warnings": _count(b, Severity.WARNING),
            "event time": words.period(b, schema),
            "labelled": wording.percent(b.labelled_rows / b.rows, digits=0) if b.rows else wording.DASH,
            "scored": "yes" if b.batch_id in arrivals.scored else "no",
            "received": wording.clock(b.received_at),
            "source": wording.cell(b.source),
        }
        for b in reports
    ]


def _count(report: BatchReport, severity: Severity) -> int:
    return sum(f.severity is severity for f in report.findings)
