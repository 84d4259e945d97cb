"""Which rows of a batch break a rule about rows, and which rule: ten bytes for such a row, eight for every id.

Neighbours: ``rows`` tells it slice by slice, a flow sets such rows aside where the policy says so. It refuses to decide
between two rules (a row is listed once, with the first that it breaks), and to keep the ids themselves: of 10 million
different ones, two are taken for one with a probability below 1 in 100,000.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.stages.validation.cells import Mask

NO_ID = "it has no id"
NO_TIME = "it has no event time"
FUTURE = "its event time is more than a day after the file was received"
REPEATED = "its id is that of a row before it"

_PADDED_MAX = 64
_WORD = 8
_MIX_A, _MIX_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)
_PARTS, _PART_BITS = 16, np.uint64(60)
_TEXTS = pa.dictionary(pa.int16(), pa.string())

Hashes = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Rules = npt.NDArray[np.int16]


@dataclass(slots=True)
class Asides:
    """Rows that break a rule, as far as the batch has come.

    Parameters
    ----------
    latest : np.datetime64
        Event times beyond it lie in the future.
    """

    latest: np.datetime64
    _rules: dict[tuple[str, str], int] = field(default_factory=dict)
    _first_row: int = 0
    _slice: Rules = field(default_factory=lambda: np.zeros(0, np.int16))
    _broken: list[tuple[Numbers, Rules]] = field(default_factory=list)
    _ids: list[tuple[Hashes, int, Numbers | None]] = field(default_factory=list)
    _id_column: str = ""

    def start(self, rows: int, *, first_row: int) -> None:
        """Begin the next slice.

        Parameters
        ----------
        rows : int
            How many it has.
        first_row : int
            The row number of the first.
        """
        self._close()
        self._first_row, self._slice = first_row, np.zeros(rows, np.int16)

    def put(self, mask: Mask | None, column_id: str, reason: str) -> None:
        """Say which rows of the slice break a rule; those that break one already keep that.

        Parameters
        ----------
        mask : array of bool or None
            One per row; None: no row does.
        column_id : str
            The column that the rule is about.
        reason : str
            A clause for people.
        """
        if mask is not None and mask.any():
            rule = self._rules.setdefault((column_id, reason), len(self._rules) + 1)
            self._slice[mask & (self._slice == 0)] = rule

    def times(self, event_at: pa.Array, column_id: str, *, clock: bool) -> None:
        """Put the rows without an event time, and those in the future.

        Parameters
        ----------
        event_at : pa.Array
            Event times of the slice.
        column_id : str
            Where they come from.
        clock : bool
            Whether they are moments, and not an order.
        """
        if event_at.null_count:
            self.put(event_at.is_null().to_numpy(zero_copy_only=False), column_id, NO_TIME)
        last = pc.max(event_at)
        if clock and last.is_valid and np.datetime64(last.value, "us") > self.latest:
            ticks = pc.fill_null(event_at.cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
            self.put(ticks > self.latest.astype("datetime64[us]").astype(np.int64), column_id, FUTURE)

    def ids(self, ids: pa.Array, column_id: str) -> None:
        """Put the rows without an id, and remember the others.

        Parameters
        ----------
        ids : pa.Array
            Of string, of the slice.
        column_id : str
            Where they come from.
        """
        self._id_column = column_id
        known = None
        if ids.null_count:
            missing = ids.is_null().to_numpy(zero_copy_only=False)
            self.put(missing, column_id, NO_ID)
            known, ids = np.flatnonzero(~missing), ids.drop_null()
        self._ids.append((hashes(ids), self._first_row, known))

    def table(self) -> pa.Table:
        """List the rows that break a rule.

        Returns
        -------
        pa.Table
            ``row_number`` ascending, ``column_id``, ``reason``.
        """
        self._close()
        parts = [*self._broken, self._repeated()]
        rows = np.concatenate([numbers for numbers, _ in parts])
        rules = np.concatenate([rule for _, rule in parts])
        rows, first = np.unique(rows, return_index=True)  # of two rules, the one that was put first
        picked = pa.array(rules[first] - 1, pa.int16())
        columns, reasons = ([key[i] for key in self._rules] for i in (0, 1))
        return pa.table({
            "row_number": pa.array(rows, pa.int64()),
            "column_id": pa.DictionaryArray.from_arrays(picked, pa.array(columns, pa.string())).cast(_TEXTS),
            "reason": pa.DictionaryArray.from_arrays(picked, pa.array(reasons, pa.string())).cast(_TEXTS),
        })

    def _close(self) -> None:
        places = np.flatnonzero(self._slice)
        if len(places):
            self._broken.append((places + self._first_row, self._slice[places]))
        self._slice = np.zeros(0, np.int16)

    def _repeated(self) -> tuple[Numbers, Rules]:
        rows = np.concatenate([self._repeated_in(np.uint64(part)) for part in range(_PARTS)])
        rule = 0
        if len(rows):
            rule = self._rules.setdefault((self._id_column, REPEATED), len(self._rules) + 1)
        return rows, np.full(len(rows), rule, np.int16)

    def _repeated_in(self, part: np.uint64) -> Numbers:
        """Give the rows of all but the first of each id, of a part of the ids: sorting all at once takes 50 bytes each."""
        found, rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        for known, first_row, places in self._ids:
            here = np.flatnonzero(known >> _PART_BITS == part)
            found.append(known[here])
            rows.append(first_row + (here if places is None else places[here]))
        ids, numbers = np.concatenate(found), np.concatenate(rows)
        order = np.argsort(ids, kind="stable")
        again = order[1:][ids[order[1:]] == ids[order[:-1]]]
        return numbers[again]


def hashes(texts: pa.Array) -> Hashes:
    """Give each text a number of 64 bits: the same for the same text, in every slice.

    Parameters
    ----------
    texts : pa.Array
        Of string, without nulls.

    Returns
    -------
    array of uint64
    """
    length = pc.binary_length(texts)
    longest = pc.max(length).as_py() or 0
    if longest > _PADDED_MAX:
        texts = pa.array([t if len(t.encode()) <= _PADDED_MAX else _digest(t) for t in texts.to_pylist()], pa.string())
        longest = _PADDED_MAX
    width = max(_WORD, -(-longest // _WORD) * _WORD)
    padded = pc.binary_join_element_wise(texts.cast(pa.binary()), b"\0" * width, b"")
    padded = pc.binary_slice(padded, 0, width)
    size = len(texts) * width
    words = np.frombuffer(padded.buffers()[2] or b"", np.uint64, size // _WORD).reshape(len(texts), width // _WORD)
    filled = length.to_numpy()
    found = (filled.astype(np.uint64) + np.uint64(1)) * _MIX_B  # mixed, or a length and a word could cancel out
    for i in range(words.shape[1]):
        mixed = (found ^ words[:, i]) * _MIX_A
        mixed = (mixed ^ (mixed >> _HALF)) * _MIX_B
        found = np.where(filled > i * _WORD, mixed, found)  # padding must not count: it is the slice's
    return found ^ (found >> _HALF)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=_PADDED_MAX // 2).hexdigest()
