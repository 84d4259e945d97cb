"""What may be asked of a verb: its options, their kinds, and the sentence where an argument does not fit.

Neighbours: ``verbs`` is the table of what there is; ``__main__`` reads options from a command line, ``api`` from JSON.
It decides nothing about data.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline_core.errors import InvalidDefinition, NotFound, nearest
from pipeline_core.records import Reading, load
from pipeline_core.store.home import Store

Progress = Callable[[float, str], None]
Arguments = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One argument of a verb. ``kind``: text, whole, names (a list), types (name -> type), pairs (key -> text) or flag.

    ``positional``: on a command line it stands behind the verb without its name.
    """

    help: str
    kind: str = "text"
    required: bool = False
    positional: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a verb was asked: checked arguments, and where to say how far it is."""

    model: str
    arguments: Arguments
    file: Path | None
    progress: Progress

    @property
    def data(self) -> Path:
        """The file of a verb that needs one."""
        if self.file is None:
            raise InvalidDefinition("This verb reads a file and none was given. Name it with --data FILE.")
        return self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One verb.

    ``run`` calls the flow; ``no`` says of its record whether the answer is no (exit code 1); ``long`` work belongs to
    the worker, whose row keeps single values of the answer, or the ``whole`` of it where nothing else does; ``file`` is
    ``no``, ``optional`` or ``required``; ``model`` likewise.
    """

    summary: str
    run: Callable[[Store, Call], object]
    no: Callable[[Any], bool] = lambda _record: False
    long: bool = False
    whole: bool = False
    file: str = "no"
    model: str = "required"
    options: Mapping[str, Option] = field(default_factory=dict)

    def check(self, model: str | None, arguments: Arguments, *, file: Path | None) -> None:
        """Refuse arguments that the verb does not know or take.

        Raises
        ------
        NotFound
            An unknown argument; the message names the nearest.
        InvalidDefinition
            One of the wrong kind, or one that is missing.
        """
        if model is None and self.model == "required":
            raise InvalidDefinition("This verb is about one model and none was named. Put its name behind the verb.")
        _check_text("model", model)
        if file is None and self.file == "required":
            raise InvalidDefinition("This verb reads a file and none was given. Name it with --data FILE.")
        if file is not None and not file.is_file():
            raise InvalidDefinition(f"There is no file {str(file)!r}. Check the path.")
        for name, value in arguments.items():
            if name not in self.options:
                raise NotFound(f"The argument {name!r} is not known here. {nearest(name, self.options)}")
            _check_kind(name, value, self.options[name])
        for name, option in self.options.items():
            if option.required and arguments.get(name) in {None, ""}:
                raise InvalidDefinition(f"--{name} is missing: {option.help}.")


KINDS: Mapping[str, Any] = {
    "text": str,
    "whole": int,
    "names": list | tuple,
    "types": dict,
    "pairs": dict,
    "flag": bool,
}


def _check_text(name: str, value: object) -> None:
    """Refuse half a character, as broken bytes on a command line become: no file or table can hold it."""
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidDefinition(f"The argument {name!r} is {value!r}, which is not valid Unicode. Mend it.") from None


def _check_kind(name: str, value: object, option: Option) -> None:
    if value is None:
        return
    inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    wrong = not isinstance(value, KINDS[option.kind]) or any(not isinstance(item, str) for item in inside)
    if wrong or (option.kind == "whole" and isinstance(value, bool)):
        raise InvalidDefinition(f"The argument {name!r} is {value!r}; it must be of the kind {option.kind}.")
    _check_text(name, value)
    for item in inside or (value,):
        if option.choices and item not in option.choices:
            raise InvalidDefinition(f"The argument {name!r} is {item!r}. {nearest(str(item), option.choices)}")


# --- how a file is read -------------------------------------------------------------------------

READING: Mapping[str, Option] = {
    "encoding": Option(help="how text is encoded, like utf-8, cp1252 or cp949"),
    "delimiter": Option(help="what stands between fields: one character, or tab"),
    "decimal": Option(help="the decimal mark", choices=(".", ",")),
    "date-order": Option(help="the order of dates like 03/04/2024", choices=("ymd", "dmy", "mdy")),
    "header": Option(help="whether the first row holds names", choices=("yes", "no")),
    "names": Option(kind="names", help="the names of a file without a header, A,B"),
    "null": Option(kind="names", help="cells that mean no value beside the usual words, A,B"),
    "sheet": Option(help="the sheet of a workbook"),
}
"""How a file is to be read where its content leaves that open; every verb that reads a file takes these."""

_READ_BY = {
    "encoding": "encoding",
    "delimiter": "delimiter",
    "decimal": "decimal",
    "date_order": "date-order",
    "header": "header",
    "names": "names",
    "nulls": "null",
    "sheet": "sheet",
}


def reading_of(arguments: Arguments) -> Reading:
    """Put together what was said about how to read a file.

    Parameters
    ----------
    arguments : mapping
        Of a verb; those that ``READING`` does not name are passed over.

    Returns
    -------
    Reading
    """
    said = {name: arguments[option] for name, option in _READ_BY.items() if arguments.get(option) is not None}
    if "header" in said:
        said["header"] = said["header"] == "yes"
    return load(Reading, said)
