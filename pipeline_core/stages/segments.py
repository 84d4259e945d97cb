"""Which part of the rows drifted, where the whole does not show it.

A segment is the rows with one level of a category or a protected column, or in one quarter of an important number. In each
the other features are compared with the same segment of the baseline, and all of these tests are adjusted together.
Neighbours: ``drift`` judges the window as a whole, ``flows/examining`` draws the rows. Refused: segments of two columns
at once (with few rows each they find chance), and segments by calendar or date, which are windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline_core.policy import Policy
from pipeline_core.records import Column, ColumnType, Role, Schema, SegmentDrift
from pipeline_core.stats.distances import js_distance, ks_distance
from pipeline_core.stats.multiplicity import benjamini_hochberg
from pipeline_core.stats.twosample import chi2_test, ks_p_value

LEVELS_MAX = 20
"""So many levels of a column are segments, and so many of a feature are told apart; also: numbers with at most so many
values are taken as levels, as ``drift`` does."""
TOLD_MAX = 20
QUARTERS = (0.25, 0.5, 0.75)
LEVEL_COLUMNS_SHARE = 0.75
"""So much of the places goes to categories and protected columns where important numbers want some too."""
BEYOND_RATIO = 1.5
"""A segment is told where it moved by so much more than all rows together, if those moved at all."""
NULL = "(null)"
TEXT_MAX = 40

Floats = NDArray[np.float64]
Codes = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Segments:
    """One column cut into segments: ``codes`` (pooled rows,) are places in ``names``; the last place is none of them.

    ``now`` and ``base`` (segments,) are the rows of window and baseline; ``judged`` those with enough of both.
    """

    column: Column
    codes: Codes
    names: tuple[str, ...]
    now: Floats
    base: Floats
    judged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Feature:
    """One feature of the pooled rows: ``codes`` stand in the order of its values (null is 0); ``order`` sorts the rows.

    ``by_level``: the order says nothing. ``overall`` is its effect in all rows.
    """

    column: Column
    codes: Codes
    order: Codes
    by_level: bool
    overall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An effect at or above the floor, before it is known how many tests there were."""

    segments: _Segments
    place: int
    feature: _Feature
    effect: float
    p_value: float


def segment_drift(
    window: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    schema: Schema,
    shares: Mapping[str, float],
    policy: Policy,
    rows: int,
) -> tuple[SegmentDrift, ...]:
    """Name the segments of a window in which a feature drifted clearly more than in the window as a whole.

    Numbers: Kolmogorov-Smirnov over all rows of the segment, nulls as one value before all others, so that D is at least
    the change of the null share. Categories: chi-squared and Jensen-Shannon (nat) with null as a level. Told: adjusted p
    (Benjamini-Hochberg over all features in all segments) at most alpha, effect at least ``segment_effect_min``, and 1.5
    times that of all rows or all rows below their own floor (``drift_effect_min``). Numbers that moved in all rows are
    not cut.

    Parameters
    ----------
    window, reference : pd.DataFrame
        Samples of the rows of each, columns by ``column_id``: numbers as float with NaN, categories as text with None or
        NaN. Protected columns may be among them and are then segments. A column that a side lacks is left out.
    schema : Schema
        Names features and protected columns.
    shares : mapping of str to float, 0-1
        The model's mean |SHAP| share by ``column_id``; a column that is not named has 0. The most important are cut first.
    policy : Policy
        Floors, alpha, rows a segment needs on each side (``segment_rows_min``) and how many columns are cut.
    rows : int
        Rows of the whole window, of which ``window`` may be a sample.

    Returns
    -------
    tuple of SegmentDrift
        The largest effects, at most 20, largest first; ``rows`` is the segment's share of ``rows``.
    """
    if window.empty or reference.empty:
        return ()
    now = np.repeat([True, False], [len(window), len(reference)])
    columns = [*schema.features, *schema.role(Role.PROTECTED)]
    usable = [c for c in columns if not c.calendar and c.column_id in window and c.column_id in reference]
    pooled = {c.column_id: pd.concat([window[c.column_id], reference[c.column_id]], ignore_index=True) for c in usable}
    tested = [c for c in usable if c.role is Role.FEATURE and c.type is not ColumnType.TIMESTAMP]
    features = [_feature(c, pooled[c.column_id], now) for c in tested]
    tests, found = 0, list[_Found]()
    # the quarters of a number that moved hold other rows than before, so all that goes with it would seem to move there
    moved = {f.column.column_id for f in features if not f.by_level and f.overall >= policy.drift_effect_min}
    still = [c for c in usable if c.column_id not in moved]
    for column in _cut_columns(still, shares, policy.segment_columns_max):
        segments = _segments(column, pooled[column.column_id], now, policy.segment_rows_min)
        for feature in features:
            if feature.column.column_id != column.column_id and segments.judged.any():
                tests += int(segments.judged.sum())
                found += _compared(segments, feature, now, policy.segment_effect_min)
    # what stayed below the floor counts as p = 1: it can only make the others harder to believe
    p_values = np.concatenate([[f.p_value for f in found], np.ones(tests - len(found))])
    adjusted = benjamini_hochberg(p_values)[: len(found)].tolist()
    told = [
        _told(f, p_adjusted, len(window), rows)
        for f, p_adjusted in zip(found, adjusted, strict=True)
        if p_adjusted <= policy.alpha and _stands_out(f, policy)
    ]
    told.sort(key=lambda t: (-t.effect, t.p_value, t.by, t.segment, t.feature))
    return tuple(told[:TOLD_MAX])


def _cut_columns(usable: list[Column], shares: Mapping[str, float], most: int) -> list[Column]:
    ranked = sorted(usable, key=lambda c: (c.role is not Role.PROTECTED, -shares.get(c.column_id, 0.0)))
    levelled = [c for c in ranked if c.type is ColumnType.CATEGORY or c.role is Role.PROTECTED]
    numbers = [c for c in ranked if c.type is ColumnType.NUMBER and c.role is not Role.PROTECTED]
    chosen = levelled[: max(most - len(numbers), round(LEVEL_COLUMNS_SHARE * most))]
    return [*chosen, *numbers[: most - len(chosen)]]


def _segments(column: Column, values: pd.Series[Any], now: Flags, rows_min: int) -> _Segments:
    codes, names = _quarters(values, now) if _many_numbers(values, now) else _levels(values, now)
    counts = [np.bincount(codes[side], minlength=len(names) + 1)[:-1].astype(np.float64) for side in (now, ~now)]
    return _Segments(
        column=column,
        codes=codes.astype(np.int16),  # small whole numbers are sorted by counting
        names=names,
        now=counts[0],
        base=counts[1],
        judged=np.minimum(*counts) >= rows_min,
    )


def _many_numbers(values: pd.Series[Any], now: Flags) -> bool:
    return pd.api.types.is_numeric_dtype(values) and values[~now].nunique() > LEVELS_MAX


def _quarters(values: pd.Series[Any], now: Flags) -> tuple[Codes, tuple[str, ...]]:
    numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
    null = np.isnan(numbers)
    edges = np.unique(np.quantile(numbers[~now & ~null], QUARTERS))
    codes = np.where(null, edges.size + 1, np.searchsorted(edges, numbers, side="left"))
    ends = [f"{edge:.4g}" for edge in edges.tolist()]
    if len(set(ends)) < len(ends):
        ends = [f"{edge:.15g}" for edge in edges.tolist()]
    inner = [f"over {low} to {high}" for low, high in pairwise(ends)]
    return codes, (f"up to {ends[0]}", *inner, f"over {ends[-1]}", NULL)


def _levels(values: pd.Series[Any], now: Flags) -> tuple[Codes, tuple[str, ...]]:
    codes, levels = pd.factorize(values.map(_text, na_action="ignore"))
    codes = np.where(codes < 0, len(levels), codes)
    counted = np.bincount(codes[now], minlength=len(levels) + 1)
    common = np.argsort(-counted, kind="stable")[:LEVELS_MAX]
    places = np.full(len(levels) + 1, common.size, dtype=np.intp)
    places[common] = np.arange(common.size)
    called = [*levels.tolist(), NULL]
    return places[codes], tuple(called[place] for place in common.tolist())


def _text(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _feature(column: Column, values: pd.Series[Any], now: Flags) -> _Feature:
    by_level = not _many_numbers(values, now)
    if by_level:
        codes, levels = pd.factorize(values.map(_text, na_action="ignore"))
        counted = np.bincount(codes[~now & (codes >= 0)], minlength=len(levels))
        ranks = np.zeros(len(levels) + 1, dtype=np.intp)  # the last one is what factorize calls -1: null
        ranks[np.argsort(-counted, kind="stable")] = np.arange(1, len(levels) + 1)
        coded = np.minimum(ranks[codes], LEVELS_MAX + 1)
        overall = chi2_test(
            np.bincount(coded[~now], minlength=LEVELS_MAX + 2), np.bincount(coded[now], minlength=LEVELS_MAX + 2)
        ).effect
        return _Feature(column=column, codes=coded, order=coded, by_level=True, overall=overall)
    coded = pd.factorize(values, sort=True)[0].astype(np.intp) + 1
    sides = [np.bincount(coded[side], minlength=int(coded.max()) + 1) for side in (~now, now)]
    overall = ks_distance(*sides)[0]
    return _Feature(column=column, codes=coded, order=np.argsort(coded, kind="stable"), by_level=False, overall=overall)


def _compared(segments: _Segments, feature: _Feature, now: Flags, floor: float) -> list[_Found]:
    """Compare one feature in all segments of one column: those where its effect is at or above the floor."""
    measured = (
        _by_level(segments, feature, now, floor) if feature.by_level else _by_distance(segments, feature, now, floor)
    )
    return [
        _Found(segments=segments, place=place, feature=feature, effect=effect, p_value=p_value)
        for place, effect, p_value in measured
        if effect >= floor
    ]


def _by_distance(
    segments: _Segments, feature: _Feature, now: Flags, floor: float
) -> Iterator[tuple[int, float, float]]:
    ordered = feature.order[np.argsort(segments.codes[feature.order], kind="stable")]
    codes, values = segments.codes[ordered], feature.codes[ordered]
    # each side climbs from 0 to 1 within a segment, so their difference is back at 0 where the next one begins
    up = np.append(np.where(segments.judged, 1 / np.maximum(segments.now, 1), 0.0), 0.0)
    down = np.append(np.where(segments.judged, 1 / np.maximum(segments.base, 1), 0.0), 0.0)
    gaps = np.abs(np.cumsum(np.where(now[ordered], up[codes], -down[codes])))
    gaps[:-1][(values[1:] == values[:-1]) & (codes[1:] == codes[:-1])] = 0.0
    present, starts = np.unique(codes, return_index=True)
    largest = np.zeros(len(segments.names) + 1)
    largest[present] = np.maximum.reduceat(gaps, starts)
    for place in np.flatnonzero(segments.judged & (largest[:-1] >= floor)).tolist():
        distance = min(1.0, round(float(largest[place]), 12))  # steps of 1/n do not add up to the last digit
        yield place, distance, ks_p_value(distance, int(segments.base[place]), int(segments.now[place]))


def _by_level(segments: _Segments, feature: _Feature, now: Flags, floor: float) -> Iterator[tuple[int, float, float]]:
    many, wide = len(segments.names), LEVELS_MAX + 2
    cells = segments.codes.astype(np.intp) * wide + feature.codes
    base, current = (
        np.bincount(cells[side], minlength=(many + 1) * wide).reshape(many + 1, wide)[:many] for side in (~now, now)
    )
    # levels put together are never further apart than they were, so what is below the floor here stays below it
    for place in np.flatnonzero(segments.judged).tolist():
        if js_distance(base[place], current[place]) >= floor:
            test = chi2_test(base[place], current[place])
            yield place, test.effect, test.p_value


def _stands_out(found: _Found, policy: Policy) -> bool:
    overall = found.feature.overall
    return overall < policy.drift_effect_min or found.effect >= BEYOND_RATIO * overall


def _told(found: _Found, p_adjusted: float, sampled: int, rows: int) -> SegmentDrift:
    share = float(found.segments.now[found.place]) / sampled
    by, segment, feature = found.segments.column.name, found.segments.names[found.place], found.feature.column.name
    symbol = "JS" if found.feature.by_level else "D"
    return SegmentDrift(
        by=by,
        segment=segment,
        rows=round(share * rows),
        share=share,
        feature=feature,
        effect=found.effect,
        overall=found.feature.overall,
        p_value=found.p_value,
        p_adjusted=p_adjusted,
        reason=(
            f"{_short(feature)} moved by {symbol} = {found.effect:.2f} where {_short(by)} is {_short(segment)!r}"
            f" ({share * 100:.1f} % of the rows); by {found.feature.overall:.2f} in all rows"
        ),
    )


def _short(text: str) -> str:
    return text if len(text) <= TEXT_MAX else f"{text[:TEXT_MAX]}…"
