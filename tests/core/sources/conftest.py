"""Files of any content, read as a batch is: opened, sliced, told about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Doubt, Reading, Unpacked
from pipeline_core.sources import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a file."""

    table: pa.Table
    unpacked: Unpacked

    @property
    def reading(self) -> Reading:
        return self.unpacked.reading

    @property
    def doubts(self) -> Sequence[Doubt]:
        return self.unpacked.doubts

    @property
    def blocking(self) -> list[str]:
        return [d.topic for d in self.doubts if d.blocking]

    def changes(self, name: str) -> dict[str, int]:
        column = next(c for c in self.unpacked.columns if c.name == name)
        return {change.kind: change.rows for change in column.changes}


Take = Callable[..., Taken]


@pytest.fixture
def take(tmp_path: Path) -> Take:
    def read(content: bytes | str | Path, *, policy: Policy | None = None, **reading: Any) -> Taken:
        path = content if isinstance(content, Path) else tmp_path / "t.csv"
        if not isinstance(content, Path):
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        work = tmp_path / "work"
        work.mkdir(exist_ok=True)
        remembered = reading.pop("remembered", Reading())
        with files.open_file(
            path, policy=policy or Policy(), work=work, reading=Reading(**reading), remembered=remembered
        ) as incoming:
            table = pa.concat_tables(incoming.slices())
            assert table.schema == incoming.schema
            return Taken(table=table, unpacked=incoming.unpacked())

    return read
