"""Which ways of writing a value fit the cells of a text column: true/false, numbers with marks, dates in some order.

A form says of each text whether it fits, and what it means. Neighbours: ``cells`` asks the forms about every cell and
decides with all of them. It refuses month names and years of two digits unless the order was told, and reads nothing
that a shorter text could mean as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

NULL_WORDS = (
    "", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NAN", "NaT", "NULL", "Null", "null", "?",
)  # fmt: skip
"""The cells that mean "no value", after trimming blanks. ``None`` and ``na`` are words like any other."""

ORDERS = ("dmy", "mdy", "ymd")
CODE = r"^[+-]?0[0-9xX]"  # 007 is a code: as a number it would lose its zeros
LONG = r"^[+-]?[0-9]{17,}$"  # more digits than a float keeps

_EXPONENT = r"([eE][+-]?[0-9]+)?"
# every plain number fits both as well, as far as it has no mark of the other kind
_COMMA = rf"^[+-]?(([0-9]+,?|[0-9]*,[0-9]+){_EXPONENT}|[1-9][0-9]{{0,2}}([.][0-9]{{3}}){{1,4}}(,[0-9]+)?)$"
_POINT = rf"^[+-]?(([0-9]+[.]?|[0-9]*[.][0-9]+){_EXPONENT}|[1-9][0-9]{{0,2}}(,[0-9]{{3}}){{1,4}}([.][0-9]+)?)$"
_SPACES = "[\u00a0\u202f']"  # a plain blank stands in codes and telephone numbers as well
_SPACED = f"^[+-]?[1-9][0-9]{{0,2}}({_SPACES}[0-9]{{3}}){{1,4}}([.,][0-9]+)?$"
_ONE_GROUP = r"^[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}$"  # 1,234: a decimal comma, or a mark of thousands
_TIME = (
    r"(?:[ T]+(?P<h>[0-9]{1,2}):(?P<i>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.](?P<f>[0-9]{1,6})[0-9]*)?)?"
    r"(?: ?(?P<p>[AaPp])[.]?[Mm][.]?)?)?$"
)
_YEAR_LAST = r"^(?P<a>[0-9]{1,2})[/.\-](?P<b>[0-9]{1,2})[/.\-](?P<y>[0-9]{4})" + _TIME
_YEAR_LAST_TOLD = _YEAR_LAST.replace("[0-9]{4})", "[0-9]{4}|[0-9]{2})")
_YEAR_FIRST = r"^(?P<y>[0-9]{4})[/.](?P<a>[0-9]{1,2})[/.](?P<b>[0-9]{1,2})" + _TIME
_SHORT_YEAR = r"^[0-9]{1,2}[/.\-][0-9]{1,2}[/.\-][0-9]{2}( |T|$)"
_PIVOT = 69  # 68 is 2068, 69 is 1969, as in POSIX
_HALF_DAY, _NOON = "pP", 12

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A way of writing: ``fits`` gives a bool a text, ``read`` the value of a text that fits (others: null).

    ``change`` is the ledger's word for reading it, said of the cells that hold one of the ``marks`` (a regular
    expression).
    """

    name: str
    fits: Callable[[pa.Array], pa.Array]
    read: Callable[[pa.Array], pa.Array]
    change: str | None
    marks: str = "."


def all_forms(*, told: bool) -> dict[str, Form]:
    """Give every form by name.

    Parameters
    ----------
    told : bool
        A person said the order of dates: short years are read as well.

    Returns
    -------
    dict of str to Form
    """
    forms = [
        Form(name="boolean", fits=_is_boolean, read=lambda v: pc.equal(pc.utf8_lower(v), "true"), change=None),
        Form(
            name="comma",
            fits=lambda v: _shaped(_closed(v), _COMMA),
            read=_comma,
            change="decimal_comma",
            marks=f"[,.]|{_SPACES}",
        ),
        Form(
            name="point",
            fits=lambda v: _shaped(_closed(v), _POINT),
            read=_point,
            change="thousands",
            marks=f",|{_SPACES}",
        ),
    ]
    forms += [_dates(order, told=told) for order in ORDERS]
    forms.append(Form(name="clock", fits=lambda v: _iso(v).is_valid(), read=_iso, change=None))
    return {form.name: form for form in forms}


def one_group(values: pa.Array) -> pa.Array:
    """Say of each number with marks whether it has one group of three digits, and nothing else that settles the mark.

    Parameters
    ----------
    values : pa.Array
        Of string.

    Returns
    -------
    pa.Array
        Of bool.
    """
    return pc.match_substring_regex(values, _ONE_GROUP)


def marked(values: pa.Array, mark: str = ",") -> pa.Array:
    """Say of each text whether it holds a mark.

    Parameters
    ----------
    values : pa.Array
        Of string.
    mark : str
        Comma or point.

    Returns
    -------
    pa.Array
        Of bool.
    """
    return pc.match_substring(values, mark)


def short_years(values: pa.Array) -> bool:
    """Say whether all texts look like dates whose year has two digits.

    Parameters
    ----------
    values : pa.Array
        Of string.

    Returns
    -------
    bool
    """
    return bool(pc.all(pc.match_substring_regex(values, _SHORT_YEAR)).as_py())


def _is_boolean(values: pa.Array) -> pa.Array:
    return pc.is_in(pc.utf8_lower(values), value_set=pa.array(["true", "false"]))


def _shaped(values: pa.Array, shape: str) -> pa.Array:
    return pc.and_not(pc.match_substring_regex(values, shape), pc.match_substring_regex(values, f"{CODE}|{LONG}"))


def _closed(values: pa.Array) -> pa.Array:
    """Leave out the blanks between thousands."""
    plain = pc.replace_substring_regex(values, _SPACES, "")
    return pc.if_else(pc.match_substring_regex(values, _SPACED), plain, values)


def _comma(values: pa.Array) -> pa.Array:
    plain = pc.replace_substring_regex(values, f"[.]|{_SPACES}", "")
    return pc.replace_substring(plain, ",", ".").cast(pa.float64())


def _point(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, f",|{_SPACES}", "").cast(pa.float64())


def _iso(values: pa.Array) -> pa.Array:
    shaped = pc.match_substring_regex(values, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?$")
    try:
        return pc.if_else(shaped, values, None).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return pa.nulls(len(values), pa.timestamp("us"))


def _dates(order: str, *, told: bool) -> Form:
    last = _YEAR_LAST_TOLD if told else _YEAR_LAST
    shape = _YEAR_FIRST if order == "ymd" else last

    def read(values: pa.Array) -> pa.Array:
        return _times(values, shape, day_first=order == "dmy")

    return Form(name=order, fits=lambda v: read(v).is_valid(), read=read, change="date_order")


def _times(values: pa.Array, shape: str, *, day_first: bool) -> pa.Array:
    parts = pc.extract_regex(values, shape)
    matched = parts.is_valid().to_numpy(zero_copy_only=False)

    def number(name: str) -> Ints:
        text = pc.if_else(pc.equal(pc.fill_null(parts.field(name), ""), ""), "0", parts.field(name))
        return np.asarray(text.fill_null("0").cast(pa.int64()))

    first, second, year = number("a"), number("b"), number("y")
    short = pc.equal(pc.binary_length(pc.fill_null(parts.field("y"), "")), 2).to_numpy(zero_copy_only=False)
    year = np.where(short, np.where(year < _PIVOT, 2000, 1900) + year, year)
    month, day = (second, first) if day_first else (first, second)
    hour = number("h")
    half = pc.fill_null(parts.field("p"), "")
    is_half = pc.not_equal(half, "").to_numpy(zero_copy_only=False)
    after_noon = pc.is_in(half, value_set=pa.array(list(_HALF_DAY))).to_numpy(zero_copy_only=False)
    known = matched & (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1)
    known &= ~is_half | ((hour >= 1) & (hour <= _NOON))
    hour = np.where(is_half, hour % _NOON + np.where(after_noon, _NOON, 0), hour)
    known &= (hour < 24) & (number("i") < 60) & (number("s") < 60)
    months = np.where(known, (year - 1970) * 12 + month - 1, 0).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (np.where(known, day, 1) - 1)
    known &= days.astype("datetime64[M]") == months
    fraction = pc.utf8_rpad(pc.fill_null(parts.field("f"), ""), 6, "0").cast(pa.int64())
    micros = ((hour * 60 + number("i")) * 60 + number("s")) * 1_000_000 + np.asarray(fraction)
    times = days.astype("datetime64[us]") + micros.astype("timedelta64[us]")
    return pa.array(times, mask=~known)
