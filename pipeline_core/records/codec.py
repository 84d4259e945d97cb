"""Records as JSON and back, and the one shape of counts."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import cache
from typing import Any, TypeVar, cast

import pyarrow as pa
from pydantic import TypeAdapter

R = TypeVar("R")

COUNTS = pa.schema([
    pa.field("column_id", pa.string()),
    pa.field("bucket", pa.timestamp("us")),
    pa.field("cell", pa.float64()),
    pa.field("level", pa.string()),
    pa.field("n", pa.int64()),
])
"""Counts of a scan: sparse, additive. ``cell`` for numbers, ``level`` for categories, both null for nulls."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def dump(record: Any) -> dict[str, Any]:
    """Give a record as JSON-ready plain values (times in ISO 8601, enums as text)."""
    plain: dict[str, Any] = _adapter(cast("Hashable", type(record))).dump_python(record, mode="json")
    return plain


def dump_text(record: Any) -> str:
    """Give a record as one line of JSON."""
    return _adapter(cast("Hashable", type(record))).dump_json(record).decode()


def load(kind: type[R], value: Mapping[str, Any] | str) -> R:
    """Build a record from plain values or JSON text, checking every field."""
    adapter = _adapter(cast("Hashable", kind))
    loaded: R = adapter.validate_json(value) if isinstance(value, str) else adapter.validate_python(value)
    return loaded
