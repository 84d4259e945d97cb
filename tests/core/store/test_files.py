"""A file gets into the home whole or not at all, under a name that is no path."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline_core.errors import NotFound, StoreBroken, Unreadable
from pipeline_core.store import Store, files
from pipeline_core.store.files import Folders, checked_hash, raw_name, remove_files, stage_copy, stage_move, sweep

SHA = hashlib.sha256(b"x").hexdigest()


def test_names_come_from_hashes_and_ids_only(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    assert folders.model_rows("../../etc").parent == tmp_path / "rows"
    assert folders.batch_rows("bank", "b-0001").name == "b-0001.parquet"
    assert folders.artifact(SHA) == tmp_path / "artifacts" / f"{SHA}.skops"
    assert raw_name(SHA, Path("a.CSV")) == f"{SHA}.csv"
    assert raw_name(SHA, Path("a.csv.gz%")) == f"{SHA}.bin"
    for bad in ("", "../x", SHA.upper(), SHA + "0", SHA[:-1] + "/"):
        with pytest.raises(NotFound, match="is no SHA-256"):
            checked_hash(bad)
    for bad in ("", "a/b", "..", "b-1.parquet"):
        with pytest.raises(NotFound, match="is no batch id"):
            folders.batch_rows("bank", bad)


def test_a_staged_file_is_complete_before_it_is_in_place(tmp_path: Path) -> None:
    source, target = tmp_path / "a", tmp_path / "kept" / "a.csv"
    source.write_bytes(b"x")
    staged = stage_copy(source, target)
    assert (staged.sha256, staged.temporary.read_bytes(), target.exists()) == (SHA, b"x", False)
    staged.discard()
    staged.discard()
    assert not list(target.parent.iterdir())
    with pytest.raises(Unreadable, match="cannot be copied"):
        stage_copy(tmp_path, target)
    moved = stage_move(source, target)
    moved.discard()
    assert (moved.temporary, moved.shared, source.exists()) == (source, False, True)


def test_a_file_on_another_disk_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = tmp_path / "a", tmp_path / "kept" / "a.parquet"
    source.write_bytes(b"x")
    target.parent.mkdir()
    stat = Path.stat

    def elsewhere(path: Path, **named: bool) -> object:
        return SimpleNamespace(st_dev=-1, st_mode=stat(path).st_mode) if path == source else stat(path, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "stat", elsewhere)
        moved = stage_move(source, target)
    assert (moved.temporary.parent, moved.temporary.read_bytes(), moved.taken) == (target.parent, b"x", False)
    moved.discard()
    assert [source.exists(), *target.parent.iterdir()] == [True]


def test_a_folder_that_cannot_be_written_is_said(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"x")
    (tmp_path / "kept").touch()
    with pytest.raises(StoreBroken, match="a cannot be written: File exists"):
        stage_move(source, tmp_path / "kept" / "a")
    staged = stage_move(source, store.home / "rows" / "a")
    source.unlink()
    with pytest.raises(StoreBroken, match="a cannot be written: No such file"), store.transaction():
        staged.place(store._database)


def test_a_sweep_takes_old_strays_only(tmp_path: Path) -> None:
    for name in ("named", "stray", "half.tmp", "sub/stray"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("x")
    now = (tmp_path / "stray").stat().st_mtime
    lost = tmp_path.with_name("lost")
    assert sweep(tmp_path, named={tmp_path / "named"}, before=now - 60, lost=lost) == 0
    assert not lost.exists()
    assert sweep(tmp_path, named={tmp_path / "named"}, before=now + 60, lost=lost) == 3
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["named"]
    # whole files are set aside, half-written ones go
    names = sorted(p.name.rsplit("-", 1)[0] for p in lost.iterdir())
    assert names == sorted([f"{tmp_path.name}-stray", "sub-stray"])
    remove_files([tmp_path / "sub", tmp_path / "named", tmp_path / "absent"])
    assert not list(tmp_path.iterdir())


def test_strays_of_one_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    rows, lost = tmp_path / "rows", tmp_path / "lost"
    rows.mkdir()
    for number, content in enumerate(["first", "second"], start=1):
        stray = rows / "b-0001.parquet"
        stray.write_text(content)
        os.utime(stray, ns=(number, number))
        assert sweep(rows, named=set(), before=1.0, lost=lost) == 1
    kept = {p.name: p.read_text() for p in lost.iterdir()}
    assert kept == {"rows-b-0001-1.parquet": "first", "rows-b-0001-2.parquet": "second"}


def test_a_new_folder_is_flushed_into_the_one_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[Path] = []
    monkeypatch.setattr(files, "flush_folder", flushed.append)
    folders = Folders(tmp_path / "home")
    folders.make()
    source = tmp_path / "a"
    source.write_bytes(b"x")
    assert flushed == [folders.home]
    for batch_id in ("b-0001", "b-0002"):
        stage_copy(source, folders.batch_rows("bank", batch_id))
    assert flushed == [folders.home, folders.rows]
