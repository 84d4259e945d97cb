"""A model goes with everything that is its own, and with nothing else."""

from __future__ import annotations

import pytest

from pipeline_core.records import Measure
from pipeline_core.store import Store
from pipeline_core.store.migrations import MODEL_TABLES
from tests.core.store import made


def test_no_table_and_no_file_remembers_a_removed_model(store: Store) -> None:
    made.add_batch(store, ["a"], target=["yes"], measures=[Measure(code="nulls", column_id=None, value=1.0)])
    store.models.set_severity("bank", code="nulls", severity="off", by="Ada", reason="known")
    made.add_version(store)
    store.models.remove("bank")
    left = {table: store._database.rows(f"SELECT count(*) FROM {table}")[0][0] for table in MODEL_TABLES}
    assert left == dict.fromkeys(MODEL_TABLES, 0)
    assert not [p for part in ("raw", "rows", "artifacts") for p in (store.home / part).rglob("*") if p.is_file()]


@pytest.mark.parametrize("kept", [True, False])
def test_a_model_made_anew_in_one_transaction_has_its_own_files(store: Store, *, kept: bool) -> None:
    old = made.add_batch(store, ["a"], target=["yes"])
    stored = made.typed_rows(["a"], target=["yes"])
    if kept:
        with store.transaction():
            store.models.remove("bank")
            store.models.define(made.schema(name="wage"))
            new = made.add_batch(store, ["a"], target=["yes"])  # the same content: the same raw file
        assert new.batch_id == "b-0002"  # the number of the old one was not free before the commit
    else:
        with pytest.raises(ZeroDivisionError), store.transaction():
            store.models.remove("bank")
            store.models.define(made.schema(name="wage"))
            new = made.add_batch(store, ["a"], target=["yes"])
            raise ZeroDivisionError
        new = old
    assert [batch.batch_id for batch in store.batches.list("bank")] == [new.batch_id]
    assert store.batches.read_rows("bank", new.batch_id) == stored
    assert store.batches.raw_path(new).stat().st_size > 0
    assert [p.name for p in (store.home / "rows").rglob("*.parquet")] == [f"{new.batch_id}.parquet"]
    home = store.home
    store.close()
    with Store.open(home) as again:
        assert again.losses == ()
