"""Small files of a small model, and a process whose one host works on them."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from fastapi import FastAPI

from pipeline_core.flows import compute, intake, release
from pipeline_core.service import api, host
from pipeline_core.service.host import Host
from pipeline_core.store.home import Store

DEFINE = {"target": "late", "positive": "yes", "time": "day", "id": "loan"}


@dataclass(frozen=True)
class Files:
    """``first`` and ``later`` carry the outcome or not; ``truth`` holds that of ``later``; ``broken`` has no income."""

    first: Path
    later: Path
    truth: Path
    broken: Path


def loans(rows: int, *, seed: int, start: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    income = rng.normal(3.0, 1.0, rows).round(3)
    late = rng.random(rows) < 1 / (1 + np.exp(1.5 * (income - 3.0)))
    return pa.table({
        "loan": [f"L{start + i:05d}" for i in range(rows)],
        "day": start + np.arange(rows) // 10,
        "income": income,
        "town": rng.choice(["A", "B", "C"], rows),
        "late": np.where(late, "yes", "no"),
    })


@pytest.fixture
def files(tmp_path: Path) -> Files:
    folder = tmp_path / "files"
    folder.mkdir()
    later = loans(300, seed=2, start=2000)
    tables = {
        "first": loans(800, seed=1, start=1000),
        "later": later.drop_columns(["late"]),
        "truth": later.select(["loan", "late"]),
        "broken": loans(300, seed=3, start=3000).drop_columns(["income"]),
    }
    for name, table in tables.items():
        pyarrow.csv.write_csv(table, folder / f"{name}.csv")
    return Files(**{name: folder / f"{name}.csv" for name in tables})


def _hosted(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("PIPELINE_HOME", str(home))
    host.stop()
    yield host.host()
    host.stop()


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    yield from _hosted(tmp_path / "home", monkeypatch)


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose model ``loans`` has a champion, trained once."""
    folder = tmp_path_factory.mktemp("trained")
    first = folder / "first.csv"
    pyarrow.csv.write_csv(loans(800, seed=1, start=1000), first)
    with Store.open(folder / "home") as store:
        intake.define(store, "loans", first, **DEFINE)  # type: ignore[typeddict-item]
        release.train(store, "loans", estimator="logistic_regression", compute=compute.in_process)
        release.promote(store, "loans", version=1, by="Ada", reason="first")
    return folder / "home"


@pytest.fixture
def champion(trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """As ``held``, with the champion of ``loans``."""
    shutil.copytree(trained_home, tmp_path / "home")
    yield from _hosted(tmp_path / "home", monkeypatch)


class Client:
    """Asks the API in this process; starlette's own test client wants a library that we do not ship."""

    def __init__(self, app: FastAPI, base_url: str) -> None:
        self._app = app
        self._base_url = base_url

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=self._base_url) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Client:
    """Asks the API of this process, on the home of ``champion`` where the test names it, else an empty one."""
    request.getfixturevalue("champion" if "champion" in request.fixturenames else "held")
    return Client(api.build(), "http://127.0.0.1:8501")
