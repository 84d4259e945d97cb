"""What may go out: dataset, run, version, verdict, promotion, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipeline_core.records.fairness import BiasAudit
from pipeline_core.records.intake import BatchReport, Finding
from pipeline_core.records.lineage import DatasetVersion
from pipeline_core.records.training import Calibration, CrossValidation, Recipe, Search, Treatment
from pipeline_core.records.words import Decision, Figure, Measured, NotMeasured, Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The rows that a version was made from. ``until`` is exclusive; ``sha256`` names the content.

    Rows at or after ``holdout_from`` were not fitted on (time-ordered models); where there is no
    event time the hold-out is the rows whose id hashes into ``holdout_share``. ``dataset_id`` names the dataset version,
    ``fitted_sha256`` the file with a hash of each fitted row (both empty: made before there was one).
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
    dataset_id: str = ""
    fitted_sha256: str = ""


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
class Overlap:
    """How many of the rows to judge on were in a model's training data, told by row hash, and how many were left out.

    ``twin_share``: the share of fitted rows that have a twin among themselves; so many of fresh rows look like a fitted
    one by chance. ``unknown``: versions made before their fitted rows were hashed.
    """

    rows: int
    seen_rows: int
    dropped_rows: int
    twin_share: float
    versions: tuple[int, ...]
    unknown: tuple[int, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discordance:
    """Rows on which only one of two models is right, and McNemar's two-sided p. ``chi2`` None: the test is exact."""

    only_champion: int
    only_challenger: int
    p_value: float
    chi2: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceComparison:
    """Two models on the rows with one level of a column, or of two. ``difference`` > 0: the challenger is better.

    Binary: of AUC; multiclass: of accuracy; regression: of RMSE; ``margin`` is the loss that is allowed, in its unit.
    ``loss_p_value``: one-sided, of no more than that loss, adjusted over all slices (Benjamini-Hochberg). ``blocks``: more
    is proven.
    """

    columns: tuple[str, ...]
    levels: tuple[str, ...]
    rows: int
    positives: int | None
    difference: Measured
    margin: float
    loss_p_value: float
    blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassComparison:
    """One class of many: how much of it is found, and F1. An empty ``label`` is the mean over the classes that occur."""

    label: str
    rows: int
    recall: Comparison
    f1: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What a version costs to run: milliseconds for a row that comes alone, over ``calls`` rows, and bytes of its file."""

    p50_ms: float
    p99_ms: float
    calls: int
    artifact_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The test that decides: one-sided p of "worse by the margin", the level it must reach, and how many were tried.

    ``place`` counts the tries on these rows since the champion last moved, this one included. ``power``: how often a
    challenger that is exactly as good would pass; None where the margin is 0.
    """

    p_value: float
    level: float
    place: int
    power: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the gate decided and on what. ``champion`` None: compared with the trivial predictor.

    ``sha256`` names the rows that were judged, with their labels (empty: made before rows were named). ``blocks``: what
    forbids a promotion whatever the deciding metric says. ``slices``: the worst of ``slices_judged``. ``audit`` says
    whether protected groups are treated alike (None: made before there was one).
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
    overlap: Overlap | None = None
    blocks: tuple[str, ...] = ()
    trial: Trial | None = None
    threshold: float | None = None
    discordance: Discordance | None = None
    slices: tuple[SliceComparison, ...] = ()
    slices_judged: int = 0
    classes: tuple[ClassComparison, ...] = ()
    champion_footprint: Footprint | None = None
    challenger_footprint: Footprint | None = None
    audit: BiasAudit | NotMeasured | None = None
    decided_at: datetime

    @property
    def blocked_by_bias(self) -> bool:
        """Whether nothing but a proven violation stands in the way, which a second person may override."""
        return isinstance(self.audit, BiasAudit) and self.audit.blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """One move of the champion. ``epoch`` counts them; ``action`` is ``promote``, ``rollback`` or ``retire``.

    ``version`` is champion after it; of ``retire`` it is the one that no longer is, and nobody is champion after it.
    ``override_by`` and ``override_reason``: the second person who let it pass although the bias audit proved a violation.
    """

    model: str
    epoch: int
    version: int
    previous: int | None
    action: str
    by: str
    reason: str
    verdict_id: str | None
    at: datetime
    override_by: str = ""
    override_reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dismissal:
    """A version that was taken out for good: a challenger by ``reject``, a present or former champion by ``retire``.

    ``epoch`` is how often the champion had moved by then, ``verdict_id`` the latest verdict on the version.
    """

    model: str
    version: int
    action: str
    by: str
    reason: str
    at: datetime
    epoch: int
    verdict_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What data produced a version and what was its validation metric, in one answer.

    Who promoted it, when and why is the last move that made it champion; empty where none did. ``source`` and ``verdict``
    are None where none was kept. ``override_by`` and ``override_reason``: who let it pass although the bias audit proved a
    violation (empty: nobody had to).
    """

    model: str
    version: int
    stage: Stage
    dataset: Dataset
    metrics: Mapping[str, Figure]
    run: Run
    promoted_by: str = ""
    promoted_at: datetime | None = None
    reason: str = ""
    verdict_id: str | None = None
    artifact_sha256: str
    batches: tuple[BatchReport, ...] = ()
    source: DatasetVersion | None = None
    verdict: Verdict | None = None
    promotion: Promotion | None = None
    override_by: str = ""
    override_reason: str = ""
