"""A write-ahead log that cannot be read: kept for a person to look at, and put out of the way of the database.

What DuckDB has not yet moved into its file lies in ``store.duckdb.wal``. A flipped byte in there makes it refuse to
open at all, although everything before that byte, and the file itself, are sound. Neighbours: ``database`` calls this
when it cannot open; ``losses`` says what was in the part that is gone. It refuses to touch anything but the log.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

LOGGER = logging.getLogger(__name__)
_PLACE = re.compile(r"at byte position (\d+)")


def open_without(path: Path, connect: Callable[[], Any], *, error: duckdb.Error, at: datetime) -> tuple[Any, str]:
    """Open a database whose log cannot be read: with the sound beginning of it, or without it.

    Parameters
    ----------
    path : Path
        The DuckDB file.
    connect : callable
        Opens it.
    error : duckdb.Error
        Why it could not be opened.
    at : datetime
        Now: names the copy of the log.

    Returns
    -------
    (connection, str)
        And a sentence about what was done.

    Raises
    ------
    duckdb.Error
        The given one: the log is not the reason, and everything is as it was.
    """
    logs = sorted(p for p in path.parent.glob(f"{path.name}.wal*") if ".broken-" not in p.name)
    if not logs or "wal" not in str(error).lower():
        raise error
    aside = [(log, log.with_name(f"{log.name}.broken-{at:%Y%m%dT%H%M%S%f}")) for log in logs]
    for log, kept in aside:
        log.rename(kept)
    for length in _lengths(str(error)):
        with suppress(duckdb.Error):
            if length:
                shutil.copy2(aside[0][1], logs[0])
                os.truncate(logs[0], length)
            connection = connect()
            sentence = (
                f"{logs[0]} could not be read ({str(error).splitlines()[0]}). It is kept as {aside[0][1].name}; the store was "
                f"opened on {'what is sound of it' if length else 'its last checkpoint'}."
            )
            LOGGER.warning(sentence)
            return connection, sentence
        logs[0].unlink(missing_ok=True)
    for log, kept in aside:
        kept.rename(log)
    raise error


def _lengths(said: str) -> list[int]:
    """Give the lengths of the log to try: up to the entry that is damaged, and nothing."""
    place = _PLACE.search(said)
    return [int(place[1]), 0] if place else [0]
