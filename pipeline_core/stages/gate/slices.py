"""Is there a part of the rows that loses although the whole does not.

A slice holds the rows with one level of a category or a protected column, or in one quarter of a number, or with a level
of two such columns. In each the challenger is compared with the champion; all are adjusted together
(Benjamini-Hochberg), and a slice whose loss is proven to be above the policy's margin blocks. Neighbours:
``drift.segments`` cuts windows likewise, for drift. Refused: slices with too few rows or positives, and dates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats

from pipeline_core.policy import Policy
from pipeline_core.records import Column, ColumnType, Measured, Role, Schema, SliceComparison, Task
from pipeline_core.stages.gate import saying
from pipeline_core.stages.gate.outcome import Setting
from pipeline_core.stats.intervals import LEVEL
from pipeline_core.stats.multiplicity import benjamini_hochberg
from pipeline_core.stats.ranking import mean_influence
from pipeline_core.stats.truth import Scored

LEVELS_MAX = 20
"""So many levels of a column are cut, the most frequent; also: numbers with at most so many values are taken as levels."""
PAIRED_COLUMNS_MAX = 6
"""Slices of two columns are of the first so many."""
TOLD_MAX = 20
NAMED_MAX = 3
"""So many slices that block are named in the reasons; the others are counted."""
NULL = "(null)"
TEXT_MAX = 40
_QUARTERS = (0.25, 0.5, 0.75)
_UNITS = {Task.BINARY: "in AUC", Task.MULTICLASS: "in accuracy", Task.REGRESSION: "in RMSE"}

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliced:
    """The worst slices, how many were judged, and what of them blocks, in sentences."""

    told: tuple[SliceComparison, ...] = ()
    judged: int = 0
    blocks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cut:
    """One column cut into levels: ``codes`` are places in ``names``; -1 is none of them."""

    name: str
    codes: Codes
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """One slice before it is known how many there were."""

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    rows: int
    positives: int | None
    difference: Measured
    loss_p_value: float
    margin: float


def sliced(ours: Scored, theirs: Scored, *, schema: Schema, policy: Policy, setting: Setting) -> Sliced:
    """Compare two models in each slice that holds enough rows.

    Binary: AUC (DeLong), with enough of both classes; multiclass: accuracy; regression: RMSE, whose margin is a share of the
    champion's. Intervals are Student's, with as many degrees as the smaller class has rows, less one.

    Parameters
    ----------
    ours, theirs : Scored
        The champion's and the challenger's predictions for the same rows in the same order.
    schema : Schema
        Names features and protected columns.
    policy : Policy
        ``slice_margin``, ``slice_rows_min``, ``slice_positives_min`` and ``slice_columns_max``.
    setting : Setting
        The rows' columns; without them nothing is cut.

    Returns
    -------
    Sliced
        The worst 20, worst first, and any other that blocks.
    """
    if setting.cells is None or theirs.places is None:
        return Sliced()
    cuts = [
        cut
        for column in _columns(schema, setting, int(policy.slice_columns_max))
        if (cut := _cut(column, setting.cells.column(column.column_id).take(pa.array(theirs.places)))) is not None
    ]
    judged = [
        found
        for columns, levels, places in _slices(cuts, int(policy.slice_rows_min))
        if (found := _judge(ours, theirs, places, (columns, levels), policy)) is not None
    ]
    adjusted = benjamini_hochberg([found.loss_p_value for found in judged]).tolist()
    compared = [_compared(found, p_value) for found, p_value in zip(judged, adjusted, strict=True)]
    order = sorted(compared, key=lambda found: (not found.blocks, found.difference.value))
    blocking = [found for found in order if found.blocks]
    return Sliced(
        told=tuple(order[: max(TOLD_MAX, len(blocking))]),
        judged=len(compared),
        blocks=_blocks(blocking, _UNITS[theirs.task], policy),
    )


def _columns(schema: Schema, setting: Setting, most: int) -> list[Column]:
    """Give the columns to cut: protected ones, then features by their importance."""
    features = sorted(schema.features, key=lambda c: -setting.shares.get(c.name, 0.0))
    held = set(setting.cells.column_names) if setting.cells is not None else set[str]()
    usable = [
        c
        for c in (*schema.role(Role.PROTECTED), *features)
        if c.type is not ColumnType.TIMESTAMP and not c.calendar and c.column_id in held
    ]
    return usable[:most]


def _cut(column: Column, cells: pa.ChunkedArray) -> _Cut | None:
    values = cells.to_pandas()
    if column.type is ColumnType.NUMBER and values.nunique() > LEVELS_MAX:
        return _quarters(column, values)
    text = values.map(_text, na_action="ignore").fillna(NULL)
    names = tuple(text.value_counts().index[:LEVELS_MAX])
    if len(names) < 2:
        return None  # the one level is the whole
    return _Cut(name=column.name, codes=pd.Index(names).get_indexer(pd.Index(text)), names=names)


def _text(value: object) -> str:
    text = _number(value) if isinstance(value, float) else str(value)
    return text if len(text) <= TEXT_MAX else f"{text[: TEXT_MAX - 1]}…"


def _number(value: float) -> str:
    return f"{value:,.10g}"


def _quarters(column: Column, values: pd.Series) -> _Cut:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    ends = np.unique(np.nanquantile(numbers, _QUARTERS))
    codes = np.where(np.isnan(numbers), len(ends) + 1, np.searchsorted(ends, numbers, side="left"))
    shown = [_number(float(f"{end:.4g}")) for end in ends]
    names = [
        f"up to {shown[0]}",
        *(f"{a} to {b}" for a, b in pairwise(shown)),
        f"above {shown[-1]}",
    ]
    return _Cut(name=column.name, codes=codes.astype(np.intp), names=(*names, NULL))


def _slices(cuts: list[_Cut], rows_min: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], Codes]]:
    """Give columns, levels and rows of each slice of one or of two columns with enough rows."""
    for cut in cuts:
        for code, places in _groups(cut.codes, rows_min):
            yield (cut.name,), (cut.names[code],), places
    for first, second in combinations(cuts[:PAIRED_COLUMNS_MAX], 2):
        wide = len(second.names)
        both = np.where((first.codes < 0) | (second.codes < 0), -1, first.codes * wide + second.codes)
        for code, places in _groups(both, rows_min):
            yield (first.name, second.name), (first.names[code // wide], second.names[code % wide]), places


def _groups(codes: Codes, rows_min: int) -> Iterator[tuple[int, Codes]]:
    order = np.argsort(codes, kind="stable")
    found, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    for code, start, count in zip(found.tolist(), starts.tolist(), counts.tolist(), strict=True):
        if code >= 0 and rows_min <= count < codes.size:
            yield code, order[start : start + count]


def _judge(
    ours: Scored, theirs: Scored, places: Codes, named: tuple[tuple[str, ...], tuple[str, ...]], policy: Policy
) -> _Judged | None:
    positives = None
    margin, smaller = policy.slice_margin, places.size
    if ours.task is Task.BINARY:
        positives = int(np.count_nonzero(ours.y[places] == 1))
        smaller = min(positives, places.size - positives)
        if smaller < max(2, int(policy.slice_positives_min)):
            return None
    value, error = _difference(ours, theirs, places)
    if ours.task is Task.REGRESSION:
        margin *= float(np.sqrt(np.mean(np.square(ours.prediction[places] - ours.y[places]))))
    known = stats.t(smaller - 1)
    half = float(known.ppf(0.5 + LEVEL / 2)) * error
    loss = float(known.cdf((value + margin) / error)) if error > 0 else float(value >= -margin)
    return _Judged(
        columns=named[0],
        levels=named[1],
        rows=int(places.size),
        positives=positives,
        difference=Measured(value=value, low=value - half, high=value + half, rows=int(places.size)),
        loss_p_value=loss,
        margin=margin,
    )


def _difference(ours: Scored, theirs: Scored, places: Codes) -> tuple[float, float]:
    """Give how much better the challenger is on some rows, with the standard error."""
    y = ours.y[places]
    if ours.task is Task.BINARY:
        area, influence = mean_influence([(y == 1, ours.score[places])])
        other, also = mean_influence([(y == 1, theirs.score[places])])
        return other - area, float(np.sqrt(np.square(also - influence).sum()))
    first, second = ours.prediction[places], theirs.prediction[places]
    if ours.task is Task.MULTICLASS:
        gained = (second == y).astype(np.float64) - (first == y)
        return float(gained.mean()), float(gained.std(ddof=1) / np.sqrt(gained.size))
    squares = [np.square(said - y) for said in (first, second)]
    errors = [float(np.sqrt(s.mean())) for s in squares]
    # the root's slope carries the error of the mean square over
    parts = [(s - e * e) / (2 * e) if e > 0 else np.zeros_like(s) for s, e in zip(squares, errors, strict=True)]
    return errors[0] - errors[1], float((parts[0] - parts[1]).std(ddof=1) / np.sqrt(y.size))


def _compared(found: _Judged, p_value: float) -> SliceComparison:
    high = found.difference.high
    return SliceComparison(
        columns=found.columns,
        levels=found.levels,
        rows=found.rows,
        positives=found.positives,
        difference=found.difference,
        margin=found.margin,
        loss_p_value=p_value,
        blocks=p_value <= 1 - LEVEL and high is not None and high < -found.margin,
    )


def _blocks(blocking: list[SliceComparison], unit: str, policy: Policy) -> tuple[str, ...]:
    allowed = (
        f"more than the {policy.slice_margin:g} that are allowed (slice_margin) is proven. That blocks the promotion."
    )
    said = [
        f"On the {found.rows:,} rows with {named(found)} it is {saying.better(found.difference.value)} {unit}"
        f"{saying.interval(found.difference)}: {allowed}"
        for found in blocking[:NAMED_MAX]
    ]
    if len(blocking) > NAMED_MAX:
        said.append(f"{len(blocking) - NAMED_MAX:,} more slices of the rows lose as much.")
    return tuple(said)


def named(found: SliceComparison) -> str:
    """Name a slice in a sentence.

    Parameters
    ----------
    found : SliceComparison
        One slice.

    Returns
    -------
    str
        Foreign text in quotes, not escaped.
    """
    return " and ".join(f"{column!r} {level!r}" for column, level in zip(found.columns, found.levels, strict=True))
