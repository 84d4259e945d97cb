"""How a file was read, in words, and what a person may say instead; pure. Foreign names are escaped here.

Neighbours: ``reader`` draws the choices, the core finds the reading out and has the doubts. It refuses to guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from pages.ui import wording
from pipeline_core.records import Doubt, Reading, dump, load

FORMATS = {"csv": "CSV", "json": "JSON", "parquet": "Parquet", "arrow": "Arrow", "excel": "Excel"}
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "cp1252 (Western Europe)",
    "latin-1": "latin-1 (Western Europe)",
    "cp1250": "cp1250 (Central Europe)",
    "cp1251": "cp1251 (Cyrillic)",
    "cp1253": "cp1253 (Greek)",
    "cp1254": "cp1254 (Turkish)",
    "cp1255": "cp1255 (Hebrew)",
    "cp1256": "cp1256 (Arabic)",
    "cp949": "cp949 (Korean)",
    "euc_kr": "euc_kr (Korean)",
    "cp932": "cp932 (Japanese)",
    "shift_jis": "shift_jis (Japanese)",
    "gb18030": "gb18030 (Chinese)",
    "big5": "big5 (Chinese)",
    "utf-16": "UTF-16",
}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar |", " ": "blank"}
DECIMALS = {".": "point (1.5)", ",": "comma (1,5)"}
ORDERS = {"ymd": "year first (2025-12-31)", "dmy": "day first (31.12.2025)", "mdy": "month first (12/31/2025)"}
HEADERS = {"yes": "names", "no": "values"}

_LABELS: Mapping[str, Mapping[str, str]] = {
    "encoding": ENCODINGS,
    "delimiter": DELIMITERS,
    "decimal": DECIMALS,
    "date_order": ORDERS,
    "header": {"yes": "yes, it holds the names", "no": "no, it holds values: make up names"},
}
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
_TEXT = {None, "csv"}
_FLAG = re.compile(r"(?:: say|\.? If [^.:]*, say) --[a-z].*$", re.DOTALL)


def label(topic: str, value: str) -> str:
    """Name one answer to a question about reading; what a stranger named (a sheet) is escaped."""
    if topic == "nulls":
        return f"{value.replace('-', wording.MINUS)} means “no value”"
    return _LABELS.get(topic, {}).get(value, wording.safe(value))


def answers(doubt: Doubt) -> tuple[str, ...]:
    """Give what may be said to a doubt, the likeliest first."""
    return tuple(dict.fromkeys(value for value in (doubt.chosen, *doubt.options) if value))


def question(doubt: Doubt) -> str:
    """Give the question of a doubt, escaped, without the flags that a command line has for it."""
    return wording.safe(_FLAG.sub(".", doubt.message), length=700)


def answered(reading: Reading, topic: str, value: str) -> Reading:
    """Give the reading with one more thing said."""
    match topic:
        case "header":
            return replace(reading, header=value == "yes")
        case "nulls":
            return replace(reading, nulls=tuple(dict.fromkeys((*reading.nulls, value))))
        case "names":
            return replace(reading, names=tuple(name.strip() for name in value.splitlines() if name.strip()))
        case _:
            return load(Reading, dump(reading) | {topic: value})


def unsaid(reading: Reading, topic: str) -> Reading:
    """Give the reading with nothing said on a topic."""
    return load(Reading, {name: value for name, value in dump(reading).items() if name != topic})


def is_settled(reading: Reading, topic: str) -> bool:
    """Say whether something was said on a topic."""
    return getattr(reading, topic) not in {None, ()}


def open_questions(doubts: Iterable[Doubt], said: Reading) -> tuple[Doubt, ...]:
    """Give the doubts that hold the file up, one a topic, until somebody has said."""
    found: dict[str, Doubt] = {}
    for doubt in doubts:
        if doubt.blocking and not is_settled(said, doubt.topic):
            found.setdefault(doubt.topic, doubt)
    return tuple(found.values())


def hints(doubts: Iterable[Doubt], said: Reading) -> tuple[Doubt, ...]:
    """Give the doubts that hold nothing up and that nobody has settled."""
    return tuple(d for d in doubts if not d.blocking and not set(answers(d)) & set(said.nulls))


def described(reading: Reading) -> str:
    """Say how a file was read, in one line."""
    parts = [f"**{FORMATS.get(reading.format or '', 'a table')}**"]
    if reading.encoding and reading.format in _TEXT:
        name = "utf-8" if reading.encoding.replace("_", "-") in {"utf-8", "utf-8-sig", "ascii"} else reading.encoding
        parts.append(ENCODINGS.get(name, wording.safe(name)))
    if reading.delimiter and reading.format in _TEXT:
        parts.append(f"{_MARKS.get(reading.delimiter, 'other marks')} between the fields")
    if reading.sheet:
        parts.append(f"sheet {wording.safe(reading.sheet, length=40)}")
    if reading.decimal == ",":
        parts.append("decimal comma")
    if reading.date_order in {"dmy", "mdy"}:
        parts.append(f"dates {'day' if reading.date_order == 'dmy' else 'month'} first")
    if reading.header is False:
        parts.append("no header")
    if reading.nulls:
        parts.append(f"{wording.listing(reading.nulls)} as missing")
    return f"Read as {', '.join(parts)}."


def is_text(reading: Reading) -> bool:
    """Say whether a file is made of cells of text, whose encoding and marks can be read otherwise."""
    return reading.format in _TEXT
