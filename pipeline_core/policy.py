"""The limits a team sets, in one place; every knob is listed in ``docs/policy.md``.

A policy is an argument, never a global. ``policy.toml`` in the home folder overrides the defaults, and its table
``[severity]`` says how bad a finding is, code by code; its table ``[estimators]`` adds kinds of model.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import ceil
from pathlib import Path
from typing import Any

from pipeline_core.errors import InvalidDefinition, nearest
from pipeline_core.records.codes import CODES, SEVERITIES, FindingCode

NUMBER_MAX = 1e38
"""No number is taken beyond this, by no policy: its square, or a tree's 32-bit threshold, would be infinity."""

_TABLE = "severity"
_SHARES = ("_share", "alpha", "threshold", "power", "superiority")
"""Knobs whose name holds one of these are from 0 to 1."""
_ESTIMATORS, _CLASS = "estimators", "class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits and levels. Shares are 0-1; ``*_effect_min`` are the floors under which drift is not drift.

    ``estimators`` maps a name to the path of a class and its parameters (table ``[estimators]``).
    ``severities`` maps codes of findings to ``error``, ``warning``, ``info`` or ``off`` (table ``[severity]``).
    """

    # the door
    null_share_rise_max: float = 0.25
    null_share_change_min: float = 0.02
    failed_share_max: float = 0.01
    unseen_share_max: float = 0.50
    distribution_effect_min: float = 0.10
    out_of_range_share_min: float = 0.001
    null_pattern_share_min: float = 0.02
    fingerprint_alpha: float = 0.001
    fingerprint_rows_min: int = 5
    fingerprint_ratio_min: float = 3.0
    unit_fit_max: float = 0.08
    vanished_share_min: float = 0.01
    duplicate_share_max: float = 0.01
    unordered_share_max: float = 0.01
    future_s_max: int = 86_400
    row_count_ratio_max: float = 1.5
    row_count_sigmas_max: float = 4.0
    past_batches_min: int = 4
    set_aside_share_max: float = 0.0
    reader_memory_bytes_max: int = 1_000_000_000
    reader_seconds_max: int = 20
    upload_bytes_max: int = 500_000_000
    columns_max: int = 2_000
    # training
    holdout_share: float = 0.2
    train_rows_min: int = 200
    shap_rows: int = 2_000
    seed: int = 7
    leak_alone_min: float = 0.98
    leak_share_min: float = 0.5
    # the gate
    auc_margin: float = 0.01
    relative_error_margin: float = 0.01
    superiority: float = 0.0
    class_rows_min: int = 30
    gate_rows_max: int = 50_000
    gate_power_min: float = 0.5
    operating_threshold: float = 0.5
    brier_margin: float = 0.0025
    slice_margin: float = 0.03
    slice_rows_min: int = 100
    slice_positives_min: int = 20
    slice_columns_max: int = 12
    false_positive_cost: float = 0.0
    false_negative_cost: float = 0.0
    # the bias audit
    selection_ratio_min: float = 0.8
    tpr_gap_max: float = 0.1
    fpr_gap_max: float = 0.1
    bias_rows_min: int = 30
    # watching
    alpha: float = 0.05
    null_alpha: float = 0.001
    drift_effect_min: float = 0.10
    new_level_share_min: float = 0.005
    window_rows_min: int = 200
    importance_top_share: float = 0.25
    healthy_windows_min: int = 19
    alert_windows_min: int = 2
    alert_windows_of: int = 3
    weighted_drift_min: float = 0.10
    fault_loss_page_min: float = 0.01
    season_gain_min: float = 0.15
    examined_windows_max: int = 12
    examined_rows_max: int = 2_000
    reference_rows_max: int = 20_000
    coherence_strength_min: float = 50.0
    coherence_ratio_min: float = 0.5
    detachment_kept_max: float = 0.5
    domain_auc_min: float = 0.60
    segment_rows_min: int = 30
    segment_effect_min: float = 0.20
    segment_columns_max: int = 12
    label_share_min: float = 0.8
    performance_margin: float = 0.02
    relative_performance_margin: float = 0.10
    # how bad a finding is, where a team says otherwise than the door
    severities: Mapping[str, str] = field(default_factory=dict)
    # estimators that a team adds: by name the path of the class under "class", and its parameters
    estimators: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def healthy_windows_needed(self) -> int:
        """Healthy windows from which a rank among them can reach ``alpha``: ``healthy_windows_min``, or more for a small alpha."""
        return max(int(self.healthy_windows_min), ceil(1 / self.alpha - 1e-9) - 1)


def load_policy(home: Path) -> Policy:
    """Read ``policy.toml`` in the home folder, or give the defaults.

    Parameters
    ----------
    home : Path
        The folder that holds the store.

    Returns
    -------
    Policy

    Raises
    ------
    InvalidDefinition
        The file is not TOML, names an unknown knob, or holds a value of the wrong kind.
    """
    path = home / "policy.toml"
    if not path.exists():
        return Policy()
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidDefinition(
            f"{path} is not valid TOML: {str(error).rstrip('.')}. Mend it, or remove it to use the defaults."
        ) from None
    severities = _severities(path, given.pop(_TABLE, {}))
    estimators = _estimators(path, given.pop(_ESTIMATORS, {}))
    knobs = {f.name for f in fields(Policy)} - {"severities", "estimators"}
    for name, value in given.items():
        _check_knob(path, name, value, knobs)
    return Policy(**given, severities=severities, estimators=estimators)


def _severities(path: Path, table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        raise InvalidDefinition(
            f'{path}: {_TABLE} is {table!r}; a table [{_TABLE}] of lines code = "warning" is allowed. Mend that line.'
        )
    for code, severity in table.items():
        if code not in CODES:
            raise InvalidDefinition(
                f"{path}: [{_TABLE}] names {code!r}, which is no finding. {nearest(code, [str(c) for c in CODES])}"
            )
        if severity not in SEVERITIES:
            raise InvalidDefinition(
                f"{path}: [{_TABLE}] {code} is {severity!r}; {', '.join(SEVERITIES)} are allowed. Mend that line."
            )
        if code == FindingCode.NO_ROWS and severity != "error":
            raise InvalidDefinition(
                f"{path}: [{_TABLE}] {code} is {severity!r}; a batch without rows is an error always. Remove that line."
            )
    return dict(table)


def _estimators(path: Path, table: object) -> dict[str, dict[str, Any]]:
    """Read ``name = "package.Class"``, or a table ``[estimators.name]`` with ``class`` and parameters."""
    if not isinstance(table, dict):
        raise InvalidDefinition(
            f'{path}: {_ESTIMATORS} is {table!r}; a table [{_ESTIMATORS}] of lines name = "package.Class" is allowed.'
            " Mend that line."
        )
    found: dict[str, dict[str, Any]] = {}
    for name, told in table.items():
        offer = {_CLASS: told} if isinstance(told, str) else told
        kind = offer.get(_CLASS) if isinstance(offer, dict) else None
        if not name.isidentifier() or not isinstance(kind, str) or not all(p.isidentifier() for p in kind.split(".")):
            raise InvalidDefinition(
                f"{path}: [{_ESTIMATORS}] {name} is {told!r}; the path of a class, like"
                ' "sklearn.ensemble.ExtraTreesClassifier", or a table with class and parameters is allowed, under a name of'
                " letters, digits and underscores. Mend that line."
            )
        for key, value in offer.items():
            if not isinstance(value, str | int | float | bool):
                raise InvalidDefinition(
                    f"{path}: [{_ESTIMATORS}.{name}] {key} is {value!r}; text, a number, true or false is allowed. Mend it."
                )
        found[name] = dict(offer)
    return found


def _check_knob(path: Path, name: str, value: object, knobs: set[str]) -> None:
    if name not in knobs:
        raise InvalidDefinition(f"{path} sets {name!r}, which is no knob. {nearest(name, knobs)}")
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidDefinition(
            f"{path}: {name} is {value!r}; a number of at least 0 is allowed. Mend that line, or remove it."
        )
    if isinstance(getattr(Policy(), name), int) and (not isinstance(value, int) or (value < 1 and name != "seed")):
        raise InvalidDefinition(
            f"{path}: {name} is {value!r}; a whole number of at least 1 is allowed. Mend that line, or remove it."
        )
    if any(part in name for part in _SHARES) and value > 1:
        raise InvalidDefinition(
            f"{path}: {name} is {value!r}; a share from 0 to 1 is allowed. Mend that line, or remove it."
        )
