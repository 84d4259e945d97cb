"""Torn files through ``receive``: each becomes a whole batch or a sentence, and nothing in between is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.flows import intake
from pipeline_core.records import BatchStatus
from pipeline_core.store.home import Store
from tests.story import mutations

ROUNDS = int(os.environ.get("MUTATIONS", "30"))


def whole(store: Store) -> int:
    """Check that what is stored hangs together, file by file and row by row; give the number of batches."""
    batches = store.batches.list("loans")
    accepted = [batch for batch in batches if batch.status is BatchStatus.ACCEPTED]
    for batch in accepted:
        assert store.batches.read_rows("loans", batch.batch_id).num_rows == batch.rows
    for batch in batches:
        assert store.batches.raw_path(batch).name.startswith(batch.sha256)
    home = store.home
    assert len(list((home / "raw").iterdir())) == len(batches)
    assert len([p for p in (home / "rows").rglob("*") if p.is_file()]) == len(accepted)
    assert not [p for p in (home / "work").rglob("*") if p.is_file()]
    return len(batches)


@pytest.mark.parametrize("kind", mutations.KINDS)
def test_a_torn_file_is_a_whole_batch_or_a_sentence(kind: str, tmp_path: Path) -> None:
    first = tmp_path / "first.parquet"
    first.write_bytes(mutations.written(mutations.loans(400, seed=0), "parquet"))
    good = mutations.written(mutations.loans(300, seed=1, first=500), kind)
    torn = tmp_path / f"torn.{kind}"
    told: list[str] = []
    with Store.open(tmp_path / "home") as store:
        intake.define(store, "loans", first, target="late", positive="yes", time="asked", id="loan")
        for seed in range(ROUNDS):
            torn.write_bytes(mutations.mutated(good, np.random.default_rng(seed)))
            try:
                report = intake.receive(store, "loans", torn)
            except Unreadable as error:
                told.append(error.message)
            else:
                assert report.status is BatchStatus.ACCEPTED or report.findings
        # the next good file is still taken
        torn.write_bytes(mutations.written(mutations.loans(300, seed=2, first=5_000), kind))
        assert intake.receive(store, "loans", torn).status is BatchStatus.ACCEPTED
        batches = whole(store)
    for message in told:
        assert message.startswith(f"File 'torn.{kind}'")
        assert message.endswith((".", "?"))
        assert str(tmp_path) not in message
    assert len(told) > ROUNDS / 3
    assert batches <= ROUNDS - len(told) + 2
