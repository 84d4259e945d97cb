"""The drift page: which change matters, and what exactly changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.watch import evidence, words
from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, DriftState, WatchReport
from pipeline_core.store import Store
from tests.pages.conftest import HOSTILE, drift, fill, schema, week, window

Visit = Callable[..., AppTest]
PAGE = "watch/drift.py"


def charts_of(at: AppTest) -> dict[str, Any]:
    return {item.proto.alt_text or str(i): json.loads(item.proto.spec) for i, item in enumerate(at.get("plotly_chart"))}


def titles(at: AppTest) -> list[str]:
    return [json.loads(item.proto.spec)["layout"]["title"]["text"] for item in at.get("plotly_chart")]


def test_the_sentence_counts_what_drifted_and_what_matters(seeded: Store, visit: Visit) -> None:
    assert visit(PAGE).title[0].value == (
        ":red[:material/error:] 2 of 4 features drifted in the week of 21 Apr 2025; **1 matters**: "
        "income carries 40 % of what the model says."
    )
    assert visit(PAGE, window="2025-03-10").title[0].value == (
        ":orange[:material/visibility:] 1 of 4 features drifted in the week of 10 Mar 2025; none of them matters much to the model."
    )


def test_the_url_says_which_cell_is_looked_at(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE, feature="debt", window="2025-04-07")
    assert at.selectbox(key="feature_pick").value == "debt"
    assert at.selectbox(key="window_pick").value == "2025-04-07"
    assert at.markdown[1].value == (
        "**debt** did not drift in the week of 7 Apr 2025: stable\\, D \\= 0\\.05. It carries 35.0 % of what the model says "
        "(number 2 of 4). Nothing to do."
    )


@pytest.mark.parametrize("query", [{"feature": "gone"}, {"window": "2031-01-01"}, {"window": "x"}, {"size": "5"}])
def test_a_url_that_names_nothing_falls_back(seeded: Store, visit: Visit, query: dict[str, str]) -> None:
    at = visit(PAGE, **query)
    assert not at.exception
    assert (at.selectbox(key="feature_pick").value, at.selectbox(key="window_pick").value) == ("income", "2025-04-21")


def test_a_moment_inside_a_window_finds_it(seeded: Store, visit: Visit) -> None:
    assert visit(PAGE, window="2025-04-09T10:00:00").selectbox(key="window_pick").value == "2025-04-07"


def test_what_is_picked_goes_into_the_url(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.selectbox(key="feature_pick").set_value(HOSTILE).run()
    at.selectbox(key="window_pick").set_value("2025-03-03").run()
    assert not at.exception
    assert (at.query_params["feature"], at.query_params["window"]) == (HOSTILE, "2025-03-03")
    assert "**\\=cmd" in at.markdown[1].value


def test_a_clicked_cell_goes_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, str] = {}
    monkeypatch.setattr("pages.ui.session.ask", lambda **values: asked.update(values))
    evidence.pick(["debt", "2025-03-10", "words"])
    assert asked == {"feature": "debt", "window": "2025-03-10"}
    evidence.pick([])
    evidence.pick_feature(["purpose", "words"])
    assert asked == {"feature": "purpose", "window": "2025-03-10"}


def test_the_evidence_stands_in_order(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert titles(at)[:2] == ["Something that matters drifted in 3 of 8 windows", "What came in?"]
    assert titles(at)[-2:] == ["Is it new? Above the floor in 3 of 8 windows", "Which of them matter? income"]
    assert [caption.value for caption in at.caption][1:9] == [
        "KS distance", "Floor", "p", "p, adjusted", "Nulls, before → now", "Smallest detectable", "SHAP share", "Contribution",
    ]  # fmt: skip


def test_a_number_is_drawn_with_both_cumulative_shares_and_a_category_without(seeded: Store, visit: Visit) -> None:
    number = titles(visit(PAGE, feature="income"))
    assert number[1] == "What came in?"
    assert number[2].startswith("How far apart? KS distance 0.310")
    assert [t for t in titles(visit(PAGE, feature="purpose")) if "far apart" in t] == []


def test_the_drawn_distribution_is_that_of_the_rows(seeded: Store, visit: Visit) -> None:
    spec = json.loads(visit(PAGE, feature="purpose").get("plotly_chart")[1].proto.spec)
    assert [bar["x"] for bar in spec["data"]] == [["car", "home", "other"]] * 2
    assert "baseline, 200 rows" in spec["layout"]["title"]["subtitle"]["text"]


def test_a_feature_that_cannot_be_drawn_does_not_cost_the_rest(
    seeded: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise NotEnough("The baseline holds 0 rows; 1 is needed. Train again.")

    monkeypatch.setattr("pipeline_core.flows.watch.distribution", broken)
    at = visit(PAGE)
    assert not at.exception
    assert [error.value for error in at.error] == ["The baseline holds 0 rows\\; 1 is needed\\. Train again\\."]
    assert titles(at)[-2:] == ["Is it new? Above the floor in 3 of 8 windows", "Which of them matter? income"]


def test_a_check_is_asked_for_with_the_chosen_window(
    seeded: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("pages.ui.session.submit", lambda *args, **_more: asked.append(args))
    at = visit(PAGE)
    at.button(key="check_now").click().run()
    assert asked == [("check", "loans", {"window": "7d"})]


def test_another_window_length_that_nobody_checked_offers_the_check(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE, size="30d")
    assert at.title[0].value == "Not checked in windows of 30 days yet."
    assert at.button(key="check_now").label == "Check now"


def test_a_period_without_windows_says_so(seeded: Store, visit: Visit) -> None:
    old = window(0)
    early = WatchReport(
        model="loans", version=1, window="7d", baseline_rows=1, checked_at=week(9),
        windows=(replace(old, start=old.start - timedelta(days=300), end=old.end - timedelta(days=300)),),
    )  # fmt: skip
    seeded.signals.put_windows(early)
    assert visit(PAGE, period="Last 7 days").title[0].value == "No window lies in the chosen period."


def test_a_check_without_later_data_leads_to_the_batches(seeded: Store, visit: Visit) -> None:
    seeded.signals.put_windows(
        WatchReport(model="loans", version=1, window="7d", baseline_rows=1, checked_at=week(9), windows=())
    )
    at = visit(PAGE)
    assert at.title[0].value == "No data has come in since the champion was trained."
    assert at.button(key="receive").label == "Receive a batch"


def test_empty_states_hold_the_way_out(home: Store, visit: Visit) -> None:
    assert visit(PAGE).button(key="empty_go").label == "Define a model"
    fill(home, champion=False)
    assert visit(PAGE).button(key="empty_go").label == "Train the first version"


def test_in_words_says_what_to_do_by_the_level() -> None:
    paged, watched, quiet = (
        drift(name, 0.3, drifted=d) for name, d in (("income", True), (HOSTILE, True), ("debt", False))
    )
    told = [words.in_words(found, window(5), schema()) for found in (paged, watched, quiet)]
    assert told[0].endswith("look at where the column comes from before you retrain.")
    assert told[1].endswith("note it and look again in a week.")
    assert told[2].endswith("Nothing to do.")


def test_each_figure_has_a_definition() -> None:
    facts = words.facts(drift("income", 0.31, drifted=True), Policy())
    assert [(fact.label, fact.value) for fact in facts][:3] == [
        ("KS distance", "0.310"),
        ("Floor", "0.100"),
        ("p", "< 0.001"),
    ]
    assert all(fact.help for fact in facts)


def test_window_lengths_in_words() -> None:
    assert [evidence.size_words(s) for s in ("7d", "1000rows", "24h", "odd")] == [
        "7 days",
        "1,000 rows",
        "24 hours",
        "odd",
    ]


def test_the_tables_hold_every_cell() -> None:
    windows = [window(n) for n in range(8)]
    rows = evidence.heat_rows(windows, schema())
    assert len(rows) == 32
    assert rows[0]["Window"] == "the week of 21 Apr 2025"
    assert datetime(2025, 4, 21, tzinfo=UTC) == windows[-1].start
    assert [row["Feature"] for row in evidence.feature_rows(windows[-1])][:2] == ["income", "debt"]


def test_a_quiet_window_says_when_something_last_paged_and_offers_the_jump(seeded: Store, visit: Visit) -> None:
    calm = tuple(replace(f, alert=AlertLevel.NONE, drifted=False, state=DriftState.STABLE) for f in window(8).features)
    report = seeded.signals.watch("loans")
    assert report is not None
    quiet = replace(window(8), features=calm, alert=AlertLevel.NONE)
    seeded.signals.put_windows(replace(report, windows=(*report.windows, quiet), checked_at=week(10)))
    at = visit(PAGE)
    assert at.title[0].value.endswith(
        "None of 4 features drifted in the week of 28 Apr 2025. Last page: income, in the week of 21 Apr 2025."
    )
    at.button(key="show_paged").click().run()
    assert (at.query_params["feature"], at.query_params["window"]) == ("income", "2025-04-21")
    assert not [button for button in at.button if button.key == "show_paged"]


def test_windows_too_small_to_judge_say_so_and_what_to_do() -> None:
    assert words.too_short([window(0), window(1)], rows_min=1000) == (
        "All 2 windows are too small to judge: 200 rows at most, 1,000 are needed. Take longer windows."
    )


def test_a_shortened_name_is_not_said_twice() -> None:
    long = replace(
        drift("income", 0.3), feature="a_very_long_name_of_a_feature", reason="a_very…feature: 3 rows are too few"
    )
    assert words.clause_of(long) == "3 rows are too few"
    assert words.clause_of(replace(long, reason="other: text")) == "other: text"
