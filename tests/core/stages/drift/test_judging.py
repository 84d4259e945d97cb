from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chi2_contingency, false_discovery_control, ks_2samp

from pipeline_core.policy import Policy
from pipeline_core.records import (
    COUNTS,
    AlertLevel,
    Column,
    ColumnType,
    DriftState,
    FeatureDrift,
    Grid,
    Role,
    Schema,
    Task,
    TimeUnit,
)
from pipeline_core.stages import profiling
from pipeline_core.stages.drift import DataDrift, Judged, Laid, compared, judge, prediction_drift, saying, window_drift
from pipeline_core.stats.columns import ColumnCounts
from pipeline_core.stats.cubes import cube

POLICY = Policy()
DAYS = (datetime(2025, 1, 1), datetime(2025, 1, 2))  # ruff: ignore[call-datetime-without-tzinfo] - counts hold naive UTC


def counts(columns: Mapping[str, list[Any] | np.ndarray]) -> dict[str, ColumnCounts]:
    """Count raw values as an engine would, spread over two days, and put them into order."""
    parts = [
        pa.table(
            {
                "column_id": pa.array([name], pa.string()).take(pa.array([0])),
                "bucket": pa.array([day], pa.timestamp("us")),
                "cell": pa.array([None if isinstance(value, str) else value], pa.float64()),
                "level": pa.array([value if isinstance(value, str) else None], pa.string()),
                "n": pa.array([n], pa.int64()),
            },
            schema=COUNTS,
        )
        for name, values in columns.items()
        for day, half in zip(DAYS, (values[::2], values[1::2]), strict=True)
        for value, n in tally(half)
    ]
    return profiling.columns(pa.concat_tables(parts)) if parts else {}


def tally(values: list[Any] | np.ndarray) -> list[tuple[Any, int]]:
    seen: dict[Any, int] = {}
    for value in values:
        key = None if value is None or (isinstance(value, float) and np.isnan(value)) else value
        seen[key] = seen.get(key, 0) + 1
    return list(seen.items())


def schema_of(**kinds: str) -> Schema:
    columns = tuple(
        Column(
            column_id=f"c{place:03}",
            name=name,
            type=ColumnType.CATEGORY if kind == "level" else ColumnType.NUMBER,
            role=Role.FEATURE,
        )
        for place, (name, kind) in enumerate(kinds.items(), 1)
    )
    return Schema(
        model="m",
        schema_version=1,
        task=Task.BINARY,
        columns=columns,
        baselines=(),
        grids=tuple(Grid(column_id=c.column_id, kind=kinds[c.name]) for c in columns),
        time_unit=TimeUnit.CLOCK,
        defined_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def named(drift: DataDrift) -> dict[str, FeatureDrift]:
    return {feature.feature: feature for feature in drift.features}


def mixed(rows: int, seed: int, *, shift: float = 0.0, nulls: float = 0.1) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    income = np.round(random.normal(50 + 10 * shift, 10, rows), 1)
    income[random.random(rows) < nulls] = np.nan
    return {
        "c001": income,
        "c002": random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2]).tolist(),
        "c003": random.integers(0, 5, rows).astype(float),
    }


SCHEMA = schema_of(income="value", grade="level", children="value")
SHARES = {"income": 0.3, "grade": 0.6, "children": 0.1}


def check(base: dict[str, Any], now: dict[str, Any], **given: Any) -> DataDrift:
    """Judge the same window twice in a row, so that what drifted has lasted; the second answer."""
    return judged(base, [now, now], **given).windows[-1]


def judged(base: dict[str, Any], windows: list[dict[str, Any]], **given: Any) -> Judged:
    """Judge windows, the first ``healthy`` of them the past, each of which is compared with ``base``."""
    schema, past, exact = given.pop("schema", SCHEMA), given.pop("healthy", 0), given.pop("exact_ks", {})
    learned, seen = counts(base), [counts(window) for window in windows]
    grids = {grid.column_id: grid for grid in schema.grids}
    columns = [
        compared(
            column,
            grids.get(column.column_id),
            base=cube([learned[column.column_id]]) if column.column_id in learned else None,
            now=cube([window.get(column.column_id) for window in seen]),
            exact=np.full(len(seen), exact[column.column_id]) if column.column_id in exact else None,
        )
        for column in schema.features
    ]
    rows = np.array([max((c.rows for c in window.values()), default=0) for window in seen])
    overlaps = given.pop("overlaps", None)
    laid = Laid(rows=rows, healthy=past, comparable=np.full(len(rows), past > 0), overlaps=overlaps)
    return judge(columns, laid, **({"shares": SHARES, "policy": POLICY} | given))


def test_figures_are_scipys_and_adjusted_together() -> None:
    base, now = mixed(3000, 1), mixed(800, 2, shift=0.2)
    found = named(check(base, now))
    one, two = base["c001"][~np.isnan(base["c001"])], now["c001"][~np.isnan(now["c001"])]
    ks = ks_2samp(one, two, method="asymp")
    income = found["income"]
    assert income.test == "ks"
    assert (income.statistic, income.effect, income.p_value) == pytest.approx(
        (ks.statistic, ks.statistic, ks.pvalue), abs=1e-9
    )
    for name, column, keys in (("grade", "c002", ["a", "b", "c"]), ("children", "c003", [0.0, 1.0, 2.0, 3.0, 4.0])):
        table = [[list(side[column]).count(key) for key in keys] for side in (base, now)]
        theirs = chi2_contingency(table, correction=False)
        assert found[name].test == "chi2"
        assert (found[name].statistic, found[name].p_value) == pytest.approx(
            (theirs.statistic, theirs.pvalue), abs=1e-9
        )
    order = ("income", "grade", "children")
    given, adjusted = [], []
    for name in order:
        nulls = found[name].nulls
        assert nulls is not None
        given += [found[name].p_value, nulls.p_value]
        adjusted += [found[name].p_adjusted, nulls.p_adjusted]
    assert adjusted == pytest.approx(false_discovery_control(given), abs=1e-12)


def test_features_come_by_importance_and_contributions_sum() -> None:
    drift = check(mixed(3000, 1), mixed(800, 2, shift=0.2))
    assert [(f.feature, f.shap_rank, f.shap_share) for f in drift.features] == [
        ("grade", 1, 0.6),
        ("income", 2, 0.3),
        ("children", 3, 0.1),
    ]
    for feature in drift.features:
        assert feature.nulls is not None
        assert feature.effect is not None
        change = abs(feature.nulls.current - feature.nulls.baseline)
        assert feature.contribution == pytest.approx(feature.shap_share * max(feature.effect, change), abs=1e-12)
    assert drift.weighted_drift == pytest.approx(sum(f.contribution for f in drift.features), abs=1e-12)


def test_the_same_rows_are_stable() -> None:
    drift = check(mixed(5000, 1), mixed(5000, 2))
    assert [f.state for f in drift.features] == [DriftState.STABLE] * 3
    assert [f.alert for f in drift.features] == [AlertLevel.NONE] * 3
    assert "stable, D = " in named(drift)["income"].reason


def test_an_important_shift_pages_and_an_unimportant_one_is_watched() -> None:
    base, now = mixed(5000, 1), mixed(1000, 2, shift=0.5)
    watched = named(check(base, now))["income"]
    assert (watched.state, watched.drifted, watched.alert) == (DriftState.DRIFTED, True, AlertLevel.WATCH)
    paged = named(check(base, now, shares={"income": 0.9, "grade": 0.1}))["income"]
    assert (paged.alert, paged.shap_rank) == (AlertLevel.PAGE, 1)
    assert paged.reason.startswith("income: distribution moved by D = 0.")
    assert paged.reason.endswith("(p < 0.001)")


def test_a_feature_that_the_model_never_uses_does_not_page_but_unknown_shares_do() -> None:
    base, now = {"c001": mixed(5000, 1)["c001"]}, {"c001": mixed(1000, 2, shift=0.5)["c001"]}
    one = schema_of(income="value")
    assert check(base, now, schema=one, shares={"income": 0.0, "gone": 1.0}).features[0].alert is AlertLevel.WATCH
    assert check(base, now, schema=one, shares={}).features[0].alert is AlertLevel.PAGE


def test_the_silent_null_change_is_said_with_both_figures() -> None:
    base, now = mixed(5000, 1, nulls=0.12), mixed(1000, 2, nulls=0.0)
    zeroed = np.random.default_rng(3).random(1000) < 0.12
    now["c001"][zeroed] = 0.0  # upstream writes 0 where it wrote nothing
    income = named(check(base, now))["income"]
    assert income.nulls is not None
    assert income.nulls.current == pytest.approx(0.0, abs=1e-15)
    assert income.nulls.p_adjusted < 1e-20
    assert income.drifted
    share = f"{income.nulls.baseline * 100:.1f} %"
    assert income.reason == (
        f"income: null share 0.0 %, was {share}; distribution moved by D = {income.effect:.2f} (p < 0.001)"
    )


def test_a_null_change_below_its_floor_is_no_drift() -> None:
    base = {"c001": mixed(50_000, 1, nulls=0.100)["c001"]}
    now = {"c001": mixed(50_000, 2, nulls=0.113)["c001"]}
    feature = check(base, now, schema=schema_of(income="value")).features[0]
    assert feature.nulls is not None
    assert feature.nulls.p_adjusted < 0.001
    assert not feature.drifted


def test_a_window_that_is_too_small_raises_nothing() -> None:
    drift = check(mixed(5000, 1), mixed(150, 2, shift=3.0))
    assert {f.state for f in drift.features} == {DriftState.UNCLEAR}
    assert not any(f.drifted for f in drift.features)
    assert {f.alert for f in drift.features} == {AlertLevel.NONE}
    assert drift.weighted_drift is None
    income = named(drift)["income"]
    assert income.reason == "income: 150 rows in the window, 200 are needed to judge"
    assert income.p_value is not None
    assert income.p_value < 1e-9


def test_small_but_allowed_windows_are_unclear_rather_than_stable() -> None:
    income = named(check(mixed(5000, 1), mixed(250, 2)))["income"]
    assert income.state is DriftState.UNCLEAR
    assert "unclear, D = " in income.reason
    assert income.smallest_detectable is not None
    assert income.smallest_detectable > POLICY.drift_effect_min


def test_one_bad_column_costs_the_others_nothing() -> None:
    base, now = mixed(5000, 1), mixed(1000, 2, shift=0.5)
    healthy = named(check(base, now))["income"]
    for broken in ({k: v for k, v in now.items() if k != "c002"}, now | {"c002": [None] * 1000}):
        found = named(check(base, broken))
        assert found["income"].effect == healthy.effect
        assert found["income"].drifted
        assert found["grade"].alert is not AlertLevel.NONE
    lost = named(check(base, {k: v for k, v in now.items() if k != "c002"}))["grade"]
    assert (lost.drifted, lost.state, lost.nulls) == (False, DriftState.UNCLEAR, None)
    assert lost.reason == (
        "grade: it was not counted in this window, so drift cannot be judged; check that the column still arrives"
    )


def test_all_null_numbers_are_told_by_their_null_share() -> None:
    base, now = mixed(5000, 1), mixed(1000, 2) | {"c001": np.full(1000, np.nan)}
    income = named(check(base, now))["income"]
    assert (income.statistic, income.effect, income.drifted) == (None, None, True)
    assert income.reason.startswith("income: null share 100.0 %, was ")
    assert income.contribution > 0.26
    never = named(check(base | {"c001": np.full(5000, np.nan)}, now))["income"]
    assert (never.drifted, never.alert) == (False, AlertLevel.NONE)
    assert "all values in the baseline are null" in never.reason
    unknown = named(check({k: v for k, v in base.items() if k != "c001"}, now))["income"]
    assert (unknown.alert, unknown.nulls) == (AlertLevel.NONE, None)
    assert "not counted in the baseline" in unknown.reason


def test_an_empty_window_has_every_feature_and_no_signal() -> None:
    drift = window_drift(counts(mixed(500, 1)), {}, schema=SCHEMA, shares=SHARES, policy=POLICY)
    assert len(drift.features) == 3
    assert {f.alert for f in drift.features} == {AlertLevel.NONE}
    assert drift.weighted_drift is None


def test_a_new_level_is_named_with_its_share() -> None:
    base, now = mixed(5000, 1), mixed(1000, 2)
    now["c002"][:20] = ["d"] * 20
    grade = named(check(base, now))["grade"]
    assert grade.new_levels == {"d": 0.02}
    assert (grade.drifted, grade.alert) == (True, AlertLevel.PAGE)
    assert grade.reason == "grade: new levels 'd' 2.0 %"
    now["c002"][:20] = ["d"] + ["a"] * 19  # one stray row is listed, and is no evidence
    stray = named(check(base, now))["grade"]
    assert (stray.new_levels, stray.drifted) == ({"d": 0.001}, False)
    now["c002"][:400] = [f"{'long' * 20}{i % 5}" for i in range(400)]
    many = named(check(base, now))["grade"]
    assert " and 2 more; level shares moved by JS = 0." in many.reason
    assert max(map(len, many.reason.split())) < 60


def test_an_exact_distance_replaces_the_bound_of_the_cells() -> None:
    base = {"c001": np.repeat(np.arange(30.0), 100)}
    now = {"c001": np.repeat(np.arange(30.0), 20)}
    one = schema_of(amount="cells")
    bound = check(base, now, schema=one, shares={"amount": 1.0}).features[0]
    assert (bound.test, bound.effect, bound.p_value) == ("ks", pytest.approx(0.0), pytest.approx(1.0))
    exact = check(base, now, schema=one, shares={"amount": 1.0}, exact_ks={"c001": 0.15}).features[0]
    assert (exact.statistic, exact.drifted) == (0.15, True)
    few_cells = {"c001": np.repeat(np.arange(3.0), 500)}
    assert check(few_cells, few_cells, schema=one).features[0].test == "ks"  # a cell is no value to be listed by


def test_stable_history_raises_almost_nothing() -> None:
    """60 windows of 500 rows, 16 numbers and 4 categories, nothing changes: naive testing fires in most of them."""
    random = np.random.default_rng(20)
    shapes = np.cumsum(random.dirichlet(np.ones(6) * 3, size=4), axis=1)
    names = {f"f{i:02}": "value" if i < 16 else "level" for i in range(20)}
    schema = schema_of(**names)
    shares = dict.fromkeys(names, 0.05)

    def draw(rows: int) -> dict[str, ColumnCounts]:
        common = random.normal(size=rows)
        values = np.round(0.55 * common[:, None] + 0.84 * random.normal(size=(rows, 16)), 2)
        levels = (random.random((rows, 4))[:, :, None] > shapes[None]).sum(axis=2)
        parts = []
        for place in range(20):
            number = place < 16
            keys, n = np.unique(values[:, place] if number else levels[:, place - 16], return_counts=True)
            size = len(keys)
            parts.append(
                pa.table(
                    {
                        "column_id": pa.array([f"c{place + 1:03}"] * size),
                        "bucket": pa.nulls(size, pa.timestamp("us")),
                        "cell": pa.array(keys) if number else pa.nulls(size, pa.float64()),
                        "level": pa.nulls(size, pa.string()) if number else pa.array([f"l{k}" for k in keys]),
                        "n": pa.array(n),
                    },
                    schema=COUNTS,
                )
            )
        return profiling.columns(pa.concat_tables(parts))

    baseline = draw(20_000)
    naive = alerted = 0
    for _ in range(60):
        found = window_drift(baseline, draw(500), schema=schema, shares=shares, policy=POLICY).features
        naive += any(f.p_value is not None and f.p_value <= 0.05 for f in found)
        alerted += any(f.alert is not AlertLevel.NONE for f in found)
    assert naive >= 25
    assert alerted <= 2


def test_a_third_of_a_deviation_is_found_in_a_thousand_rows() -> None:
    random = np.random.default_rng(4)
    one = schema_of(x="value")
    baseline = counts({"c001": np.round(random.normal(size=20_000), 2)})
    found = 0
    for _ in range(20):
        now = counts({"c001": np.round(random.normal(0.3, 1, 1000), 2)})
        found += window_drift(baseline, now, schema=one, shares={}, policy=POLICY).features[0].drifted
    assert found >= 19


def scores(values: list[Any] | np.ndarray) -> ColumnCounts:
    return counts({"score": values})["score"]


def test_scores_that_moved_are_prediction_drift() -> None:
    random = np.random.default_rng(1)
    base, now = np.round(random.beta(2, 6, 4000), 3), np.round(random.beta(3, 6, 900), 3)
    found = prediction_drift(scores(base), scores(now), policy=POLICY)
    theirs = ks_2samp(base, now, method="asymp")
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    assert (found.baseline_mean, found.current_mean) == pytest.approx((base.mean(), now.mean()), abs=1e-12)
    assert found.rows == 900
    assert found.drifted
    assert found.reason == (
        f"predictions: mean {now.mean():.3g}, was {base.mean():.3g}; "
        f"distribution moved by D = {theirs.statistic:.2f} (p < 0.001)"
    )


def test_scores_that_stayed_or_are_few_are_not() -> None:
    random = np.random.default_rng(1)
    base = scores(np.round(random.random(4000), 3))
    same = prediction_drift(base, scores(np.round(random.random(900), 3)), policy=POLICY)
    assert not same.drifted
    assert "no drift shown, D = 0.0" in same.reason
    few = prediction_drift(base, scores(np.ones(50)), policy=POLICY)
    assert (few.drifted, few.effect) == (False, pytest.approx(1.0, abs=0.01))
    assert few.reason == "predictions: 50 rows in the window, 200 are needed to judge"


def test_predicted_classes_drift_by_their_shares() -> None:
    base = scores(["a"] * 500 + ["b"] * 500)
    now = scores(["a"] * 80 + ["b"] * 320)
    found = prediction_drift(base, now, policy=POLICY)
    theirs = chi2_contingency([[500, 500], [80, 320]], correction=False)
    assert (found.statistic, found.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), abs=1e-9)
    assert (found.drifted, found.baseline_mean) == (True, None)


def test_no_scores_is_a_reason_and_not_a_number() -> None:
    found = prediction_drift(scores([0.5] * 300), None, policy=POLICY)
    assert (found.rows, found.statistic, found.current_mean, found.drifted) == (0, None, None, False)
    assert found.reason == "predictions: no scores in this window, so their drift is not measured"
    assert found.baseline_mean == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("before", "now", "drifted"),
    [(0.057, 0.080, False), (0.122, 0.088, False), (0.02, 0.06, True), (0.12, 0.0, True), (0.0, 0.03, True)],
)
def test_a_null_share_must_move_by_points_and_by_more_than_a_bad_draw(before: float, now: float, drifted: bool) -> None:
    """The first two are healthy windows of adult_census and of the demo; 2 points alone would have paged."""

    def sent(share: float, rows: int) -> dict[str, list[Any]]:
        known = round(rows * (1 - share))
        return {"c001": ["a"] * known + [None] * (rows - known)}

    found = window_drift(
        counts(sent(before, 20_000)),
        counts(sent(now, 1_000)),
        schema=schema_of(income="level"),
        shares={"income": 1.0},
        policy=POLICY,
    )
    assert found.features[0].drifted is drifted


def quiet(count: int, *, shift: float = 0.0, seed: int = 100) -> list[dict[str, Any]]:
    return [mixed(1000, seed + place, shift=shift) for place in range(count)]


def level_of(drift: DataDrift, name: str = "income") -> AlertLevel:
    return named(drift)[name].alert


TOP = {"income": 0.9, "grade": 0.05, "children": 0.05}


def test_an_important_feature_pages_when_it_lasts_two_of_three_windows() -> None:
    base, calm, moved = mixed(5000, 1), mixed(1000, 3), mixed(1000, 2, shift=0.5)
    found = judged(base, [calm, moved, calm, moved, moved, calm, calm, calm, moved], shares=TOP).windows
    said = [level_of(window) for window in found]
    none, watch, page = AlertLevel.NONE, AlertLevel.WATCH, AlertLevel.PAGE
    assert said == [none, watch, none, page, page, none, none, none, watch]
    assert [named(w)["income"].windows_drifted for w in found] == [0, 1, 1, 2, 2, 2, 1, 0, 1]


def test_hard_evidence_pages_at_once() -> None:
    base, calm = mixed(5000, 1), mixed(1000, 3)
    said = ("in batch b-0002: nulls became 0.",)
    found = judged(base, [calm], shares=TOP, evidence=[{"income": said}]).windows[0]
    income = named(found)["income"]
    assert (income.drifted, income.alert, income.hard_evidence) == (True, AlertLevel.PAGE, said)
    assert income.reason == "income: in batch b-0002: nulls became 0"
    nulls = judged(base, [mixed(1000, 2, nulls=0.3)], shares=TOP).windows[0]
    assert level_of(nulls) is AlertLevel.PAGE


def test_what_healthy_windows_show_as_well_is_no_drift_and_what_they_do_not_is() -> None:
    base = mixed(5000, 1)
    # every healthy window wobbles by as much as 0.3 standard deviations
    past = [mixed(1000, 10 + place, shift=0.3 * (-1) ** place) for place in range(24)]
    live = [mixed(1000, 77, shift=0.3), mixed(1000, 78, shift=1.0), mixed(1000, 79, shift=1.0)]
    found = judged(base, [*past, *live], healthy=24, shares=TOP)
    assert (found.calibrated, found.healthy, found.tried) == (True, 24, 24)
    assert found.fired <= 2
    assert "Calibrated on 24 healthy windows" in found.words
    usual, far, again = (named(window)["income"] for window in found.windows)
    assert usual.effect is not None
    assert usual.effect >= POLICY.drift_effect_min
    assert (usual.drifted, usual.state) == (False, DriftState.STABLE)
    assert "is what healthy windows show" in usual.reason
    assert (far.drifted, far.alert, again.alert) == (True, AlertLevel.WATCH, AlertLevel.PAGE)
    assert far.p_calibrated == pytest.approx(1 / 25)
    assert found.windows[1].weighted_limit is not None
    assert found.windows[1].weighted_drift > found.windows[1].weighted_limit  # type: ignore[operator]
    without = judged(base, live[:1], shares=TOP).windows[0]
    assert named(without)["income"].drifted


def test_quiet_live_windows_join_the_healthy_ones_until_there_are_enough() -> None:
    base = mixed(5000, 1)
    found = judged(base, [*quiet(12), *quiet(10, seed=200)], healthy=12)
    # a window is taken once the two after it are known
    assert [window.calibrated for window in found.windows] == [False] * 9 + [True]
    assert found.windows[9].healthy == 19
    words = judged(base, [*quiet(12), *quiet(1, seed=200)], healthy=12).words
    assert "Uncalibrated; 12 healthy windows are here, 19 are needed" in words


def test_a_change_that_lasts_does_not_become_what_it_is_measured_by() -> None:
    base = mixed(5000, 1)
    long = [*quiet(18), *quiet(4, seed=300), *quiet(6, shift=0.8, seed=200)]
    moved = judged(base, long, healthy=18, shares=TOP).windows[4:]
    assert [level_of(window) for window in moved] == [AlertLevel.WATCH] + [AlertLevel.PAGE] * 5
    assert {window.healthy for window in moved[2:]} == {19}
    assert all(named(window)["income"].healthy_effect < 0.1 for window in moved)  # type: ignore[operator]


def test_a_window_that_stood_out_once_is_part_of_the_healthy_ones() -> None:
    live = [*quiet(2, seed=300), *quiet(1, shift=0.8, seed=200), *quiet(4, seed=400)]
    found = judged(mixed(5000, 1), [*quiet(12), *live], healthy=12, shares=TOP).windows
    assert [level_of(window) for window in found] == [AlertLevel.NONE] * 2 + [AlertLevel.WATCH] + [AlertLevel.NONE] * 4
    assert [window.healthy for window in found] == [12, 12, 12, 13, 14, 15, 16]


def test_a_column_of_the_calendar_never_alerts_nor_weighs() -> None:
    columns = tuple(replace(c, calendar=c.name == "income") for c in SCHEMA.columns)
    found = check(mixed(5000, 1), mixed(1000, 2, shift=1.0), schema=replace(SCHEMA, columns=columns), shares=TOP)
    income = named(found)["income"]
    assert (income.drifted, income.alert, income.contribution) == (True, AlertLevel.NONE, 0.0)
    assert income.reason.endswith("it only says when, so it never alerts")


def test_many_small_moves_of_the_whole_window_are_told_by_its_weight() -> None:
    names = {f"x{place}": "value" for place in range(8)}
    schema, shares = schema_of(**names), dict.fromkeys(names, 1 / 8)

    def draw(seed: int, shift: float) -> dict[str, Any]:
        random = np.random.default_rng(seed)
        return {f"c{i:03}": np.round(random.normal(shift, 1, 1000), 1) for i in range(1, 9)}

    past = [draw(seed, 0.0) for seed in range(24)]
    found = judged(draw(99, 0.0), [*past, draw(50, 0.35), draw(51, 0.35)], healthy=24, schema=schema, shares=shares)
    assert found.windows[-1].weighted_level is AlertLevel.PAGE
    assert found.windows[-1].weighted_reason.startswith("weighted drift 0.")


def test_a_small_alpha_asks_for_more_healthy_windows_and_silences_nothing() -> None:
    """A rank among K windows is never below 1 / (K + 1)."""
    strict = replace(POLICY, alpha=0.01)
    live = quiet(2, shift=1.0, seed=300)
    found = judged(mixed(5000, 1), [*quiet(50), *live], healthy=50, shares=TOP, policy=strict)
    assert not found.calibrated
    assert "50 healthy windows are here, 99 are needed" in found.words
    assert [level_of(window) for window in found.windows] == [AlertLevel.WATCH, AlertLevel.PAGE]


def shared(healthy: int, live: int, *pairs: tuple[int, int]) -> np.ndarray:
    """Say which windows share rows, the live ones counted on from the healthy."""
    overlaps = np.eye(healthy + live, dtype=bool)
    for one, other in pairs:
        overlaps[one, other] = overlaps[other, one] = True
    return overlaps


def test_a_window_of_the_hold_out_is_not_ranked_against_itself_nor_counted_twice() -> None:
    base, moved = mixed(5000, 1), quiet(1, shift=0.8, seed=200)
    past = [*quiet(23), *moved]
    found = judged(base, [*past, *moved], healthy=24, shares=TOP, overlaps=shared(24, 1, (23, 24))).windows[0]
    assert (found.healthy, level_of(found)) == (23, AlertLevel.WATCH)
    # not known to be the same rows, the window is as healthy as itself
    assert level_of(judged(base, [*past, *moved], healthy=24, shares=TOP).windows[0]) is AlertLevel.NONE
    # the two windows of the hold-out are in the past already
    twins = shared(17, 12, (15, 17), (16, 18))
    pooled = judged(base, [*quiet(17), *quiet(2, seed=115), *quiet(10, seed=300)], healthy=17, overlaps=twins).windows
    assert [window.healthy for window in pooled] == [16, 16, 17, 17, 17, 18, 19, 19, 19, 19, 19, 19]


def test_rolling_windows_that_share_a_bad_day_do_not_confirm_each_other() -> None:
    base, calm, bad = mixed(5000, 1), quiet(1, seed=300), quiet(1, shift=0.8, seed=200)
    # seven days, a new one each day: only every seventh window has other rows
    overlaps = np.abs(np.subtract.outer(np.arange(21), np.arange(21))) < 7
    once = judged(base, [*calm * 7, *bad * 7, *calm * 7], shares=TOP, overlaps=overlaps).windows
    assert {level_of(window) for window in once} == {AlertLevel.NONE, AlertLevel.WATCH}
    lasting = judged(base, [*calm * 7, *bad * 14], shares=TOP, overlaps=overlaps).windows
    assert [level_of(window) for window in lasting] == (
        [AlertLevel.NONE] * 7 + [AlertLevel.WATCH] * 7 + [AlertLevel.PAGE] * 7
    )


def test_a_window_that_cannot_be_held_against_the_past_has_words_of_its_own() -> None:
    found = judged(mixed(5000, 1), [*quiet(24), *quiet(1, seed=300)], healthy=24)
    assert found.words.startswith("Calibrated on 24 healthy windows")
    assert found.uncalibrated_words.startswith("Uncalibrated: a feature has drifted")
    assert judged(mixed(5000, 1), quiet(1)).uncalibrated_words == ""


def test_what_moved_for_sure_is_not_said_to_be_too_few_rows() -> None:
    said = saying.unusual("visibility: unclear, D = 0.43", healthy=10, policy=Policy())
    assert said == (
        "visibility: unclear, D = 0.43 is more than the floor of 0.10, and healthy windows moved as much; whether that is"
        " unusual cannot be told from 10 of them (19 are needed)"
    )
