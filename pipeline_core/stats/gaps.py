"""Columns that are null in the same rows, as they are where a join found nothing.

Answers "which sets of columns are null together, and in how many rows?". A row is one number with a bit for each column
that has nulls. Neighbours: an engine makes these numbers from files, ``stages/schema`` from the first file's rows,
``stages/validation`` compares. It refuses single columns: their nulls are counted elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

GAPS_MAX = 63
"""Of so many columns, those with the most nulls, it is told whether they are null together."""
PATTERNS_MAX = 20

Patterns = tuple[tuple[tuple[str, ...], int], ...]
"""Columns in the order of their ids, and rows in which exactly these are null; commonest first."""


def gaps_of(nulls: Mapping[str, int]) -> tuple[str, ...]:
    """Choose the columns that get a bit, lowest bit first.

    Parameters
    ----------
    nulls : mapping of str to int
        Rows that are null, by column id.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> gaps_of({"c001": 1, "c002": 0, "c003": 5})
    ('c003', 'c001')
    """
    some = [column_id for column_id, rows in nulls.items() if rows]
    return tuple(sorted(some, key=lambda column_id: -nulls[column_id])[:GAPS_MAX])


def named(gaps: Sequence[str], rows: Mapping[int, int]) -> Patterns:
    """Say which columns the bits stand for.

    Parameters
    ----------
    gaps : sequence of str
        Columns, lowest bit first.
    rows : mapping of int to int
        Bits to rows.

    Returns
    -------
    Patterns
        Of at least two columns, at most 20.

    Examples
    --------
    >>> named(("c003", "c001"), {0: 90, 1: 4, 3: 6})
    ((('c001', 'c003'), 6),)
    """
    together = sorted((-n, code) for code, n in rows.items() if code.bit_count() > 1)[:PATTERNS_MAX]
    return tuple((tuple(sorted(c for i, c in enumerate(gaps) if code >> i & 1)), -n) for n, code in together)


def null_patterns(missing: Mapping[str, npt.NDArray[np.bool_]]) -> Patterns:
    """Find columns that are null together.

    Parameters
    ----------
    missing : mapping of str to array of bool, (rows,)
        Where each column is null.

    Returns
    -------
    Patterns

    Examples
    --------
    >>> null_patterns({"c001": np.array([True, True]), "c002": np.array([True, False])})
    ((('c001', 'c002'), 1),)
    """
    gaps = gaps_of({column_id: int(rows.sum()) for column_id, rows in missing.items()})
    if len(gaps) < 2:
        return ()
    codes = np.zeros(len(missing[gaps[0]]), dtype=np.uint64)
    for bit, column_id in enumerate(gaps):
        codes |= missing[column_id].astype(np.uint64) << np.uint64(bit)
    found, n = np.unique(codes, return_counts=True)
    return named(gaps, dict(zip(found.tolist(), n.tolist(), strict=True)))
