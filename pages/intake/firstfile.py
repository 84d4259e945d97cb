"""The first file of a model: chosen by upload or path, looked at once, kept for this person until it is defined."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from pages.intake import arrival, reader, roles
from pages.ui import session, wording
from pipeline_core.flows import intake
from pipeline_core.flows.definition import LOOKED_AT_ROWS
from pipeline_core.records import Reading
from pipeline_core.service.door import allowed_hosts

SEEN, LOOKED_AT, TURN, READ = "define_seen", "define_looked_at", "define_turn", "define"
LOOKED_AT_BYTES = 1_000_000
_TEXTS = {".csv", ".tsv", ".txt", ".gz", ".zst", ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFile:
    """An upload, or a file of this machine; ``identity`` changes with the content."""

    name: str
    identity: str
    upload: UploadedFile | None = None
    path: Path | None = None

    @property
    def is_text(self) -> bool:
        """Whether its name says that it may be text, which can be read in several ways."""
        return Path(self.name).suffix.lower() in _TEXTS

    def is_whole(self, rows: int) -> bool:
        """Whether a look at its beginning, in which so many rows were found, has seen all of it."""
        size = self.upload.size if self.upload is not None else self.path.stat().st_size if self.path is not None else 0
        packed = Path(self.name).suffix.lower() in {".gz", ".zst", ".parquet"}
        return rows < LOOKED_AT_ROWS and size <= LOOKED_AT_BYTES and not packed

    @contextmanager
    def on_disk(self) -> Generator[Path]:
        """Give it as a file for as long as a flow reads it."""
        if self.upload is not None:
            with arrival.on_disk(self.upload) as path:
                yield path
        elif self.path is not None:
            yield self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a file, read as the person said."""

    identity: str
    said: Reading
    preview: intake.Preview


def choose() -> FirstFile | None:
    """Draw the choice of the file and give it; None while there is none."""
    turn = st.session_state.setdefault(TURN, 0)  # a new key empties the fields once a model is defined
    ways = {"upload": "Upload a file"}
    if not allowed_hosts():  # people elsewhere must not read this machine's files
        ways["path"] = "A path on this machine"
    way = st.segmented_control(
        "Where is the file?", list(ways), format_func=ways.__getitem__, default="upload", key="define_way"
    )
    if way == "path":
        text = st.text_input(
            "Path", key=f"define_path_{turn}", placeholder="/data/loans.parquet", help=f"{arrival.FORMATS}."
        )
        if not text or not text.strip():
            return None
        path = Path(text.strip())
        with suppress(RuntimeError):  # "~nobody" stays as it was typed, and is then not found
            path = path.expanduser()
        stamp = path.stat() if path.is_file() else None
        identity = f"{path}:{stamp.st_mtime_ns}:{stamp.st_size}" if stamp else str(path)
        return FirstFile(name=path.name, identity=identity, path=path)
    upload = st.file_uploader(
        arrival.FORMATS, type=arrival.KINDS, key=f"define_file_{turn}", max_upload_size=arrival.limit_mb()
    )
    return None if upload is None else FirstFile(name=upload.name, identity=upload.file_id, upload=upload)


def look(file: FirstFile) -> intake.Preview | None:
    """Read its beginning, once for each way that the person asks for, and fill the choices; None where it cannot be read."""
    seen: Seen | None = st.session_state.get(SEEN)
    if seen is not None and seen.identity != file.identity:
        seen = None
    if seen is None and st.session_state.get(LOOKED_AT) != file.identity:
        reader.begin(READ)
        st.session_state[LOOKED_AT] = file.identity
    said = reader.said(READ)
    if seen is not None and seen.said == said:
        return seen.preview
    read = _read(file, said)
    if read is None:
        if seen is not None or file.is_text:
            reader.change(READ, seen.preview.unpacked.reading if seen else Reading(), expanded=True)
        return None
    names = [column.name for column in read.unpacked.columns]
    reader.fill(READ, read.unpacked.reading, names)
    if seen is None or names != [column.name for column in seen.preview.unpacked.columns]:
        roles.begin(read.suggestion, file_name=file.name)
    st.session_state[SEEN] = Seen(identity=file.identity, said=said, preview=read)
    return read


def _read(file: FirstFile, said: Reading) -> intake.Preview | None:
    read: intake.Preview | None = None
    with session.guard(), st.spinner(f"Reading {wording.safe(file.name)} …", show_time=True), file.on_disk() as path:
        read = intake.preview(session.store(), path, name=file.name, reading=said)
    return read  # ruff: ignore[unnecessary-assign]  # the guard shows a known error and goes on


def done() -> None:
    """Forget the file: its model is defined."""
    st.session_state.pop(SEEN, None)
    st.session_state.pop(LOOKED_AT, None)
    st.session_state[TURN] += 1


def head(preview: intake.Preview) -> list[dict[str, object]]:
    """Give the first rows of the file; text that a spreadsheet would run is quoted."""
    return [{name: wording.cell(value) for name, value in row.items()} for row in preview.rows.to_pylist()]
