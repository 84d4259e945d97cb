"""What was done to the cells of a batch: how many of each column, in what way, with examples; nothing is changed silently."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.intake import words
from pages.ui import panels, wording
from pipeline_core.records import BatchReport, Change, Schema

FORMATS: dict[str, Any] = {
    "Column": st.column_config.TextColumn(width=150),
    "What was done": st.column_config.TextColumn(width=330),
    "Cells": st.column_config.NumberColumn(format="localized", width=80),
    "Share": st.column_config.TextColumn(width=80),
    "For example": st.column_config.TextColumn(width=200),
    "Row": st.column_config.NumberColumn(format="localized", width=80),
}


def entries(report: BatchReport) -> list[tuple[str, Change]]:
    """Give every change by column, what failed first, then by how many cells it touched."""
    found = [(column.column, change) for column in report.columns for change in column.changes]
    return sorted(found, key=lambda entry: (entry[1].kind != "failed", -entry[1].rows))


def rows(report: BatchReport) -> list[dict[str, object]]:
    """Give the ledger as a table."""
    return [
        {
            "Column": wording.cell(column),
            "What was done": words.change(change.kind),
            "Cells": change.rows,
            "Share": wording.percent(change.rows / max(report.rows + report.set_aside_rows, 1)),
            "For example": wording.cell(_arrow(change)),
        }
        for column, change in entries(report)
    ]


def _arrow(change: Change) -> str:
    if not change.examples:
        return wording.DASH
    first = change.examples[0]
    return f"{first.arrived!r} → {'null' if first.stored is None else repr(first.stored)}"


def examples(entry: tuple[str, Change]) -> list[dict[str, object]]:
    """Give the examples of one kind of change in one column."""
    column, change = entry
    return [
        {
            "Row": e.row_number,
            "Column": column,
            "Arrived": e.arrived,
            "Stored": "null" if e.stored is None else e.stored,
        }
        for e in change.examples
    ]


def draw(report: BatchReport, _schema: Schema) -> None:
    """Draw the ledger, and the examples of the row that is picked."""
    found = entries(report)
    if not found:
        st.markdown(
            "Every cell was stored as it arrived: nothing was trimmed, read as a null, or turned into another type."
        )
        return
    cells = sum(change.rows for _, change in found)
    st.markdown(
        f"**{wording.count(cells, 'cell')} changed** on the way in, in {wording.count(len({c for c, _ in found}), 'column')}."
        " Pick a row to see its examples."
    )
    picked = panels.table(
        rows(report),
        key="batch_ledger",
        alt="What was done to the cells, by column; pick a row",
        columns=FORMATS,
        select=True,
    )
    column, change = found[picked or 0]
    st.markdown(
        f"**{wording.safe(column)}**: {words.change(change.kind)}; first {wording.count(len(change.examples), 'cell')}"
    )
    cells_of = [{name: cell for name, cell in row.items() if name != "Column"} for row in examples((column, change))]
    alt = "Cells as they arrived and as they were stored"
    panels.table(cells_of, key="batch_ledger_cells", alt=alt, columns=FORMATS)
    panels.download_csv(
        "Download all examples",
        [{"Kind": change.kind, **row} for column, change in found for row in examples((column, change))],
        name=f"{report.batch_id}-ledger.csv",
        key="batch_ledger_csv",
    )
