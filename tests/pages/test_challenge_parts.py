"""What stands below the verdict: parts of the rows, each class, and what does not decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pages.release import beside, parts, rulings
from pages.ui import charts, slice_charts
from pages.ui.wording import State
from pipeline_core.records import (
    ClassComparison,
    Comparison,
    Decision,
    Discordance,
    Footprint,
    Measured,
    NotMeasured,
    SliceComparison,
    Trial,
    Verdict,
)
from pipeline_core.store import Store
from tests.pages import loans
from tests.pages.conftest import fill
from tests.pages.test_verdicts import NOW, put_version

Visit = Callable[..., AppTest]
PAGE = "release/challenge.py"
HOSTILE = "<img src=x onerror=alert(1)>"
SAID = f"On the 412 rows with 'city' '{HOSTILE}' it is worse by 0.0900 in AUC. That blocks the promotion."


def cut(level: str, value: float, *, blocks: bool = False, rows: int = 412) -> SliceComparison:
    return SliceComparison(
        columns=("city",), levels=(level,), rows=rows, positives=80,
        difference=Measured(value=value, low=value - 0.03, high=value + 0.03, rows=rows), margin=0.03,
        loss_p_value=0.0004 if blocks else 0.8, blocks=blocks,
    )  # fmt: skip


def verdict(**changes: object) -> Verdict:
    pair = Comparison(
        champion=Measured(value=0.8, rows=4_000), challenger=Measured(value=0.81, low=0.79, high=0.83, rows=4_000),
        difference=Measured(value=0.01, low=0.004, high=0.016, rows=4_000), margin=0.01, decides=True,
    )  # fmt: skip
    made = Verdict(
        verdict_id="verdict-9", model="loans", version=2, champion=1, epoch=1, verdict=Decision.KEEP,
        reasons=("It is better by 0.0100.", SAID), blocks=(SAID,), metrics={"auc": pair}, rows=4_000, decided_at=NOW,
        trial=Trial(p_value=0.0001, level=0.05 / 6, place=2, power=0.83), threshold=0.5,
        discordance=Discordance(only_champion=40, only_challenger=52, p_value=0.25, chi2=1.3152),
        slices=(cut(HOSTILE, -0.09, blocks=True), cut("Rome", -0.01), cut("Bern", 0.02)), slices_judged=31,
        champion_footprint=Footprint(p50_ms=4.11, p99_ms=9.04, calls=100, artifact_bytes=250_000),
        challenger_footprint=Footprint(p50_ms=5.0, p99_ms=12.0, calls=80, artifact_bytes=1_200_000),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
def blocked(home: Store) -> Store:
    """A challenger that is better on the whole and loses in one city."""
    fill(home)
    put_version(home, 2)
    home.models.add_verdict(verdict())
    return home


def test_a_part_of_the_rows_that_loses_is_the_answer_and_is_marked(blocked: Store, visit: Visit) -> None:
    at = visit(PAGE)
    assert not at.exception
    assert "**Keep champion v1**: v2 loses too much in 1 part of the rows" in at.title[0].value
    assert at.button(key="promote").disabled
    said = loans.said(at)
    assert "The gate refuses this promotion, because of what is marked above." in said
    marked = [line.value for line in at.markdown if ":material/block:" in line.value]
    assert len(marked) == 1
    assert "412 rows with" in marked[0]
    assert HOSTILE not in said
    assert len(at.get("plotly_chart")) == 2


def test_the_chart_puts_what_blocks_on_top_in_the_colour_of_an_alarm() -> None:
    figure = slice_charts.slice_dots(verdict().slices, title="x", metric="AUC")
    calm, alarm, ticks = figure.data
    assert (alarm.marker.color, alarm.marker.symbol) == (charts.STATE_COLOURS[State.PAGE], "diamond")
    assert (calm.marker.color, calm.marker.symbol) == (charts.STATE_COLOURS[State.UNKNOWN], "circle")
    assert list(calm.x) == [-0.01, 0.02]
    assert list(ticks.x) == [-0.03] * 3
    assert figure.layout.yaxis.categoryarray[-1] == alarm.y[0]
    assert "<img" not in alarm.y[0]
    assert list(alarm.text) == ["\u22120.0900 on 412 rows, 80 positive: blocks"]


def test_two_slices_whose_names_are_cut_alike_keep_places_of_their_own() -> None:
    long = "a city with a very long name, "
    figure = slice_charts.slice_dots([cut(long + "east", 0.0), cut(long + "west", 0.01)], title="x", metric="AUC")
    assert len(set(figure.data[0].y)) == 2
    many = slice_charts.slice_dots([cut(f"city {k}", 0.0) for k in range(20)], title="x", metric="AUC")
    assert len(many.data[0].y) == slice_charts.DRAWN_MAX
    assert "(12 more in the table)" in many.layout.title.subtitle.text


def test_the_title_says_what_was_found() -> None:
    assert parts.title(verdict()) == "1 part of 31 lose too much: no promotion"
    calm = verdict(slices=(cut("Rome", -0.01),))
    assert parts.title(calm) == "No part of the rows is shown to lose too much (31 parts judged, the worst first)"
    row = parts.table(verdict().slices, "AUC")[1]
    assert row["Part of the rows"] == "city = Rome"
    assert (row["Rows"], row["Positives"], row["Blocks"]) == (412, 80, "no")
    assert parts.signed(NotMeasured(reason="no rows")).endswith("(no rows)")
    assert parts.signed(Measured(value=0.5)) == "+0.500"


def test_why_the_champion_is_kept() -> None:
    assert rulings._why_kept(verdict(blocks=(), slices=())) == "v2 is worse by more than is allowed"
    assert rulings._why_kept(verdict(slices=())) == "1 finding blocks v2"
    assert rulings._why_kept(verdict(slices=(), blocks=("a", "b"))) == "2 findings block v2"
    assert rulings.promotion_block(verdict(verdict=Decision.PROMOTE, blocks=()), 1) is None


def test_what_does_not_decide_is_told_beside() -> None:
    found = verdict()
    told = {fact.label: fact.value for fact in [*beside._test(found), *beside._disagreement(found)]}
    assert told == {
        "Try 2 on these rows": "p < 0.001, at most 0.833 %",
        "An equal one would pass": "83 %",
        "Only one is right at threshold 0.5": "v1 40, v2 52",
    }
    speed, size = beside._footprints(found)
    assert speed.value == "v1 4.1 / 9.0 ms, v2 5.0 / 12.0 ms"
    assert "(100 and 80 rows)" in str(speed.help)
    assert size.value == "v1 250 kB, v2 1.20 MB"
    bare = verdict(trial=None, discordance=None, champion_footprint=None, challenger_footprint=None)
    assert [*beside._test(bare), *beside._disagreement(bare), *beside._footprints(bare)] == []


def test_each_class_is_shown(blocked: Store, visit: Visit) -> None:
    side = Comparison(champion=Measured(value=0.7), challenger=Measured(value=0.8), difference=Measured(value=0.1))
    classes = (
        ClassComparison(label="", rows=100, recall=side, f1=side),
        ClassComparison(label="=HYPERLINK()", rows=60, recall=side, f1=side),
    )
    blocked.models.add_verdict(verdict(classes=classes, slices=()))
    at = visit(PAGE)
    assert not at.exception
    assert "**Each class on its own**" in loans.said(at)
    shown = next(frame.value for frame in at.dataframe if "Class" in frame.value)
    assert shown["Class"].tolist() == ["mean of all classes", "'=HYPERLINK()"]
