"""Tables of counts, put into order whatever order they come in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_core.records import COUNTS
from pipeline_core.stats.counted import by_column, numbered, ordered, split


def counts(*rows: tuple[str, float | None, str | None, int]) -> pa.Table:
    names = ("column_id", "cell", "level", "n")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    return pa.table(
        {**columns, "bucket": [None] * len(rows)}, schema=pa.schema([COUNTS.field(f) for f in (*names, "bucket")])
    )


def test_columns_come_in_the_order_of_the_table_with_their_nulls() -> None:
    found = by_column(
        counts(
            ("c2", 5.0, None, 1),
            ("c1", None, "b", 2),
            ("c2", None, None, 7),
            ("c1", None, "a", 3),
            ("c2", 1.0, None, 4),
        )
    )
    assert list(found) == ["c2", "c1"]
    assert (found["c2"].keys.tolist(), found["c2"].n.tolist(), found["c2"].nulls) == ([1.0, 5.0], [4, 1], 7)
    assert (found["c1"].keys.tolist(), found["c1"].n.tolist(), found["c1"].nulls) == (["a", "b"], [3, 2], 0)
    assert by_column(counts()) == {}


@pytest.mark.parametrize("offset", [0.0, 0.5, -1.0])
@given(seed=st.integers(0, 1_000))
def test_many_cells_are_summed_as_few_are(offset: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    cells, n = random.integers(0, 3_000, 4_000) + offset, random.integers(1, 9, 4_000)
    found = by_column(counts(*[("c1", float(c), None, int(k)) for c, k in zip(cells, n, strict=True)]))["c1"]
    keys, place = np.unique(cells, return_inverse=True)
    assert found.keys.tolist() == keys.tolist()
    assert found.n.tolist() == np.bincount(place, weights=n).tolist()


def test_values_that_stand_together_are_slices() -> None:
    together = split(numbered(pa.chunked_array([["b", "b", None]])))
    assert together == [("b", slice(0, 2)), (None, slice(2, 3))]
    (_, first), (_, second) = split(numbered(pa.chunked_array([["b", "a", "b"]])))
    assert (list(first), list(second)) == ([0, 2], [1])


def test_one_column_of_nulls_has_no_keys() -> None:
    found = ordered(counts(("c1", None, None, 3)).select(["cell", "level", "n"]), slice(0, 1))
    assert (len(found.keys), found.nulls) == (0, 3)
