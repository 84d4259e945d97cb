"""The rows of a refused file that its findings are about, as they arrived, with the offending cells marked."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.intake import reads
from pages.ui import panels, session, wording
from pipeline_core.flows.quarantine import OFFENDING_MAX, Offending
from pipeline_core.records import BatchReport, Schema

ROW, WHY = "Row", "Offending"
MARK = "background-color: rgba(213, 94, 0, 0.28); font-weight: 600"


def draw(report: BatchReport, schema: Schema) -> None:
    """Draw the offending rows of a quarantined batch."""
    with st.spinner("Reading the file as it was received …", show_time=True):
        found = session.cached(reads.offending, schema.model, report.batch_id)
    marked = sum(bool(found.cells.get(number)) for number in found.numbers)
    if marked:
        most = f" (the first {OFFENDING_MAX})" if marked >= OFFENDING_MAX else ""
        st.markdown(
            f"**{wording.count(marked, 'row')}** that the findings give as examples{most}, as they arrived; offending cells are marked."
        )
    else:
        shown = wording.count(len(found.numbers), "row")
        st.markdown(
            f"What was found is about whole columns or the whole file, so no row is worse than another. The first {shown}:"
        )
    table = rows(found)
    names = list(panels.plain(table))
    cells = found.cells
    styled = pd.DataFrame(panels.plain(table), columns=names).style.apply(
        lambda line: _marks(line, names, list(table[0]), cells) if table else [], axis=1
    )
    styled = styled.format(_plainly)
    alt = "Rows as they arrived; offending cells are coloured and named in the column Offending"
    st.dataframe(styled, hide_index=True, key="batch_offending", alt=alt, placeholder=wording.DASH)
    panels.download_csv("Download these rows", table, name=f"{report.batch_id}-rows.csv", key="batch_offending_csv")


def rows(found: Offending) -> list[dict[str, object]]:
    """Give the rows with their number in the file and the names of their offending columns."""
    return [
        {
            ROW: number,
            WHY: ", ".join(sorted(found.cells.get(number, ()))),
            **{_free(k): _shown(v) for k, v in row.items()},
        }
        for number, row in zip(found.numbers, found.rows.to_pylist(), strict=True)
    ]


def _plainly(value: object) -> str:
    # a styler writes numbers with six decimals otherwise
    return wording.DASH if value is None or value != value else str(value)  # NaN is not itself


def _free(name: str) -> str:
    return f"{name} (column)" if name in {ROW, WHY} else name


def _shown(value: object) -> object:
    return value if value is None or isinstance(value, int | float | str) else str(value)


def _marks(line: pd.Series, shown: list[str], names: list[str], cells: dict[int, frozenset[str]]) -> list[str]:
    wrong = {_free(name) for name in cells.get(int(str(line[ROW])), ())}
    return [MARK if name in wrong else "" for _, name in zip(shown, names, strict=True)]
