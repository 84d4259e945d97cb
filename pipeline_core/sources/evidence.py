"""What the cells of one column of text have in common, gathered slice by slice: the first of two passes.

Neighbours: ``forms`` knows the ways of writing, ``cells`` decides by this evidence and makes the second pass. It
refuses to decide, and it keeps no cell: counts, flags, extremes, and an example or two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.sources import forms
from pipeline_core.sources.forms import Form

_PROBE_ROWS = 1_000
_LONG_DIGITS = 17
_PATIENCE_CELLS = 10_000
_LOOSE_SHARE = 0.5
_MARKER_ROWS_MIN, _MARKER_SHARE_MIN, _MARKER_GAP = 5, 0.005, 0.5
_MARKER_SIZE_MIN = 9
_DOTS_OF_THREE = r"^[+-]?([0-9]+([eE][+-]?[0-9]+)?|[1-9][0-9]{0,2}[.][0-9]{3})$"


@dataclass(slots=True)
class Edge:
    """The least value of a column (``sign`` 1) or the greatest (-1), how often it occurs, and the value next to it."""

    sign: int
    value: float = np.inf
    rows: int = 0
    next: float = np.inf

    def take(self, values: npt.NDArray[np.float64]) -> None:
        """Look at more values; not-a-number must be left out."""
        signed = values * self.sign
        least = float(signed.min())
        if least > self.value:
            self.next = min(self.next, least)
            return
        others = signed[signed > least]
        beside = float(others.min()) if others.size else np.inf
        if least < self.value:
            self.next, self.value, self.rows = min(self.value, beside), least, 0
        self.next = min(self.next, beside)
        self.rows += signed.size - others.size


@dataclass(slots=True)
class Evidence:
    """What is known of one column. ``wanted``: forms that were told, whose fits are counted although some cells do not.

    ``filled`` is the number of rows up to the last that holds a value; ``whole``: no number so far has decimals; ``clean``: none had a blank or a null word beside it.
    """

    all_forms: Mapping[str, Form]
    wanted: frozenset[str]
    nulls: pa.Array
    open_forms: set[str] = field(default_factory=set)
    fits: dict[str, int] = field(default_factory=dict)
    cells: int = 0
    filled: int = 0
    number: bool = True
    clean: bool = True
    whole: bool = True
    long: bool = False
    endless: bool = False
    dots_of_three: bool = True
    dots: bool = False
    comma_sure: bool = False
    point_sure: bool = False
    commas: bool = False
    fractions: bool = False
    short_years: bool = True
    example: str = ""
    low: Edge = field(default_factory=lambda: Edge(1))
    high: Edge = field(default_factory=lambda: Edge(-1))

    def __post_init__(self) -> None:
        self.open_forms = set(self.all_forms)
        self.fits = dict.fromkeys(self.all_forms, 0)

    @property
    def undecided(self) -> bool:
        """Whether more cells can still change what is known."""
        return self.number or self.short_years or bool(self.open_forms or self._patient())

    def look(self, raw: pa.Array, first_row: int) -> None:
        """Look at the next cells.

        Parameters
        ----------
        raw : pa.Array
            Of string, as they stand in the file.
        first_row : int
            The row number of the first.
        """
        if raw.null_count == len(raw):
            return
        if self.number and self._numbers(raw):
            self._mark_filled(raw, first_row)
            return
        self.clean = False
        values = without_words(raw, self.nulls)
        self._mark_filled(raw, first_row)
        if values.null_count == len(values):
            return
        cells = len(values) - values.null_count
        was_number = self.number and self.cells
        if self.number and self._numbers(values):
            return
        if was_number:
            self._leave_numbers()
        self.number = False
        self.cells += cells
        if self.undecided:
            self._written(values.drop_null())

    def loose(self, name: str) -> bool:
        """Say whether most cells fit a form, though not all."""
        return self.fits.get(name, 0) >= max(1, self.cells * _LOOSE_SHARE)

    def marker(self, *, known: float | None = None) -> float | None:
        """Give a value that stands far outside the rest and is there many times, as ``-200`` for "not measured".

        Parameters
        ----------
        known : float or None
            A marker of another column, which is believed with less distance.

        Returns
        -------
        float or None
        """
        if self.low.rows == 0 or self.high.value == np.inf:
            return None
        for edge, other in ((self.low, -self.high.value), (self.high, self.low.value)):
            value, beside = edge.sign * edge.value, edge.sign * edge.next
            if not np.isfinite(beside) or edge.rows < _MARKER_ROWS_MIN:
                continue
            if known == value:
                return value
            far = abs(beside - value) >= _MARKER_GAP * abs(other - beside)
            if far and edge.rows >= _MARKER_SHARE_MIN * self.cells and _looks_like_marker(value):
                return value
        return None

    def _numbers(self, raw: pa.Array) -> bool:
        numbers, whole = as_numbers(raw, whole=self.whole)
        if numbers is None:
            return False
        long = longest_bytes(raw) >= _LONG_DIGITS
        if long and not whole and pc.any(pc.match_substring_regex(raw, forms.LONG)).as_py():
            return False
        self.cells += len(raw) - raw.null_count
        self.long |= long and whole
        self.whole &= whole
        if not whole:
            self.dots |= bool(pc.any(forms.marked(raw, ".")).as_py())
            self.dots_of_three = self.dots_of_three and _all_match(raw, _DOTS_OF_THREE)
        self._extremes(numbers)
        return True

    def _leave_numbers(self) -> None:
        """Hold what was a number so far against the forms that a number fits as well."""
        also: set[str] = set() if self.long or self.endless else {"point"}
        if also and (not self.dots or self.dots_of_three):
            also.add("comma")  # 1.234 may be a thousand and more
        self.open_forms &= also
        self.fractions |= self.dots
        self.short_years = False
        self.fits.update(dict.fromkeys(also, self.cells))

    def _written(self, values: pa.Array) -> None:
        counted = pc.value_counts(values)
        texts, rows = counted.field("values"), counted.field("counts")
        if not self.example:
            # not just the first: a whole number says nothing about marks, and its block may have been read as numbers
            marked = texts.filter(pc.match_substring_regex(texts, r"[^0-9+-]"))
            self.example = marked[0].as_py() if len(marked) else ""
        self.short_years = self.short_years and forms.short_years(texts)
        for name in sorted(self.open_forms | self._patient()):
            fitting = self.all_forms[name].fits(texts)
            fits = pc.sum(pc.if_else(fitting, rows, 0)).as_py()
            self.fits[name] += fits
            if fits < len(values):
                self.open_forms.discard(name)
        marks = self.open_forms & {"comma", "point"}
        if marks:
            self._marks(texts)
            numbers = self.all_forms[min(marks)].read(texts)
            self._extremes(pa.array(np.repeat(np.asarray(numbers), np.asarray(rows))))

    def _marks(self, texts: pa.Array) -> None:
        """Note which cells settle what a comma or a point means."""
        with_comma = texts.filter(forms.marked(texts))
        self.fractions |= bool(pc.any(forms.marked(texts, ".")).as_py())
        with_dots = texts.filter(pc.and_not(forms.marked(texts, "."), forms.one_group(texts)))
        self.commas |= len(with_comma) > 0
        sure = len(with_comma) > 0 and not pc.all(forms.one_group(with_comma)).as_py()
        self.comma_sure |= "comma" in self.open_forms and (sure or len(with_dots) > 0)
        self.point_sure |= "point" in self.open_forms and sure

    def _patient(self) -> frozenset[str]:
        if self.cells < _PATIENCE_CELLS:
            return self.wanted
        return frozenset(name for name in self.wanted if self.loose(name))

    def _mark_filled(self, raw: pa.Array, first_row: int) -> None:
        if not _is_blank(raw[len(raw) - 1]):
            self.filled = first_row + len(raw)
            return
        filled = pc.fill_null(pc.greater(pc.binary_length(pc.utf8_trim_whitespace(raw)), 0), False)  # ruff: ignore[boolean-positional-value-in-call] - pyarrow's own parameter
        places = np.flatnonzero(filled.to_numpy(zero_copy_only=False))
        if places.size:
            self.filled = first_row + int(places[-1]) + 1

    def _extremes(self, numbers: pa.Array) -> None:
        every = np.asarray(numbers.drop_null().cast(pa.float64(), safe=False))
        values = every[np.isfinite(every)]
        self.endless |= values.size < every.size
        if values.size:
            self.low.take(values)
            self.high.take(values)


def without_words(raw: pa.Array, nulls: pa.Array) -> pa.Array:
    """Trim cells and make nulls of the words that mean one.

    Parameters
    ----------
    raw : pa.Array
        Of string.
    nulls : pa.Array
        The words.

    Returns
    -------
    pa.Array
        Of string.
    """
    trimmed = pc.utf8_trim_whitespace(raw)
    words = pc.is_in(trimmed, value_set=nulls)
    return pc.if_else(words, None, trimmed) if pc.any(words).as_py() else trimmed


def as_numbers(raw: pa.Array, *, whole: bool = True) -> tuple[pa.Array | None, bool]:
    """Read cells as plain numbers: with a point, without marks of thousands, none of them a code like 007.

    Parameters
    ----------
    raw : pa.Array
        Of string.
    whole : bool
        They may all be whole; known not to be: it is not tried.

    Returns
    -------
    tuple of pa.Array or None and bool
        The numbers, None where a cell is none; and whether all are whole.
    """
    for kind in (pa.int64(), pa.float64())[not whole :]:
        try:
            numbers = raw.cast(kind)
        except pa.ArrowInvalid:
            continue
        least = pc.min(numbers).as_py() or 0
        signs = ("", *(("-",) if least <= 0 else ()), *(("+",) if kind == pa.float64() else ()))
        if _codes(raw, signs) or (kind == pa.float64() and pc.any(pc.is_nan(numbers)).as_py()):
            return None, False
        return numbers, kind == pa.int64()
    return None, False


def longest_bytes(raw: pa.Array) -> int:
    """Give the length of the longest cell.

    Parameters
    ----------
    raw : pa.Array
        Of string.

    Returns
    -------
    int
        In bytes.
    """
    return int(pc.max(pc.binary_length(raw)).as_py() or 0)


def _codes(raw: pa.Array, signs: Sequence[str]) -> bool:
    """Say whether a number begins with a zero that it would lose; 0.5 does not."""
    for sign in signs:
        zero = pc.and_not(pc.starts_with(raw, f"{sign}0"), pc.starts_with(raw, f"{sign}0."))
        zero = pc.and_(zero, pc.greater(pc.binary_length(raw), len(sign) + 1))
        if pc.any(zero).as_py() and pc.any(pc.match_substring_regex(raw.filter(zero), forms.CODE)).as_py():
            return True
    return False


def _is_blank(cell: pa.Scalar) -> bool:
    return not (cell.as_py() or "").strip()


def _all_match(raw: pa.Array, shape: str) -> bool:
    # most columns say no at once
    return all(
        pc.all(pc.match_substring_regex(part, shape)).as_py() is not False
        for part in (raw.slice(0, _PROBE_ROWS), raw.slice(_PROBE_ROWS))
    )


def _looks_like_marker(value: float) -> bool:
    if value != int(value) or abs(value) < _MARKER_SIZE_MIN:
        return False
    return value < 0 or set(str(int(value))) == {"9"}
