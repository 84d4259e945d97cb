"""The drift page: which change matters, and what exactly changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import glossary, wording
from pages.watch import detailwords, evidence, heat, sizes, words
from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import (
    AlertLevel,
    BaselineChoice,
    BaselineKind,
    Coherence,
    Detachment,
    Distribution,
    DomainTest,
    DriftState,
    Examination,
    FeatureDrift,
    Impact,
    Origin,
    Rule,
    Season,
    SegmentDrift,
    TimeUnit,
    WatchReport,
    WindowReport,
)
from pipeline_core.stages.alerts import alerts_of
from pipeline_core.store import Store
from tests.pages.conftest import HOSTILE, drift, fill, schema, week, window

Visit = Callable[..., AppTest]
PAGE = "watch/drift.py"


def charts_of(at: AppTest) -> dict[str, Any]:
    return {item.proto.alt_text or str(i): json.loads(item.proto.spec) for i, item in enumerate(at.get("plotly_chart"))}


def titles(at: AppTest) -> list[str]:
    return [json.loads(item.proto.spec)["layout"]["title"]["text"] for item in at.get("plotly_chart")]


def told(at: AppTest, begin: str) -> list[str]:
    return [item.value for item in at.markdown if item.value.startswith(begin)]


def test_the_sentence_counts_what_drifted_and_what_matters(seeded: Store, visit: Visit) -> None:
    assert visit(PAGE).title[0].value == (
        ":red[:material/error:] 2 of 4 features drifted in the week of 21 Apr 2025; **1 matters**: "
        "income carries 40 % of what the model says. It has drifted since 7 Apr 2025 (3 windows)."
    )
    assert visit(PAGE, window="2025-03-10").title[0].value == (
        ":orange[:material/visibility:] 1 of 4 features drifted in the week of 10 Mar 2025; none of them matters much to the model."
    )


def test_the_url_says_which_cell_is_looked_at(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE, feature="debt", window="2025-04-07")
    assert at.selectbox(key="feature_pick").value == "debt"
    assert at.selectbox(key="window_pick").value == "2025-04-07"
    assert told(at, "**debt**") == [
        "**debt** did not drift in the week of 7 Apr 2025: stable\\, D \\= 0\\.05. It carries 35.0 % of what the model says "
        "(number 2 of 4). Nothing to do."
    ]


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
    assert len(told(at, "**\\=cmd")) == 1


def test_a_clicked_cell_goes_into_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, str] = {}
    monkeypatch.setattr("pages.ui.session.ask", lambda **values: asked.update(values))
    drawn = [window(0), window(1)]
    heat.pick([1, 2], ["income", "purpose", "debt"], drawn)
    assert asked == {"feature": "debt", "window": "2025-03-10"}
    heat.pick([], [], drawn)
    heat.pick([None, None], [], drawn)
    evidence.pick_feature(["purpose", "words"])
    assert asked == {"feature": "purpose", "window": "2025-03-10"}


def test_the_evidence_stands_in_order(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert titles(at)[:2] == ["Something that matters drifted in 3 of 8 windows", "What came in?"]
    assert titles(at)[-2:] == ["Is it new? Above the floor in 3 of 8 windows", "Which of them matter? income"]
    assert [caption.value for caption in at.caption][1:9] == [
        "Effect (KS), floor 0.100", "p, adjusted", "Healthy windows", "Smallest detectable",
        "Impact on scores", "SHAP share", "SHAP share, this window", "Nulls, before → now",
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
    at = visit(PAGE, size="7d/1d")
    assert at.title[0].value == "Not checked in windows of 7 days, daily yet."
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
    told = [words.in_words(found, window(5), schema(), policy=Policy()) for found in (paged, watched, quiet)]
    assert told[0].endswith("look at where the column comes from before you retrain.")
    assert told[1].endswith("note it and look again in a week.")
    assert told[2].endswith("Nothing to do.")
    moved = replace(drift("debt", 0.43, drifted=False), state=DriftState.UNCLEAR, effect_low=0.35)
    said = words.in_words(moved, window(5), schema(), policy=Policy())
    assert said.startswith("**debt** moved in the week of")
    assert said.endswith("Look at where the column comes from: that it moved is sure, that it is a fault is not.")
    unsure = words.in_words(replace(moved, effect_low=0.02), window(5), schema(), policy=Policy())
    assert "cannot be judged" in unsure
    assert unsure.endswith("Nothing to do.")


def test_hard_evidence_decides_between_world_and_measurement() -> None:
    doubt = Coherence(
        feature="income", origin=Origin.UNKNOWN, ratio=None, strength=3.0, reason="too little goes with it"
    )
    assert "Cannot tell" in detailwords.verdict(doubt, evidence=False)
    told = detailwords.verdict(doubt, evidence=True)
    assert "Measurement fault" in told
    assert told.endswith("from the other columns alone: too little goes with it")


def facts_of(found: FeatureDrift, seen: WindowReport, report: WatchReport) -> dict[str, str]:
    facts = detailwords.facts(found, seen, report=report, schema=schema(), policy=Policy())
    assert all(fact.help for fact in facts)
    return {fact.label: fact.value for fact in facts}


def report_of(*windows: WindowReport, rule: Rule | None = None) -> WatchReport:
    return WatchReport(
        model="loans", version=1, window="7d", baseline_rows=800, checked_at=week(9), windows=windows, rule=rule
    )


def test_what_is_unknown_is_a_word_with_a_reason() -> None:
    found, few = drift("income", 0.31, drifted=True), Rule(words="w", calibrated=False, healthy_windows=7)
    facts = facts_of(found, window(5), report_of(window(5), rule=few))
    assert list(facts.values()) == [
        "0.310", "< 0.001", "uncalibrated: 7 of 19", "0.0900", "not looked at", "40.0 % (#1)", "not looked at", "25.0 % → 25.0 %"
    ]  # fmt: skip
    blank = replace(found, effect=None, p_value=None, p_adjusted=None, nulls=None, smallest_detectable=None)
    facts = facts_of(blank, window(5), report_of(window(5)))
    assert list(facts.values())[:4] == ["not measured", "not measured", "uncalibrated: under 19", "unknown"]
    assert not {"–", "nan", ""} & set(facts.values())
    assert detailwords.unlooked(None, Policy()).endswith("12 at most; this one is not among them.")


LOOK = Examination(
    rows=900, baseline_rows=5_000,
    impacts=(Impact(feature="income", mean_change=0.031, shift=-0.012),),
    joint=Impact(feature="all", mean_change=0.04, shift=0.01), fault_loss=0.02,
    coherence=Coherence(feature="income", origin=Origin.FAULT, ratio=0.1, strength=90.0, reason="only this column moved"),
    domain=DomainTest(auc=0.7, p_value=0.001, drifted=True, features={HOSTILE: 0.6}, reason="told apart: AUC 0.70"),
    detached=(Detachment(feature="income", kept=0.1, p_adjusted=0.0001, fault_loss=0.031, reason="no longer belongs to its row"), Detachment(feature=HOSTILE, kept=0.2, p_adjusted=0.001)),
    attributions={"income": (0.4, 0.46), HOSTILE: (0.02, 0.01)},
    segments=(SegmentDrift(by=HOSTILE, segment="<i>", rows=40, share=0.1, feature="debt", effect=0.4, overall=0.05, p_value=0.001, p_adjusted=0.01),),
)  # fmt: skip
HARD = "in batch b-0007: 0 is in 12 % of the values."


@pytest.fixture
def looked_at(seeded: Store) -> Store:
    """The last window was calibrated and looked at row by row, and its leading feature has hard evidence."""
    report = seeded.signals.watch("loans")
    assert report is not None
    income, *others = report.windows[-1].features
    sure = replace(
        income, p_calibrated=0.04, healthy_effect=0.12, hard_evidence=(HARD,), reason=f"{income.reason}; {HARD[:-1]}"
    )
    last = replace(report.windows[-1], features=(sure, *others), calibrated=True, weighted_limit=0.1, examined=LOOK)
    rule = Rule(words="Calibrated on 30 healthy windows.", calibrated=True, healthy_windows=30, fired=1, tried=30)
    chosen = BaselineChoice(
        model="loans",
        number=0,
        kind=BaselineKind.TRAINING,
        decided_by="the data",
        decided_at=week(8),
        reason="too short",
    )
    seeded.signals.put_windows(replace(report, windows=(*report.windows[:-1], last), rule=rule, baseline=chosen))
    return seeded


def test_a_window_that_was_looked_at_says_what_its_rows_say(looked_at: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    bold = [item.value for item in at.markdown]
    assert "**0.04**" in bold
    assert "**below 0.120**" in bold
    assert "**3.1 points**" in bold
    assert "**46.0 % (+6 points)**" in bold
    assert told(at, ":red-badge[:material/build: Measurement fault]") == [
        ":red-badge[:material/build: Measurement fault] **income**: only this column moved"
    ]
    assert len([text for text in bold if "0 is in 12" in text]) == 1, "hard evidence stands once"
    assert told(at, ":red-badge[:material/link_off:") == [
        ":red-badge[:material/link_off: Not its row] **income** no longer belongs to its row (p < 0.001). Accuracy loses 3.1 points by it."
    ]
    (joins,) = told(at, "**Joins:**")
    assert joins.startswith("**Joins:** income and ")
    assert joins.endswith(" no longer belong to the rows: a wrong join or a shifted column.")
    assert HOSTILE not in joins
    assert told(at, "All drifted") == [
        "All drifted features together change a score by **4 points** on average (+1 points on balance)."
        " If it is a fault, accuracy loses 2 points."
    ]
    assert "Leans elsewhere? income +6 points" in titles(at)
    table = next(item.value for item in at.dataframe if "Segment" in item.value.columns)
    assert table["Segment"].tolist() == [f"'{HOSTILE} = <i>"], "no spreadsheet runs it"


def test_a_window_that_nobody_looked_at_says_so(looked_at: Store, visit: Visit) -> None:
    at = visit(PAGE, window="2025-03-03")
    assert any("this one is not among them" in caption.value for caption in at.caption)
    assert not any("What do the rows say" in item.value for item in at.subheader)


def test_the_rule_says_how_often_it_would_have_paged(looked_at: Store, visit: Visit) -> None:
    at = visit(PAGE)
    fold = next(item for item in at.expander if item.label.startswith("Why this rule?"))
    assert fold.label == (
        "Why this rule? It is calibrated on 30 healthy windows; tried on 30 of them, it pages in 1; against everything that the"
        " champion was made from"
    )
    assert [item.value for item in fold.markdown][
        1
    ] == "On 30 healthy windows of the past it would have paged **1** times."


def test_another_baseline_is_chosen_with_a_name_and_a_reason(
    looked_at: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr("pages.ui.session.submit", lambda *args, **_more: asked.append(args))
    at = visit(PAGE)
    at.selectbox(key="baseline_kind").set_value(BaselineKind.PERIOD).run()
    assert at.button(key="baseline_choose").disabled, "a period needs both ends"
    at.date_input(key="baseline_start").set_value(week(0).date()).run()
    at.date_input(key="baseline_end").set_value(week(2).date()).run()
    at.button(key="baseline_choose").click().run()
    at.button(key="confirm_baseline_yes").click().run()
    assert looked_at.choices.list("loans") == ()
    at.button(key="baseline_choose").click().run()
    at.text_input(key="confirm_baseline_by").set_value("Ada")
    at.text_area(key="confirm_baseline_reason").set_value("a **quiet** fortnight")
    at.button(key="confirm_baseline_yes").click().run()
    assert not at.exception
    kept = looked_at.choices.newest("loans")
    assert kept is not None
    assert (kept.kind, kept.start, kept.end, kept.decided_by) == (BaselineKind.PERIOD, week(0), week(2), "Ada")
    assert asked == [("check", "loans", {"window": "7d"})]
    rows = next(item.value for item in at.dataframe if "Baseline" in item.value.columns)
    assert rows[["Baseline", "By", "Why"]].iloc[0].tolist() == ["period", "Ada", "a **quiet** fortnight"]


def test_a_period_that_ends_before_it_starts_is_refused_in_words(looked_at: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.selectbox(key="baseline_kind").set_value(BaselineKind.PERIOD).run()
    at.date_input(key="baseline_start").set_value(week(2).date()).run()
    at.date_input(key="baseline_end").set_value(week(0).date()).run()
    at.button(key="baseline_choose").click().run()
    at.text_input(key="confirm_baseline_by").set_value("Ada")
    at.text_area(key="confirm_baseline_reason").set_value("why not")
    at.button(key="confirm_baseline_yes").click().run()
    assert not at.exception
    assert "A period needs a start and a later end" in at.error[0].value.replace("\\", "")


def test_the_other_distances_name_what_they_have_not() -> None:
    pair = Distribution(
        feature="x", baseline_rows=9, current_rows=9, levels=("a",), baseline=(1.0,), current=(1.0,), js=0.1
    )
    assert [fact.value for fact in detailwords.distances(pair)] == [
        "too few rows",
        "0.100",
        "categories have none",
        "categories have none",
    ]


def test_window_lengths_in_words() -> None:
    words_of = ("7d", "1000rows", "24h", "1mo", "7d/1d", "30d/7d", "odd")
    assert [sizes.size_words(s) for s in words_of] == [
        "7 days", "1,000 rows", "24 hours", "1 month", "7 days, daily", "30 days, every 7 days", "odd"
    ]  # fmt: skip


def test_hours_are_offered_where_there_is_enough_in_an_hour() -> None:
    short = replace(window(0), end=week(0) + timedelta(hours=10), rows=5_000)
    assert sizes.offered(schema(), report_of(short), rows_min=200)[0] == "1h"
    assert sizes.offered(schema(), report_of(window(0)), rows_min=200) == ["1d", "7d", "1mo", "7d/1d", "1000rows"]
    odd = replace(report_of(short), window="14d")
    assert sizes.offered(schema(), odd, rows_min=9_999) == ["14d", "1d", "7d", "1mo", "7d/1d", "1000rows"]
    assert sizes.offered(schema(time_unit=TimeUnit.ROW), None, rows_min=1) == ["1000rows", "5000rows"]


def test_of_too_many_windows_the_newest_are_drawn_back_to_the_chosen_one() -> None:
    windows = [window(n) for n in range(8)]
    drawn, cut = heat.drawn(windows, windows[7], room=3)
    assert ([w.start for w in drawn], cut) == (
        [week(5), week(6), week(7)],
        " Windows 6 to 8 of 8 are drawn; the table holds all.",
    )
    assert windows[1] in heat.drawn(windows, windows[1], room=3)[0]
    assert heat.drawn(windows, windows[1], room=8) == (windows, "")


def test_the_tables_hold_every_cell() -> None:
    windows = [window(n) for n in range(8)]
    rows = heat.heat_rows(windows, schema())
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


def important(feature: str, **given: Any) -> FeatureDrift:
    """A feature that matters and drifted for the first time."""
    once = replace(drift("income", 0.31, drifted=True), alert=AlertLevel.WATCH, important=True, windows_drifted=1)
    return replace(once, **({"feature": feature} | given))


def test_what_matters_and_drifted_once_is_not_called_unimportant() -> None:
    one = replace(window(0), features=(important("income"), *window(0).features[1:3]))
    text, state = words.drift(one, schema(), policy=Policy())
    assert (text, state) == (
        "1 of 3 features drifted in the week of 3 Mar 2025; **income** matters and pages if it lasts (2 of 3 windows).",
        "watch",
    )
    two = replace(one, features=(important("income"), important("debt"), window(0).features[2]))
    assert words.drift(two, schema(), policy=Policy())[0].endswith(
        "; **income and debt** matter and page if they last (2 of 3 windows)."
    )
    assert words.in_words(one.features[0], one, schema(), policy=Policy()).endswith(
        " The model leans on it: it pages if it lasts (2 of 3 windows), so far 1 drifted."
    )
    assert words.heat_title([one, window(0)]) == "Something that matters drifted in 1 of 2 windows"
    assert words.quadrant_title(one) == "Which of them matter? income"


def test_the_legend_says_what_a_watch_is() -> None:
    little = window(0)
    matters = replace(little, features=(important("income"), *little.features[1:3]))
    gone = replace(little, features=(replace(drift("income", 0.02), alert=AlertLevel.WATCH), *little.features[1:3]))

    def watched(*windows: WindowReport) -> str:
        return heat.legend(windows, policy=Policy()).split(": ", 1)[1].split(". The", 1)[0]

    assert watched(little) == "drifted, matters little"
    assert watched(matters) == "drifted, matters, pages if it lasts (2 of 3 windows)"
    assert watched(little, matters) == (
        "drifted, matters little; or drifted, matters, pages if it lasts (2 of 3 windows)"
    )
    assert watched(gone) == "not drifted, and odd in its rows or missing"


def test_columns_that_left_their_rows_or_were_not_counted_are_told_as_that() -> None:
    loose = replace(drift("income", 0.02), alert=AlertLevel.PAGE)
    lost = replace(drift("debt", 0.0), alert=AlertLevel.WATCH, state=DriftState.UNCLEAR, effect=None)
    found = replace(window(0), features=(loose, lost, window(0).features[2]), examined=LOOK)
    text, state = words.drift(found, schema(), policy=Policy())
    assert (text, state) == (
        "None of 3 features drifted in the week of 3 Mar 2025; income no longer belongs to its row; debt could not be compared.",
        "page",
    )
    assert words.in_words(loose, found, schema(), policy=Policy()).endswith(
        "Check the join, and the order of rows and columns, upstream."
    )
    assert words.in_words(lost, found, schema(), policy=Policy()).endswith("Look at where the column comes from.")
    two = replace(found, features=(loose, replace(loose, feature="debt")), examined=replace(
        LOOK, detached=(*LOOK.detached, replace(LOOK.detached[0], feature="debt"))))  # fmt: skip
    assert words.drift(two, schema(), policy=Policy())[0].endswith("income and debt no longer belong to their rows.")
    blank = replace(found, features=(replace(lost, feature="income"), lost), examined=None)
    assert words.drift(blank, schema(), policy=Policy()) == (
        "200 rows in the week of 3 Mar 2025 are too few to say what drifted; income and debt could not be compared.",
        "watch",
    )


def test_a_window_that_is_not_comparable_with_the_healthy_ones_says_so() -> None:
    rule = Rule(words="w", calibrated=True, healthy_windows=30)
    report = report_of(window(5), rule=rule)
    found = drift("income", 0.31, drifted=True)
    assert detailwords.healthy(found, window(5), report, Policy()) == (
        "not comparable",
        "This window is not comparable with the healthy ones: it has too few rows, or is of a season that none of them has"
        " (19 that are like it are needed). Its p-values are adjusted over all features (Benjamini-Hochberg).",
    )
    told, why = detailwords.healthy(found, window(5), report_of(window(5)), Policy(alpha=0.01))
    assert (told, why.split(" ")[0]) == ("uncalibrated: under 99", "99")


def chosen(kind: BaselineKind, season: Season | None = None) -> BaselineChoice:
    return BaselineChoice(
        model="loans", number=1, kind=kind, decided_by="Ada", decided_at=week(8), reason="why not", season=season
    )


@pytest.mark.parametrize(
    ("baseline", "told"),
    [
        (None, "the baseline"),
        (chosen(BaselineKind.TRAINING), "everything that the champion was made from"),
        (chosen(BaselineKind.SEASON, Season.WEEKDAY), "the same weekday of the champion's data"),
        (chosen(BaselineKind.PERIOD), "a period that a person chose"),
        (chosen(BaselineKind.PREVIOUS), "the window before"),
    ],
)
def test_the_caption_says_what_the_windows_are_compared_with(baseline: BaselineChoice | None, told: str) -> None:
    seen = replace(window(5), baseline_rows=1_234)
    report = replace(report_of(seen), baseline=baseline)
    assert detailwords.against(report, None) == f"1 window against {told}."
    assert detailwords.against(report, seen) == (
        f"1 window against {told}. For the window that is shown, that is 1,234 rows."
    )


def test_no_page_says_that_the_baseline_is_always_the_fitted_rows(seeded: Store, visit: Visit) -> None:
    (checked,) = [caption for caption in visit(PAGE).caption if caption.value.startswith("checked ")]
    assert checked.help == "8 windows against the baseline."
    begin = visit(PAGE, size="7d/1d").markdown
    assert [text.value for text in begin if text.value.startswith("A check")] == [
        "A check compares each window of later data with its baseline (the champion's own data, where nobody chose another), "
        "feature by feature, and shows here which change matters."
    ]
    assert glossary.GLOSSARY["baseline"].startswith(
        "What windows are compared with: everything that the champion was made from,"
    )


def test_without_a_champion_the_page_says_what_it_compares_with(home: Store, visit: Visit) -> None:
    fill(home, champion=False)
    at = visit(PAGE)
    said = "".join(item.value for item in (*at.title, *at.markdown, *at.caption))
    assert "every window of later data is compared with a baseline: its own data, or what somebody chooses." in said
    assert "fitted on" not in said


def test_rows_that_are_elsewhere_are_not_drawn_from_the_store(
    seeded: Store, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr("pipeline_core.flows.watch.distribution", lambda *args, **_more: asked.append(args))
    report = seeded.signals.watch("loans")
    assert report is not None
    seeded.signals.put_windows(replace(report, rows_in="lake.loans <b> (Spark)", checked_at=week(10)))
    at = visit(PAGE)
    assert not at.exception
    assert not asked
    assert [c.value for c in at.caption if ":material/cloud:" in c.value] == [
        ":material/cloud: The rows of this check are in **" + wording.safe("lake.loans <b> (Spark)") + "**.",
        ":material/cloud: The rows stay where they are, so no distribution is drawn and no exact distance is measured here.",
    ]
    assert not [t for t in titles(at) if t.startswith(("What came in", "How far apart"))]
    assert not [fold for fold in at.expander if fold.label.startswith("Other distances")]
    assert not [c.value for c in at.caption if "newest window" in c.value]
    assert [c.value for c in at.caption if "Nobody looked row by row" in c.value]


def test_a_window_that_paged_as_a_whole_is_found_again(seeded: Store, visit: Visit) -> None:
    report = seeded.signals.watch("loans")
    assert report is not None
    calm = (*window(0).features[:3], drift(HOSTILE, 0.05))
    whole, quiet = (
        replace(window(n), features=calm, alert=AlertLevel.NONE, weighted_drift=0.16, weighted_limit=0.08)
        for n in (6, 7)
    )
    reason = "weighted drift 0.16, healthy windows stay below 0.08"
    whole = replace(
        whole, alert=AlertLevel.PAGE, weighted_alert=AlertLevel.PAGE, codes=("data_drift",), reasons=(reason,)
    )
    raised = replace(report, windows=(whole,))
    seeded.signals.add_alerts(alerts_of(raised, (), policy=seeded.policy))
    seeded.signals.put_windows(replace(report, windows=(*report.windows[:5], whole, quiet), checked_at=week(11)))
    at = visit(PAGE)
    assert (
        at
        .title[0]
        .value.replace("\\", "")
        .endswith(
            f"None of 4 features drifted in the week of 21 Apr 2025. Last page: {reason}, in the week of 14 Apr 2025."
        )
    )
    at.button(key="show_paged").click().run()
    assert not at.exception
    assert at.query_params["window"] == "2025-04-14"
    assert at.title[0].value.startswith(":red[:material/error:] None of 4 features drifted")
    (link,) = [one for one in at.page_link if one.proto.label == "Open the runbook"]
    assert "alert=data_drift%3A2025-04-14" in link.proto.query_string
