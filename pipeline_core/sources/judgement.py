"""Which type each column of text cells gets, and which choices a person has to make: decided from evidence alone.

Neighbours: ``evidence`` saw the cells, ``cells`` casts them by what is decided here. It refuses to settle what two
readings fit equally well: it takes the likelier one and says so in a doubt that names the flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from pipeline_core.records import Doubt
from pipeline_core.sources.evidence import Evidence
from pipeline_core.sources.forms import ORDERS
from pipeline_core.sources.opened import Asked, listed, printable

_TYPES = {"boolean": pa.bool_(), "comma": pa.float64(), "point": pa.float64(), "clock": pa.timestamp("us")}
_MARKS = {",": "comma", ".": "point"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a column is: ``kind`` is number, text, empty or the name of a form.

    ``loose``: a form in which the cells of a text column that fit it are read all the same; ``change``: the ledger's
    word, where it is not the form's own.
    """

    kind: str
    type: pa.DataType
    loose: str | None = None
    change: str | None = None


_TEXT = Choice(kind="text", type=pa.string())


@dataclass(slots=True, kw_only=True)
class Judge:
    """Decides about the columns of one file, as they settle each other: one mark, one order of dates a file.

    ``decimal`` and ``date_order`` are those in use once ``choices`` were made.
    """

    asked: Asked
    delimiter: str | None
    names: Sequence[str]
    columns: Sequence[Evidence]
    decimal: str = "."
    date_order: str | None = None
    _doubts: list[Doubt] = field(default_factory=list)

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What the cells leave open; those that a person must settle first."""
        return tuple(sorted(self._doubts, key=lambda d: not d.blocking))

    def choices(self) -> list[Choice]:
        """Decide.

        Returns
        -------
        list of Choice
            One a column.
        """
        self.decimal = self.asked.reading.decimal or self._decimal_of_file()
        self.date_order = self.asked.settled("date_order") or self._order_of_file()
        choices = [self._choice(name, column) for name, column in zip(self.names, self.columns, strict=True)]
        self._ask_about_markers()
        if self.date_order is None and any(c.kind == "ymd" for c in choices):
            self.date_order = "ymd"
        return choices

    def _choice(self, name: str, column: Evidence) -> Choice:
        if not column.cells:
            return Choice(kind="empty", type=pa.null())
        if column.number:
            return self._number(name, column)
        found = column.open_forms
        if found & set(ORDERS):
            return self._date(name, column)
        plain = next((kind for kind in ("boolean", "clock") if kind in found), None)
        if plain is not None:
            return Choice(kind=plain, type=_TYPES[plain])
        if found & {"comma", "point"}:
            return self._marked(name, column)
        if column.short_years and self.date_order is None:
            self._doubt_short_years(name, column)
        loose = next((form for form in sorted(column.wanted) if column.loose(form)), None)
        return Choice(kind="text", type=pa.string(), loose=loose)

    # --- numbers ----------------------------------------------------------------------------

    def _number(self, name: str, column: Evidence) -> Choice:
        if column.whole:
            return Choice(kind="number", type=pa.int64())
        if column.long:
            return _TEXT  # more digits than a float keeps
        if column.dots and column.dots_of_three and self.decimal == ",":
            if self.asked.settled("decimal") is None:
                self._doubt_mark(name, "1.234", "1.234 is read as 1234, because other columns have decimal commas")
            return Choice(kind="comma", type=pa.float64(), change="thousands")
        return Choice(kind="number", type=pa.float64())

    def _decimal_of_file(self) -> str:
        comma, point = self._evidence()
        if comma != point:
            return "," if comma else "."
        if self.asked.remembered.decimal:
            return self.asked.remembered.decimal
        if not any(_is_open(c) for c in self.columns):
            return "."
        return "." if self.delimiter == "," else ","

    def _evidence(self) -> tuple[bool, bool]:
        """Say whether some column settles that the mark is a comma, or a point."""
        comma = any(_only(c, "comma") and (c.comma_sure or c.commas) for c in self.columns) and self.delimiter != ","
        point = any(_only(c, "point") or (c.number and c.dots and not c.dots_of_three) for c in self.columns)
        return comma, point

    def _marked(self, name: str, column: Evidence) -> Choice:
        # what is remembered settles what the content leaves open, and nothing else: a file may come from another program
        told, remembered = self.asked.reading.decimal, self.asked.remembered.decimal
        fits = column.open_forms & {"comma", "point"}
        if told is not None:
            return self._number_with(_MARKS.get(told, "point"), column) if _MARKS.get(told) in fits else _TEXT
        if len(fits) == 1:
            only = next(iter(fits))
            if only == "comma" and self.delimiter == "," and column.commas and remembered != ",":
                self._hint_commas(name, column)
                return _TEXT
            return self._number_with(only, column)
        if not column.commas and not column.fractions:
            return self._number_with("point", column)  # 1'234 is the same either way
        comma, point = self._evidence()
        if comma == point and not remembered:
            said = "1234" if self.decimal == "." else "1.234"
            self._doubt_mark(name, column.example, f"1,234 is read as {said}", blocking=self.delimiter != ",")
        return self._number_with(_MARKS[self.decimal], column)

    @staticmethod
    def _number_with(form: str, column: Evidence) -> Choice:
        whole = not (column.commas if form == "comma" else column.fractions)
        change = "thousands" if form == "comma" and whole else None
        return Choice(kind=form, type=pa.int64() if whole else pa.float64(), change=change)

    def _doubt_mark(self, name: str, example: str, taken: str, *, blocking: bool = True) -> None:
        first, other = self.decimal, "." if self.decimal == "," else ","
        self._doubts.append(
            Doubt(
                topic="decimal",
                chosen=first,
                options=(first, other),
                column=name,
                blocking=blocking,
                message=(
                    f"Column {printable(name)!r} of {self.asked.label!r} holds numbers like {printable(example)!r}, which"
                    f" may have a decimal mark or a mark of thousands ({taken}). A wrong guess is wrong by a factor of"
                    f" 1,000: say --decimal {first} or --decimal {other}."
                ),
            )
        )

    def _hint_commas(self, name: str, column: Evidence) -> None:
        self._doubts.append(
            Doubt(
                topic="decimal",
                chosen=".",
                options=(".", ","),
                column=name,
                blocking=False,
                message=(
                    f"Column {printable(name)!r} of {self.asked.label!r} stays text: {printable(column.example)!r} may be"
                    " a number with a decimal comma, or two values. If it is a number, say --decimal , ."
                ),
            )
        )

    # --- dates ------------------------------------------------------------------------------

    def _order_of_file(self) -> str | None:
        settled = {next(iter(o)) for c in self.columns if len(o := _orders(c)) == 1} - {"ymd"}
        if len(settled) == 1:
            return settled.pop()
        open_ = next((c for c in self.columns if len(_orders(c)) > 1), None)
        if open_ is None:
            return None
        return "mdy" if "/" in open_.example and self.delimiter == "," else "dmy"

    def _date(self, name: str, column: Evidence) -> Choice:
        orders = _orders(column)
        told = self.asked.settled("date_order")
        chosen = self.date_order if self.date_order in orders else next(iter(sorted(orders)))
        if told is not None and chosen != told and chosen != "ymd":
            self._hint_order(name, column, told, chosen)
            return Choice(kind="text", type=pa.string(), loose=told if column.loose(told) else None)
        others = {next(iter(_orders(c))) for c in self.columns if len(_orders(c)) == 1} - {"ymd"}
        if told is None and len(orders) > 1 and len(others) != 1:
            self._doubt_order(name, column, chosen)
        return Choice(kind=chosen, type=pa.timestamp("us"))

    def _doubt_order(self, name: str, column: Evidence, chosen: str) -> None:
        other = "mdy" if chosen == "dmy" else "dmy"
        self._doubts.append(
            Doubt(
                topic="date_order",
                chosen=chosen,
                options=(chosen, other),
                column=name,
                message=(
                    f"Column {printable(name)!r} of {self.asked.label!r} holds dates like {printable(column.example)!r}:"
                    " no cell shows whether the day or the month comes first. A wrong guess moves rows by months: say"
                    f" --date-order {chosen} or --date-order {other}."
                ),
            )
        )

    def _hint_order(self, name: str, column: Evidence, told: str, fits: str) -> None:
        self._doubts.append(
            Doubt(
                topic="date_order",
                chosen=told,
                options=(told, fits),
                column=name,
                blocking=False,
                message=(
                    f"Column {printable(name)!r} of {self.asked.label!r} holds dates like {printable(column.example)!r},"
                    f" which do not all fit the order {told} that was told; {fits} fits all of them."
                ),
            )
        )

    def _doubt_short_years(self, name: str, column: Evidence) -> None:
        self._doubts.append(
            Doubt(
                topic="date_order",
                chosen="",
                options=("dmy", "mdy"),
                column=name,
                blocking=False,
                message=(
                    f"Column {printable(name)!r} of {self.asked.label!r} stays text: cells like"
                    f" {printable(column.example)!r} may be dates with a short year. If they are, say --date-order dmy or"
                    " --date-order mdy."
                ),
            )
        )

    # --- markers ----------------------------------------------------------------------------

    def _ask_about_markers(self) -> None:
        """Name numbers that probably mean "no value"; one that stands far out in one column is believed of others."""
        told = {w.strip() for w in (*self.asked.reading.nulls, *self.asked.remembered.nulls)}
        found: dict[float, list[str]] = {}
        for name, column in zip(self.names, self.columns, strict=True):
            marker = column.marker()
            if marker is not None and f"{marker:.0f}" not in told:
                found.setdefault(marker, []).append(name)
        for marker in found:
            pairs = zip(self.names, self.columns, strict=True)
            places = [name for name, column in pairs if column.marker(known=marker) == marker]
            self._doubts.append(
                Doubt(
                    topic="nulls",
                    chosen="",
                    options=(f"{marker:.0f}",),
                    column=places[0] if len(places) == 1 else None,
                    blocking=False,
                    message=(
                        f"{marker:.0f} occurs many times, far outside the rest, in {listed(places)} of"
                        f' {self.asked.label!r}. If it means "no value", say --null {marker:.0f}.'
                    ),
                )
            )


def _orders(column: Evidence) -> set[str]:
    return column.open_forms & set(ORDERS) if column.cells and not column.number else set()


def _only(column: Evidence, form: str) -> bool:
    return bool(column.cells) and not column.number and column.open_forms & {"comma", "point"} == {form}


def _is_open(column: Evidence) -> bool:
    return bool(column.cells) and not column.number and column.commas and {"comma", "point"} <= column.open_forms
