"""What may go out: dataset, run, version, verdict, promotion, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline_core.records.intake import BatchReport, Finding
from pipeline_core.records.training import Calibration, CrossValidation, Recipe, Search, Treatment
from pipeline_core.records.words import Decision, Figure, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The rows that a version was made from. ``until`` is exclusive; ``sha256`` names the content.

    Rows at or after ``holdout_from`` were not fitted on (time-ordered models); where there is no
    event time the hold-out is the rows whose id hashes into ``holdout_share``.
    """

    batches: tuple[str, ...]
    rows: int
    sha256: str
    fit_rows: int
    holdout_rows: int
    holdout_share: float
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    holdout_from: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Curves on held-out rows, at most 200 points each, all axes 0-1 (regression: empty).

    ``roc`` (false positive rate, true positive rate), ``precision_recall`` (recall, precision),
    ``calibration`` (mean predicted probability, observed share).
    """

    roc: tuple[tuple[float, float], ...] = ()
    precision_recall: tuple[tuple[float, float], ...] = ()
    calibration: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How a version was made: enough to make it again.

    ``recipe`` is what was asked for (None: made before there was one); ``warnings`` are features that look as if they
    knew the target; ``treatments`` say what the pipeline does to each column.
    """

    run_id: str
    estimator: str
    parameters: Mapping[str, Any]
    seed: int
    code_version: str
    packages: Mapping[str, str]
    started_at: datetime
    duration_s: float
    recipe: Recipe | None = None
    cross_validation: CrossValidation | None = None
    search: Search | None = None
    calibration: Calibration | None = None
    warnings: tuple[Finding, ...] = ()
    treatments: tuple[Treatment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersion:
    """One trained pipeline in the registry. Shares are of mean |SHAP| and sum to 1, by name.

    ``shap_intervals``: the 95 % interval of each share over resamples of the explained rows. ``reference_sha256`` names
    the sample of fitted rows that is kept with the artifact (empty: made before there was one).
    """

    model: str
    version: int
    stage: Stage
    run: Run
    dataset: Dataset
    metrics: Mapping[str, Figure]
    curves: Curves
    shap_shares: Mapping[str, float]
    artifact_sha256: str
    artifact_bytes: int
    schema_version: int
    created_at: datetime
    shap_intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reference_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One metric of two models on the same rows. ``difference`` > 0: the challenger is better."""

    champion: Figure
    challenger: Figure
    difference: Figure
    margin: float | None = None
    decides: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided and on what. ``champion`` None: compared with the trivial predictor.

    ``sha256`` names the rows that were judged, with their labels (empty: made before rows were named).
    """

    verdict_id: str
    model: str
    version: int
    champion: int | None
    epoch: int
    verdict: Decision
    reasons: tuple[str, ...]
    metrics: Mapping[str, Comparison]
    rows: int
    sha256: str = ""
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    rows_needed: int | None = None
    champion_curves: Curves = field(default_factory=Curves)
    challenger_curves: Curves = field(default_factory=Curves)
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One move of the champion. ``epoch`` counts them; ``action`` is ``promote`` or ``rollback``."""

    model: str
    epoch: int
    version: int
    previous: int | None
    action: str
    by: str
    reason: str
    verdict_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What data produced the champion and what was its validation metric, in one answer."""

    model: str
    version: int
    dataset: Dataset
    metrics: Mapping[str, Figure]
    run: Run
    promoted_by: str
    promoted_at: datetime
    reason: str
    verdict_id: str | None
    artifact_sha256: str
    batches: tuple[BatchReport, ...] = ()
