"""A copy of one model in a scratch home, as it stood when a version was made: what a replay works on.

The rows of batches are linked, not copied; records, counts, measures, labels and the version's own files come along.
What was said since (predictions, windows, alerts, feeds, verdicts, shadows) stays behind. Neighbours: ``home`` opens both sides,
``migrations`` names the tables, ``flows`` says which batches belong to the version. It refuses to write to the home
that it copies from.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pipeline_core.errors import StoreBroken
from pipeline_core.records import COUNTS, BatchReport, dump_text
from pipeline_core.sql import identifier, text
from pipeline_core.store.artifacts import VERSION_FILES
from pipeline_core.store.database import Database, parquet
from pipeline_core.store.day_counts import put_days
from pipeline_core.store.files import Folders
from pipeline_core.store.migrations import MODEL_TABLES

LEFT_BEHIND = frozenset({
    "predictions", "watches", "windows", "alerts", "feeds", "verdicts", "dismissals", "lineage_checks",
    "shadows", "shadow_batches", "shadow_predictions",
})  # fmt: skip
"""Tables that tell what was said since, or where batches come from: a scratch home begins without them."""

_OF_VERSION = frozenset({"aliases", "versions", "promotions", "baseline_counts"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortened:
    """A batch of which only some rows are copied: its report, a Parquet file of those rows, their COUNTS by day."""

    report: BatchReport
    rows: Path
    counts: pa.Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a model is copied: one version, accepted batches by id, and those of them that are shortened."""

    model: str
    version: int
    batches: tuple[str, ...]
    shortened: Mapping[str, Shortened] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """The database and the folders of a home."""

    database: Database
    folders: Folders


def copy_model(source: Side, target: Side, part: Part, *, work: Path) -> None:
    """Copy a part of a model into an empty home.

    Parameters
    ----------
    source : Side
        Where from; only read.
    target : Side
        Where to; it must not know the model.
    part : Part
        What.
    work : Path
        A folder for the tables on their way.

    Raises
    ------
    StoreBroken
        A file cannot be linked or copied.
    """
    _link_files(source, target, part)
    database = target.database
    with database.transaction():
        for name in MODEL_TABLES:
            if name not in LEFT_BEHIND:
                _copy_table(source, database, part, name=name, file=work / f"{name}.parquet")
        for batch_id, short in part.shortened.items():
            _shorten(database, part.model, batch_id, short)


def link(source: Path, target: Path) -> None:
    """Let a file lie under a second name, or copy it where the file system cannot do that.

    Parameters
    ----------
    source, target : Path
        From and to; files of a home are replaced and removed, never changed in place.

    Raises
    ------
    StoreBroken
        The file is gone, or the folder cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not _linked(source, target):
            shutil.copyfile(source, target)
    except OSError as error:
        raise StoreBroken(
            f"{source} cannot be copied to {target}: {error.strerror}. Check that the file is there (restore brings lost"
            " batches back) and that the disk has room."
        ) from error


def _linked(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        return False
    return True


def _link_files(source: Side, target: Side, part: Part) -> None:
    for batch_id in part.batches:
        rows, aside = source.folders.of_batch(part.model, batch_id)
        short = part.shortened.get(batch_id)
        link(short.rows if short else rows, target.folders.batch_rows(part.model, batch_id))
        if aside.is_file():
            link(aside, target.folders.batch_aside(part.model, batch_id))
    for path in _version_files(source, part):
        link(path, target.folders.home / path.relative_to(source.folders.home))


def _version_files(source: Side, part: Part) -> list[Path]:
    """Give the files that a version names by the hash of their content: its artifact, its reference rows."""
    found = source.database.rows(f"{VERSION_FILES} WHERE model = ? AND version = ?", [part.model, part.version])
    names = {sha256 for row in found for sha256 in row if sha256}
    return [path for path in sorted(source.folders.artifacts.iterdir()) if path.name.partition(".")[0] in names]


def _copy_table(source: Side, target: Database, part: Part, *, name: str, file: Path) -> None:
    columns = [row[1] for row in source.database.rows(f"PRAGMA table_info({text(name)})")]
    ordered = "ORDER BY entry" if "entry" in columns else ""
    source.database.run(
        f"COPY (SELECT * FROM {identifier(name)} WHERE {_condition(source, part, name, columns)} {ordered})"
        f" TO {text(file)} (FORMAT parquet)"
    )
    # entries are numbered anew, in their old order
    kept = ", ".join(identifier(c) for c in columns if c != "entry")
    target.run(f"INSERT INTO {identifier(name)} ({kept}) SELECT {kept} FROM read_parquet({text(file)}) {ordered}")
    file.unlink()


def _condition(source: Side, part: Part, name: str, columns: list[str]) -> str:
    ours = f"model = {text(part.model)}"
    if name == "labels":  # those of the copied rows, by whichever batch or file they came
        rows = [source.folders.batch_rows(part.model, batch_id) for batch_id in part.batches]
        rows = [part.shortened[b].rows if b in part.shortened else p for b, p in zip(part.batches, rows, strict=True)]
        return f"{ours} AND row_id IN (SELECT row_id FROM {parquet(rows)})" if rows else "false"
    if "batch_id" in columns:
        batches = ", ".join(text(b) for b in part.batches)
        return f"{ours} AND batch_id IN ({batches})" if batches else "false"
    return f"{ours} AND version = {int(part.version)}" if name in _OF_VERSION else ours


def _shorten(database: Database, model: str, batch_id: str, short: Shortened) -> None:
    """Write what a batch has without the rows that stay behind; what was replaced in it stays replaced."""
    key = [model, batch_id]
    database.run("DELETE FROM day_counts WHERE model = ? AND batch_id = ?", key)
    database.run("DELETE FROM batch_days WHERE model = ? AND batch_id = ?", key)
    counts = short.counts.select(COUNTS.names).cast(COUNTS)
    database.append("day_counts", counts, constants={"model": model, "batch_id": batch_id})
    newest = (
        "SELECT coalesce(record ->> '$.zone', 'UTC') FROM schemas WHERE model = ? ORDER BY schema_version DESC LIMIT 1"
    )
    ((zone,),) = database.rows(newest, [model])
    with database.incoming(counts):
        put_days(database, "incoming", model=model, batch_id=batch_id, zone=zone)
    database.run(
        "UPDATE batches SET row_count = ?, record = ? WHERE model = ? AND batch_id = ?",
        [short.report.rows, dump_text(short.report), *key],
    )
