"""How figures, times and hostile names read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui import glossary, panels, wording
from pages.ui.wording import State
from pipeline_core.records import AlertLevel, Measured, NotMeasured, TimeUnit
from tests.pages.conftest import HOSTILE, schema

MONDAY = datetime(2025, 3, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.78123, "0.781"), (0.31, "0.310"), (1234.5, "1,234"), (60_000.0, "60,000"), (-0.4, "−0.400"), (0.0, "0"),
        (12.0, "12"), (0.00001, "1.00e−05"), (None, "–"), (float("nan"), "–"), (float("inf"), "–"), (999.96, "1,000"),
    ],
)  # fmt: skip
def test_numbers_have_three_significant_digits(value: float | None, text: str) -> None:
    assert wording.number(value) == text


def test_differences_carry_their_sign_and_counts_their_noun() -> None:
    assert [wording.signed(0.012), wording.signed(-0.012), wording.signed(0.0)] == ["+0.0120", "−0.0120", "0"]
    assert [wording.count(1, "batch"), wording.count(2, "batch"), wording.count(1204, "row")] == [
        "1 batch",
        "2 batches",
        "1,204 rows",
    ]
    assert wording.count(3, "watch") == "3 watches"
    assert wording.count(2, "entry") == "2 entries"
    assert wording.count(None) == "–"


@pytest.mark.parametrize(
    ("share", "text"), [(0.124, "12.4 %"), (0.0, "0.0 %"), (0.0001, "< 0.1 %"), (1.0, "100.0 %"), (None, "–")]
)
def test_only_what_is_zero_reads_as_zero_percent(share: float | None, text: str) -> None:
    assert wording.percent(share) == text


def test_p_values_and_intervals() -> None:
    assert [wording.p_value(p) for p in (0.0004, 0.034, 0.2, None)] == ["< 0.001", "0.034", "0.20", "–"]
    assert wording.interval(Measured(value=0.781, low=0.76, high=0.8)) == "0.781 (0.760–0.800)"
    assert wording.interval(Measured(value=0.01, low=-0.02, high=0.04)) == "0.0100 (−0.0200 to 0.0400)"
    assert wording.interval(Measured(value=3.0)) == "3"
    assert wording.interval(NotMeasured(reason="no labels")) == "–"
    assert wording.reason(NotMeasured(reason="no labels")) == "no labels"
    assert wording.reason(Measured(value=1.0)) is None


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (7, "the week of 3 Mar 2025"), (1, "3 Mar 2025"), (28, "3–30 Mar 2025"), (30, "3 Mar – 1 Apr 2025"),
        (365, "3 Mar 2025 – 2 Mar 2026"), (0.25, "3 Mar 2025, 00:00–06:00"),
    ],
)  # fmt: skip
def test_windows_are_named_by_what_they_hold(days: float, text: str) -> None:
    assert wording.span(MONDAY, MONDAY + timedelta(days=days), schema()) == text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (7, "in the week of 3 Mar 2025"), (1, "on 3 Mar 2025"), (30, "in the 30 days from 3 Mar 2025"),
        (0.25, "within 3 Mar 2025, 00:00–06:00"), (1.5, "between 3 Mar 2025, 00:00 and 4 Mar 2025, 12:00"),
    ],
)  # fmt: skip
def test_windows_in_a_sentence(days: float, text: str) -> None:
    assert wording.during(MONDAY, MONDAY + timedelta(days=days), schema()) == text
    assert wording.during(MONDAY, MONDAY + timedelta(days=2), schema(time_unit=TimeUnit.DAY)).startswith("in days ")


def test_models_without_a_clock_are_told_in_their_own_unit() -> None:
    days, rows = schema(time_unit=TimeUnit.DAY), schema(time_unit=TimeUnit.ROW)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    assert wording.span(epoch + timedelta(days=10), epoch + timedelta(days=40), days) == "days 10–39"
    assert wording.span(epoch, epoch + timedelta(seconds=1000), rows) == "rows 0–999"
    assert wording.moment(epoch + timedelta(seconds=1204), rows) == "row 1,204"
    assert wording.position(epoch + timedelta(days=2), days) == pytest.approx(2)
    assert [wording.axis(s) for s in (schema(), days, rows)] == ["Event time (UTC)", "Day number", "Row number"]


def test_the_start_of_a_window_in_the_url() -> None:
    assert wording.window_key(MONDAY) == "2025-03-03"
    assert wording.window_key(MONDAY + timedelta(hours=10)) == "2025-03-03T10:00:00"


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12, "12 s"), (200, "3 min 20 s"), (3720, "1 h 2 min")])
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_sizes() -> None:
    assert [wording.size(n) for n in (8, 1_500, 2_500_000, 3_000_000_000)] == ["8 B", "1.50 kB", "2.50 MB", "3 GB"]


def test_a_hostile_name_can_only_be_read() -> None:
    told = wording.safe(HOSTILE)
    for mark in ("<b>", "**x**", ":red[", "=cmd|'"):
        assert mark not in told
    assert wording.safe(":material/delete:").startswith("\\:\u2060material")
    assert wording.safe("two\nlines\u202e") == "two lines"
    assert wording.safe("$x$ [a](http://b)") == r"\$x\$ \[a\]\(http\:" + "\u2060" + r"\/\/b\)"
    assert wording.plain("<b>x</b>&") == "&lt;b&gt;x&lt;/b&gt;&amp;"


@given(st.text(max_size=300), st.integers(min_value=8, max_value=60))
def test_shortened_text_fits_on_one_line(text: str, length: int) -> None:
    told = wording.shorten(text, length)
    assert len(told) <= length
    assert "\n" not in told


@given(st.text(min_size=1, max_size=60))
def test_escaped_text_keeps_every_mark_behind_a_backslash(text: str) -> None:
    told = wording.safe(text)
    bare = told.replace("\\\\", "")
    for at, mark in enumerate(bare):
        if mark in "*_`[]<>$#|~":
            assert bare[at - 1] == "\\"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+a",
        "-1+1",
        "@x",
        "\t=1",
        "\tx",
        "\rx",
        "\nx",
        "\0x",
        "\0=1",
        "  =1",
        "＝1",
        "\ufeff=1",
        "-inf",
        "-",
        "+1_0",
    ],
)
def test_no_spreadsheet_runs_a_cell(text: str) -> None:
    assert wording.cell(text) == f"'{text}"


def test_figures_and_plain_text_stay_as_they_are_in_a_cell() -> None:
    kept = [-1.5, "-1.5", "+2", "-1e-05", ".5", "income", None, "a=b", "1-2", ""]
    assert [wording.cell(v) for v in kept] == kept
    assert panels.csv_text([{"=a": "=b", "n": -1}]) == "'=a,n\r\n'=b,-1\r\n"
    assert panels.csv_text([]) == "\r\n"


def test_the_grid_with_its_own_csv_button_holds_harmless_cells_and_loses_no_column() -> None:
    shown = panels.plain([{"=a": "=b", "'=a": -1, "n": "-2"}])
    assert shown == {"'=a": ["'=b"], "''=a": [-1], "n": ["-2"]}


def test_chart_labels_stay_different_and_are_no_template() -> None:
    twins = ["a" * 40 + "x" + "b" * 40, "a" * 40 + "y" + "b" * 40, "a" * 40 + "z" + "b" * 40]
    told = wording.labels(twins, length=20)
    assert len(set(told)) == 3
    assert [t.strip("ab") for t in told] == ["…x…", "…y…", "…z…"]
    assert wording.labels(["same name, twice"] * 2, length=12)[1].endswith(" (2)")
    assert max(map(len, told)) <= 20
    assert wording.labels(["<b>", "%{x}"]) == ["&lt;b&gt;", "%\u2060{x}"]


@pytest.mark.parametrize("text", ["http://evil.example/x", "www.evil.example", "WWW.evil.example", "a@evil.example"])
def test_no_address_becomes_a_link(text: str) -> None:
    told = wording.safe(text).replace("\\", "")
    assert "\u2060" in told
    assert told.replace("\u2060", "") == text


def test_lists_of_names() -> None:
    assert wording.listing(["a"]) == "a"
    assert wording.listing(["a", "b", "c"]) == "a, b and c"
    assert wording.listing(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_states_have_a_word_an_icon_and_a_colour_each() -> None:
    for say in (wording.word, wording.icon, wording.badge_colour):
        assert len({say(state) for state in State}) == len(State)
    assert [wording.state_of(level) for level in AlertLevel] == [State.PAGE, State.WATCH, State.OK]
    assert wording.worst([State.OK, State.UNKNOWN, State.WATCH]) is State.WATCH
    assert wording.worst([]) is State.UNKNOWN


def test_metrics_have_names_and_definitions() -> None:
    assert [wording.metric_name(n) for n in ("auc", "rmse", "f1", "new_one")] == ["AUC", "RMSE", "F1", "new one"]
    assert wording.primary_metric(["accuracy", "auc_macro"]) == "auc_macro"
    assert wording.primary_metric(["accuracy"]) is None
    assert {"auc", "effect", "p_adjusted", "weighted_drift", "smallest_detectable"} <= set(glossary.GLOSSARY)
