"""The four doors that a delivery comes through: a CSV file, a Parquet file, the HTTP API, a PostgreSQL query.

Each has a model of its own in one home, defined by a first file of its own kind and fed five clean weeks. ``Shop.deliver``
sends a frame through one of them and says what the door answered, whatever the way. The clock of the home stands at
the Monday after the week that is sent.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from pipeline_core.errors import PipelineError
from pipeline_core.flows import feeds, intake
from pipeline_core.records import BatchReport, BatchStatus, Feed, FeedKind, Finding
from pipeline_core.service import api, host
from pipeline_core.store import Store
from tests.story.deliveries import DEFINE, Frame, as_csv, as_lines, as_parquet, as_table, first_file, sent_at, week

DOORS = ("csv", "parquet", "api", "postgres")
HISTORY_WEEKS = 5
TABLE = "deliveries"
WRITERS: Mapping[str, Callable[[Frame], bytes]] = {"csv": as_csv, "parquet": as_parquet, "api": as_lines}
ENDINGS = {"csv": ".csv", "parquet": ".parquet", "api": ".jsonl"}


@dataclass(frozen=True)
class Answer:
    """What a door said. ``status``: accepted, quarantined, refused (a sentence and no batch) or nothing (no batch, no word)."""

    status: str
    said: str = ""
    findings: tuple[Finding, ...] = ()
    report: BatchReport | None = None

    @property
    def found(self) -> set[str]:
        """Codes with their columns: ``imputed:weight_kg``; of the batch: ``row_count``."""
        return {f"{f.code}:{f.column}" if f.column else str(f.code) for f in self.findings}

    @property
    def changes(self) -> set[str]:
        """What the ledger holds: ``thousands:amount``."""
        columns = self.report.columns if self.report else ()
        return {f"{change.kind}:{c.column}" for c in columns for change in c.changes}

    def sentence(self, wanted: str) -> str:
        return next((f.message for f in self.findings if wanted in {f.code, f"{f.code}:{f.column}"}), self.said)


@dataclass
class Clock:
    """The time of a home."""

    at: datetime

    def __call__(self) -> datetime:
        return self.at


@dataclass
class Shop:
    """An open home. ``dsn``: of the PostgreSQL that holds the table; empty: that door is closed."""

    store: Store
    clock: Clock
    dsn: str
    folder: Path
    app: Any = field(default_factory=api.build)

    def deliver(self, door: str, frame: Frame, *, content: bytes | None = None) -> Answer:
        """Send a frame, or the bytes that it became, through a door."""
        if door == "postgres":
            return self._by_query(frame)
        content = WRITERS[door](frame) if content is None else content
        if door == "api":
            return self._by_post(content)
        path = self.folder / f"week{ENDINGS[door]}"
        path.write_bytes(content)
        try:
            return answered(intake.receive(self.store, door, path))
        except PipelineError as error:
            return Answer("refused", error.message)

    def define(self, door: str, frame: Frame, model: str) -> BatchReport:
        """Define a model by a first file as the door brings it; the query's answer is fetched as a sample."""
        path = self.folder / f"{model}{ENDINGS.get(door, '.parquet')}"
        if door == "postgres":
            put(self.dsn, frame)
            delivery = feeds.sample(self.store, source_of(model, self.dsn, self.store.now()), to=self.folder)
            assert delivery is not None
            path = delivery.path
        else:
            path.write_bytes(WRITERS[door](frame))
        return intake.define(self.store, model, path, **DEFINE).batch  # type: ignore[typeddict-item]

    def _by_post(self, content: bytes) -> Answer:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1"
            ) as client:
                return await client.post(
                    "/models/api/batches", content=content, headers={"Content-Type": "application/json"}, timeout=60
                )

        # in a thread of its own: a browser test of the same process may have left its event loop running in this one
        with ThreadPoolExecutor(1) as pool:
            reply = pool.submit(asyncio.run, ask()).result()
        said = reply.json()
        if "batch_id" not in said:
            assert reply.status_code == 422, said
            return Answer("refused", said["message"])
        report = self.store.batches.get("api", said["batch_id"])
        # what the client is told is what is kept, and the status says which it is
        assert reply.status_code == (200 if report.status is BatchStatus.ACCEPTED else 422)
        assert [f["code"] for f in said["findings"]] == [f.code for f in report.findings]
        return answered(report)

    def _by_query(self, frame: Frame) -> Answer:
        put(self.dsn, frame)
        ran = feeds.run_source(self.store, TABLE)
        if ran.errors:
            return Answer("refused", " ".join(ran.errors))
        if not ran.batches:
            return Answer("nothing", ran.stopped)
        return answered(self.store.batches.get("postgres", ran.batches[-1]))


def answered(report: BatchReport) -> Answer:
    return Answer(report.status.value, findings=report.findings, report=report)


def put(dsn: str, frame: Frame) -> None:
    """Replace the table by what upstream holds now."""
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(dsn)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.adbc_ingest(TABLE, as_table(frame), mode="create")
        connection.commit()


def source_of(model: str, dsn: str, at: datetime) -> Feed:
    return Feed(
        name=TABLE,
        model=model,
        kind=FeedKind.DATABASE,
        settings={"query": f"SELECT * FROM {TABLE}"},
        secrets={"dsn": "env:DELIVERIES_DSN"},
        added_at=at,
    )


def founded(home: Path, dsn: str, doors: tuple[str, ...] = DOORS) -> Path:
    """Make a home in which every door has a model and five accepted weeks."""
    clock = Clock(sent_at(-1))
    with Store.open(home, clock=clock) as store, serving(store):
        shop = Shop(store, clock, dsn, home.parent)
        for door in doors:
            assert shop.define(door, first_file(), door).findings == ()
        if "postgres" in doors:
            feeds.add_source(store, source_of("postgres", dsn, store.now()))
        for number in range(HISTORY_WEEKS):
            clock.at = sent_at(number)
            for door in doors:
                answer = shop.deliver(door, week(number))
                assert answer.status == "accepted", (door, number, answer)
    return home


def serving(store: Store) -> Any:
    """Let the API of this process answer for a store that is open already."""
    patch = pytest.MonkeyPatch()
    patch.setattr(host, "host", lambda: SimpleNamespace(store=store))

    class Served:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            patch.undo()

    return Served()


def copied(home: Path, to: Path, *, policy: str = "") -> Path:
    shutil.copytree(home, to)
    if policy:
        (to / "policy.toml").write_text(policy, encoding="utf-8")
    return to
