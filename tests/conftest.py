"""Fixtures that every room's tests share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.flows import compute, demo, watch
from pipeline_core.sources.demo import MODEL
from pipeline_core.store.home import Store
from tests.servers import kafka_servers, postgres, redis_url

__all__ = ["kafka_servers", "postgres", "real_data", "redis_url"]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped with the reason where it is absent."""
    folder = Path(os.environ.get("REAL_DATA_DIR", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data sets are absent: no folder {folder} (set REAL_DATA_DIR)")
    return folder


@pytest.fixture(autouse=True, scope="session")
def looks_in_process() -> Iterator[None]:
    """A check looks at rows in this process: a child would import half a minute of libraries over and over."""
    kept, watch.LOOKS = watch.LOOKS, compute.in_process
    yield
    watch.LOOKS = kept


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory, looks_in_process: None) -> Path:
    """A home with the demo, built once for all workers; copy it before it is opened."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home, done = shared / "demo-home", shared / "demo-done"
    with (shared / "demo-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            told: list[tuple[float, str]] = []
            with Store.open(home) as store:
                status = demo.build(store, progress=lambda *step: told.append(step), run=compute.in_process)
            assert (status.model, status.champion, status.versions, status.demo) == (MODEL, 1, 2, True)
            assert [share for share, _ in told] == sorted(share for share, _ in told)
            done.touch()
    return home
