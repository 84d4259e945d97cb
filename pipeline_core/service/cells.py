"""How single values and tables read in a terminal.

Neighbours: ``lines`` puts whole answers together from these. It refuses to print what could steer a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Content = Mapping[str, Any]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Set a table in columns; numbers to the right.

    Parameters
    ----------
    header : sequence of str
        Column titles.
    rows : iterable of sequences
        Cells: text, numbers or None.

    Returns
    -------
    list of str
    """
    shown = [[cell(value) for value in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *shown]) for i in range(len(header))]
    numeric = [bool(shown) and all(_is_number(row[i]) for row in shown) for i in range(len(header))]

    def set_line(cells: Sequence[str]) -> str:
        set_cells = [c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, numeric, strict=True)]
        return "  ".join(set_cells).rstrip()

    return [set_line(list(header)), *(set_line(row) for row in shown)]


def cell(value: object) -> str:
    """Put one value of a table into words.

    Parameters
    ----------
    value : object
        Text, a number or None.

    Returns
    -------
    str
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return plain(str(value))


def plain(text: str) -> str:
    """Keep control characters of a hostile name out of the terminal.

    Parameters
    ----------
    text : str
        Foreign text.

    Returns
    -------
    str
    """
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _is_number(text: str) -> bool:
    if text == "-":
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def figure(content: Content | None) -> str:
    """Put a figure into words: value and interval, or why there is none.

    Parameters
    ----------
    content : mapping or None
        A dumped ``Measured`` or ``NotMeasured``.

    Returns
    -------
    str
    """
    if content is None:
        return "-"
    if "reason" in content:
        return f"not measured: {content['reason']}"
    text = cell(float(content["value"]))
    if content.get("low") is not None and content.get("high") is not None:
        text += f" ({cell(float(content['low']))} to {cell(float(content['high']))})"
    return text
