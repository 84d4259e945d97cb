"""Predictions as a file that somebody opens in a spreadsheet, which must not run what a stranger wrote.

Neighbours: ``lines`` puts answers into a terminal, ``__main__`` asks for both. It refuses an ending that says nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from pipeline_core.errors import InvalidDefinition

FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")  # full-width forms run too
CELL_BREAKS = ("\t", "\r", "\n", "\0")
SKIPPED = " \t\r\n\v\f\0\u00a0\ufeff"
PLAIN_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def write(predictions: pa.Table, path: Path) -> None:
    """Write predictions by the ending of the file's name: Parquet, CSV (safe in a spreadsheet) or JSON lines.

    Parameters
    ----------
    predictions : pyarrow.Table
        Columns row_id, prediction, score.
    path : Path
        Where to; an existing file is replaced.

    Raises
    ------
    InvalidDefinition
        Another ending, or the folder cannot be written to.
    """
    put = writer(path)
    try:
        put(predictions, path)
    except OSError as error:
        raise InvalidDefinition(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from None


def writer(path: Path) -> Callable[[pa.Table, Path], None]:
    """Give what writes a file of this ending, before anything is computed for it.

    Parameters
    ----------
    path : Path
        Where the file shall go.

    Returns
    -------
    callable
        Takes the table and the path.

    Raises
    ------
    InvalidDefinition
        The ending says nothing.
    """
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise InvalidDefinition(
            f"The file {path.name!r} has no ending that says how to write it: {', '.join(ENDINGS)}."
        )
    return found


def harmless(text: str | None) -> str | None:
    """Put an apostrophe before text that a spreadsheet would run as a formula; numbers stay numbers.

    Parameters
    ----------
    text : str or None
        A cell or a header; what a spreadsheet skips at its beginning is skipped here too.

    Returns
    -------
    str or None
    """
    if text is None or PLAIN_NUMBER.fullmatch(text):
        return text
    runs = text.startswith(CELL_BREAKS) or text.lstrip(SKIPPED).startswith(FORMULA_STARTS)
    return f"'{text}" if runs else text


def _write_parquet(predictions: pa.Table, path: Path) -> None:
    pyarrow.parquet.write_table(predictions, path, compression="zstd")


def _write_csv(predictions: pa.Table, path: Path) -> None:
    safe = predictions
    for index, column in enumerate(predictions.schema):
        if pa.types.is_string(column.type):
            values = [harmless(text) for text in predictions.column(index).to_pylist()]
            safe = safe.set_column(index, column.name, pa.array(values, type=pa.string()))
    pyarrow.csv.write_csv(safe, path)


def _write_lines(predictions: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for row in predictions.to_pylist():
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


ENDINGS: Mapping[str, Callable[[pa.Table, Path], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_lines,
    ".ndjson": _write_lines,
}
