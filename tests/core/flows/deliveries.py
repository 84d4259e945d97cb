"""Files as a small model receives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

START = datetime(2025, 1, 1, tzinfo=UTC)


def columns(rows: int = 400, *, day: int = 0) -> dict[str, Any]:
    return {
        "when": [START + timedelta(days=day, minutes=30 * i) for i in range(rows)],
        "amount": [float(i % 97) for i in range(rows)],
        "city": [("Rome", "Oslo", "Bonn")[i % 3] for i in range(rows)],
        "y": ["yes" if i % 3 == 0 else "no" for i in range(rows)],
    }


def parquet(folder: Path, content: dict[str, Any], name: str = "more.parquet") -> Path:
    path = folder / name
    pq.write_table(pa.table(content), path)
    return path
