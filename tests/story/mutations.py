"""Files as a bad line, a full disk or a careless program would leave them: seeded, so that a failure can be repeated."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

KINDS = ("parquet", "csv", "jsonl")
START = datetime(2026, 1, 5, tzinfo=UTC)


def loans(rows: int, *, seed: int, first: int = 0) -> pa.Table:
    """Rows of every simple type, with nulls and letters beyond ASCII."""
    rng = np.random.default_rng(seed)
    income = rng.normal(3.0, 1.0, rows).round(3)
    late = rng.random(rows) < 1 / (1 + np.exp(1.5 * (income - 3.0)))
    return pa.table({
        "loan": [f"L{first + i:05d}" for i in range(rows)],
        "asked": [START + timedelta(hours=first + i) for i in range(rows)],
        "income": pa.array(income, mask=rng.random(rows) < 0.1),
        "town": rng.choice(["Köln", "Łódź", "Ghent"], rows),
        "rooms": rng.integers(1, 9, rows),
        "late": np.where(late, "yes", "no"),
    })


def written(table: pa.Table, kind: str) -> bytes:
    """The table as the bytes of a file."""
    out = io.BytesIO()
    if kind == "parquet":
        pq.write_table(table, out, row_group_size=64)
    elif kind == "csv":
        pacsv.write_csv(table, out)
    else:
        out.write(b"".join(json.dumps(row, default=str).encode() + b"\n" for row in table.to_pylist()))
    return out.getvalue()


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """One of: cut short, cut out, bytes changed, bits flipped, a piece repeated, a piece of noise put in."""
    torn = bytearray(content)
    at = int(rng.integers(0, len(torn)))
    length = int(rng.integers(1, 65))
    match int(rng.integers(0, 6)):
        case 0:
            return bytes(torn[:at])
        case 1:
            del torn[at : at + length]
        case 2:
            for place in rng.integers(0, len(torn), int(rng.integers(1, 9))):
                torn[place] = int(rng.integers(0, 256))
        case 3:
            torn[at] ^= 1 << int(rng.integers(0, 8))
        case 4:
            torn[at:at] = torn[at : at + length]
        case _:
            torn[at:at] = rng.bytes(length)
    return bytes(torn)
