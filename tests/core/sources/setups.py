"""Sources as a test sets them up, and a run that keeps everything that they bring."""

from __future__ import annotations

import gzip
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline_core.sources.feed import Delivery, Setup, Source


def setup(
    name: str = "orders", *, batch_rows: int = 50_000, batch_s: float = 5.0, bytes_max: int = 10**9, **settings: str
) -> Setup:
    return Setup(name=name, settings=settings, batch_rows=batch_rows, batch_s=batch_s, bytes_max=bytes_max)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def rows(path: Path) -> list[dict[str, Any]]:
    return lines(path) if path.suffix == ".gz" else pq.read_table(path).to_pylist()


def taken(
    source: Source, folder: Path, cursor: str | None = None, *, most: int = 1_000
) -> tuple[list[list[dict[str, Any]]], str | None, list[Delivery]]:
    """Keep everything (at most so many files) that the source brings: its rows file by file, and the last place."""
    folder.mkdir(exist_ok=True)
    found, brought = [], []
    with closing(source), closing(source.deliveries(cursor, folder=folder)) as deliveries:
        for delivery in deliveries:
            found.append(rows(delivery.path))
            brought.append(delivery)
            cursor = delivery.cursor
            source.settled(cursor)
            if len(found) == most:
                break
    return found, cursor, brought
