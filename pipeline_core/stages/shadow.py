"""How a challenger compares with the champion on rows that both scored, before any label is known.

Pure: pairs of predictions and times in, figures out. Neighbours: ``gate`` judges the same rows once labels are in,
``registry`` says who is champion. It refuses to say which of two that disagree is right: that takes labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.errors import InvalidDefinition, Refused
from pipeline_core.records import (
    Figure,
    Latency,
    Measured,
    ModelVersion,
    NotMeasured,
    Shadow,
    ShadowBatch,
    ShadowGroup,
    ShadowRow,
    Stage,
    Task,
)
from pipeline_core.stats.distances import ks_distance
from pipeline_core.stats.intervals import LEVEL, normal_quantile, wilson

BINS = 20
DIFFERENT_MAX = 200
"""Rows that are listed as those where the two differ most."""
GROUPS_MAX = 12

_NO_ROWS = NotMeasured(reason="no live row was scored by both yet")
_NO_DECISION = NotMeasured(reason="a predicted number is no decision; see the mean difference")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What two models said about the same rows, as figures; see ``ShadowReport``."""

    rows: int
    agreement: Figure
    mean_difference: Figure
    distance: Figure
    edges: tuple[float, ...] = ()
    champion_bins: tuple[int, ...] = ()
    shadow_bins: tuple[int, ...] = ()
    most_different: tuple[ShadowRow, ...] = ()


def check_start(version: ModelVersion, *, champion: ModelVersion | None, running: Shadow | None, signed: str) -> None:
    """Refuse a shadow that there may not be.

    Parameters
    ----------
    version : ModelVersion
        Who shall be the shadow.
    champion : ModelVersion or None
        Who answers callers.
    running : Shadow or None
        Who is the shadow now.
    signed : str
        Name and reason; empty where one of them is missing.

    Raises
    ------
    Refused
        It is the champion, it is no challenger any more, nobody is champion, or another shadow goes on.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    named = f"Version {version.version} of model {version.model!r}"
    if not signed:
        raise InvalidDefinition("A shadow needs a name and a reason; one of them was empty. Say who starts it and why.")
    if champion is None:
        raise Refused(
            f"Model {version.model!r} has no champion, so nothing is scored that version {version.version} could score too."
            " Promote a version first."
        )
    if version.version == champion.version:
        raise Refused(f"{named} is the champion; a shadow scores beside it. Name a challenger.")
    if version.stage is not Stage.CHALLENGER:
        raise Refused(
            f"{named} is {version.stage}; only a challenger can be in shadow. Train a new version, or name another."
        )
    if running is not None:
        again = "already" if running.version == version.version else "and one shadow at a time is allowed"
        raise Refused(
            f"Version {running.version} of model {version.model!r} is in shadow {again}. Stop it first, then start the next."
        )


def sides(pairs: pa.Table, *, task: Task) -> Sides:
    """Compare what two models said about the same rows.

    Parameters
    ----------
    pairs : pa.Table
        ``row_id, batch_id, score, prediction, shadow_score, shadow_prediction``; both scores of the same class.
    task : Task
        What is predicted.

    Returns
    -------
    Sides
        ``NotMeasured`` where there is no row, and the agreement of numbers.
    """
    ours, theirs = (pairs.column(name).to_numpy().astype(np.float64) for name in ("score", "shadow_score"))
    known = np.isfinite(ours) & np.isfinite(theirs)
    pairs, ours, theirs = pairs.filter(pa.array(known)), ours[known], theirs[known]
    if not pairs.num_rows:
        return Sides(rows=0, agreement=_NO_ROWS, mean_difference=_NO_ROWS, distance=_NO_ROWS)
    edges = _edges(ours, theirs, task)
    return Sides(
        rows=pairs.num_rows,
        agreement=_NO_DECISION if task is Task.REGRESSION else _agreement(pairs),
        mean_difference=_mean(theirs - ours),
        distance=Measured(value=_distance(ours, theirs), rows=pairs.num_rows),
        edges=tuple(edges.tolist()),
        champion_bins=tuple(np.histogram(ours, edges)[0].tolist()),
        shadow_bins=tuple(np.histogram(theirs, edges)[0].tolist()),
        most_different=_most_different(pairs, np.abs(theirs - ours)),
    )


def _agreement(pairs: pa.Table) -> Measured:
    said = [pairs.column(name).to_numpy(zero_copy_only=False) for name in ("prediction", "shadow_prediction")]
    same = int(np.count_nonzero(said[0] == said[1]))
    low, high = wilson(same, pairs.num_rows)
    return Measured(value=same / pairs.num_rows, low=low, high=high, rows=pairs.num_rows)


def _mean(moves: Floats) -> Measured:
    mean = float(moves.mean())
    if moves.size < 2:
        return Measured(value=mean, rows=moves.size)
    half = normal_quantile(0.5 + LEVEL / 2) * float(moves.std(ddof=1)) / math.sqrt(moves.size)
    return Measured(value=mean, low=mean - half, high=mean + half, rows=moves.size)


def _distance(ours: Floats, theirs: Floats) -> float:
    values, places = np.unique(np.concatenate([ours, theirs]), return_inverse=True)
    counts = [np.bincount(part, minlength=values.size) for part in np.split(places, [ours.size])]
    low, _, _ = ks_distance(*counts)  # each cell is one value, so this is exact
    return low


def _edges(ours: Floats, theirs: Floats, task: Task) -> Floats:
    if task is not Task.REGRESSION:
        return np.arange(BINS + 1) / BINS
    low, high = min(ours.min(), theirs.min()), max(ours.max(), theirs.max())
    return np.histogram_bin_edges(np.array([low, high]), bins=BINS)


def _most_different(pairs: pa.Table, moves: Floats) -> tuple[ShadowRow, ...]:
    order = np.argsort(-moves, kind="stable")[:DIFFERENT_MAX]
    return tuple(
        ShadowRow(
            row_id=row["row_id"],
            batch_id=row["batch_id"],
            champion_score=row["score"],
            shadow_score=row["shadow_score"],
            champion_prediction=row["prediction"],
            shadow_prediction=row["shadow_prediction"],
        )
        for row in pairs.take(pa.array(order)).to_pylist()
    )


def groups(pairs: pa.Table, protected: Mapping[str, pa.Array], *, task: Task, least: int) -> tuple[ShadowGroup, ...]:
    """Compare what two models said level by level of protected columns.

    Parameters
    ----------
    pairs : pa.Table
        As ``sides`` takes them.
    protected : mapping of str to pa.Array
        Column name to the level of each pair's row (null: no value).
    task : Task
        What is predicted.
    least : int
        Rows that a level must have to be told.

    Returns
    -------
    tuple of ShadowGroup
        At most 12; those with the least agreement (regression: the largest difference) first.
    """
    found = []
    for column, levels in protected.items():
        for level in pc.unique(levels).to_pylist():
            inside = pairs.filter(pc.is_null(levels) if level is None else pc.equal(levels, level))
            if inside.num_rows < least:
                continue
            both = sides(inside, task=task)
            found.append(
                ShadowGroup(
                    column=column,
                    level=level,
                    rows=both.rows,
                    agreement=both.agreement,
                    mean_difference=both.mean_difference,
                )
            )
    return tuple(sorted(found, key=_least_alike)[:GROUPS_MAX])


def _least_alike(group: ShadowGroup) -> tuple[float, float]:
    agreed, moved = group.agreement, group.mean_difference
    return (
        agreed.value if isinstance(agreed, Measured) else 0.0,
        -abs(moved.value) if isinstance(moved, Measured) else 0.0,
    )


def latency(batches: Sequence[ShadowBatch], *, of_shadow: bool) -> Latency:
    """Say how long a row took.

    Parameters
    ----------
    batches : sequence of ShadowBatch
        With their times.
    of_shadow : bool
        The shadow's times, or the champion's.

    Returns
    -------
    Latency
        Quantiles over rows of their batch's time over its rows.
    """
    timed = [(b.shadow_ms if of_shadow else b.champion_ms, b.rows) for b in batches if not b.error and b.rows]
    known = sorted((ms / rows, rows) for ms, rows in timed if ms is not None)
    if not known:
        nothing = NotMeasured(reason="no batch was timed yet")
        return Latency(p50_ms=nothing, p99_ms=nothing)
    each, rows = (np.array(part, dtype=np.float64) for part in zip(*known, strict=True))
    reached = np.cumsum(rows) / rows.sum()
    half, most = (float(each[np.searchsorted(reached, share)]) for share in (0.5, 0.99))
    total = int(rows.sum())
    return Latency(p50_ms=Measured(value=half, rows=total), p99_ms=Measured(value=most, rows=total))


def rows_needed(pairs: pa.Table, *, task: Task, least: int) -> int | None:
    """Say how many labelled live rows the gate needs before it can say anything.

    Parameters
    ----------
    pairs : pa.Table
        ``prediction`` and ``label`` (null where unknown).
    task : Task
        What is predicted.
    least : int
        Rows that each class must have (regression: rows).

    Returns
    -------
    int or None
        None where nothing is known about how rare the rarest class is. A floor: an interval may ask for more.
    """
    if task is Task.REGRESSION:
        return least
    labels = pairs.column("label").drop_null()
    # until labels tell, the champion's own decisions are the best guess of how often a class occurs
    seen = labels if len(labels) >= least else pairs.column("prediction")
    counts = [row["counts"] for row in seen.value_counts().to_pylist()]
    if len(counts) < 2:
        return None
    return max(math.ceil(least * len(seen) / min(counts)), least * len(counts))
