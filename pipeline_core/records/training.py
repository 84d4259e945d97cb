"""How a version is to be fitted, and what was tried and found on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline_core.records.words import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a version is to be fitted. ``settings``: parameters of the estimator that a person set, by name.

    ``class_weight`` is ``none`` or ``balanced``, ``calibration`` ``none``, ``isotonic`` or ``sigmoid``. ``folds``: parts
    that the fitted rows are checked on, each by a fit on the rows before it (0: none). ``candidates``: settings that a
    search tries besides the given ones (0: no search). ``treatments``: what is done to a number column, by name of the
    column: ``category`` or ``log``.
    """

    estimator: str = "hist_gradient_boosting"
    settings: Mapping[str, Any] = field(default_factory=dict)
    class_weight: str = "none"
    folds: int = 0
    candidates: int = 0
    calibration: str = "none"
    treatments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """One part of the fitted rows, judged by a fit on ``fit_rows`` others: the rows before it where there is a time."""

    fit_rows: int
    rows: int
    figure: Figure
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """The primary metric by fold; ``mean`` and ``spread`` (standard deviation) over the folds that have one.

    ``by_time``: each fold was judged by a fit on the rows before it.
    """

    metric: str
    by_time: bool
    folds: tuple[Fold, ...]
    mean: float | None = None
    spread: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One candidate of a search: its settings, and mean and spread of the metric over the folds."""

    settings: Mapping[str, Any]
    mean: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What a search tried, the best first; ``kept`` are the settings that the version was fitted with."""

    metric: str
    kept: Mapping[str, Any]
    trials: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Whether the probabilities were mapped: learned on ``learned_rows``, judged on ``judged_rows`` later ones.

    Both are of the fitted part, and the model that scored them was not fitted on them. ``brier_gain`` is by how much the
    Brier score falls; ``kept`` only where its whole interval is above 0.
    """

    method: str
    kept: bool
    learned_rows: int
    judged_rows: int
    brier_gain: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """What the pipeline does to one column before the estimator sees it.

    ``steps`` are sentences without a full stop; ``levels`` are the categories with a column of their own; ``outputs``:
    columns that the estimator sees of it.
    """

    column: str
    treated_as: str
    null_share: float
    steps: tuple[str, ...]
    levels: tuple[str, ...] = ()
    outputs: int = 1
