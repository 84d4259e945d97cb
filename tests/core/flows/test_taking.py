"""What the child makes of a file: typed rows, counts, facts and ledger, whatever the size of its slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pipeline_core.errors import Doubtful, Unreadable
from pipeline_core.flows import arrival, compute, intake, taking
from pipeline_core.records import Reading, Task
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import columns, parquet


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, columns(), "first.parquet"), target="y", time="when")
        yield opened


def taken(store: Store, path: Path, folder: Path, reading: Reading | None = None) -> taking.Taken:
    arrived = arrival.arrive(store, path, reading=reading)
    return arrival.take(store, store.models.schema("m"), arrived, folder=folder, compute=compute.in_process)


def test_rows_counts_and_facts_agree(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10)
    content["city"][5] = None
    content["when"][0] = None
    found = taken(store, parquet(tmp_path, content), tmp_path)
    rows, counts = pq.read_table(found.rows), pq.read_table(found.counts)
    assert (rows.num_rows, found.facts.rows, found.unpacked.rows) == (300, 300, 300)
    city = counts.filter(pc.equal(counts["column_id"], "c003"))
    assert pc.sum(city["n"]).as_py() == 300
    assert pc.sum(city.filter(city["bucket"].is_null())["n"]).as_py() == 1
    fact = found.facts.column("c003")
    assert fact is not None
    assert (fact.nulls, fact.distinct, found.facts.untimed_rows) == (1, 3, 1)
    assert next(a.distinct for a in found.arrivals if a.column == "city") == 3


def test_a_file_that_reads_in_two_ways_is_not_taken(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "korean.csv"
    path.write_bytes("when,amount,city,y\n2024-03-01,1.5,서울,yes\n2024-03-02,2.5,부산,no\n".encode("cp949"))
    with pytest.raises(Doubtful, match="--encoding"):
        taken(store, path, tmp_path)
    told = taken(store, path, tmp_path, Reading(encoding="cp949"))
    assert pq.read_table(told.rows)["c003"].to_pylist() == ["서울", "부산"]
    assert told.unpacked.reading.encoding == "cp949"


def test_a_file_without_rows_is_refused(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text("when,amount,city,y\n")
    with pytest.raises(Unreadable, match="no rows"):
        taken(store, path, tmp_path)


def test_rows_that_break_a_rule_are_set_aside_where_the_policy_says_so(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10)
    content["amount"] = [str(a) for a in content["amount"]]
    content["amount"][7], content["amount"][9] = "seven", "nine"
    path = parquet(tmp_path, content)
    store.policy = replace(store.policy, set_aside_share_max=0.01)
    found = taken(store, path, tmp_path)
    kept = pq.read_table(found.rows)
    assert (kept.num_rows, found.aside_rows, found.facts.rows) == (298, 2, 298)
    assert not set(kept["row_number"].to_pylist()) & {7, 9}
    assert found.aside is not None
    assert pq.read_table(found.aside)["row_number"].to_pylist() == [7, 9]
    assert not found.failures
    amount = next(a for a in found.arrivals if a.column == "amount")
    assert [(c.kind, c.rows) for c in amount.changes if c.kind == "failed"] == [("failed", 2)]
    store.policy = replace(store.policy, set_aside_share_max=0.005)
    assert taken(store, path, tmp_path).aside is None


def test_a_cell_that_took_no_row_with_it_stays_a_finding(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10) | {"worth": [float(i) for i in range(300)]}
    intake.define(
        store, "n", parquet(tmp_path, content, "n.parquet"), target="worth", time="when", task=Task.REGRESSION
    )
    content = columns(300, day=20) | {"worth": [str(i) for i in range(300)]}
    content["amount"] = [str(a) for a in content["amount"]]
    content["amount"][7], content["worth"][9] = "seven", "nine"
    store.policy = replace(store.policy, set_aside_share_max=0.01)
    arrived = arrival.arrive(store, parquet(tmp_path, content))
    found = arrival.take(store, store.models.schema("n"), arrived, folder=tmp_path, compute=compute.in_process)
    assert (found.aside_rows, [(f.column, f.value) for f in found.failures]) == (1, [("worth", 1 / 300)])
    assert {a.column: a.failed_rows for a in found.arrivals if a.failed_rows} == {"worth": 1}


def test_slices_are_put_together_to_row_groups(tmp_path: Path) -> None:
    parts = [pa.table({"a": pa.array(range(start, start + 50_000))}) for start in range(0, 250_000, 50_000)]
    file = tmp_path / "grouped.parquet"
    assert taking.write(file, taking._grouped(parts)) == 250_000
    groups = pq.ParquetFile(file).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [122_880, 122_880, 4_240]
    assert pq.read_table(file)["a"].to_pylist() == list(range(250_000))


def test_a_preview_reads_the_beginning_and_some_rows_are_found_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    pyarrow.csv.write_csv(pa.table({"n": pa.array(range(1_000))}), path)
    raw = arrival.arrive(store, path).raw(store)
    head = taking.unpack(taking.UnpackRequest(raw=raw, folder=tmp_path, rows=10), lambda *_: None)
    assert pq.read_table(head.arrived)["n"].to_pylist() == list(range(10))
    some = taking.unpack(taking.UnpackRequest(raw=raw, folder=tmp_path, only=(999, 3)), lambda *_: None)
    assert pq.read_table(some.arrived)["n"].to_pylist() == [3, 999]
