"""How a training reads in a terminal: tried, kept, warned."""

from __future__ import annotations

from pipeline_core.service.training_lines import trained

RUN = {"estimator": "mine\x1b[2J", "duration_s": 2.0}
VERSION = {
    "version": 3, "run": RUN, "dataset": {"fit_rows": 800, "holdout_rows": 200}, "metrics": {"auc": {"value": 0.8}},
    "shap_shares": {"age": 0.7, "city": 0.3},
}  # fmt: skip


def test_a_plain_run_is_told_in_three_lines_and_steers_no_terminal() -> None:
    assert trained(VERSION) == [
        "Version 3 (mine\N{REPLACEMENT CHARACTER}[2J) trained on 800 rows, held out 200, in 2.0 s",
        "  auc: 0.8",
        "  most important: age 70.0%, city 30.0%",
    ]


def test_what_was_tried_and_what_looks_like_a_leak_is_told() -> None:
    fold = {"rows": 100, "first_event_at": "2025-01-02T00:00:00Z", "figure": {"value": 0.7, "low": 0.6, "high": 0.8}}
    tried = {
        "search": {
            "metric": "auc", "kept": {"C": 0.5}, "trials": [
                {"settings": {"C": 0.5}, "mean": 0.75, "spread": 0.01}, {"settings": {}, "mean": 0.7, "spread": 0.02},
            ],
        },
        "cross_validation": {"metric": "auc", "by_time": True, "folds": [fold], "mean": 0.7, "spread": None},
        "calibration": {"method": "sigmoid", "kept": False, "brier_gain": {"value": 0.001, "low": -0.1, "high": 0.1}},
        "warnings": [{"severity": "warning", "code": "leakage_suspect", "message": "Column 'x' knows."}],
    }  # fmt: skip
    said = trained({**VERSION, "run": {**RUN, **tried}})[3:]
    assert said[0] == "  search: 1 candidates beside the given settings; kept C=0.5"
    assert said[1] == "    auc 0.75 ± 0.01: C=0.5"
    assert said[2] == "    auc 0.7 ± 0.02: the given settings"
    assert said[3].startswith("  1 folds of the fitted rows (each judged by a fit on the rows before it): auc 0.7")
    assert said[4] == "    100 rows from 2025-01-02: 0.7 (0.6 to 0.8)"
    assert said[5].startswith("  calibration (sigmoid): not kept")
    assert said[6] == "  warning  leakage_suspect: Column 'x' knows."
    assert said[7].endswith("--exclude COLUMN")
