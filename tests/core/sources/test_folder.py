"""Finished files are taken once; what leads out of the folder is not there."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from pipeline_core.clock import machine_clock
from pipeline_core.errors import InvalidDefinition, NotFound
from pipeline_core.sources.folder import Folder, check
from tests.core.sources.setups import setup


def put(root: Path, name: str, content: str, *, age_s: float = 60.0) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    written = machine_clock().timestamp() - age_s
    os.utime(path, (written, written))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def look(root: Path, cursor: str | None = None, **settings: str) -> tuple[dict[str, str], str | None, list[str]]:
    """Give the content of each file that is brought, by its name, and the last place."""
    work = root.parent / "work"
    work.mkdir(exist_ok=True)
    source = Folder(setup(root=str(root), **settings))
    found = {}
    with closing(source):
        for delivery in source.deliveries(cursor, folder=work):
            found[delivery.name.removeprefix("orders: ")] = delivery.path.read_text(encoding="utf-8")
            cursor = delivery.cursor
            source.settled(cursor)
    return found, cursor, source.notes


@pytest.mark.parametrize("glob", ["**.csv", "", "/x/*.csv", "../*.csv"])
def test_a_glob_that_is_no_pattern_is_refused_at_once(root: Path, glob: str) -> None:
    with pytest.raises(InvalidDefinition, match="'orders': the glob"):
        check("orders", {"root": str(root), "glob": glob})
    check("orders", {"root": str(root), "glob": "**/*.csv"})


def test_new_and_changed_files_are_taken_oldest_first(root: Path) -> None:
    put(root, "b.csv", "1", age_s=90)
    put(root, "a.csv", "2", age_s=80)
    found, cursor, notes = look(root)
    assert list(found.items()) == [("b.csv", "1"), ("a.csv", "2")]
    assert notes == []
    assert look(root, cursor)[0] == {}
    put(root, "a.csv", "3", age_s=70)
    put(root, "c.csv", "4", age_s=75)
    found, cursor, _ = look(root, cursor)
    assert list(found.items()) == [("c.csv", "4"), ("a.csv", "3")]
    (root / "a.csv").unlink()
    (root / "c.csv").unlink()
    (root / "b.csv").unlink()
    put(root, "d.csv", "5")
    assert '"a.csv"' not in str(look(root, cursor)[1])  # what is gone need not be remembered


def test_the_glob_chooses_and_goes_down(root: Path) -> None:
    put(root, "a.csv", "1")
    put(root, "a.txt", "2")
    put(root, "deep/er/b.csv", "3")
    assert set(look(root, glob="*.csv")[0]) == {"a.csv"}
    assert set(look(root, glob="**/*.csv")[0]) == {"a.csv", "deep/er/b.csv"}


def test_what_is_not_finished_waits(root: Path) -> None:
    put(root, "a.csv", "1", age_s=0)
    put(root, "b.csv.part", "2")
    put(root, "c.tmp", "3")
    put(root, ".hidden.csv", "4")
    put(root, ".git/d.csv", "5")
    found, cursor, notes = look(root, glob="**/*")
    assert (found, cursor) == ({}, None)
    assert notes == ["'a.csv' was written less than 2 s ago; the next run takes it."]
    assert set(look(root, settle_s="0")[0]) == {"a.csv"}


def test_a_file_that_changes_while_it_is_copied_waits(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(root, "a.csv", "1")
    real = Folder._look

    def grown(self: Folder, name: str) -> tuple[int, int] | None:
        seen = real(self, name)
        path.write_text("12", encoding="utf-8")
        return seen

    monkeypatch.setattr(Folder, "_look", grown)
    found, _, notes = look(root)
    assert found == {}
    assert notes == ["'a.csv' is still being written; the next run takes it."]


def test_links_and_paths_do_not_lead_out(root: Path) -> None:
    outside = put(root.parent, "secret/key.csv", "secret")
    (root / "link.csv").symlink_to(outside)
    (root / "linked").symlink_to(outside.parent)
    put(root, "a.csv", "1")
    os.mkfifo(root / "pipe.csv")
    assert set(look(root, glob="**/*")[0]) == {"a.csv"}
    assert set(look(root, glob="linked/*")[0]) == set()
    for glob in ("../secret/*", "/etc/*", "x/../../secret/*"):
        with pytest.raises(InvalidDefinition, match="leads out of its folder"):
            Folder(setup(root=str(root), glob=glob))


def test_a_file_that_was_not_kept_is_offered_again_and_the_others_are_kept(root: Path) -> None:
    put(root, "bad.csv", "1", age_s=90)
    put(root, "good.csv", "2", age_s=80)
    source = Folder(setup(root=str(root)))
    cursor = None
    for delivery in source.deliveries(None, folder=root.parent):
        if "good" in delivery.name:
            cursor = delivery.cursor
            source.settled(cursor)
    assert set(look(root, cursor)[0]) == {"bad.csv"}


def test_a_file_that_is_too_large_is_left_for_the_door_to_refuse(root: Path) -> None:
    put(root, "a.csv", "x" * 5_000_000)
    source = Folder(setup(root=str(root), bytes_max=1_000_000))
    (delivery,) = source.deliveries(None, folder=root.parent)
    assert 1_000_000 < delivery.path.stat().st_size < 5_000_000


def test_a_file_that_is_gone_or_closed_to_us_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "_finished", lambda _self: {"gone.csv": (1, 1)})
    found, _, notes = look(root)
    assert found == {}
    assert notes == ["'gone.csv' cannot be read (No such file or directory); the next run tries again."]


def test_too_many_files_are_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline_core.sources.folder._FILES_MAX", 1)
    put(root, "a.csv", "1")
    put(root, "b.csv", "2")
    with pytest.raises(InvalidDefinition, match=r"more than 1 files match '\*'. Move old ones away"):
        look(root)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = Folder(setup(root=str(tmp_path / "none")))
    with pytest.raises(NotFound, match=r"there is no folder .*none"):
        next(source.deliveries(None, folder=tmp_path))
