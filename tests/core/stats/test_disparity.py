"""A group against the rest: proven, cleared or open, by its interval and not by its figure."""

from __future__ import annotations

import doctest

import numpy as np
import pytest

from pipeline_core.records import BiasFinding, BiasMeasure, BiasState, Measured, NotMeasured
from pipeline_core.stats import disparity
from pipeline_core.stats.disparity import against_rest
from pipeline_core.stats.fairness import Treated

LIMITS = {BiasMeasure.SELECTION_RATIO: 0.8, BiasMeasure.TPR_GAP: 0.1, BiasMeasure.FPR_GAP: 0.1}
RATIO = {BiasMeasure.SELECTION_RATIO: 0.8}


def treated(*groups: tuple[int, int], positive_share: float = 0.5) -> Treated:
    """Give groups of (rows, selected), the selected ones spread evenly over positives and negatives."""
    said, codes, y = [], [], []
    for place, (rows, selected) in enumerate(groups):
        said += [1.0] * selected + [0.0] * (rows - selected)
        codes += [place] * rows
        every = round(1 / positive_share)
        y += [float(at % every == 0) for at in range(rows)]
    names = tuple("abcdefgh"[: len(groups)])
    return Treated(y=np.array(y), said=np.array(said), score=np.array(said), codes=np.array(codes), names=names)


def only(*groups: tuple[int, int], limits: dict[BiasMeasure, float] = RATIO) -> BiasFinding:
    (found,) = against_rest(treated(*groups), limits=limits, attribute="sex")
    return found


def test_the_examples_are_right() -> None:
    assert doctest.testmod(disparity).failed == 0


def test_four_fifths_is_proven_cleared_or_open() -> None:
    assert only((2000, 300), (2000, 600)).state is BiasState.VIOLATION
    assert only((5000, 2500), (5000, 2520)).state is BiasState.CLEARED
    assert (
        only((50, 7), (50, 10)).state is BiasState.INSUFFICIENT
    )  # a ratio of .7, which the point rule calls a failure


def test_the_limit_holds_whichever_group_is_selected_more() -> None:
    less, more = only((1000, 150), (2000, 600)), only((1000, 600), (2000, 600))
    assert (less.higher, more.higher) == (False, True)
    assert (less.state, more.state) == (BiasState.VIOLATION, BiasState.VIOLATION)
    assert isinstance(less.figure, Measured)
    assert isinstance(more.figure, Measured)
    assert (less.figure.value, more.figure.value) == pytest.approx((0.5, 0.5))


def test_two_groups_are_one_comparison_of_the_smaller_one() -> None:
    found = against_rest(treated((100, 20), (300, 60)), limits=LIMITS, attribute="sex")
    assert [(f.group, f.measure) for f in found] == [("a", measure) for measure in LIMITS]


def test_a_group_that_holds_all_rows_has_no_rest() -> None:
    assert against_rest(treated((100, 20)), limits=LIMITS, attribute="sex") == ()


def test_what_one_comparison_proves_many_do_not() -> None:
    alone = only((200, 46), (1400, 553))
    assert alone.state is BiasState.VIOLATION
    among = against_rest(treated((200, 46), *[(200, 79)] * 7), limits=RATIO, attribute="race")
    assert among[0].figure == alone.figure
    assert among[0].state is BiasState.INSUFFICIENT
    assert among[0].suspected
    assert among[0].rows_needed is not None
    assert among[0].rows_needed > 200


def test_a_gap_is_held_from_both_sides() -> None:
    y = np.array(([1.0] * 600 + [0.0] * 400) * 2)
    said = np.concatenate([np.arange(1000) % 10 < 3, np.arange(1000) % 10 < 6]).astype(float)
    rows = Treated(y=y, said=said, score=said, codes=np.repeat([0, 1], 1000), names=("a", "b"))
    gaps = against_rest(rows, limits={BiasMeasure.TPR_GAP: 0.1, BiasMeasure.FPR_GAP: 0.4}, attribute="sex")
    assert [f.state for f in gaps] == [BiasState.VIOLATION, BiasState.CLEARED]
    assert [round(f.figure.value, 12) for f in gaps if isinstance(f.figure, Measured)] == [0.3, 0.3]
    assert all(f.higher and f.group == "b" for f in gaps)


def test_a_limit_that_cannot_be_broken_does_not_decide() -> None:
    off = {BiasMeasure.SELECTION_RATIO: 0.0, BiasMeasure.TPR_GAP: 1.0, BiasMeasure.FPR_GAP: 1.0}
    found = against_rest(treated((500, 10), (500, 400)), limits=off, attribute="sex")
    assert not any(f.decides or f.state is BiasState.VIOLATION or f.suspected for f in found)
    assert all(isinstance(f.figure, Measured) for f in found)


def test_nothing_to_compare_is_said_and_open() -> None:
    nobody = only((50, 0), (50, 0))
    assert (nobody.state, nobody.figure) == (BiasState.INSUFFICIENT, NotMeasured(reason="nobody is selected"))
    y = np.array([0.0] * 50 + [1.0, 0.0] * 25)
    rows = Treated(y=y, said=y, score=y, codes=np.repeat([0, 1], 50), names=("a", "b"))
    (gap,) = against_rest(rows, limits={BiasMeasure.TPR_GAP: 0.1}, attribute="sex")
    assert gap.figure == NotMeasured(reason="the other rows have no positive row")


def test_only_the_group_selected_is_a_ratio_of_zero() -> None:
    found = only((40, 30), (60, 0))
    assert isinstance(found.figure, Measured)
    assert (found.figure.value, found.figure.low, found.state) == (0.0, 0.0, BiasState.VIOLATION)


@pytest.mark.parametrize("groups", [((300, 42), (300, 60)), ((300, 58), (300, 60))])
def test_so_many_rows_as_it_asks_for_decide(groups: tuple[tuple[int, int], ...]) -> None:
    found = only(*groups)
    assert found.state is BiasState.INSUFFICIENT
    assert found.rows_needed is not None
    times = found.rows_needed / found.rows * 1.01
    more = only(*((round(rows * times), round(selected * times)) for rows, selected in groups))
    assert more.state is not BiasState.INSUFFICIENT
