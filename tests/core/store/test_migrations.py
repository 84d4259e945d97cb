"""Steps run once, in order, and every table of a model is known to be one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline_core.errors import StoreBroken
from pipeline_core.store import Store
from pipeline_core.store.migrations import MIGRATIONS, MODEL_TABLES


def test_migrations_run_once_and_a_newer_format_is_refused(tmp_path: Path) -> None:
    for _ in range(2):
        with Store.open(tmp_path) as store:
            applied = store._database.rows("SELECT number FROM schema_migrations")
            assert applied == [(n + 1,) for n in range(len(MIGRATIONS))]
    with Store.open(tmp_path) as store, store.transaction():
        store._database.run("INSERT INTO schema_migrations VALUES (99, NULL)")
    with pytest.raises(StoreBroken, match="has format 99"):
        Store.open(tmp_path)
    with pytest.raises(StoreBroken, match="has format 99"):  # the lock was given back
        Store.open(tmp_path)


def test_every_table_with_a_model_is_removed_and_absorbed_with_it(store: Store) -> None:
    found = store._database.rows("SELECT table_name FROM duckdb_columns() WHERE column_name = 'model'")
    assert {row[0] for row in found} == {*MODEL_TABLES, "jobs"}
