"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline_core.flows import compute, watch
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
