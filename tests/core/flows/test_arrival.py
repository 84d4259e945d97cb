"""A file becomes a batch: once, whole, counted; or it is quarantined, kept as received, and told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pytest

from pipeline_core.errors import NotFound, Unreadable
from pipeline_core.flows import arrival, intake
from pipeline_core.flows.arrival import receive
from pipeline_core.records import AlertLevel, BatchStatus, Role
from pipeline_core.store.home import Store
from tests.core.flows.deliveries import START, columns, parquet


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "home") as opened:
        intake.define(opened, "m", parquet(tmp_path, columns(), "first.parquet"), target="y", time="when")
        yield opened


def test_an_accepted_batch_is_kept_typed_labelled_and_counted(store: Store, tmp_path: Path) -> None:
    path = parquet(tmp_path, columns(300, day=10))
    report = receive(store, "m", path, source="nightly")
    assert (report.batch_id, report.status, report.rows, report.labelled_rows) == (
        "b-0002",
        BatchStatus.ACCEPTED,
        300,
        300,
    )
    assert report.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (report.source, report.schema_version, report.duplicate) == ("nightly", 1, False)
    assert (report.first_event_at, report.last_event_at) == (
        START + timedelta(days=10),
        START + timedelta(days=10, minutes=30 * 299),
    )
    assert [c.column for c in report.columns] == ["when", "amount", "city", "y"]
    assert store.batches.get("m", "b-0002") == report
    rows = store.batches.read_rows("m", "b-0002")
    assert rows.num_rows == 300
    assert rows["row_id"][299].as_py() == f"{report.sha256[:12]}-299"
    counts = store.batches.counts("m", batch_ids=["b-0002"])
    assert {
        column: pc.sum(counts.filter(pc.equal(counts["column_id"], column))["n"]).as_py() for column in ("c002", "c003")
    } == {"c002": 300, "c003": 300}
    first_day = START.replace(tzinfo=None) + timedelta(days=10)
    city = counts.filter(pc.and_(pc.equal(counts["column_id"], "c003"), pc.equal(counts["bucket"], first_day)))
    assert {r["level"]: r["n"] for r in city.to_pylist()} == {"Rome": 16, "Oslo": 16, "Bonn": 16}


def test_the_same_content_is_one_batch_whatever_its_name(store: Store, tmp_path: Path) -> None:
    content = columns(50, day=10)
    first = receive(store, "m", parquet(tmp_path, content))
    again = receive(store, "m", parquet(tmp_path, content, "other.parquet"), source="again")
    assert again.duplicate
    assert (again.batch_id, again.source, again.findings) == (first.batch_id, "more.parquet", first.findings)
    assert len(store.batches.list("m")) == 2


def test_every_format_gives_the_same_rows(store: Store, tmp_path: Path) -> None:
    table = pa.table(columns(50, day=10))
    table = table.set_column(0, "when", pc.strftime(table["when"], format="%Y-%m-%dT%H:%M:%SZ"))
    pyarrow.csv.write_csv(table, tmp_path / "t.csv")
    lines = "\n".join(
        "{" + ", ".join(f'"{k}": {v!r}'.replace("'", '"') for k, v in row.items()) + "}" for row in table.to_pylist()
    )
    (tmp_path / "t.jsonl").write_text(lines, encoding="utf-8")
    paths = [parquet(tmp_path, columns(50, day=10)), tmp_path / "t.csv", tmp_path / "t.jsonl"]
    kept = [store.batches.read_rows("m", receive(store, "m", path).batch_id).drop_columns(["row_id"]) for path in paths]
    assert kept[0].equals(kept[1])
    assert kept[0].equals(kept[2])


def test_a_quarantined_batch_keeps_its_file_and_pages_somebody_once(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10)
    del content["amount"]
    path = parquet(tmp_path, content)
    report = receive(store, "m", path)
    assert (report.status, report.labelled_rows) == (BatchStatus.QUARANTINED, 0)
    assert store.batches.raw_path(report).read_bytes() == path.read_bytes()
    assert store.batches.counts("m", batch_ids=[report.batch_id]).num_rows == 0
    assert len(store.batches.rows_paths("m")) == 1
    assert receive(store, "m", path).duplicate
    (alert,) = store.signals.alerts("m")
    assert (alert.code, alert.level, alert.feature, alert.version) == (
        "batch_quarantined",
        AlertLevel.PAGE,
        "amount",
        None,
    )
    assert alert.message.startswith("Batch b-0002 (300 rows from 'more.parquet') is quarantined: Column 'amount'")
    assert (alert.window_start, alert.window_end) == (report.first_event_at, report.last_event_at)


def test_rows_without_a_time_are_kept_and_counted_in_no_day(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10)
    content["when"][0] = None
    report = receive(store, "m", parquet(tmp_path, content))
    assert [f.code for f in report.findings if f.column == "when"] == ["event_time_missing"]
    assert report.status is BatchStatus.ACCEPTED
    assert store.batches.read_rows("m", report.batch_id).num_rows == 300
    counts = store.batches.counts("m", batch_ids=[report.batch_id])
    assert pc.sum(counts.filter(pc.equal(counts["column_id"], "c003"))["n"]).as_py() == 299
    assert counts["bucket"].null_count == 0


def test_bad_requests_store_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'mm'"):
        receive(store, "mm", parquet(tmp_path, columns(5)))
    with pytest.raises(NotFound, match="There is no file"):
        receive(store, "m", tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("", encoding="utf-8")
    with pytest.raises(Unreadable, match=r"'nightly\.csv' is empty"):
        receive(store, "m", tmp_path / "empty.csv", source="nightly.csv")
    assert len(store.batches.list("m")) == 1


def test_hostile_names_pass_through_every_room(tmp_path: Path) -> None:
    name = "a'); DROP TABLE batches; --\""
    content = columns() | {
        name: [f"<b>{i % 3}</b>" for i in range(400)],
        "select": [1, 2] * 200,
        "emp.var.rate": [1, 2] * 200,
    }
    with Store.open(tmp_path / "home") as opened:
        made = intake.define(opened, "m", parquet(tmp_path, content, "f.parquet"), target="y", time="when")
        assert {c.name for c in made.schema.role(Role.FEATURE)} == {"amount", "city", name, "select", "emp.var.rate"}
        later = {k: v[:100] for k, v in content.items()}
        report = receive(opened, "m", parquet(tmp_path, later))
        assert report.status is BatchStatus.ACCEPTED
        levels = opened.batches.counts("m", batch_ids=[report.batch_id])["level"].to_pylist()
        assert {"<b>0</b>", "<b>1</b>", "<b>2</b>"} <= set(levels)


# --- ids that are known -------------------------------------------------------------------------


def customers(month: int, rows: int = 300, *, day: int = 0, labelled: bool = True) -> dict[str, Any]:
    content = {"key": [f"cust{i}" for i in range(rows)], **columns(rows, day=day)}
    content["amount"] = [a + month for a in content["amount"]]
    return content if labelled else {k: v for k, v in content.items() if k != "y"}


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "keyed") as opened:
        first = parquet(tmp_path, customers(1), "january.parquet")
        intake.define(opened, "m", first, target="y", time="when", id="key")
        yield opened


def test_an_id_of_another_row_never_takes_its_label(keyed: Store, tmp_path: Path) -> None:
    """January's customers come again in February without a target: their features are not January's outcome."""
    february = receive(keyed, "m", parquet(tmp_path, customers(2, day=31, labelled=False)))
    (finding,) = [f for f in february.findings if f.code == "ids_known"]
    assert (february.status, finding.severity, finding.value) == (BatchStatus.QUARANTINED, "error", 1.0)
    assert "300 ids came before with another event time (b-0001)" in finding.message
    summary = keyed.batches.select("m", to=tmp_path / "out.parquet")
    assert (summary.batches, summary.rows) == (("b-0001",), 300)


def test_the_same_rows_again_replace_the_old_ones_everywhere(keyed: Store, tmp_path: Path) -> None:
    again = {k: v[100:200] for k, v in customers(1).items()}
    again["amount"] = [1_000.0] * 100
    batch = receive(keyed, "m", parquet(tmp_path, again))
    assert [(f.code, f.severity) for f in batch.findings if f.column == "key"] == [("ids_known", "info")]
    assert batch.status is BatchStatus.ACCEPTED
    assert keyed.batches.select("m", to=tmp_path / "out.parquet").rows == 300
    counts = keyed.batches.counts("m")
    amount = counts.filter(pc.equal(counts["column_id"], "c003"))
    assert pc.sum(amount["n"]).as_py() == 300
    assert pc.sum(amount.filter(pc.equal(amount["cell"], 1_000))["n"]).as_py() == 100
    assert min(counts["n"].to_pylist()) > 0
    replaced = keyed.repeats.replaced("m", ["b-0001"])
    assert replaced["row_number"].to_pylist() == list(range(100, 200))


def test_without_an_event_time_other_values_are_told(tmp_path: Path) -> None:
    with Store.open(tmp_path / "home") as opened:
        first = {k: v for k, v in customers(1).items() if k != "when"}
        intake.define(opened, "m", parquet(tmp_path, first, "first.parquet"), target="y", id="key")
        same = receive(opened, "m", parquet(tmp_path, {k: v[:50] for k, v in first.items()}))
        other = {**first, "amount": [a + 1 for a in first["amount"]]}
        changed = receive(opened, "m", parquet(tmp_path, other, "other.parquet"))
        found = [[(f.severity, f.value) for f in b.findings if f.code == "ids_known"] for b in (same, changed)]
        assert found == [[("info", 1.0)], [("warning", 1.0)]]
        assert "b-0001, b-0002" in next(f.message for f in changed.findings if f.code == "ids_known")
        assert opened.batches.counts("m", batch_ids=["b-0001", "b-0002"]).num_rows == 0


def test_a_batch_that_came_in_between_is_noticed(keyed: Store, tmp_path: Path) -> None:
    again = {k: v[:20] for k, v in customers(1).items()}
    schema = keyed.models.schema("m")
    arrived = arrival.arrive(keyed, parquet(tmp_path, again))
    with keyed.work_dir() as folder:
        judged = arrival.judge(keyed, schema, arrival.take(keyed, schema, arrived, folder=folder))
        receive(keyed, "m", parquet(tmp_path, {k: v[10:30] for k, v in customers(1).items()}, "between.parquet"))
        kept = arrival.keep(keyed, schema, arrived=arrived, judged=judged)
    assert kept.batch_id == "b-0003"
    assert "b-0001, b-0002" in next(f.message for f in kept.findings if f.code == "ids_known")
    counts = keyed.batches.counts("m")
    assert pc.sum(counts.filter(pc.equal(counts["column_id"], "c004"))["n"]).as_py() == 300


# --- quarantined, and sent again ----------------------------------------------------------------


def test_a_quarantined_file_is_judged_again(store: Store, tmp_path: Path) -> None:
    content = columns(300, day=10)
    content["when"][:6] = [None] * 6
    path = parquet(tmp_path, content)
    bad = receive(store, "m", path)
    again = receive(store, "m", path)
    assert (bad.status, again.batch_id, again.duplicate) == (BatchStatus.QUARANTINED, "b-0002", True)
    store.policy = replace(store.policy, failed_share_max=0.05)
    good = receive(store, "m", path)
    assert (good.batch_id, good.status, good.duplicate, good.labelled_rows) == (
        "b-0003",
        BatchStatus.ACCEPTED,
        False,
        300,
    )
    assert [b.batch_id for b in store.batches.list("m", status=BatchStatus.DISCARDED)] == [
        "b-0002"
    ]  # nobody takes it in twice
    store.policy = replace(store.policy, failed_share_max=0.0)
    assert (receive(store, "m", path).batch_id, receive(store, "m", path).duplicate) == ("b-0003", True)
    (alert,) = store.signals.alerts("m")
    assert (alert.acknowledged_by, alert.note) == ("the door", "Judged again, the same file was accepted as b-0003.")


def test_a_lost_file_of_rows_does_not_stop_what_comes_in(keyed: Store, tmp_path: Path) -> None:
    keyed.batches.rows_paths("m", ["b-0001"])[0].unlink()
    report = receive(keyed, "m", parquet(tmp_path, {**customers(2, day=31), "key": [f"new{i}" for i in range(300)]}))
    assert (report.status, report.rows) == (BatchStatus.ACCEPTED, 300)
