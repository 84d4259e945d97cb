"""The whole loop on real data sets, by the commands that a person types."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.__main__ import main


@dataclass(frozen=True)
class Loop:
    """How one data set goes through the loop: cut at ``early`` and ``late`` of its rows.

    ``override``: what a first version needs besides that protected groups are proven to be treated unlike.
    """

    file: str
    define: tuple[str, ...]
    metric: str
    window: str
    early: float = 0.4
    late: float = 0.7
    estimator: str = "hist_gradient_boosting"
    override: tuple[str, ...] = ()


@dataclass(frozen=True)
class Told:
    """What a loop said: the check, the first version's validation figure, the verdict on the second."""

    checked: dict[str, Any]
    validation: dict[str, Any]
    verdict: dict[str, Any]


LOOPS = {
    "bank": Loop(
        file="bank_marketing.parquet",
        define=("--target", "y", "--positive", "yes", "--time", "contact_month", "--exclude", "duration,row_order"),
        metric="auc",
        window="30d",
    ),
    "adult": Loop(
        file="adult_census.parquet",
        define=("--target", "income", "--positive", ">50K", "--exclude", "split,fnlwgt", "--protected", "sex,race"),
        metric="auc",
        window="1000rows",
        early=2 / 3,
        late=5 / 6,
        override=("--override-by", "Grace", "--override-reason", "a test, nobody is decided on"),
    ),
    "tips": Loop(
        file="chicago_taxi.parquet",
        define=("--target", "big_tipper", "--time", "trip_start", "--exclude", "tips,trip_start_timestamp"),
        metric="auc",
        window="90d",
        estimator="lightgbm",
    ),
    "fare": Loop(
        file="chicago_taxi.parquet",
        define=("--target", "fare", "--time", "trip_start", "--exclude", "tips,big_tipper,trip_start_timestamp"),
        metric="rmse",
        window="90d",
    ),
    "bikes": Loop(
        file="bike_sharing_hourly.parquet",
        define=("--target", "cnt", "--time", "timestamp", "--exclude", "casual,registered,instant,yr,dteday"),
        metric="rmse",
        window="30d",
    ),
    "weather": Loop(
        file="noaa_weather.parquet",
        define=("--target", "target", "--time", "day_index"),
        metric="auc",
        window="365d",
        estimator="random_forest",
    ),
}


def say(home: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Type a command with ``--json`` and read what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["--home", str(home), *words, "--json"])
    return code, json.loads(out.getvalue())


def cut(table: pa.Table, low: float, high: float, path: Path) -> str:
    part = table.slice(int(low * len(table)), int(high * len(table)) - int(low * len(table)))
    pq.write_table(part, path)
    return str(path)


def go_round(home: Path, source: Path, name: str, loop: Loop) -> Told:
    """Define, train, promote, receive, score, label, check, retrain, challenge."""
    table = pq.read_table(source / loop.file)
    first = cut(table, 0, loop.early, home / "first.parquet")
    code, defined = say(home, "define", name, "--data", first, *loop.define)
    assert (code, defined["batch"]["status"]) == (0, "accepted")

    code, version = say(home, "train", name, "--estimator", loop.estimator)
    assert code == 0
    assert version["version"] == 1
    assert sum(version["shap_shares"].values()) == pytest.approx(1)
    first_of_all = ("promote", name, "--version", "1", "--by", "Ada", "--reason", "first")
    if loop.override:
        assert say(home, *first_of_all)[0] == 1  # the audit blocks it
    code, promotion = say(home, *first_of_all, *loop.override)
    assert (code, promotion["version"]) == (0, 1)

    later = cut(table, loop.early, loop.late, home / "later.parquet")
    code, batch = say(home, "receive", name, "--data", later)
    assert (code, batch["status"]) == (0, "accepted"), batch["findings"]
    code, scored = say(home, "score", name, "--data", later, "--out", str(home / "scores.parquet"))
    assert (code, scored["rows"]) == (0, batch["rows"])
    assert pq.read_metadata(home / "scores.parquet").num_rows == batch["rows"]
    code, labelled = say(home, "labels", name, "--data", later)
    assert code == 0
    assert labelled["unknown_rows"] == 0

    code, checked = say(home, "check", name, "--window", loop.window)
    assert code in {0, 1}
    assert code == int(any(window["alert"] == "page" for window in checked["windows"]))
    code, lineage = say(home, "lineage", name)
    assert (code, lineage["version"], lineage["promoted_by"]) == (0, 1, "Ada")
    assert lineage["metrics"][loop.metric] == version["metrics"][loop.metric]

    code, second = say(home, "train", name, "--estimator", loop.estimator)
    assert (code, second["version"]) == (0, 2)
    code, verdict = say(home, "challenge", name)
    assert code == int(verdict["verdict"] != "promote")
    assert verdict["reasons"]
    code, answer = say(home, "promote", name, "--version", "2", "--by", "Ada", "--reason", "gate passed")
    assert code == int(verdict["verdict"] != "promote"), answer
    return Told(checked=checked, validation=version["metrics"][loop.metric], verdict=verdict)


@pytest.mark.parametrize("name", ["adult"])  # `make bars` takes all six
def test_the_loop(name: str, real_data: Path, tmp_path: Path) -> None:
    checked = go_round(tmp_path, real_data, name, LOOPS[name]).checked
    assert checked["windows"]
    if name == "adult":
        assert {window["alert"] for window in checked["windows"]} <= {"none", "watch"}


def test_generated_ids_come_back_from_score_and_join_labels(real_data: Path, tmp_path: Path) -> None:
    table = pq.read_table(real_data / "adult_census.parquet").slice(0, 4000)
    first = cut(table, 0, 0.5, tmp_path / "first.parquet")
    say(tmp_path, "define", "adult", "--data", first, "--target", "income", "--exclude", "split")
    say(tmp_path, "train", "adult", "--estimator", "logistic_regression")
    say(tmp_path, "promote", "adult", "--version", "1", "--by", "Ada", "--reason", "first")
    late = table.slice(2000)
    pq.write_table(late.drop_columns(["income"]), tmp_path / "unlabelled.parquet")
    code, scored = say(tmp_path, "score", "adult", "--data", str(tmp_path / "unlabelled.parquet"))
    ids = [row["row_id"] for row in scored["predictions"]]
    assert code == 0
    assert len(set(ids)) == 2000
    truth = pa.table({"row_id": ids, "income": pc.cast(late["income"], pa.string())})
    pq.write_table(truth, tmp_path / "truth.parquet")
    code, labelled = say(tmp_path, "labels", "adult", "--data", str(tmp_path / "truth.parquet"))
    assert (code, labelled["new_rows"], labelled["matched_predictions"]) == (0, 2000, 2000)
