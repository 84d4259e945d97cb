"""What happens to deliveries on their way: each fault as a pure function on a clean frame, and the finding that must name it.

The expectations were written from what a person would want to be told, before the door was asked. ``finds`` must be
given, each on its column; ``may`` are consequences of the same fault that may be told beside it; anything else is
wrong, and so is another status. Where a door cannot carry the fault as it is (a decimal comma is no number in Parquet),
``doors`` says what it becomes there and which finding that deserves; None: it cannot happen there.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.story.deliveries import Frame, as_csv, cell

ACCEPTED, QUARANTINED, REFUSED, NOTHING = "accepted", "quarantined", "refused", "nothing"
EPOCH = datetime.fromisoformat("1970-01-01")


@dataclass(frozen=True)
class Expected:
    """What the door is to answer. ``says``: words that the sentence of the first finding (or of the refusal) must hold.

    ``may``: a code, on any column, or a code on a column. ``ledger``: changes of cells that must be accounted for.
    """

    finds: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    status: str = ACCEPTED
    says: str = ""
    ledger: tuple[str, ...] = ()


@dataclass(frozen=True)
class Week:
    """A clean delivery, and the one before it."""

    frame: Frame
    before: Frame
    dice: random.Random


@dataclass(frozen=True)
class Fault:
    """One fault. ``bytes_of``: what a door's bytes become, where the fault is not in the values; ``first``: of a first file."""

    name: str
    what: str
    damage: Callable[[Week], Frame]
    expected: Expected
    doors: Mapping[str, Expected | None] = field(default_factory=dict)
    bytes_of: Mapping[str, Callable[[Frame], bytes]] = field(default_factory=dict)
    cut: Callable[[bytes], bytes] | None = None
    policy: str = ""
    first: bool = False

    def at(self, door: str) -> Expected | None:
        return self.doors.get(door, self.expected)


# --- tools --------------------------------------------------------------------------------------


def mapped(frame: Frame, column: str, change: Callable[[Any], Any]) -> Frame:
    """Change the values of a column; gaps stay."""
    return {**frame, column: [None if v is None else change(v) for v in frame[column]]}


def filled(frame: Frame, column: str, value: Any) -> Frame:
    return {**frame, column: [value if v is None else v for v in frame[column]]}


def put_in(week: Week, column: str, share: float, change: Callable[[Any], Any]) -> Frame:
    """Change a column in a share of the rows."""
    return {**week.frame, column: [change(v) if week.dice.random() < share else v for v in week.frame[column]]}


def kept(frame: Frame, rows: Iterable[int]) -> Frame:
    rows = list(rows)
    return {name: [values[i] for i in rows] for name, values in frame.items()}


def where(frame: Frame, good: Callable[[dict[str, Any]], bool]) -> Frame:
    rows = [dict(zip(frame, row, strict=True)) for row in zip(*frame.values(), strict=True)]
    return kept(frame, [i for i, row in enumerate(rows) if good(row)])


def known(frame: Frame, column: str) -> list[Any]:
    return [v for v in frame[column] if v is not None]


def renamed(frame: Frame, names: Mapping[str, str]) -> Frame:
    return {names.get(name, name): values for name, values in frame.items()}


def comma(value: Any) -> str:
    return cell(value).replace(".", ",")


def _null_to(column: str, value: Callable[[Frame], Any]) -> Callable[[Week], Frame]:
    return lambda week: filled(week.frame, column, value(week.frame))


def _to(column: str, change: Callable[[Any], Any]) -> Callable[[Week], Frame]:
    return lambda week: mapped(week.frame, column, change)


def _in(column: str, share: float, change: Callable[[Any], Any]) -> Callable[[Week], Frame]:
    return lambda week: put_in(week, column, share, change)


# --- nulls --------------------------------------------------------------------------------------

DOWN = ("null_share_down",)
NULLS = (
    Fault("null_to_zero", "gaps become 0", _null_to("distance_km", lambda _: 0.0),
          Expected(("imputed:distance_km",), (*DOWN, "out_of_range:distance_km"), says="null -> 0:")),
    Fault("null_to_zero_among_zeros", "gaps become 0 where 0 is common", _null_to("discount", lambda _: 0.0),
          Expected(("imputed:discount",), DOWN, says="null -> 0:")),
    Fault("null_to_minus_one", "gaps become -1", _null_to("customer_age", lambda _: -1),
          Expected(("imputed:customer_age",), (*DOWN, "out_of_range:customer_age"), says="null -> -1:")),
    Fault("null_to_mean", "gaps become the mean of the delivery", _null_to("weight_kg", lambda f: statistics.fmean(known(f, "weight_kg"))),
          Expected(("imputed:weight_kg",), (*DOWN, "distribution_shift:weight_kg"), says="null -> the mean")),
    Fault("null_to_median", "gaps become the median", _null_to("distance_km", lambda f: statistics.median_low(known(f, "distance_km"))),
          Expected(("imputed:distance_km",), DOWN, says="null -> the median")),
    Fault("null_to_unknown", "gaps become 'unknown'", _null_to("city", lambda _: "unknown"),
          Expected(("imputed:city", "unseen_category:city"), (*DOWN, "distribution_shift:city"), says="null -> 'unknown'")),
    Fault("null_to_commonest", "gaps become the commonest category", _null_to("city", lambda _: "Berlin"),
          Expected(("imputed:city",), DOWN, says="null -> 'Berlin'")),
    Fault("sentinel", "-999 stands for a lost reading in 2 % of a column that had no gaps", _in("temperature_c", 0.02, lambda _: -999.0),
          Expected(("imputed:temperature_c", "out_of_range:temperature_c"), says="-999")),
    Fault("more_nulls", "10 % of a column are lost", _in("amount", 0.10, lambda _: None), Expected(("null_share_up:amount",))),
    Fault("most_null", "60 % of a column are lost", _in("amount", 0.60, lambda _: None),
          Expected(("null_share_up:amount",), status=QUARANTINED)),
    Fault("all_null", "a column comes empty", _to("weight_kg", lambda _: None), Expected(("all_null:weight_kg",), status=QUARANTINED)),
    Fault("gaps_left_out", "rows with a gap are left out upstream", lambda week: where(week.frame, lambda row: row["weight_kg"] is not None),
          Expected(("null_share_down:weight_kg",), ("row_count",))),
    Fault("missing_join", "12 % of the rows find no partner in a join", lambda week: _unjoined(week, 0.12),
          Expected(("null_pattern:rating", "null_share_up:rating", "null_share_up:carrier"))),
)  # fmt: skip


def _unjoined(week: Week, share: float) -> Frame:
    lost = [week.dice.random() < share for _ in week.frame["rating"]]
    gone = {c: [None if no else v for v, no in zip(week.frame[c], lost, strict=True)] for c in ("rating", "carrier")}
    return {**week.frame, **gone}


# --- numbers ------------------------------------------------------------------------------------


def _jump(column: str, *more: str) -> tuple[str, ...]:
    return (f"out_of_range:{column}", f"distribution_shift:{column}", *more)


NUMBERS = (
    Fault("cents", "euros become cents", _to("amount", lambda v: round(v * 100)),
          Expected(("unit_jump:amount",), _jump("amount"), says="times 100")),
    Fault("grams", "kilograms become grams", _to("weight_kg", lambda v: round(v * 1000)),
          Expected(("unit_jump:weight_kg",), _jump("weight_kg"), says="times 1,000")),
    Fault("millimetres", "centimetres become millimetres", _to("length_cm", lambda v: round(v * 10)),
          Expected(("unit_jump:length_cm",), _jump("length_cm"), says="times 10 ")),
    Fault("inches", "centimetres become inches", _to("length_cm", lambda v: round(v / 2.54, 1)),
          Expected(("unit_jump:length_cm",), _jump("length_cm"), says="divided by 2.54")),
    Fault("miles", "kilometres become miles", _to("distance_km", lambda v: round(v / 1.609344, 1)),
          Expected(("unit_jump:distance_km",), _jump("distance_km"), says="divided by 1.609")),
    Fault("fahrenheit", "Celsius becomes Fahrenheit", _to("temperature_c", lambda v: round(v * 1.8 + 32, 1)),
          Expected(("unit_jump:temperature_c",), _jump("temperature_c"), says="Celsius to Fahrenheit")),
    Fault("percent_points", "shares become percent", _to("discount", lambda v: round(v * 100)),
          Expected(("unit_jump:discount",), _jump("discount", "imputed:discount"), says="times 100")),
    Fault("part_in_cents", "one channel of four sends cents", lambda week: _channel_in_cents(week.frame),
          Expected(("out_of_range:amount", "distribution_shift:amount"), ("unit_jump:amount",))),
    Fault("part_in_grams", "a tenth of the lengths comes in millimetres", _in("length_cm", 0.10, lambda v: round(v * 10.0, 1)),
          Expected(("unit_jump:length_cm",), _jump("length_cm"), says="times 10 ")),
    Fault("other_sign", "money is booked with the other sign", _to("amount", lambda v: -v),
          Expected(("unit_jump:amount",), _jump("amount"), says="another sign")),
    Fault("absurd_outliers", "0.5 % of the values are a million too large", _in("amount", 0.005, lambda v: v + 1e6),
          Expected(("out_of_range:amount",))),
    Fault("drift", "everything costs 40 % more", _to("amount", lambda v: round(v * 1.4, 2)),
          Expected(("distribution_shift:amount",), ("out_of_range:amount",))),
    Fault("constant", "a sensor is stuck", _to("temperature_c", lambda _: 11.5),
          Expected(("constant:temperature_c",), ("distribution_shift:temperature_c", "imputed:temperature_c"))),
)  # fmt: skip


def _channel_in_cents(frame: Frame) -> Frame:
    pairs = zip(frame["amount"], frame["channel"], strict=True)
    return {**frame, "amount": [round(a * 100, 2) if c == "app" else a for a, c in pairs]}


# --- types and text -----------------------------------------------------------------------------

BROKEN = QUARANTINED
TYPES = (
    Fault("decimal_comma", "a column with a decimal comma (quoted; text elsewhere)", _to("amount", comma),
          Expected(("type_changed:amount",), ("all_null:amount",), status=BROKEN)),
    Fault("thousands", "1,234.50: thousands are separated", _to("amount", lambda v: f"{v:,.2f}"),
          Expected(("type_changed:amount",), status=BROKEN), doors={"csv": Expected(ledger=("thousands:amount",))}),
    Fault("currency", "amounts carry their currency", _to("amount", lambda v: f"€ {v:.2f}"),
          Expected(("type_changed:amount",), ("all_null:amount",), status=BROKEN)),
    Fault("percent_sign", "shares are written as 15 %", _to("discount", lambda v: f"{v:.0%}"),
          Expected(("type_changed:discount",), ("all_null:discount",), status=BROKEN)),
    Fault("words_for_gaps", "gaps are spelled 'missing'", _null_to("customer_age", lambda _: "missing"),
          Expected(("type_changed:customer_age",), DOWN, status=BROKEN)),
    Fault("few_words", "0.5 % of a column are words", _in("length_cm", 0.005, lambda _: "n. a."),
          Expected(("type_changed:length_cm",))),
    Fault("set_aside", "the same, where the policy lets such rows be set aside", _in("length_cm", 0.005, lambda _: "n. a."),
          Expected(("set_aside",)), policy="set_aside_share_max = 0.02\n"),
    Fault("infinity", "2 % of a column are infinite", _in("weight_kg", 0.02, lambda _: float("inf")),
          Expected(("type_changed:weight_kg",), status=BROKEN),
          bytes_of={"api": lambda frame: _as_lines(mapped(frame, "weight_kg", lambda v: "inf" if v == float("inf") else v))}),
    Fault("numbers_as_text", "every number comes as text", lambda week: {
              name: [cell(v) if isinstance(v, int | float) else v for v in values] for name, values in week.frame.items()},
          Expected()),
    Fault("shifted_columns", "a delimiter was lost: from a column on everything stands one to the left", lambda week: _shifted(week.frame),
          Expected(("type_changed:rating", "unseen_category:city", "unseen_category:channel", "unseen_category:carrier",
                    "distribution_shift:length_cm", "distribution_shift:temperature_c", "distribution_shift:customer_age"),
                   (*DOWN, "null_share_up", "null_pattern", "category_vanished", "distribution_shift", "out_of_range", "imputed", "unit_jump",
                    "all_null"), status=BROKEN)),
)  # fmt: skip


def _as_lines(frame: Frame) -> bytes:
    from tests.story.deliveries import as_lines

    return as_lines(frame)


def _shifted(frame: Frame) -> Frame:
    names = list(frame)
    start = names.index("length_cm")
    moved = {name: frame[names[i + 1]] for i, name in enumerate(names[:-1]) if i >= start}
    return {**frame, **moved, names[-1]: [None] * len(frame["late"])}


# --- times --------------------------------------------------------------------------------------


def _swapped(at: datetime) -> datetime:
    return at.replace(month=at.day, day=at.month) if at.day <= 12 else at


def _with_gap(frame: Frame) -> Frame:
    days = sorted({at.date() for at in frame["ordered_at"]})
    return where(frame, lambda row: row["ordered_at"].date() not in days[2:4])


def _shuffled(week: Week) -> Frame:
    order = list(range(len(week.frame["order_id"])))
    week.dice.shuffle(order)
    return kept(week.frame, order)


TIMES = (
    Fault("day_and_month_swapped", "day and month change places where they can", _to("ordered_at", _swapped),
          Expected(("time_future:ordered_at",), ("time_gap:ordered_at", "time_unordered:ordered_at", "time_too_old:ordered_at"), status=QUARANTINED)),
    Fault("day_first", "dates are written day first", _to("ordered_at", lambda at: f"{at:%d/%m/%Y %H:%M:%S}"),
          Expected(("type_changed:ordered_at",), ("event_time_missing:ordered_at", "all_null:ordered_at"), status=QUARANTINED),
          doors={"csv": Expected(status=REFUSED, says="--date-order")}),
    Fault("epoch", "times come as seconds since 1970", _to("ordered_at", lambda at: int((at - EPOCH).total_seconds())),
          Expected()),
    Fault("time_zone", "local time (5 h ahead) passes for UTC", _to("ordered_at", lambda at: at + timedelta(hours=5)),
          Expected(("time_zone:ordered_at",))),
    Fault("future", "3 % of the rows come from 2062", _in("ordered_at", 0.03, lambda at: at.replace(year=2062)),
          Expected(("time_future:ordered_at",), ("time_unordered:ordered_at",), status=QUARANTINED)),
    Fault("default_date", "1 % of the rows date from 1970", _in("ordered_at", 0.01, lambda _: EPOCH),
          Expected(("time_too_old:ordered_at",), ("time_unordered:ordered_at",))),
    Fault("no_time", "5 % of the rows have no time", _in("ordered_at", 0.05, lambda _: None),
          Expected(("event_time_missing:ordered_at",), status=QUARANTINED)),
    Fault("gap", "two days of the week are missing", lambda week: _with_gap(week.frame), Expected(("time_gap:ordered_at",), ("row_count",))),
    Fault("unordered", "the rows come in another order", _shuffled, Expected(("time_unordered:ordered_at",))),
)  # fmt: skip


# --- rows and ids -------------------------------------------------------------------------------


def _twice(frame: Frame) -> Frame:
    return {name: values + values for name, values in frame.items()}


def _some_twice(week: Week, share: float, *, new_ids: bool) -> Frame:
    rows = range(len(week.frame["order_id"]))
    again = [i for i in rows if week.dice.random() < share]
    frame = kept(week.frame, sorted([*rows, *again]))
    if new_ids:
        frame["order_id"] = [f"n{i:06d}" for i in range(len(frame["order_id"]))]
    return frame


def _with_ids_of(week: Week) -> Frame:
    both = min(len(week.frame["order_id"]), len(week.before["order_id"]))
    return {**kept(week.frame, range(both)), "order_id": week.before["order_id"][:both]}


def _stale(week: Week) -> Frame:
    return mapped(week.before, "order_id", lambda name: f"new-{name}")


def _corrected(week: Week) -> Frame:
    return {name: [*values, *week.before[name][-40:]] for name, values in week.frame.items()}


UNREADABLE = Expected(status=REFUSED)
ROWS = (
    Fault("half", "half of the rows are missing", lambda week: kept(week.frame, range(0, len(week.frame["late"]), 2)),
          Expected(("row_count",))),
    Fault("truncated", "the transfer broke off at 40 % (as a query: the first 40 % of the rows)", lambda week: week.frame,
          UNREADABLE, cut=lambda content: content[: len(content) * 2 // 5], doors={"postgres": Expected(("row_count",))}),
    Fault("doubled", "everything comes twice", lambda week: _twice(week.frame),
          Expected(("duplicate_ids:order_id", "duplicate_rows", "row_count"), ("time_unordered:ordered_at",), status=QUARANTINED)),
    Fault("empty", "a header and no rows", lambda week: kept(week.frame, ()), Expected(status=REFUSED, says="no rows"),
          doors={"api": Expected(status=REFUSED, says="has no file"), "postgres": Expected(status=NOTHING)}),
    Fault("repeated_rows", "4 % of the rows come twice under new ids", lambda week: _some_twice(week, 0.04, new_ids=True),
          Expected(("duplicate_rows",))),
    Fault("repeated_ids", "2 % of the ids come twice", lambda week: _some_twice(week, 0.02, new_ids=False),
          Expected(("duplicate_ids:order_id",), ("duplicate_rows",), status=QUARANTINED)),
    Fault("lost_ids", "1 % of the ids are lost", _in("order_id", 0.01, lambda _: None),
          Expected(("duplicate_ids:order_id",), status=QUARANTINED)),
    Fault("stale", "last week's rows again, with new ids", _stale, Expected(("duplicate_rows",))),
    Fault("ids_of_before", "last week's ids on other rows", _with_ids_of, Expected(("ids_known:order_id",), status=QUARANTINED)),
    Fault("delivered_again", "40 rows of last week come again", _corrected,
          Expected(("ids_known:order_id",), ("time_unordered:ordered_at",))),
)  # fmt: skip


# --- columns ------------------------------------------------------------------------------------


def _without(frame: Frame, column: str) -> Frame:
    return {name: values for name, values in frame.items() if name != column}


COLUMNS = (
    Fault("column_missing", "a column is left out", lambda week: _without(week.frame, "weight_kg"),
          Expected(("column_missing:weight_kg",), status=QUARANTINED)),
    Fault("renamed", "distance_km is now called distance", lambda week: renamed(week.frame, {"distance_km": "distance"}),
          Expected(("column_renamed:distance_km", "column_missing:distance_km", "column_extra:distance"), status=QUARANTINED)),
    Fault("renamed_beyond_likeness", "length_cm is now called size", lambda week: renamed(week.frame, {"length_cm": "size"}),
          Expected(("column_renamed:length_cm", "column_missing:length_cm", "column_extra:size"), status=QUARANTINED)),
    Fault("extra", "a new column", lambda week: {**week.frame, "coupon": ["SPRING" if week.dice.random() < 0.1 else None for _ in week.frame["late"]]},
          Expected(("column_extra:coupon",))),
    Fault("reordered", "the columns stand in another order", lambda week: dict(sorted(week.frame.items())),
          Expected(("columns_reordered",))),
    Fault("swapped", "two columns change their contents", lambda week: {
              **week.frame, "length_cm": week.frame["distance_km"], "distance_km": week.frame["length_cm"]},
          Expected(("distribution_shift:length_cm", "distribution_shift:distance_km"),
                   ("out_of_range:length_cm", "null_share_up:length_cm", "null_share_down:distance_km", "out_of_range:distance_km"))),
)  # fmt: skip


# --- categories and target ----------------------------------------------------------------------


def _mangled(text: str, encoding: str = "cp1252") -> str:
    return text.encode().decode(encoding)


def _leaking(week: Week) -> Frame:
    late = week.frame["late"]
    return {
        **week.frame,
        "delay_h": [round(week.dice.uniform(24, 90) if y == "yes" else week.dice.uniform(0, 23), 1) for y in late],
    }


RECODED = {"web": "1", "app": "2", "store": "3", "phone": "4"}
SPELT = ("unseen_category", "category_vanished", "distribution_shift")


def _spelling(column: str, *more: str, status: str = ACCEPTED) -> Expected:
    return Expected(
        (f"category_spelling:{column}", f"unseen_category:{column}"),
        (*(f"{c}:{column}" for c in SPELT), *more),
        status=status,
    )


CATEGORIES = (
    Fault("upper_case", "categories in capitals", _to("city", str.upper), _spelling("city", status=QUARANTINED)),
    Fault("blanks_around", "categories with blanks at their ends", _to("channel", lambda v: f" {v}  "), Expected()),
    Fault("blanks_inside", "categories with another blank inside", _to("city", lambda v: v.replace(" ", "  ")), _spelling("city")),
    Fault("without_accents", "accents are lost", _to("city", lambda v: v.translate(str.maketrans("ãöö", "aoo"))), _spelling("city")),
    Fault("mojibake", "UTF-8 was read as Windows-1252 upstream", _to("city", _mangled), _spelling("city")),
    Fault("replacement", "letters beyond ASCII became question marks", _to("city", lambda v: v.encode("ascii", "replace").decode()), _spelling("city")),
    Fault("another_encoding", "the file comes in Windows-1252", lambda week: week.frame, Expected(status=REFUSED, says="--encoding"),
          doors={"parquet": None, "postgres": None}, bytes_of={
              "csv": lambda frame: as_csv(frame, encoding="cp1252"), "api": lambda frame: as_csv(frame, encoding="cp1252")}),
    Fault("excel_german", "the file has semicolons and decimal commas throughout", lambda week: week.frame, Expected(ledger=("decimal_comma:amount",)),
          doors={"parquet": None, "postgres": None}, bytes_of={
              "csv": lambda frame: as_csv(frame, delimiter=";", decimal=","), "api": lambda frame: as_csv(frame, delimiter=";", decimal=",")}),
    Fault("new_category", "6 % of the rows have a category that is new", _in("channel", 0.06, lambda _: "kiosk"),
          Expected(("unseen_category:channel",), ("distribution_shift:channel",))),
    Fault("vanished_category", "a shop's channel sends nothing", lambda week: where(week.frame, lambda row: row["channel"] != "store"),
          Expected(("category_vanished:channel",), ("distribution_shift:channel",))),
    Fault("recoded", "categories become codes", _to("channel", RECODED.__getitem__),
          Expected(("unseen_category:channel", "category_vanished:channel"), ("distribution_shift:channel",), status=QUARANTINED)),
    Fault("one_category", "every row says the same", _to("channel", lambda _: "web"),
          Expected(("constant:channel",), ("category_vanished:channel", "distribution_shift:channel"))),
    Fault("unknown_class", "5 % of the labels are no class", _in("late", 0.05, lambda _: "maybe"), Expected(("target_unknown:late",))),
    Fault("no_target", "the labels are not there yet", lambda week: _without(week.frame, "late"), Expected()),
    Fault("leak", "a first file has a column that is known only afterwards", _leaking,
          Expected(("leakage_suspect:delay_h",)), first=True),
)  # fmt: skip


FAULTS = (*NULLS, *NUMBERS, *TYPES, *TIMES, *ROWS, *COLUMNS, *CATEGORIES)
BY_NAME = {fault.name: fault for fault in FAULTS}
SEEDED = {fault.name: number for number, fault in enumerate(FAULTS)}


def damaged(fault: Fault, frame: Frame, before: Frame) -> Frame:
    """Do a fault to a delivery; the same rows are hit each time."""
    return fault.damage(Week(frame=frame, before=before, dice=random.Random(SEEDED[fault.name])))
