"""The alerts page: one list, the runbook's questions, and who has seen it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from streamlit.testing.v1 import AppTest

from pages.act import runbook
from pages.ui import panels, session
from pages.watch import needs, words
from pipeline_core.records import Alert, AlertLevel, Detachment, Examination
from pipeline_core.stages import detachment
from pipeline_core.stages.alerts import CODES, alerts_of
from pipeline_core.store import Store
from tests.pages.conftest import HOSTILE, alert, drift, fill, schema, window

Visit = Callable[..., AppTest]
PAGE = "act/alerts.py"


def test_the_sentence_counts_and_names_the_first(seeded: Store, visit: Visit) -> None:
    assert visit(PAGE).title[0].value == (
        ":red[:material/error:] 3 things wait for you (2 pages, 1 to watch; 4 alerts). First: the model got worse in the week of 14 Apr 2025."
    )


def test_the_rule_that_fired_stands_with_the_alert(seeded: Store, visit: Visit) -> None:
    rule = ":material/gavel: **The rule that fired.** Calibrated on 43 healthy windows\\. On the 9 healthy windows themselves it would have paged once\\."
    worse = visit(PAGE)
    assert not [caption for caption in worse.caption if "The rule that fired" in caption.value]
    income = next(group for group in needs.needs(seeded.signals.alerts("loans")) if group.alert.feature == "income")
    assert rule in [caption.value for caption in visit(PAGE, alert=income.key).caption]


def test_the_list_has_open_ones_first_by_harm(seeded: Store, visit: Visit) -> None:
    frame = visit(PAGE).dataframe[0].value
    assert frame["About"].tolist() == [
        "The model got worse",
        "income drifted",
        panels.plain([{"a": f"{HOSTILE} drifted"}])["a"][0],
    ]
    assert frame["Level"].tolist() == ["Page", "Page", "Watch"]
    assert frame["Since"].tolist()[1] == "7 Apr 2025"
    assert frame["Last window"].tolist()[1] == "the week of 14 Apr 2025"
    assert frame["Windows"].tolist() == [1, 2, 1]


def test_a_name_is_needed_to_acknowledge(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.text_input(key="ack_by").set_value("  ")
    at.button(key="acknowledge").click().run()
    assert at.warning[0].value.startswith("Fill in your name first")
    assert all(found.acknowledged_at is None for found in seeded.signals.alerts("loans"))
    at.text_input(key="ack_by").set_value("Ada")
    at.button(key="acknowledge").click().run()
    assert not at.warning
    assert seeded.signals.alert("a-4").acknowledged_by == "Ada"


def test_an_alert_is_acknowledged_with_name_and_note_and_reopened(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.text_input(key="ack_by").set_value("Ada")
    at.text_area(key="ack_note").set_value("labels were *late*")
    at.button(key="acknowledge").click().run()
    assert not at.exception
    seen = seeded.signals.alert("a-4")
    assert (seen.acknowledged_by, seen.note) == ("Ada", "labels were *late*")
    assert at.title[0].value.startswith(":red[:material/error:] 2 things wait for you")
    at.segmented_control(key="show").set_value("all").run()
    assert at.dataframe[0].value["State"].tolist()[-1] == "seen by Ada"
    at.session_state["alert_rows"] = {"selection": {"rows": [2], "columns": [], "cells": []}}
    at.run()
    assert "“labels were \\*late\\*”" in [item.value for item in at.markdown]
    at.button(key="reopen").click().run()
    assert seeded.signals.alert("a-4").acknowledged_at is None


def test_a_group_is_acknowledged_as_one(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.session_state["alert_rows"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    at.run()
    at.text_input(key="ack_by").set_value("Ada")
    assert at.button(key="acknowledge").label == "Acknowledge all 2"
    at.button(key="acknowledge").click().run()
    assert {a.alert_id for a in seeded.signals.alerts("loans", open_only=True)} == {"a-3", "a-4"}


def test_somebody_who_was_first_is_said_not_thrown(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.text_input(key="ack_by").set_value("Ada")
    seeded.signals.acknowledge("a-4", by="Grace", at=alert("x", number=0, feature=None).raised_at)
    at.button(key="acknowledge").click().run()
    assert not at.exception
    assert len(at.error) == 1
    assert seeded.signals.alert("a-4").acknowledged_by == "Grace"


def test_filters_by_level_and_period(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    at.segmented_control(key="level").set_value("watch").run()
    assert at.dataframe[0].value["Level"].tolist() == ["Watch"]
    late = visit(PAGE, period="Last 7 days")
    assert not late.dataframe
    assert "No alert in this selection." in [caption.value for caption in late.caption]


def test_every_question_leads_to_a_page_that_exists() -> None:
    for questions in runbook.QUESTIONS.values():
        assert {question.page for question in questions} <= set(session.PAGES)
    assert set(runbook.QUESTIONS) == set(CODES)


def test_each_kind_of_alert_has_its_own_questions(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE)
    numbered = [item.value for item in at.markdown if item.value[:2] in {"1.", "2."}]
    assert numbered[0].startswith("1. Did the inputs drift in the same window?")
    at.session_state["alert_rows"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    at.run()
    numbered = [item.value for item in at.markdown if item.value[:2] in {"1.", "2."}]
    assert numbered[1] == "2. What exactly changed against the baseline?"


def test_the_download_holds_all_and_runs_nothing(seeded: Store) -> None:
    rows = runbook.csv_rows(seeded.signals.alerts("loans"), schema())
    text = panels.csv_text(rows)
    assert len(rows) == 4
    assert "'=cmd" in text
    assert "\n=" not in text
    assert ",=" not in text


def test_nothing_open_is_said_in_green(seeded: Store, visit: Visit) -> None:
    for one in seeded.signals.alerts("loans"):
        seeded.signals.acknowledge(one.alert_id, by="Ada", at=one.raised_at)
    assert (
        visit(PAGE).title[0].value
        == ":green[:material/check_circle:] Nothing is open: 4 alerts so far, all seen by somebody."
    )


def test_empty_states_say_when_there_will_be_alerts(home: Store, visit: Visit) -> None:
    assert visit(PAGE).button(key="empty_go").label == "Define a model"
    fill(home, watched=False)
    at = visit(PAGE)
    assert at.title[0].value == "No alerts: nothing has asked for you yet."
    assert at.button(key="empty_go").label == "See what was checked"


def test_titles_name_feature_and_since_when() -> None:
    def titled(*alerts: Alert) -> str:
        return runbook.title(needs.needs(alerts)[0], schema())

    first, second = alert("x", number=0, feature="income"), alert("y", number=1, feature="income")
    assert titled(first) == "**income** drifted in the week of 3 Mar 2025"
    assert titled(first, second) == "**income** drifted in 2 windows since 3 Mar 2025"
    other = alert("y", number=0, feature=None, level=AlertLevel.PAGE, code="prediction_drift")
    assert titled(other) == "The scores moved in the week of 3 Mar 2025"


def test_a_column_that_left_its_row_is_not_called_drifted(seeded: Store, visit: Visit) -> None:
    (found,) = detachment.louder(
        [replace(drift("income", 0.02), reason="income: stable")],
        [detachment._told("income", 0.1, 0.0001, ["debt"])],
        policy=seeded.policy,
    )
    look = Examination(
        rows=200, baseline_rows=800, detached=(Detachment(feature="income", kept=0.1, p_adjusted=0.0001),)
    )
    broken = replace(window(7), features=(found, *window(7).features[1:3]), examined=look)
    report = seeded.signals.watch("loans")
    assert report is not None
    (raised,) = alerts_of(replace(report, windows=(broken,)), (), policy=seeded.policy)
    assert words.subject(raised) == "**income** no longer belongs to its row"
    assert words.about(raised) == "income no longer belongs to its row"
    assert runbook.title(needs.needs([raised])[0], schema()) == (
        "**income** no longer belongs to its row in the week of 21 Apr 2025"
    )
    moved = alert("x", number=6, feature="income")
    assert [words.about(group.alert) for group in needs.needs([raised, moved])] == [
        "income drifted",
        "income no longer belongs to its row",
    ], "two causes"
    assert words.about(replace(raised, code="batch_suspect")) == "Values were rewritten upstream: income"
    seeded.signals.add_alerts([raised])
    assert "income no longer belongs to its row" in visit(PAGE).dataframe[0].value["About"].tolist()


def test_an_alert_in_the_url_is_the_one_that_is_shown(seeded: Store, visit: Visit) -> None:
    at = visit(PAGE, alert="data_drift:income:2025-04-07")
    assert at.button(key="acknowledge").label == "Acknowledge all 2"
    assert "income" in at.subheader[0].value
