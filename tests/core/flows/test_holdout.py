"""A row of overlapping extracts is never fitted on as one and judged on as the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline_core.flows import evidence, release
from pipeline_core.flows.compute import in_process
from pipeline_core.policy import Policy
from pipeline_core.records import ModelVersion, Role, TimeUnit
from pipeline_core.stages import training
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes

PLAIN = modelling.schema(unit=TimeUnit.NONE)
SCHEMA = replace(PLAIN, columns=tuple(c for c in PLAIN.columns if c.role not in {Role.ID, Role.TIME}))


def extract(file: str, first: int, last: int) -> pa.Table:
    """Give rows of one source under the ids that a file gives them."""
    part = modelling.rows(600).slice(first, last - first).drop_columns(["c007", "c008"])
    return part.set_column(0, "row_id", pa.array([f"{file * 12}-{i}" for i in range(part.num_rows)]))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        opened.policy = Policy(shap_rows=50)
        opened.models.define(SCHEMA)
        homes.deliver(opened, SCHEMA, extract("a", 0, 400))
        train(opened)
        homes.deliver(opened, SCHEMA, extract("b", 100, 600))
        yield opened


def train(store: Store) -> ModelVersion:
    return release.train(store, "loans", compute=in_process, estimator="logistic_regression")


def fitted(store: Store, folder: Path) -> pa.Table:
    store.batches.select("loans", to=folder / "fit.parquet", batch_ids=["b-0001"])
    rows = pq.read_table(folder / "fit.parquet")
    return rows.filter(pa.array(training.split(rows, SCHEMA, store.policy).fit))


def judged(store: Store, *versions: ModelVersion) -> list[str]:
    ids: list[str] = evidence.unseen_rows(store, versions[0], next(iter(versions[1:]), None))["row_id"].to_pylist()
    return ids


def test_the_gate_never_judges_on_a_fitted_row_in_another_file(store: Store, tmp_path: Path) -> None:
    first, rows = store.models.version("loans", 1), fitted(store, tmp_path)
    unseen = evidence.unseen_rows(store, first, None)
    assert rows.num_rows == first.dataset.fit_rows
    assert unseen.num_rows > 100
    assert set(unseen["c001"].to_pylist()).isdisjoint(rows["c001"].to_pylist())


def test_a_corrected_label_does_not_move_its_row_across(store: Store, tmp_path: Path) -> None:
    first, before = store.models.version("loans", 1), judged(store, store.models.version("loans", 1))
    ids = fitted(store, tmp_path)["row_id"]
    store.batches.set_labels("loans", pa.table({"row_id": ids, "value": ["no"] * len(ids)}))
    assert judged(store, first) == before


def test_versions_of_other_features_are_judged_on_what_both_held_out(store: Store) -> None:
    narrow = [replace(c, role=Role.EXCLUDED) if c.name == "amount" else c for c in SCHEMA.columns]
    store.models.define(replace(SCHEMA, schema_version=2, columns=tuple(narrow)))
    first, second = store.models.version("loans", 1), train(store)
    both = set(judged(store, second, first))
    assert both == set(judged(store, first)) & set(judged(store, second))
    assert 0 < len(both) < len(judged(store, first))
