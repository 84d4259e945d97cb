"""A table on Spark gives the verdict that the same rows give when they are received."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline_core.errors import InvalidDefinition, NotEnough
from pipeline_core.flows import watch
from pipeline_core.flows.elsewhere import check_on_spark
from pipeline_core.service import verbs
from pipeline_core.store.home import Store
from tests.core.flows import watching
from tests.core.flows.watching import LATER, LEARNED, MODEL
from tests.servers import spark_master


def test_the_verdict_is_that_of_the_same_rows_here(tmp_path: Path) -> None:
    spark_master()
    table = watching.write(tmp_path, "table.parquet", pa.concat_tables([
        watching.rows(0, LEARNED, seed=1), watching.rows(LEARNED, LATER, seed=2)
    ]))  # fmt: skip
    with Store.open(watching.copied(tmp_path)) as store:
        here = watch.check(store, MODEL, window="2d")
        there = check_on_spark(store, MODEL, str(table), window="2d")
        assert there.rows_in == f"{table} (Spark)"
        assert store.signals.watch(MODEL) == there
        assert [replace(w, examined=None) for w in there.windows] == [
            # what only a look at rows tells is not said of rows that are elsewhere
            replace(w, examined=None, reasons=t.reasons)
            for w, t in zip(here.windows, there.windows, strict=True)
        ]
        assert all(w.examined is None for w in there.windows)
        assert there.windows[-2].alert == "page"
        with pytest.raises(InvalidDefinition, match="stay on the cluster"):
            check_on_spark(store, MODEL, str(table), window="6h")
        with pytest.raises(InvalidDefinition, match="--engine spark --data"):
            verbs.carry_out(store, "check", MODEL, arguments={"engine": "spark"}, file=None, progress=lambda *_: None)
        old = watching.write(tmp_path, "old.parquet", watching.rows(0, 500, seed=1))
        with pytest.raises(NotEnough, match=r"has no row from .* on"):
            check_on_spark(store, MODEL, str(old))


def test_without_an_event_time_there_are_no_windows_elsewhere(tmp_path: Path) -> None:
    with (
        Store.open(watching.copied(tmp_path, time=None)) as store,
        pytest.raises(InvalidDefinition, match="no column with dates"),
    ):
        check_on_spark(store, MODEL, "anything")
