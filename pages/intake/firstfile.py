"""The first file of a model: chosen by upload or path, looked at once, kept for this person until it is defined."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.typing import UploadedFile

from pages.intake import arrival, roles
from pages.ui import session, wording
from pipeline_core.flows import intake
from pipeline_core.service.door import allowed_hosts

SEEN, TURN = "define_seen", "define_turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstFile:
    """An upload, or a file of this machine; ``identity`` changes with the content."""

    name: str
    identity: str
    upload: UploadedFile | None = None
    path: Path | None = None

    @contextmanager
    def on_disk(self) -> Generator[Path]:
        """Give it as a file for as long as a flow reads it."""
        if self.upload is not None:
            with arrival.on_disk(self.upload) as path:
                yield path
        elif self.path is not None:
            yield self.path


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
            "Path", key=f"define_path_{turn}", placeholder="/data/loans.parquet", help="CSV, Parquet or JSON lines."
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
        "CSV, Parquet or JSON lines", type=arrival.KINDS, key=f"define_file_{turn}", max_upload_size=arrival.limit_mb()
    )
    return None if upload is None else FirstFile(name=upload.name, identity=upload.file_id, upload=upload)


def look(file: FirstFile) -> intake.Preview | None:
    """Read the file once and fill the choices with what it suggests; None where it cannot be read."""
    seen = st.session_state.get(SEEN)
    if seen is not None and seen[0] == file.identity:
        preview: intake.Preview = seen[1]
        return preview
    read: intake.Preview | None = None
    with session.guard(), st.spinner(f"Reading {wording.safe(file.name)} …", show_time=True), file.on_disk() as path:
        read = intake.preview(path, name=file.name, policy=session.store().policy)
        st.session_state[SEEN] = (file.identity, read)
        roles.begin(read.suggestion, file_name=file.name)
    return read


def done() -> None:
    """Forget the file: its model is defined."""
    st.session_state.pop(SEEN, None)
    st.session_state[TURN] += 1


def head(preview: intake.Preview) -> list[dict[str, object]]:
    """Give the first rows of the file; text that a spreadsheet would run is quoted."""
    return [{name: wording.cell(value) for name, value in row.items()} for row in preview.rows.to_pylist()]
