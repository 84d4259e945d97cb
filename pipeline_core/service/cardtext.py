"""A model card as a file that somebody opens: Markdown or one HTML page that fetches nothing.

Names of columns, people's reasons and everything else on a card is foreign text: it is escaped here, all of it, so that it
can be read and never rendered or run. Neighbours: ``flows.card`` says what stands on a card.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import CardSection, CardTable, ModelCard

_INSIDE = re.compile(r"([\\`*_\[\]<>|&$~^#!:@{}])")
_STARTS = re.compile(r"^(\d+)([.)])(?=\s|$)|^([+\-=])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")
_LINK = re.compile(r"(?<=www)(?=\.)|(?<=//)", re.IGNORECASE)


def markdown_text(text: str) -> str:
    """Escape text for Markdown: one line that only can be read.

    Parameters
    ----------
    text : str
        Foreign.

    Returns
    -------
    str
    """
    line = " ".join(_CONTROL.sub(" ", text).split())
    # a word joiner keeps an address from becoming a link after the escapes are gone
    line = _INSIDE.sub(r"\\\1", _LINK.sub("\u2060", line))
    return _STARTS.sub(lambda found: f"{found[1]}\\{found[2]}" if found[1] else f"\\{found[3]}", line)


def markdown(card: ModelCard) -> str:
    """Write a card as Markdown.

    Parameters
    ----------
    card : ModelCard
        Of a version.

    Returns
    -------
    str
    """
    lines = [f"# {markdown_text(card.title)}", "", f"Written {card.made_at:%Y-%m-%d %H:%M} UTC."]
    for section in card.sections:
        lines += ["", f"## {markdown_text(section.title)}", ""]
        lines += [f"- {markdown_text(sentence)}" for sentence in section.sentences]
        if section.table is not None:
            lines += ([""] if section.sentences else []) + _markdown_table(section.table)
    return "\n".join(lines) + "\n"


def _markdown_table(table: CardTable) -> list[str]:
    def line(cells: tuple[str, ...]) -> str:
        return f"| {' | '.join(markdown_text(cell) for cell in cells)} |"

    return [line(table.header), f"|{' --- |' * len(table.header)}", *(line(row) for row in table.rows)]


_STYLE = """
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.45; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #8888; }
table { border-collapse: collapse; font-size: .9rem; } th, td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
@media print { body { margin: 0; } h2 { break-after: avoid; } }
"""


def page(card: ModelCard) -> str:
    """Write a card as one HTML page that fetches and runs nothing.

    Parameters
    ----------
    card : ModelCard
        Of a version.

    Returns
    -------
    str
    """
    title = _html(card.title)
    body = "\n".join(_section(section) for section in card.sections)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<p>Written {card.made_at:%Y-%m-%d %H:%M} UTC.</p>\n{body}\n</body>\n</html>\n"
    )


def _section(section: CardSection) -> str:
    said = "".join(f"<li>{_html(sentence)}</li>\n" for sentence in section.sentences)
    parts = [f"<h2>{_html(section.title)}</h2>", f"<ul>\n{said}</ul>" if said else ""]
    if section.table is not None:
        head = "".join(f'<th scope="col">{_html(cell)}</th>' for cell in section.table.header)
        rows = "\n".join(f"<tr>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>" for row in section.table.rows)
        parts.append(f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>")
    return "\n".join(part for part in parts if part)


def _html(text: str) -> str:
    return html.escape(" ".join(_CONTROL.sub(" ", text).split()), quote=True)


def write(card: ModelCard, path: Path) -> None:
    """Write a card by the ending of the file's name.

    Parameters
    ----------
    card : ModelCard
        Of a version.
    path : Path
        Where to; an existing file is replaced.

    Raises
    ------
    InvalidDefinition
        Another ending, or the folder cannot be written to.
    """
    put = writer(path)
    try:
        path.write_text(put(card), encoding="utf-8")
    except OSError as error:
        raise InvalidDefinition(f"{path} cannot be written: {error.strerror or error}. Choose another place.") from None


def writer(path: Path) -> Callable[[ModelCard], str]:
    """Give what writes a card into a file of this ending, before anything is computed for it.

    Parameters
    ----------
    path : Path
        Where the file shall go.

    Returns
    -------
    callable

    Raises
    ------
    InvalidDefinition
        The ending says nothing.
    """
    found = ENDINGS.get(path.suffix.lower())
    if found is None:
        raise InvalidDefinition(
            f"The file {path.name!r} has no ending that says how to write a card: {', '.join(ENDINGS)}."
        )
    return found


ENDINGS: Mapping[str, Callable[[ModelCard], str]] = {".md": markdown, ".html": page}
