"""What later windows are compared with."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline_core.errors import NotFound
from pipeline_core.records import COUNTS
from pipeline_core.store import Store
from tests.core.store import made


def test_baselines_are_replaced(store: Store) -> None:
    made.add_version(store)
    counts = made.day_counts(made.typed_rows(["a", "b", "c"]))
    scores = pa.table(
        {"column_id": ["score"], "bucket": [None], "cell": [0.5], "level": [None], "n": [3]}, schema=COUNTS
    )
    assert store.models.baseline("bank", 1) == COUNTS.empty_table()
    store.models.set_baseline("bank", 1, counts=counts, score_counts=None)
    assert store.models.score_baseline("bank", 1) == COUNTS.empty_table()
    store.models.set_baseline("bank", 1, counts=counts, score_counts=scores)
    assert store.models.score_baseline("bank", 1) == scores
    kept = store.models.baseline("bank", 1)
    assert kept.schema == COUNTS
    assert [(r["column_id"], r["bucket"], r["cell"], r["level"], r["n"]) for r in kept.to_pylist()] == [
        ("c001", None, 10.0, None, 1), ("c001", None, 20.0, None, 1), ("c001", None, 30.0, None, 1),
        ("c002", None, None, "a", 2), ("c002", None, None, "b", 1),
    ]  # fmt: skip
    with pytest.raises(NotFound):
        store.models.set_baseline("bank", 2, counts=counts, score_counts=None)
