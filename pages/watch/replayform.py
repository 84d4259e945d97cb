"""The form of a replay: the history, the window, when labels are known and where the past ends."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.typing import UploadedFile

from pages.intake import arrival
from pages.ui import session, wording
from pages.watch import sizes
from pipeline_core.records import Schema, TimeUnit

SHORTEST, AT_ONCE = "the shortest that fits", "with the row"
CLOCK_DELAYS = ("7d", "14d", "30d", "60d", "90d")
ORDER_DELAYS = ("100rows", "1000rows", "5000rows")


def form(schema: Schema, *, busy: bool, first: bool) -> None:
    """Draw the form; its button queues the replay, and the progress above follows it."""
    with st.expander("Replay a history", icon=":material/replay:", expanded=first and not busy, key="replay_form"):
        upload, path = _history()
        arguments = _choices(schema)
        go = st.button(
            "Replay",
            type="primary" if first else "secondary",
            icon=":material/play_arrow:",
            key="replay_go",
            disabled=busy,
            help="A replay is running." if busy else None,
        )
        if not go:
            return
        if upload is None and not path:
            st.warning(
                f"No history was chosen. Upload a file ({arrival.FORMATS}), or give the path of one on this machine."
            )
            return
        with session.guard(), _file(upload, path) as file:
            source = upload.name if upload is not None else file.name
            session.submit("replay", schema.model, {**arguments, "source": source}, file=file)
            st.rerun()


def _history() -> tuple[UploadedFile | None, str]:
    """Ask for a file, from the person's machine or from that of the app."""
    left, right = st.columns(2, gap="large")
    upload = left.file_uploader(
        f"History: {arrival.FORMATS}", type=arrival.KINDS, key="replay_file", max_upload_size=arrival.limit_mb(),
        help="Rows that the champion was made from may be among them; they are left out and counted.",
    )  # fmt: skip
    with right:
        path = st.text_input(
            "Or a file on the machine of this app", key="replay_path", placeholder="/data/history.parquet"
        )
        st.caption("One table with the columns of the first file, also the target where it is known.")
    return upload, path.strip()


def _choices(schema: Schema) -> dict[str, Any]:
    """Ask how it is replayed; give the arguments of the verb."""
    timed = schema.time_unit in {TimeUnit.CLOCK, TimeUnit.DAY}
    lengths = sizes.usual(schema)
    window, delay, until = st.columns(3, gap="medium", vertical_alignment="bottom")
    size = window.selectbox(
        "Window", [SHORTEST, *lengths], key="replay_window", accept_new_options=True,
        format_func=lambda size: size if size == SHORTEST else sizes.size_words(size),
        help="As a check takes it: 6h, 7d, 1w, 1mo, 7d/1d (7 days, every day), 1000rows.",
    )  # fmt: skip
    late = delay.selectbox(
        "Labels are known", [AT_ONCE, *(CLOCK_DELAYS if timed else ORDER_DELAYS)], key="replay_delay", accept_new_options=True,
        format_func=lambda delay: delay if delay == AT_ONCE else f"{sizes.size_words(delay)} after it",
        help="So long after its event the truth about a row is known. What is not known by the end counts as unknown.",
    )  # fmt: skip
    with until:
        end = _until(schema)
    return {
        "window": None if size == SHORTEST else size,
        "label-delay": None if late == AT_ONCE else late,
        "until": end,
    }


def _until(schema: Schema) -> str | None:
    hint = "Only rows before this moment are replayed, and only labels that are known by then count."
    if schema.time_unit is TimeUnit.NONE:
        return None
    if schema.time_unit is TimeUnit.CLOCK:
        # without a range of its own the calendar ends ten years from today, and begins ten years ago
        first, last = date(1970, 1, 1), date(2100, 1, 1)
        picked = st.date_input(
            "Until (optional)", value=None, min_value=first, max_value=last, key="replay_until", help=hint
        )
        return None if picked is None else picked.isoformat()
    unit = "day" if schema.time_unit is TimeUnit.DAY else "row"
    number = st.number_input(f"Until {unit} (optional)", value=None, step=1, key="replay_until", help=hint)
    return None if number is None else wording.count(int(number)).replace(",", "")


@contextmanager
def _file(upload: UploadedFile | None, path: str) -> Generator[Path]:
    if upload is None:
        yield Path(path).expanduser()
        return
    with arrival.on_disk(upload) as file:
        yield file
