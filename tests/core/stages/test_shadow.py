"""What two models said about the same rows, on pairs whose figures are known by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pipeline_core.records import Measured, NotMeasured, ShadowBatch, Task
from pipeline_core.stages import shadow

AT = datetime(2026, 1, 1, tzinfo=UTC)


def pairs(ours: list[float], theirs: list[float], labels: list[str | None] | None = None) -> pa.Table:
    rows = range(len(ours))
    return pa.table({
        "row_id": [f"r{i}" for i in rows],
        "batch_id": ["b-0001"] * len(ours),
        "score": pa.array(ours, pa.float64()),
        "prediction": ["yes" if s >= 0.5 else "no" for s in ours],
        "shadow_score": pa.array(theirs, pa.float64()),
        "shadow_prediction": ["yes" if s >= 0.5 else "no" for s in theirs],
        "label": pa.array(labels or [None] * len(ours), pa.string()),
    })


def test_agreement_difference_distance_and_bins() -> None:
    found = shadow.sides(pairs([0.1, 0.4, 0.6, 0.9], [0.2, 0.6, 0.7, 0.9]), task=Task.BINARY)
    assert isinstance(found.agreement, Measured)
    assert (found.rows, found.agreement.value) == (4, 0.75)
    low, high = binomtest(3, 4).proportion_ci(method="wilson")
    assert (found.agreement.low, found.agreement.high) == (pytest.approx(low), pytest.approx(high))
    assert isinstance(found.mean_difference, Measured)
    assert found.mean_difference.value == pytest.approx(0.1)
    half = 1.959964 * np.std([0.1, 0.2, 0.1, 0.0], ddof=1) / 2
    assert found.mean_difference.low == pytest.approx(0.1 - half, abs=1e-6)
    assert isinstance(found.distance, Measured)
    assert found.distance.value == pytest.approx(0.25)
    assert found.edges == pytest.approx(np.linspace(0, 1, 21))
    assert [i for i, n in enumerate(found.champion_bins) if n] == [2, 8, 12, 18]
    assert [row.row_id for row in found.most_different] == ["r1", "r0", "r2", "r3"]
    assert (found.most_different[0].champion_prediction, found.most_different[0].shadow_prediction) == ("no", "yes")


scores = st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 2), min_size=1, max_size=60)


@given(scores)
def test_the_distance_is_that_of_kolmogorov_and_smirnov(both: list[tuple[float, float]]) -> None:
    ours, theirs = [list(side) for side in zip(*both, strict=True)]
    found = shadow.sides(pairs(ours, theirs), task=Task.BINARY)
    gap = max(abs(np.mean(np.array(ours) <= v) - np.mean(np.array(theirs) <= v)) for v in [*ours, *theirs])
    assert isinstance(found.distance, Measured)
    assert found.distance.value == pytest.approx(gap, abs=1e-12)
    assert sum(found.champion_bins) == sum(found.shadow_bins) == len(both)
    gaps = [abs(row.shadow_score - row.champion_score) for row in found.most_different]
    assert gaps == sorted(gaps, reverse=True)


def test_what_is_not_there_is_not_measured() -> None:
    found = shadow.sides(pairs([], []), task=Task.BINARY)
    assert found.rows == 0
    assert all(isinstance(f, NotMeasured) for f in (found.agreement, found.mean_difference, found.distance))
    lost = shadow.sides(pairs([0.5, float("nan")], [0.5, 0.5]), task=Task.BINARY)
    assert lost.rows == 1
    assert isinstance(lost.mean_difference, Measured)
    assert lost.mean_difference.low is None


def test_numbers_are_binned_over_both_sides_and_agree_on_nothing() -> None:
    found = shadow.sides(pairs([10.0, 20.0], [10.0, 50.0]), task=Task.REGRESSION)
    assert isinstance(found.agreement, NotMeasured)
    assert (found.edges[0], found.edges[-1], len(found.edges)) == (10.0, 50.0, 21)
    same = shadow.sides(pairs([3.0], [3.0]), task=Task.REGRESSION)
    assert (sum(same.champion_bins), sum(same.shadow_bins)) == (1, 1)


def timed(rows: int, shadow_ms: float | None, champion_ms: float | None = None, error: str = "") -> ShadowBatch:
    return ShadowBatch(
        model="m", version=2, batch_id="b", champion=1, rows=rows, scored_at=AT, shadow_ms=shadow_ms,
        champion_ms=champion_ms, error=error,
    )  # fmt: skip


def test_a_rows_time_is_its_batchs_time_over_its_rows() -> None:
    batches = [timed(90, 9.0, 18.0), timed(9, 9.0), timed(1, 5.0), timed(50, None, error="broke")]
    ours, theirs = (shadow.latency(batches, of_shadow=of) for of in (False, True))
    assert (theirs.p50_ms, theirs.p99_ms) == (Measured(value=0.1, rows=100), Measured(value=1.0, rows=100))
    assert ours.p50_ms == ours.p99_ms == Measured(value=0.2, rows=90)
    assert isinstance(shadow.latency([], of_shadow=True).p50_ms, NotMeasured)


def test_rows_needed_follow_the_rarest_class() -> None:
    rare = pairs([0.9] + [0.1] * 9, [0.1] * 10)
    assert shadow.rows_needed(rare, task=Task.BINARY, least=30) == 300  # as often as the champion says it
    told = pairs([0.9] + [0.1] * 9, [0.1] * 10, ["yes"] * 4 + ["no"] * 6)
    assert shadow.rows_needed(told, task=Task.BINARY, least=5) == 13  # as often as it is true: 5 / 0.4
    assert shadow.rows_needed(pairs([0.1], [0.1]), task=Task.BINARY, least=30) is None
    assert shadow.rows_needed(rare, task=Task.REGRESSION, least=30) == 30


def test_groups_are_told_where_they_agree_least_first_and_only_if_there_are_enough() -> None:
    both = pairs([0.1, 0.4, 0.6, 0.9, 0.9], [0.2, 0.6, 0.7, 0.9, 0.1])
    levels = pa.array(["a", "b", "b", None, "c"])
    found = shadow.groups(both, {"gender": levels}, task=Task.BINARY, least=1)
    assert [(g.level, g.rows) for g in found] == [("c", 1), ("b", 2), ("a", 1), (None, 1)]
    assert [g.agreement.value for g in found if isinstance(g.agreement, Measured)] == [0.0, 0.5, 1.0, 1.0]
    assert [g.level for g in shadow.groups(both, {"gender": levels}, task=Task.BINARY, least=2)] == ["b"]
