"""Ground truth, at once or late, by every way in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import InvalidDefinition, Quarantined
from pipeline_core.flows import intake
from pipeline_core.flows.labelling import labels
from pipeline_core.records import LabelReport
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


def keyed(rows: int = 400, *, day: int = 0, first: int = 0) -> dict[str, Any]:
    return {"loan": [f"k{first + i}" for i in range(rows)]} | columns(rows, day=day)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two models, with an id of their own and without, each with 400 labelled and 100 unlabelled rows."""
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "keyed", parquet(tmp_path, keyed()), target="y", time="when", id="loan")
        intake.define(opened, "plain", parquet(tmp_path, columns()), target="y", time="when")
        later = keyed(100, day=20, first=400)
        del later["y"]
        assert intake.receive(opened, "keyed", parquet(tmp_path, later)).labelled_rows == 0
        del later["loan"]
        assert intake.receive(opened, "plain", parquet(tmp_path, later)).labelled_rows == 0
        yield opened


def figures(report: LabelReport) -> tuple[int, int, int, int, int]:
    return (report.rows, report.new_rows, report.changed_rows, report.unchanged_rows, report.unknown_rows)


def test_by_the_id_of_the_model(store: Store, tmp_path: Path) -> None:
    content = {"loan": ["k400", "k401", "k0", "k1", "k9999", "k402"], "y": ["yes", "no", "no", "no", "no", None]}
    report = labels(store, "keyed", parquet(tmp_path, content, "l.parquet"))
    # k0 was yes, k1 was no, k9999 is in no batch, k402 is not known yet
    assert figures(report) == (5, 2, 1, 1, 1)
    assert report.batch_id is None
    assert store.batches.labelled_rows("keyed") == 403
    assert figures(labels(store, "keyed", parquet(tmp_path, content, "l.parquet"))) == (5, 0, 0, 4, 1)


def test_a_lost_rows_file_stops_no_labels(store: Store, tmp_path: Path) -> None:
    store.batches.rows_paths("keyed", ["b-0002"])[0].unlink()
    report = labels(store, "keyed", parquet(tmp_path, {"loan": ["k0", "k401"], "y": ["no", "no"]}, "l.parquet"))
    assert figures(report) == (2, 0, 1, 0, 1)  # k401 is of the lost batch: kept for when it is there again
    whole = labels(store, "keyed", parquet(tmp_path, keyed(100, day=40, first=900), "b.parquet"))
    assert whole.batch_id == "b-0003"


def test_by_row_id_where_the_model_has_no_id(store: Store, tmp_path: Path) -> None:
    ids = store.batches.read_rows("plain", "b-0002")["row_id"].to_pylist()
    report = labels(store, "plain", parquet(tmp_path, {"row_id": ids, "y": ["yes", "no"] * 50}, "l.parquet"))
    assert figures(report) == (100, 100, 0, 0, 0)


def test_labels_in_any_spelling_of_a_number(tmp_path: Path) -> None:
    content = keyed() | {"y": [i % 2 for i in range(400)]}
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, content), target="y", time="when", id="loan")
        (tmp_path / "l.csv").write_text("loan;y\nk0;1.0\nk1;1\nk2;\n", encoding="utf-8")
        assert figures(labels(opened, "m", tmp_path / "l.csv")) == (2, 0, 1, 1, 0)


def test_a_whole_file_is_a_batch_and_again_is_told(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, columns(100, day=40), "b.parquet")
    report = labels(store, "plain", path, source="march")
    assert (figures(report), report.batch_id) == ((100, 100, 0, 0, 0), "b-0003")
    assert store.batches.get("plain", "b-0003").source == "march"
    assert figures(labels(store, "plain", path)) == (100, 0, 0, 100, 0)


def test_a_whole_file_of_known_ids_is_labels_and_no_second_batch(store: Store, tmp_path: Path) -> None:
    report = labels(store, "keyed", parquet(tmp_path, keyed(100, day=20, first=400), "b.parquet"))
    assert (figures(report), report.batch_id) == ((100, 100, 0, 0, 0), None)
    assert len(store.batches.list("keyed")) == 2


def test_a_whole_file_of_new_ids_is_a_batch(store: Store, tmp_path: Path) -> None:
    report = labels(store, "keyed", parquet(tmp_path, keyed(100, day=40, first=900), "b.parquet"))
    assert (figures(report), report.batch_id) == ((100, 100, 0, 0, 0), "b-0003")


def test_a_number_as_target(tmp_path: Path) -> None:
    content = keyed()
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, content), target="amount", time="when", id="loan")
        (tmp_path / "l.csv").write_text("loan,amount\nk0,0\nk1,7.5\n", encoding="utf-8")
        assert figures(labels(opened, "m", tmp_path / "l.csv")) == (2, 0, 1, 1, 0)
        (tmp_path / "w.csv").write_text("loan,amount\nk0,0\nk1,soon\n", encoding="utf-8")
        with pytest.raises(InvalidDefinition, match="holds 'soon'; allowed are finite numbers"):
            labels(opened, "m", tmp_path / "w.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"loan": ["k400"], "Y": ["yes"]}, "has no column 'y', the target of model 'keyed'. There are: 'Y', 'loan'"),
        ({"lone": ["k400"], "y": ["yes"]}, "it has no column 'loan' or 'row_id'"),
        ({"loan": ["k400", "k401"], "y": ["yes", "maybe"]}, "holds 'maybe'; allowed are 'no', 'yes'"),
        ({"loan": ["k400", "k400"], "y": ["yes", "no"]}, "1 ids have more than one label in the file .loan 'k400'"),
    ],
)
def test_what_is_refused_whole(store: Store, tmp_path: Path, content: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        labels(store, "keyed", parquet(tmp_path, content, "l.parquet"))
    assert store.batches.labelled_rows("keyed") == 400


def test_the_same_label_twice_is_no_contradiction(store: Store, tmp_path: Path) -> None:
    content = {"loan": ["k400", "k400"], "y": ["yes", "yes"]}
    assert figures(labels(store, "keyed", parquet(tmp_path, content, "l.parquet"))) == (1, 1, 0, 0, 0)


def test_labels_of_a_quarantined_or_unlabelled_batch(store: Store, tmp_path: Path) -> None:
    broken = columns(100, day=40) | {"amount": ["oops"] * 100}
    path = parquet(tmp_path, broken, "b.parquet")
    for _ in range(2):
        with pytest.raises(Quarantined, match="batch b-0003 of 'plain', which is quarantined"):
            labels(store, "plain", path)
    empty = parquet(tmp_path, columns(100, day=50) | {"y": [None] * 100}, "e.parquet")
    with pytest.raises(InvalidDefinition, match="column 'y' has no value in it"):
        labels(store, "plain", empty)


def test_a_quarantined_file_is_judged_again_before_its_labels_are_refused(store: Store, tmp_path: Path) -> None:
    content = keyed(100, day=60, first=2_000)
    content["when"][:4] = [None] * 4
    path = parquet(tmp_path, content, "gaps.parquet")
    with pytest.raises(Quarantined, match="which is quarantined"):
        labels(store, "keyed", path)
    with pytest.raises(Quarantined, match="which is quarantined"):
        labels(store, "keyed", path)
    store.policy = replace(store.policy, failed_share_max=0.1)
    assert figures(labels(store, "keyed", path)) == (100, 100, 0, 0, 0)
    assert figures(labels(store, "keyed", path)) == (100, 0, 0, 100, 0)
