"""One bad column never costs the others: nested, empty, endless and torn ones from the first file to the drift page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import compute, intake, release, watch
from pipeline_core.records import BatchStatus, DriftState, Role
from pipeline_core.store import Store

START = datetime(2026, 1, 5, tzinfo=UTC)
ROWS = 1_000


def odd(*, seed: int, day: int, shift: float = 0.0, broken_share: float = 0.004) -> dict[str, Any]:
    """One good feature ``x`` that says what comes out, and a column of each odd kind."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1.0, ROWS)
    late = rng.random(ROWS) < 1 / (1 + np.exp(-2 * (x - shift)))
    torn = pa.array([b"\xff\xfe" + str(i % 3).encode() for i in range(ROWS)], pa.binary()).buffers()
    huge = np.where(rng.random(ROWS) < broken_share, rng.choice([1e308, -1e308, np.inf, -np.inf], ROWS), x)
    return {
        "when": [START + timedelta(days=day, minutes=9 * i) for i in range(ROWS)],
        "x": x,
        "lists": [[i % 3, None] if i % 5 else None for i in range(ROWS)],
        "structs": [{"a": i % 3, "b": {"c": ["z"]}} for i in range(ROWS)],
        "maps": pa.array([[("k", i % 2)] for i in range(ROWS)], pa.map_(pa.string(), pa.int64())),
        "nothing": pa.nulls(ROWS),
        "no number": pa.nulls(ROWS, pa.float64()),
        "nan": np.full(ROWS, np.nan),
        "huge": np.where(rng.random(ROWS) < 0.05, np.nan, huge),
        "tiny": x * 5e-324,
        "many": [f"level {v}" for v in rng.integers(0, 100_000, ROWS)],
        "torn": pa.Array.from_buffers(pa.string(), ROWS, torn),
        "far": pa.array([2**62 + i for i in range(ROWS)], pa.timestamp("us")),
        "long": ["z" * 50_000 if i % 100 == 0 else "b" for i in range(ROWS)],
        "zero": [("a\0b", "\0", "")[i % 3] for i in range(ROWS)],
        "whole": pa.array([2**64 - 1 - i for i in range(ROWS)], pa.uint64()),
        "late": ["yes" if v else "no" for v in late],
    }


FEATURES = ("many", "far", "whole")  # a default would leave these out


def put(folder: Path, name: str, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


def test_odd_columns_from_the_first_file_to_the_drift_page(
    home: Store, visit: Callable[..., AppTest], tmp_path: Path
) -> None:
    first = put(tmp_path, "first", odd(seed=1, day=0))
    guessed = {guess.name: guess.role for guess in intake.preview(home, first).suggestion.columns}
    assert {name for name, role in guessed.items() if role is Role.EXCLUDED} >= {"nothing", "no number", "nan", "many"}
    defined = intake.define(
        home, "odd", first, target="late", positive="yes", time="when", features=FEATURES, source="first.parquet"
    )
    assert defined.batch.status is BatchStatus.ACCEPTED
    for estimator in ("logistic_regression", "random_forest"):
        version = release.train(home, "odd", estimator=estimator, compute=compute.in_process)
        assert getattr(version.metrics["auc"], "value", 0.0) > 0.7
    release.challenge(home, "odd", version=1)
    release.promote(home, "odd", version=1, by="Ada", reason="first")

    moved = intake.receive(home, "odd", put(tmp_path, "later", odd(seed=2, day=7, shift=1.0)))
    assert moved.status is BatchStatus.ACCEPTED
    assert {("type_changed", "huge"), ("distribution_shift", "x")} <= {(f.code, f.column) for f in moved.findings}
    assert intake.score(home, "odd", batch_id=moved.batch_id).rows == ROWS
    last = watch.check(home, "odd").windows[-1]
    state = {drift.feature: drift.state for drift in last.features}
    assert state["x"] is DriftState.DRIFTED
    assert state["structs"] is DriftState.STABLE

    for page in ("watch/overview.py", "act/alerts.py", "release/training.py", "release/challenge.py"):
        _stands(visit(page, model="odd"))
    _stands(visit("intake/batches.py", model="odd", batch=moved.batch_id))
    for feature in ("x", "lists", "structs", "huge", "many", "torn", "far", "zero", "tiny"):
        _stands(visit("watch/drift.py", model="odd", feature=feature))


def _stands(at: AppTest) -> None:
    assert [error.value for error in at.exception] == []
    assert [error.value for error in at.error] == []


def test_a_batch_whose_one_column_went_bad_is_quarantined_with_all_findings(home: Store, tmp_path: Path) -> None:
    intake.define(
        home, "odd", put(tmp_path, "first", odd(seed=1, day=0)), target="late", positive="yes", time="when", id=None
    )
    columns = odd(seed=2, day=7)
    columns["x"] = [[v] for v in columns["x"]]
    columns["lists"] = pa.nulls(ROWS)
    report = intake.receive(home, "odd", put(tmp_path, "later", columns))
    assert report.status is BatchStatus.QUARANTINED
    found = {(f.code, f.column) for f in report.findings}
    assert {("type_changed", "x"), ("all_null", "lists")} <= found
    assert {c.column for c in report.columns} >= {"structs", "many", "huge"}


@pytest.mark.parametrize("exclude", [(), ("huge",)])
def test_a_first_file_with_an_endless_column_says_so_and_can_leave_it_out(
    home: Store, tmp_path: Path, exclude: tuple[str, ...]
) -> None:
    file = put(tmp_path, "first", odd(seed=1, day=0, broken_share=0.1))
    if exclude:
        defined = intake.define(home, "odd", file, target="late", positive="yes", time="when", exclude=exclude)
        assert defined.batch.status is BatchStatus.ACCEPTED
        return
    with pytest.raises(InvalidDefinition, match=r"'huge' .* are not a number up to 1e38 .* can be excluded"):
        intake.define(home, "odd", file, target="late", positive="yes", time="when")
