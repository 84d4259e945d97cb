"""How figures, times and states read; pure, no Streamlit.

The only place where a share becomes a percent. Names of columns, levels, batches and models are hostile text: they go
through ``safe`` before they reach Markdown, through ``plain`` before they reach a chart, and through ``cell`` before they
reach a CSV file. Refuses to decide anything: states come from records, words from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from pipeline_core.records import AlertLevel, Figure, Measured, NotMeasured, Schema, TimeUnit
from pipeline_core.service.exports import harmless

DASH = "–"
MINUS = "−"


class State(StrEnum):
    """What a card, sentence or cell says; always shown with its icon and word."""

    PAGE = "page"
    WATCH = "watch"
    OK = "ok"
    UNKNOWN = "unknown"


def number(value: float | None, *, digits: int = 3) -> str:
    """Give a number with three significant digits, thousands grouped; None and NaN give a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0:
        return "0"
    size = abs(value)
    decimals = digits - 1 - math.floor(math.log10(size))
    if size < 1e-4 or size >= 1e15:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    text = f"{value:,.{max(decimals, 0)}f}"
    if decimals > 0 and value == int(value):
        text = f"{int(value):,}"
    return text.replace("-", MINUS)


def count(value: int | None, noun: str | None = None) -> str:
    """Give a whole number with grouped thousands, and its noun in the right number: ``"1,204 rows"``."""
    if value is None:
        return DASH
    text = f"{value:,}".replace("-", MINUS)
    if noun is None:
        return text
    return f"{text} {noun}" if value == 1 else f"{text} {plural(noun)}"


def plural(noun: str) -> str:
    """Give the plural of one of our own nouns: row, batch, window, entry."""
    if noun.endswith(("ch", "sh", "s", "x")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def percent(share: float | None, *, digits: int = 1) -> str:
    """Give a share 0-1 as percent: ``"12.4 %"``; what is not zero never reads as zero."""
    if share is None or not math.isfinite(share):
        return DASH
    smallest = 10.0**-digits
    if 0 < abs(share) * 100 < smallest / 2:
        return f"< {smallest:.{digits}f} %"
    return f"{share * 100:,.{digits}f} %".replace("-", MINUS)


def signed(value: float | None, *, digits: int = 3) -> str:
    """Give a difference with its sign (a true minus): ``"+0.012"``, ``"−0.4"``."""
    text = number(value, digits=digits)
    return f"+{text}" if value is not None and math.isfinite(value) and value > 0 else text


def p_value(value: float | None) -> str:
    """Give a p-value: ``"0.03"``, ``"< 0.001"``."""
    if value is None or not math.isfinite(value):
        return DASH
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def interval(figure: Figure | None) -> str:
    """Give a figure with its 95 % interval: ``"0.781 (0.76–0.80)"``; not measured gives a dash."""
    if not isinstance(figure, Measured):
        return DASH
    if figure.low is None or figure.high is None:
        return number(figure.value)
    between = (
        f"{number(figure.low)} to {number(figure.high)}"
        if figure.low < 0
        else f"{number(figure.low)}–{number(figure.high)}"
    )
    return f"{number(figure.value)} ({between})"


def reason(figure: Figure | None) -> str | None:
    """Say why a figure is missing, for ``help=``; None where it was measured."""
    if isinstance(figure, Measured):
        return None
    return safe(figure.reason, length=300) if isinstance(figure, NotMeasured) else "Not measured yet."


def day(at: datetime) -> str:
    """Give a date: ``"3 Mar 2025"``."""
    return f"{at.day} {at:%b %Y}"


def moment(at: datetime | None, schema: Schema | None = None) -> str:
    """Give an event time in the model's own unit: a date, a day number or a row number."""
    if at is None:
        return DASH
    unit = schema.time_unit if schema else TimeUnit.CLOCK
    if unit is TimeUnit.DAY:
        return f"day {number_of(at, unit):,.0f}"
    if unit is TimeUnit.ROW:
        return f"row {number_of(at, unit):,.0f}"
    return day(at) if (at.hour, at.minute, at.second) == (0, 0, 0) else clock(at)


def clock(at: datetime | None) -> str:
    """Give a time on the wall (received, promoted, raised) in UTC: ``"3 Mar 2025, 14:05"``."""
    if at is None:
        return DASH
    at = at.astimezone(UTC)
    return f"{day(at)}, {at:%H:%M}"


def number_of(at: datetime, unit: TimeUnit) -> float:
    """Give the day or row number that an event time of a model without a clock stands for."""
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return seconds / 86_400 if unit is TimeUnit.DAY else seconds


def position(at: datetime, schema: Schema | None = None) -> datetime | float:
    """Give an event time as a place on a chart's axis: a time, or the day or row number."""
    if schema is not None and schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW}:
        return number_of(at, schema.time_unit)
    return at


def axis(schema: Schema | None = None) -> str:
    """Give the title of an event time axis."""
    unit = schema.time_unit if schema else TimeUnit.CLOCK
    return {
        TimeUnit.CLOCK: "Event time (UTC)",
        TimeUnit.DAY: "Day number",
        TimeUnit.ROW: "Row number",
        TimeUnit.NONE: "Received (UTC)",
    }[unit]


def span(start: datetime | None, end: datetime | None, schema: Schema | None = None) -> str:
    """Name a window by its first and last moment: ``"the week of 3 Mar 2025"``, ``"1–30 Mar 2025"``, ``"rows 0–999"``."""
    if start is None or end is None:
        return DASH if start is None else moment(start, schema)
    if schema is not None and schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW}:
        first, last = number_of(start, schema.time_unit), number_of(end, schema.time_unit)
        noun = "days" if schema.time_unit is TimeUnit.DAY else "rows"
        return f"{noun} {first:,.0f}–{max(first, last - 1):,.0f}"
    if schema is not None and schema.time_unit is TimeUnit.NONE and end - start < timedelta(minutes=1):
        # without an event time rows are a microsecond apart, in the order in which they arrived
        return f"{(end - start) // timedelta(microseconds=1) + 1:,} rows received {clock(start)}"
    if end - start == timedelta(days=7):
        return f"the week of {day(start)}"
    if end - start < timedelta(days=1):
        return f"{clock(start)}–{end:%H:%M}"
    return _days(start, end - timedelta(microseconds=1))


def _days(start: datetime, last: datetime) -> str:
    if last.date() == start.date():
        return day(start)
    if (start.year, start.month) == (last.year, last.month):
        return f"{start.day}–{day(last)}"
    first = f"{start.day} {start:%b}" if start.year == last.year else day(start)
    return f"{first} – {day(last)}"


def during(start: datetime, end: datetime, schema: Schema | None = None) -> str:
    """Say when a window was, for a sentence: ``"in the week of 3 Mar 2025"``, ``"in the 30 days from 3 Mar 2025"``."""
    named = span(start, end, schema)
    if schema is not None and schema.time_unit in {TimeUnit.DAY, TimeUnit.ROW}:
        return f"in {named}"
    length = end - start
    if named.endswith(f"received {clock(start)}"):
        return f"in the {named}"
    if length == timedelta(days=7) or length < timedelta(days=1):
        return f"in {named}" if length >= timedelta(days=1) else f"within {named}"
    if named == day(start):
        return f"on {named}"
    whole = length.days if length == timedelta(days=length.days) else None
    return f"between {clock(start)} and {clock(end)}" if whole is None else f"in the {whole} days from {day(start)}"


def window_key(start: datetime) -> str:
    """Give the start of a window as it stands in the URL: ``"2025-03-03"`` or ``"2025-03-03T10:00:00"``."""
    text = start.astimezone(UTC).replace(tzinfo=None).isoformat()
    return text.removesuffix("T00:00:00")


def duration(seconds: float) -> str:
    """Give a duration for people: ``"0.4 s"``, ``"12 s"``, ``"3 min 20 s"``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(value: int) -> str:
    """Give bytes in B, kB, MB or GB."""
    amount = float(value)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{number(amount)} {unit}"
        amount /= 1000
    return f"{number(amount)} GB"


_PUNCTUATION = re.compile(r"([!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~])")
_SHORTCODE = re.compile(r":(?=[\w+\-/]+[:\[])")
_LINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def shorten(text: object, length: int) -> str:
    """Put foreign text on one line, without control or direction marks, and cut it in the middle."""
    line = " ".join(_CONTROL.sub(" ", str(text)).split())
    if len(line) <= length:
        return line
    head = (length - 1) * 2 // 3
    return f"{line[:head]}…{line[len(line) - (length - 1 - head) :]}"


def safe(text: object, *, length: int = 80) -> str:
    """Escape foreign text for Markdown and shorten it in the middle, so that it can only be read, never rendered."""
    # a word joiner keeps ":red[", ":smile:", "www.x.y" and "a@x.y" from being read after the escapes are gone
    line = _LINK.sub("\u2060", _SHORTCODE.sub(":\u2060", shorten(text, length)))
    return _PUNCTUATION.sub(r"\\\1", line)


def plain(text: object, *, length: int = 32) -> str:
    """Shorten foreign text for a chart label and escape what plotly would read as markup or as a template."""
    line = shorten(text, length).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("%{", "%\u2060{")


def labels(names: Iterable[object], *, length: int = 32) -> list[str]:
    """Give chart labels that stay different: of names that look the same when short, the part that differs is kept."""
    full, looks = [str(name) for name in names], dict[str, list[str]]()
    for name in full:
        looks.setdefault(shorten(name, length), []).append(name)
    given: list[str] = []
    for name in full:
        twins = looks[shorten(name, length)]
        text = name if len(twins) == 1 else _telling(name, twins, length=length)
        label, twin = plain(text, length=length), 2
        while label in given:
            label, twin = f"{plain(text, length=length - 4)} ({twin})", twin + 1
        given.append(label)
    return given


def _alike(texts: Sequence[str]) -> int:
    """Count the characters that all texts begin with."""
    same = (len(set(column)) == 1 for column in zip(*texts, strict=False))
    return next((i for i, alike in enumerate(same) if not alike), min(map(len, texts)))


def _telling(name: str, twins: Sequence[str], *, length: int) -> str:
    """Cut a name where it is like its twins, so that head, what differs and tail remain."""
    head = _alike(twins)
    tail = min(_alike([twin[::-1] for twin in twins]), min(map(len, twins)) - head)
    middle = name[head : len(name) - tail]
    room = max(0, length - len(middle) - 2)
    before, after = min(head, room - room // 2), min(tail, room // 2)
    left = name[:head] if before == head else f"{name[:before]}…"
    return f"{left}{middle}{'' if after == tail else '…'}{name[len(name) - after :]}"


def cell(value: object) -> object:
    """Give a value for a CSV cell; text that a spreadsheet would run as a formula is quoted, numbers stay numbers."""
    return harmless(value) if isinstance(value, str) else value


def listing(names: Iterable[str], *, most: int = 3) -> str:
    """Join names for a sentence: ``"income, debt and 2 more"``; the names are escaped."""
    shown: Sequence[str] = [safe(name, length=40) for name in names]
    if len(shown) > most:
        return f"{', '.join(shown[:most])} and {len(shown) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def state_of(level: AlertLevel) -> State:
    """Give the state that an alert level shows as (``none`` is ok)."""
    return {AlertLevel.PAGE: State.PAGE, AlertLevel.WATCH: State.WATCH, AlertLevel.NONE: State.OK}[level]


def worst(states: Iterable[State]) -> State:
    """Give the state that asks for most attention; unknown only where nothing else is known."""
    order = (State.PAGE, State.WATCH, State.OK, State.UNKNOWN)
    return min(states, key=order.index, default=State.UNKNOWN)


def icon(state: State) -> str:
    """Give the Material icon of a state, e.g. ``":material/error:"``."""
    return {
        State.PAGE: ":material/error:",
        State.WATCH: ":material/visibility:",
        State.OK: ":material/check_circle:",
        State.UNKNOWN: ":material/help:",
    }[state]


def word(state: State) -> str:
    """Give the word of a state: Page, Watch, OK, Unknown."""
    return {State.PAGE: "Page", State.WATCH: "Watch", State.OK: "OK", State.UNKNOWN: "Unknown"}[state]


def badge_colour(state: State) -> str:
    """Give the theme colour name (``st.badge``, ``:red[...]``) of a state: red, orange, green or gray."""
    return {State.PAGE: "red", State.WATCH: "orange", State.OK: "green", State.UNKNOWN: "gray"}[state]


_METRICS = {
    "auc": "AUC",
    "auc_macro": "Macro AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "log_loss": "Log loss",
    "accuracy": "Accuracy",
    "f1": "F1",
    "f1_macro": "Macro F1",
    "positive_share": "Predicted positive",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "bias": "Bias",
    "cost": "Cost per row",
}


def metric_name(name: str) -> str:
    """Give a metric's display name: ``auc`` -> ``AUC``, ``rmse`` -> ``RMSE``, ``f1`` -> ``F1``."""
    return _METRICS.get(name, name.replace("_", " "))


SMALLER_IS_BETTER = frozenset({"brier", "log_loss", "rmse", "mae", "cost"})
NEITHER_IS_BETTER = frozenset({"positive_share"})


def direction(name: str) -> str:
    """Say behind a metric's name which direction is better where that is not the larger one."""
    if name in SMALLER_IS_BETTER:
        return " (less is better)"
    return " (nearer 0 is better)" if name == "bias" else " (neither is better)" if name in NEITHER_IS_BETTER else ""


def primary_metric(metrics: Iterable[str]) -> str | None:
    """Give the metric that leads for this task among the names: auc, auc_macro or rmse."""
    names = set(metrics)
    return next((name for name in ("auc", "auc_macro", "rmse") if name in names), None)
