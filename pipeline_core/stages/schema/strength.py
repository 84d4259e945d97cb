"""How well does one column alone decide another: the evidence for a leak.

Every figure is two-fold: what one half of the rows teaches is tried on the other, so that a column of many values has no
advantage. Neighbours: ``leakage`` makes findings of the figures. It refuses to say what a figure means.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from pipeline_core.stats.ranking import auc

BINS = 100
CLASS_ROWS_MIN = 20
"""A class of fewer rows is not judged."""

SAME_SHARE_MIN = 0.99
COMPLETE_SHARE_MIN = 0.5
MONOTONE_MIN = 0.9

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]

_SEED = 0


def is_number(kind: pa.DataType) -> bool:
    """Say whether a column is held for numbers here, and not for levels."""
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def numbers(column: pa.ChunkedArray) -> Floats:
    """Give a column of numbers with NaN for what is none.

    Parameters
    ----------
    column : pa.ChunkedArray
        Of numbers.

    Returns
    -------
    array of float
    """
    found = column.cast(pa.float64(), safe=False).to_numpy()
    return np.where(np.isfinite(found), found, np.nan)


def codes(column: pa.ChunkedArray) -> Codes:
    """Put the values of a column into cells: a level each, or up to ``BINS`` of numbers; nulls have one of their own.

    Parameters
    ----------
    column : pa.ChunkedArray
        Of any simple type.

    Returns
    -------
    array of int
        From 0.
    """
    if not is_number(column.type):
        encoded = column.combine_chunks().dictionary_encode()
        return pc.fill_null(encoded.indices, len(encoded.dictionary)).to_numpy().astype(np.intp)
    values = numbers(column)
    known = values[~np.isnan(values)]
    levels = np.unique(known)
    if len(levels) > BINS:
        levels = np.unique(np.quantile(known, np.arange(1, BINS) / BINS))
    return np.where(np.isnan(values), len(levels) + 1, np.searchsorted(levels, values, side="right")).astype(np.intp)


def auc_alone(cells: Codes, classes: Codes) -> float | None:
    """Say how well the rates of the classes in a column's cells rank the rows.

    Parameters
    ----------
    cells, classes : array of int
        Of the column and of the target, one per row.

    Returns
    -------
    float or None, 0-1
        AUC of a class against the others, the mean over the classes, weighted by their rows; of two, of either. None
        where no class has ``CLASS_ROWS_MIN`` rows.
    """
    rows = np.bincount(classes)
    judged = np.flatnonzero((rows >= CLASS_ROWS_MIN) & (len(classes) - rows >= CLASS_ROWS_MIN))
    if not len(judged):
        return None
    judged = judged[:1] if np.count_nonzero(rows) == 2 else judged
    found = [_class_auc(cells, (classes == c).astype(np.float64)) for c in judged.tolist()]
    return float(np.average(found, weights=rows[judged]))


def r2_alone(cells: Codes, target: Floats) -> float:
    """Say how much of a number's variance the means in a column's cells explain.

    Parameters
    ----------
    cells : array of int
        Of the column.
    target : array of float
        Of the same rows.

    Returns
    -------
    float, up to 1
    """
    left = total = 0.0
    for train, test in _folds(len(target)):
        expected = _means(cells, target, train)[cells[test]]
        left += float(np.square(target[test] - expected).sum())
        total += float(np.square(target[test] - target[test].mean()).sum())
    return 1 - left / total if total > 0 else 0.0


def r2_linear(values: Floats, target: Floats) -> float:
    """Say how much of a number's variance a straight line through another explains.

    A single outlier makes a line of any two columns: the ranks must go along too.

    Parameters
    ----------
    values, target : array of float
        Of the same rows; NaN in ``values`` is left out, where that is no more than half.

    Returns
    -------
    float, 0-1
    """
    known = ~np.isnan(values)
    if known.mean() < COMPLETE_SHARE_MIN:
        return 0.0
    x, y = values[known], target[known]
    if np.ptp(x) == 0 or np.ptp(y) == 0 or _correlation(rankdata(x), rankdata(y)) < MONOTONE_MIN:
        return 0.0
    return _correlation(x, y)


def auc_of(score: Floats, truth: npt.NDArray[np.bool_]) -> float:
    """Say how well a figure ranks two classes, in either direction.

    Parameters
    ----------
    score : array of float
        The figure, one per row.
    truth : array of bool
        The class of each row.

    Returns
    -------
    float, 0.5-1
    """
    found = auc(truth, score)
    return max(found, 1 - found)


def same_share(made: Floats, target: Floats) -> float:
    """Say in which share of the rows two numbers are the same.

    Parameters
    ----------
    made, target : array of float
        One of each per row; rows in which it means nothing that they are the same (0 + 0 = 0) are left out before.

    Returns
    -------
    float, 0-1
        0 where there are fewer than ``CLASS_ROWS_MIN`` rows, or all have one target.
    """
    if len(target) < CLASS_ROWS_MIN or np.ptp(target) == 0:
        return 0.0
    return float(np.isclose(made, target, rtol=1e-9, atol=1e-9).mean())


def _class_auc(cells: Codes, truth: Floats) -> float:
    # one class may be missing from a fold of few rows: such a fold has nothing to say
    found = [
        auc(truth[test], _means(cells, truth, train)[cells[test]])
        for train, test in _folds(len(truth))
        if 0 < truth[test].sum() < len(test)
    ]
    return float(np.mean(found)) if found else 0.5


def _means(cells: Codes, target: Floats, train: Codes) -> Floats:
    """Give the mean of each cell, drawn to the mean of all by one row."""
    size = int(cells.max()) + 1
    rows = np.bincount(cells[train], minlength=size)
    return (np.bincount(cells[train], target[train], minlength=size) + target[train].mean()) / (rows + 1)


def _folds(rows: int) -> tuple[tuple[Codes, Codes], tuple[Codes, Codes]]:
    shuffled = np.random.default_rng(_SEED).permutation(rows)
    first, second = shuffled[: rows // 2], shuffled[rows // 2 :]
    return (first, second), (second, first)


def _correlation(x: Floats, y: Floats) -> float:
    x, y = x - x.mean(), y - y.mean()
    spread = float(np.sqrt(np.square(x).sum() * np.square(y).sum()))
    return float(np.square((x * y).sum() / spread)) if spread > 0 else 0.0
