"""Marks of distinct values become marks of cells."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.stages.validation.cells import Converted, all_failed, by_level, mask_of, text_marks, valid


def upper(levels: pa.Array) -> Converted:
    assert len(levels) == len(levels.unique())
    cells = pc.utf8_upper(levels)
    return Converted(
        cells=cells, marks={"raised": mask_of(pc.not_equal(cells, levels)), "never": valid(levels) & False}
    )


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "B", "c", "1"]))), st.integers(0, 3))
def test_every_cell_gets_the_mark_of_its_value(cells: list[str | None], offset: int) -> None:
    cells = cells[offset:]
    made = by_level(pa.array([*["a"] * offset, *cells], pa.string()).slice(offset), upper)
    assert made.cells.to_pylist() == [c and c.upper() for c in cells]
    raised = [c in {"a", "c"} for c in cells]
    assert made.marks.keys() == ({"raised"} if any(raised) else set())
    if any(raised):
        assert made.marks["raised"].tolist() == raised


def test_what_has_no_dictionary_is_done_cell_by_cell() -> None:
    made = by_level(pa.array([[1], None]), lambda lists: all_failed(lists, pa.string()))
    assert (made.cells.to_pylist(), made.marks["failed"].tolist()) == ([None, None], [True, False])


def test_a_null_is_no_mark() -> None:
    assert mask_of(pa.array([True, None, False])).tolist() == [True, False, False]


def test_marks_of_text() -> None:
    raw = pa.array([" 1", "x", " ", None])
    made = text_marks(raw, pc.utf8_trim_whitespace(raw), pa.array([1.0, None, None, None]))
    assert {kind: mask.tolist() for kind, mask in made.items()} == {
        "null_word": [False, False, True, False],
        "failed": [False, True, False, False],
        "trimmed": [True, False, False, False],
        "parsed": [True, False, False, False],
    }
