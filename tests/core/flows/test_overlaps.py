"""Rows that were fitted on are found by hash; look-alikes are told from them by how often fitted rows have twins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline_core.errors import ArtifactRejected
from pipeline_core.flows import overlaps
from pipeline_core.records import ModelVersion, Role, Schema
from pipeline_core.store.home import Store
from tests.core import modelling
from tests.core.flows import homes
from tests.pages.conftest import version

SCHEMA = modelling.schema()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with homes.home(tmp_path / "home") as home:
        yield home


def fitted_on(store: Store, rows: pa.Table, *, number: int = 1, schema: Schema = SCHEMA) -> ModelVersion:
    """Give a version that says it was fitted on these rows."""
    with store.work_dir() as work:
        sha256 = store.artifacts.put_reference(overlaps.write(rows, schema, work / "fitted.parquet"))
    made = version(number, "0" * 64)
    return replace(made, dataset=replace(made.dataset, fitted_sha256=sha256))


def renamed(rows: pa.Table) -> pa.Table:
    return rows.set_column(0, "row_id", pa.array([f"new-{i}" for i in range(rows.num_rows)]))


def test_none_of_fresh_rows_was_fitted_on(store: Store) -> None:
    champion, challenger = (fitted_on(store, modelling.rows(300, seed=seed), number=seed) for seed in (1, 2))
    fresh = modelling.rows(200, seed=3)
    left, told = overlaps.without_fitted(store, (challenger, champion), fresh)
    assert left.equals(fresh)
    assert (told.rows, told.seen_rows, told.dropped_rows, told.versions, told.twin_share) == (200, 0, 0, (2, 1), 0.0)
    assert told.words == "0 of 200 evaluation rows were in the training data of v2 or v1 (by row hash)."


def test_rows_that_came_again_are_left_out_by_id_or_by_features(store: Store) -> None:
    fitted = modelling.rows(300, seed=1)
    made = fitted_on(store, fitted)
    by_features = renamed(fitted.slice(0, 7))
    by_id = fitted.slice(20, 5).set_column(3, "c001", pa.array([9.0] * 5))
    relabelled = by_features.set_column(by_features.num_columns - 1, "label", pa.array(["?"] * 7))
    fresh = modelling.rows(50, seed=3)
    rows = pa.concat_tables([relabelled, by_id, fresh])
    left, told = overlaps.without_fitted(store, (made, None), rows)
    assert left.column("row_id").to_pylist() == fresh.column("row_id").to_pylist()
    assert (told.seen_rows, told.dropped_rows) == (12, 12)
    assert told.words.endswith(
        "12 of 62 evaluation rows were in the training data of v1 (by row hash) and were left out."
    )


def test_where_rows_have_twins_anyway_look_alikes_stay(store: Store) -> None:
    """Two binary features of 300 rows: nearly every fresh row looks like a fitted one, and none of them came again."""
    features = [c for c in SCHEMA.columns if c.role is not Role.FEATURE or c.column_id in {"c001", "c003"}]
    schema = replace(SCHEMA, columns=tuple(features))
    store.models.define(replace(schema, schema_version=2))

    def coarse(seed: int) -> pa.Table:
        rows = modelling.rows(300, seed=seed)
        return rows.set_column(3, "c001", pa.array(np.sign(rows.column("c001").to_numpy())))

    made = replace(fitted_on(store, coarse(1), schema=schema), schema_version=2)
    again = coarse(1).slice(0, 4)  # with the ids that were fitted on
    rows = pa.concat_tables([coarse(2), again])
    left, told = overlaps.without_fitted(store, (made,), rows)
    assert told.twin_share == pytest.approx(1.0)
    assert (told.rows, told.seen_rows, told.dropped_rows, left.num_rows) == (304, 304, 4, 300)
    assert told.words == (
        "4 of 304 evaluation rows were in the training data of v1 (by row hash) and were left out; 300 others have the features"
        " of a fitted row, as 100.0 % of the fitted rows have among themselves, and stay."
    )


def test_the_share_of_twins_is_counted_in_rows() -> None:
    keys = np.array([1, 1, 1, 2, 3, 3, 4, 5, 6, 7], dtype=np.uint64)
    assert overlaps.Fitted(features=keys, ids=keys).twin_share == pytest.approx(0.5)
    assert overlaps.Fitted(features=keys[:0], ids=keys).twin_share == pytest.approx(0.0)


def test_versions_of_before_are_named_and_a_changed_file_is_refused(store: Store) -> None:
    old = version(1, "0" * 64)
    rows = modelling.rows(10)
    left, told = overlaps.without_fitted(store, (old, None), rows)
    assert (left.num_rows, told.versions, told.unknown) == (10, (), (1,))
    assert told.words == ("The training data of v1 cannot be looked at by row hash: made before hashes were kept.")
    both = overlaps.without_fitted(store, (fitted_on(store, modelling.rows(300, seed=5), number=2), old), rows)[1]
    assert both.words.startswith(
        "0 of 10 evaluation rows were in the training data of v2 (by row hash). The training data of v1"
    )
    made = fitted_on(store, modelling.rows(30, seed=6))
    path = store.files.reference(made.dataset.fitted_sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactRejected, match="the file was changed or damaged"):
        overlaps.without_fitted(store, (made,), rows)


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    rows = modelling.rows(100)
    first = overlaps.write(rows, SCHEMA, tmp_path / "a.parquet").read_bytes()
    turned = rows.take(pa.array(range(99, -1, -1)))
    assert overlaps.write(turned, SCHEMA, tmp_path / "b.parquet").read_bytes() == first


@pytest.mark.parametrize(("kept", "warned"), [(200, False), (237, False), (238, True), (900, True)])
def test_more_look_alikes_than_chance_explains_are_said(kept: int, warned: bool) -> None:
    """Of 1,000 fresh rows 200 look like a fitted one by chance, give or take 12.6."""
    counted = overlaps.Overlap(rows=1000, seen_rows=kept, dropped_rows=0, twin_share=0.2, versions=(1,))
    assert ("rows may have come again" in overlaps._words(counted)) is warned
