"""Which rows teach a model, which judge it, what is fitted, and what is tried before.

One file a question: ``splitting`` (rows), ``estimators`` and ``named`` (what may be fitted), ``fitting``, ``folds``
(cross-validation), ``searching`` (settings), ``calibrating`` (probabilities), ``recipes`` (what cannot be asked). Neighbours: ``preprocessing`` builds the first
step of the pipeline, ``serving`` makes frames, ``stats.scores`` judges.
"""

from __future__ import annotations

from pipeline_core.stages.training.calibrating import calibrate
from pipeline_core.stages.training.estimators import (
    DEFAULT_ESTIMATOR,
    ESTIMATORS,
    Setting,
    defaults,
    known,
    make,
    names,
    settings_of,
)
from pipeline_core.stages.training.fitting import encode, estimator_of, fit, fit_on, parameters, unfitted
from pipeline_core.stages.training.folds import cross_validate, parts
from pipeline_core.stages.training.recipes import CALIBRATIONS, CANDIDATES_MAX, CLASS_WEIGHTS, FOLDS_MAX, check
from pipeline_core.stages.training.searching import SEARCH_FOLDS, search
from pipeline_core.stages.training.splitting import Split, blocks, enough, hashed_holdout, held_out, split

__all__ = [
    "CALIBRATIONS",
    "CANDIDATES_MAX",
    "CLASS_WEIGHTS",
    "DEFAULT_ESTIMATOR",
    "ESTIMATORS",
    "FOLDS_MAX",
    "SEARCH_FOLDS",
    "Setting",
    "Split",
    "blocks",
    "calibrate",
    "check",
    "cross_validate",
    "defaults",
    "encode",
    "enough",
    "estimator_of",
    "fit",
    "fit_on",
    "hashed_holdout",
    "held_out",
    "known",
    "make",
    "names",
    "parameters",
    "parts",
    "search",
    "settings_of",
    "split",
    "unfitted",
]
