"""The overview: the sentence, the cards, what needs a person, the welcome, the demo."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pages.watch import cards, reads, signals, words
from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    BatchStatus,
    DomainTest,
    DriftState,
    Examination,
    SegmentDrift,
    Task,
    WatchReport,
    WindowReport,
)
from pipeline_core.sources.demo import INCIDENTS
from pipeline_core.stages import alerts
from pipeline_core.store import Store
from tests.pages.conftest import batch, drift, fill, schema, version, week, window

Visit = Callable[..., AppTest]


def markdown(at: AppTest) -> str:
    return "\n".join(item.value for item in at.markdown)


def test_the_sentence_says_what_is_wrong_since_when_with_figures(seeded: Store, visit: Visit) -> None:
    assert visit().title[0].value == (
        ":red[:material/error:] Champion v1 has been wrong more often since 14 Apr 2025: **AUC 0.710, was 0.780**; "
        "income drifted in the week of 21 Apr 2025."
    )


def test_each_card_has_state_figure_and_comparison(seeded: Store, visit: Visit) -> None:
    at = visit()
    assert [(m.label, m.value, m.delta) for m in at.metric] == [
        ("Champion v1", "AUC 0.780", "0.760–0.800"),
        ("Last batch", "200 rows", "accepted"),
        ("Data drift", "2 of 4", "weighted 0.160"),
        ("Predictions", "0.210", "baseline 0.200"),
        ("Performance", "AUC 0.710", "0.070 worse"),
    ]
    assert "**Data drift**  \n:red[:material/error: Page]" in markdown(at)
    assert "**Predictions**  \n:green[:material/check_circle: OK]" in markdown(at)


def test_what_needs_a_person_is_grouped_and_sorted_by_harm(seeded: Store, visit: Visit) -> None:
    at = visit()
    lines = [item.value for item in at.markdown if "\n:gray[" in item.value]
    assert lines[0] == ":red[:material/error: Page] The model got worse  \n:gray[the week of 14 Apr 2025]"
    assert lines[1] == ":red[:material/error: Page] **income** drifted  \n:gray[2 windows, 7–20 Apr 2025]"
    assert lines[2].startswith(":orange[:material/visibility: Watch] **\\=cmd")
    assert "<b>" not in lines[2]


def test_the_strip_has_a_lane_for_each_signal(seeded: Store, visit: Visit) -> None:
    figure = json.loads(visit().get("plotly_chart")[0].proto.spec)
    lanes = [note["text"] for note in figure["layout"]["annotations"]]
    assert lanes == [
        "Rows per window", "Weighted drift", "Mean score (dotted: baseline)",
        "Realised AUC, 95 % interval (dotted: validation)",
    ]  # fmt: skip
    assert figure["layout"]["title"]["text"] == "Drift that counts was largest in the week of 7 Apr 2025"


def test_the_next_step_follows_from_what_is_known(seeded: Store) -> None:
    seen = reads.seen(seeded, "loans")
    windows = seen.report.windows if seen.report else ()
    assert words.step(seen, windows)[:2] == ("Train a challenger", "training")
    assert words.step(seen, windows[:6])[:2] == ("Look at what drifted", "drift")
    assert words.step(seen, windows[:6])[3] == {"feature": "income", "window": "2025-04-07"}
    assert words.step(seen, windows[:3])[:2] == ("Receive the next batch", "batches")
    assert words.step(seen, ())[:2] == ("Check now", "drift")
    rival = replace(seen, versions=(version(2, "0" * 64), *seen.versions))
    assert words.step(rival, windows)[0] == "Challenge with v2"
    held = replace(seen, batches=(batch(9, status=BatchStatus.QUARANTINED), *seen.batches))
    assert words.step(held, windows)[:2] == ("See why it was quarantined", "batches")
    assert words.step(held, windows)[3] == {"batch": "b-0011"}
    bare = replace(seen, champion=None, versions=(), promotions=())
    assert words.step(bare, ())[:2] == ("Train the first version", "training")
    left = replace(seen, champion=None, versions=())  # the champion was retired, and one before it may come back
    assert words.step(left, ())[:2] == ("Decide in the registry", "registry")


def test_a_difference_is_said_with_its_direction() -> None:
    said = [
        cards._against(name, gained) for name, gained in (("rmse", 0.2), ("rmse", -0.2), ("auc", 0.01), ("auc", 0.0))
    ]
    assert said == [
        "0.20 worse", "0.20 better", "0.010 better", "the same"
    ]  # fmt: skip


def test_all_is_well_is_said_in_green(seeded: Store) -> None:
    seen = reads.seen(seeded, "loans")
    quiet = tuple(replace(window(n), features=window(n).features[:3]) for n in range(3))
    text, state = words.overview(seen, quiet, schema(), policy=Policy())
    assert state == "ok"
    assert (
        text == "Nothing is wrong now: Champion v1 holds AUC 0.780, and no feature drifted in the week of 17 Mar 2025."
    )


def test_drift_that_hardly_matters_is_a_watch(seeded: Store) -> None:
    text, state = words.overview(reads.seen(seeded, "loans"), (window(0),), schema(), policy=Policy())
    assert state == "watch"
    assert text.endswith("drifted in the week of 3 Mar 2025, which hardly matters to it.")


def once() -> WindowReport:
    """A window in which the important feature drifted for the first time."""
    income = replace(drift("income", 0.31, drifted=True), alert=AlertLevel.WATCH, important=True, windows_drifted=1)
    return replace(window(0), features=(income, *window(0).features[1:3]))


def weighted(level: AlertLevel) -> WindowReport:
    """A quiet window that moved as a whole."""
    return replace(
        window(0), features=window(0).features[:3], weighted_drift=0.09, weighted_limit=0.05, weighted_alert=level,
        alert=level, codes=("data_drift",), reasons=("weighted drift 0.09, healthy windows stay below 0.05",),
    )  # fmt: skip


def looked(*, domain: bool, segments: int) -> WindowReport:
    """A quiet window whose rows show something."""
    one = SegmentDrift(
        by="purpose", segment="car", rows=40, share=0.2, feature="debt", effect=0.4, overall=0.05, p_value=0.001,
        p_adjusted=0.01, reason="debt moved where purpose is 'car'",
    )  # fmt: skip
    look = Examination(
        rows=200,
        baseline_rows=800,
        domain=DomainTest(auc=0.7, p_value=0.001, drifted=True, reason="told apart") if domain else None,
        segments=tuple(replace(one, reason=f"{one.reason} {n}") for n in range(segments)),
    )
    return alerts.window_level(replace(window(0), features=window(0).features[:3], examined=look), policy=Policy())


def test_an_important_feature_that_drifted_once_pages_if_it_lasts(seeded: Store) -> None:
    text, state = words.overview(reads.seen(seeded, "loans"), (once(),), schema(), policy=Policy())
    assert (text, state) == (
        "Champion v1: income drifted in the week of 3 Mar 2025, which pages if it lasts (2 of 3 windows).",
        "watch",
    )


@pytest.mark.parametrize(
    ("found", "state", "said"),
    [
        (weighted(AlertLevel.WATCH), "watch", "weighted drift 0.09, healthy windows stay below 0.05"),
        (weighted(AlertLevel.PAGE), "page", "weighted drift 0.09, healthy windows stay below 0.05"),
        (looked(domain=True, segments=0), "watch", "a classifier tells its rows from the baseline's (AUC 0.70)"),
        (looked(domain=False, segments=2), "watch", "inside 2 segments debt drifted"),
    ],
)
def test_what_no_single_feature_shows_is_no_green(seeded: Store, found: WindowReport, state: str, said: str) -> None:
    seen = reads.seen(seeded, "loans")
    text, given = words.overview(seen, (found,), schema(), policy=Policy())
    assert (text.replace("\\", ""), given) == (
        f"Champion v1: no feature drifted in the week of 3 Mar 2025; {said}.",
        state,
    )
    drifted, given = words.drift(found, schema(), policy=Policy())
    assert (drifted.replace("\\", ""), given) == (
        f"None of 3 features drifted in the week of 3 Mar 2025; {said}.",
        state,
    )
    assert signals.drift_state(found) == state
    assert words.step(seen, (found,))[0] == ("Look at what drifted" if state == "page" else "Receive the next batch")
    incident = replace(INCIDENTS[0], first_day=week(0).date(), last_day=week(0).date())
    (told, *_) = reads.found_in(incident, [found], [])
    assert ("weighted drift (0.090)" if found.examined is None else "what only the rows show") in told


def test_against_a_season_the_rows_are_no_signal() -> None:
    seasonal = alerts.window_level(looked(domain=True, segments=1), seasonal=True, policy=Policy())
    assert signals.drift_state(seasonal) == "ok"
    assert signals.beside(seasonal) == []


def test_a_page_of_a_feature_says_it_without_the_whole() -> None:
    both = replace(window(5), weighted_alert=AlertLevel.PAGE, weighted_limit=0.05)
    assert signals.beside(both) == []
    bare = replace(weighted(AlertLevel.WATCH), reasons=())
    assert [text.replace("\\", "") for text in signals.beside(bare)] == [
        "weighted drift 0.090, healthy windows stay below 0.050"
    ]


def test_a_window_too_small_to_judge_is_unknown_never_quiet(seeded: Store) -> None:
    small = replace(
        window(0),
        rows=12,
        features=tuple(replace(f, state=DriftState.UNCLEAR, drifted=False) for f in window(0).features[:3]),
    )
    assert signals.drift_state(small) == "unknown"
    assert (
        "12 rows in the week of 3 Mar 2025 are too few to say what drifted"
        in words.overview(reads.seen(seeded, "loans"), (small,), schema(), policy=Policy())[0]
    )


def test_a_model_without_a_champion_says_how_far_it_is(home: Store, visit: Visit) -> None:
    fill(home, champion=False)
    at = visit()
    assert (
        at.title[0].value
        == ":gray[:material/help:] No champion yet: 1,800 rows in 9 batches, 0 of them labelled, nothing trained."
    )
    assert at.button(key="next").label == "Train the first version"
    assert not at.metric


def test_a_champion_that_nobody_checked_is_offered_a_check(home: Store, visit: Visit) -> None:
    fill(home, watched=False)
    at = visit()
    assert "nothing has been checked since" in at.title[0].value
    assert at.button(key="next").label == "Check now"
    assert [m.value for m in at.metric][2:] == ["–", "–", "–"]


def test_nothing_to_show_says_why(seeded: Store) -> None:
    seen = reads.seen(seeded, "loans")
    assert words.overview(seen, (), schema(), policy=Policy())[0].endswith("; no window lies in the chosen period.")
    assert seen.report is not None
    idle = replace(seen, report=replace(seen.report, windows=()))
    assert words.overview(idle, (), schema(), policy=Policy())[0].endswith("; no later data has come in since.")
    assert words.step(idle, ())[:2] == ("Receive the next batch", "batches")


def test_each_task_names_what_its_scores_are() -> None:
    kinds = [words.score_name(replace(schema(), task=task)) for task in Task]
    assert kinds == ["score", "confidence", "prediction"]


def test_an_empty_store_is_welcomed_with_two_ways_in(
    home: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("pages.ui.session.submit", lambda verb, *_args, **_more: asked.append(verb))
    at = visit()
    assert [head.value for head in at.subheader] == ["Look around in the demo", "Bring your own data"]
    at.button(key="demo_build").click().run()
    assert asked == ["demo"]
    at.button(key="welcome_define").click().run()
    assert not at.exception
    assert "first file" in at.title[0].value


def test_the_demo_tells_what_was_done_beside_what_was_found(home: Store, visit: Visit) -> None:
    fill(home, demo=True)
    at = visit()
    assert not at.expander(key="demo_fold").proto.expanded
    at.session_state["demo_fold"] = True
    at.run()
    assert "New phones" in markdown(at)
    assert "Before or after the windows that were checked." in markdown(at)


def test_what_an_incident_led_to_is_told_from_the_windows(seeded: Store) -> None:
    incident = replace(INCIDENTS[0], first_day=week(5).date(), last_day=week(6).date())
    report = seeded.signals.watch("loans")
    assert isinstance(report, WatchReport)
    told = reads.found_in(incident, report.windows, seeded.batches.list("loans"))
    assert told[0] == ":red[:material/error: Page] income (0.310)."
    assert told[1].startswith(":orange[:material/visibility: Watch] \\=cmd")
    assert told[-1] == "AUC 0.710–0.780, was 0.780; clearly lower in 1 window."


def test_the_demo_goes_with_one_click_after_its_consequences(
    home: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(home, model="lending", demo=True)
    at = visit()
    at.session_state["demo_fold"] = True
    at.run()
    at.button(key="demo_remove").click().run()
    assert "with its batches, versions, alerts and files" in markdown(at)
    at.button(key="demo_confirm_yes").click().run()
    assert not at.exception
    assert home.models.names() == ()
    assert "Nothing is watched yet" in at.title[0].value


def test_the_windows_outside_the_period_do_not_count(seeded: Store, visit: Visit) -> None:
    at = visit(period="Last 30 days")
    drawn = json.loads(at.get("plotly_chart")[0].proto.spec)["data"]
    bars = next(trace for trace in drawn if trace["type"] == "bar")
    assert bars["x"][-1] == "2025-04-21T00:00:00.000"
    assert len(bars["x"]) < 8


def test_one_window_is_no_line_over_time(seeded: Store, visit: Visit) -> None:
    at = visit(period="Last 7 days")
    assert not at.get("plotly_chart")
    assert any("from the second window on" in caption.value for caption in at.caption)


def test_links_name_the_model_and_the_period_for_a_new_tab(seeded: Store, visit: Visit) -> None:
    fill(seeded, model="another")
    at = visit(model="loans", period="Last 90 days")
    looks = [link.proto.query_string for link in at.page_link if link.proto.label == "Look"]
    assert looks
    assert all("model=loans" in query and "period=Last+90+days" in query for query in looks)
    assert "alert=performance" in looks[0]


def test_a_quarantined_batch_is_looked_at_itself(seeded: Store, visit: Visit) -> None:
    refused = batch(23, status=BatchStatus.QUARANTINED)
    seeded.signals.add_alerts(alerts.batch_alerts(refused, shares={}, policy=seeded.policy))
    looks = [link.proto.query_string for link in visit().page_link if link.proto.label == "Look"]
    assert any("batch=b-0025" in query for query in looks)


def test_a_partial_newest_window_does_not_hide_the_one_before(seeded: Store) -> None:
    small = replace(
        window(7),
        rows=12,
        features=tuple(
            replace(f, state=DriftState.UNCLEAR, drifted=False, alert=AlertLevel.NONE) for f in window(7).features
        ),
    )
    seen = reads.seen(seeded, "loans")
    text, state = words.overview(seen, (window(4), window(5), small), schema(), policy=Policy())
    assert (state, text) == ("page", "Champion v1: income drifted in the week of 7 Apr 2025.")
    assert words.step(seen, (window(5), small))[3] == {"feature": "income", "window": "2025-04-07"}
