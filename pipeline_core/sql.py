"""How values are written into SQL text; the one place that quotes.

Parameters are bound wherever SQL allows it. Identifiers and the few literals that a statement is
built from pass through here, so that no name from a file can end a string or start a statement.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pipeline_core.errors import InvalidDefinition


def identifier(name: str) -> str:
    """Quote a name for SQL.

    Parameters
    ----------
    name : str
        A column, table or view name, however hostile.

    Returns
    -------
    str
        The name in double quotes, inner quotes doubled.

    Raises
    ------
    InvalidDefinition
        The name is empty or holds a NUL, which no file column may be called.

    Examples
    --------
    >>> identifier('a"b')
    '"a""b"'
    """
    if not name or "\0" in name:
        raise InvalidDefinition(f"{name!r} cannot name a column: it is empty or holds a NUL. Rename it in the file.")
    return '"' + name.replace('"', '""') + '"'


def text(value: str | Path) -> str:
    """Quote a text for SQL.

    Parameters
    ----------
    value : str or Path
        Any text without NUL.

    Returns
    -------
    str
        The text in single quotes, inner quotes doubled.

    Raises
    ------
    InvalidDefinition
        The text holds a NUL.

    Examples
    --------
    >>> text("O'Brien")
    "'O''Brien'"
    """
    given = str(value)
    if "\0" in given:
        raise InvalidDefinition(f"{given!r} holds a NUL, which no file path or text here may. Remove it.")
    return "'" + given.replace("'", "''") + "'"


def moment(value: datetime) -> str:
    """Write an aware time as a naive UTC timestamp literal, as rows and counts store it.

    Parameters
    ----------
    value : datetime
        Aware, in any zone.

    Returns
    -------
    str
        ``TIMESTAMP '2025-01-06 00:00:00.000000'``.

    Examples
    --------
    >>> moment(datetime(2025, 1, 6, tzinfo=UTC))
    "TIMESTAMP '2025-01-06 00:00:00.000000'"
    """
    return f"TIMESTAMP '{value.astimezone(UTC).strftime('%Y-%m-%d %H:%M:%S.%f')}'"
