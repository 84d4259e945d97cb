"""Scoring through the front door: a champion, a batch, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough, NotFound, Quarantined
from pipeline_core.flows import compute, intake, release
from pipeline_core.records import BatchStatus
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


def content(rows: int, *, day: int = 0) -> dict[str, Any]:
    made = columns(rows, day=day)
    return made | {"y": ["yes" if a > 50 else "no" for a in made["amount"]]}


def promoted(store: Store, model: str) -> None:
    version = release.train(store, model, estimator="logistic_regression", compute=compute.in_process)
    release.challenge(store, model)
    release.promote(store, model, version=version.version, by="test", reason="test")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, content(600)), target="y", time="when")
        yield opened


def test_no_champion_no_score_and_nothing_received(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotEnough, match="has no champion, so nothing can be scored"):
        intake.score(store, "m", parquet(tmp_path, content(50, day=30)))
    assert len(store.batches.list("m")) == 1


def test_score_receives_scores_once_and_gives_the_rows(store: Store, tmp_path: Path) -> None:
    promoted(store, "m")
    later = content(300, day=30)
    truth = later.pop("y")
    path = parquet(tmp_path, later)
    report = intake.score(store, "m", path)
    assert (report.batch_id, report.version, report.rows, report.already_scored) == ("b-0002", 1, 300, False)
    said = intake.predictions_of(store, "m", "b-0002")
    assert said.column_names == ["row_id", "prediction", "score"]
    assert said["row_id"].to_pylist() == store.batches.read_rows("m", "b-0002")["row_id"].to_pylist()
    assert report.mean_score == pytest.approx(pc.mean(said["score"]).as_py(), abs=1e-12)
    assert report.predicted == {
        "no": said["prediction"].to_pylist().count("no"),
        "yes": said["prediction"].to_pylist().count("yes"),
    }
    assert np.mean(np.array(said["prediction"].to_pylist()) == np.array(truth)) > 0.9
    assert store.batches.get("m", "b-0002").status is BatchStatus.ACCEPTED

    again = intake.score(store, "m", path)
    assert again.already_scored
    assert (again.rows, again.mean_score, again.predicted) == (report.rows, report.mean_score, report.predicted)
    assert intake.score(store, "m", batch_id="b-0002").already_scored

    labels = parquet(tmp_path, {"row_id": said["row_id"].to_pylist(), "y": truth}, "labels.parquet")
    assert intake.labels(store, "m", labels).matched_predictions == 300


def test_a_labelled_file_that_was_scored_tells_its_predictions(store: Store, tmp_path: Path) -> None:
    promoted(store, "m")
    path = parquet(tmp_path, content(100, day=30))
    intake.score(store, "m", path)
    report = intake.labels(store, "m", path)
    assert (report.batch_id, report.unchanged_rows, report.matched_predictions) == ("b-0002", 100, 100)


def test_what_is_not_scored(store: Store, tmp_path: Path) -> None:
    promoted(store, "m")
    broken = parquet(tmp_path, content(100, day=30) | {"amount": ["oops"] * 100})
    with pytest.raises(Quarantined, match=r"Batch b-0002 of 'm' is quarantined and is not scored\. Column 'amount'"):
        intake.score(store, "m", broken)
    with pytest.raises(Quarantined):
        intake.score(store, "m", batch_id="b-0002")
    with pytest.raises(NotFound, match="'b-0009'"):
        intake.score(store, "m", batch_id="b-0009")
    with pytest.raises(NotFound, match="'b-0009'"):
        intake.predictions_of(store, "m", "b-0009")
    with pytest.raises(NotFound):
        intake.score(store, "absent", batch_id="b-0001")
    with pytest.raises(InvalidDefinition, match="either a file or a batch"):
        intake.score(store, "m")
    with pytest.raises(InvalidDefinition, match="either a file or a batch"):
        intake.score(store, "m", broken, batch_id="b-0001")
    assert intake.predictions_of(store, "m", "b-0001").num_rows == 0


def test_a_number_has_no_classes_to_count(tmp_path: Path) -> None:
    made = columns(600) | {"price": [float(i % 97) * 2 for i in range(600)]}
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, made), target="price", time="when", exclude=("y",))
        version = release.train(opened, "m", estimator="logistic_regression", compute=compute.in_process)
        release.challenge(opened, "m")
        release.promote(opened, "m", version=version.version, by="test", reason="test")
        report = intake.score(opened, "m", batch_id="b-0001")
        assert report.predicted == {}
        assert report.mean_score == pytest.approx(np.mean(made["price"]), rel=0.05)


def test_an_older_schema_serves_its_own_version(store: Store, tmp_path: Path) -> None:
    promoted(store, "m")
    first = intake.score(store, "m", batch_id="b-0001")
    intake.define(store, "m", parquet(tmp_path, content(600)), target="y", time="when", exclude=("city",))
    later = intake.score(store, "m", parquet(tmp_path, content(100, day=30), "later.parquet"))
    assert (first.version, later.version, later.rows) == (1, 1, 100)


def test_a_real_file_goes_through_the_door(real_data: Path, tmp_path: Path) -> None:
    table = pq.read_table(real_data / "bank_marketing.parquet")
    end = pa.scalar(datetime.fromisoformat("2008-08-01"), pa.timestamp("us"))
    pq.write_table(table.filter(pc.less(table["contact_month"], end)), tmp_path / "first.parquet")
    pq.write_table(table.filter(pc.greater_equal(table["contact_month"], end)), tmp_path / "rest.parquet")
    with Store.open(tmp_path / "home") as opened:
        made = intake.define(
            opened,
            "bank",
            tmp_path / "first.parquet",
            target="y",
            positive="yes",
            time="contact_month",
            exclude=("duration", "row_order"),
        )
        assert (made.batch.rows, made.batch.labelled_rows, made.batch.findings) == (18_822, 18_822, ())
        rest = intake.receive(opened, "bank", tmp_path / "rest.parquet")
        assert (rest.status, rest.rows, rest.labelled_rows) == (BatchStatus.ACCEPTED, 22_366, 22_366)
        counts = opened.batches.counts("bank")
        column = made.schema.by_name("emp.var.rate")
        assert column is not None
        assert pc.sum(counts.filter(pc.equal(counts["column_id"], column.column_id))["n"]).as_py() == 41_188
