"""The verbs as commands: ``python -m pipeline_core [--home DIR] VERB MODEL ... [--json]``.

Exit code 0: yes; 1: the answer is no (quarantined, refused, a page alert); 2: an error, with a sentence that says what to
do. Takes the store's lock where it is free and otherwise asks the running app, and says on stderr which. With ``--json``
standard output is one JSON object and nothing else. The commands are read from ``service.verbs.VERBS``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pyarrow as pa

from pipeline_core.errors import PipelineError, Quarantined, Refused, StoreBusy, nearest
from pipeline_core.records import ModelCard, load
from pipeline_core.service import cardtext, exports, lines
from pipeline_core.service.asking import Option, Verb
from pipeline_core.service.verbs import VERBS, Answer, carry_out, verb_named
from pipeline_core.store.home import Store

YES, NO, ERROR = 0, 1, 2
WAIT_S = 10.0
RETRY_S = 0.25


class _UsageError(PipelineError):
    headline = "The command does not fit"


class _SilentApp(PipelineError):
    headline = "The app does not answer"


class _FromApp(PipelineError):
    """An error that the running app told, under its own headline; ``kind`` is its class there."""

    def __init__(self, headline: str, message: str, *, kind: str) -> None:
        super().__init__(message)
        self.headline = headline
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command as typed."""

    home: Path
    as_json: bool
    verb: str
    model: str | None
    arguments: dict[str, Any]
    file: Path | None
    out: Path | None


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The words behind ``python -m pipeline_core``; those of this process when left out.

    Returns
    -------
    int
        0 yes, 1 no, 2 error.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        command = read(words)
        if command is None:
            return YES
        answer = _answer(command)
        _print(command, answer)
    except PipelineError as error:
        _complain(error.headline, error.message, as_json=as_json)
        return NO if _is_no(error) else ERROR
    except KeyboardInterrupt:
        _complain("Interrupted", "What was not finished was not kept.", as_json=as_json)
        return ERROR
    except Exception as bug:  # ruff: ignore[blind-except] last resort: one line for people first
        _complain("A bug in the program", f"{type(bug).__name__}: {bug}. Please report it.", as_json=as_json)
        traceback.print_exc()
        return ERROR
    return answer.code


def _is_no(error: PipelineError) -> bool:
    if isinstance(error, _FromApp):
        return error.kind in {Refused.__name__, Quarantined.__name__}
    return isinstance(error, Refused | Quarantined)


# --- reading the command ------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the process, so that an error is JSON where JSON was asked for."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments: -"):
            word = message.removeprefix("unrecognized arguments: ").partition(" ")[0].partition("=")[0]
            known = [option for action in self._actions for option in action.option_strings]
            message = f"{word} is not known here. {nearest(word, known)}"
        raise _UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}. See: python -m {self.prog} --help")


def read(words: Sequence[str]) -> Command | None:
    """Read a command line.

    Parameters
    ----------
    words : sequence of str
        ``--home`` and ``--json`` may stand before or behind the verb.

    Returns
    -------
    Command or None
        None: help was asked for and printed.

    Raises
    ------
    PipelineError
        It cannot be understood; the sentence names the nearest verb, option or value.
    """
    everywhere = _Parser(prog="pipeline_core", add_help=False, allow_abbrev=False)
    everywhere.add_argument("--home")
    everywhere.add_argument("--json", action="store_true")
    given, rest = everywhere.parse_known_args(list(words))
    if not rest or rest[0] in {"-h", "--help", "help"}:
        sys.stdout.write(_overview())
        return None
    words_of_name = 2 if any(name.startswith(f"{rest[0]} ") for name in VERBS) else 1  # "source add"
    name = " ".join(rest[:words_of_name])
    verb = verb_named(name)
    parser = _parser(name, verb)
    try:
        typed = vars(parser.parse_args(rest[words_of_name:]))
    except SystemExit:  # --help of a verb was printed
        return None
    file, out = (Path(typed.pop(key)) if typed.get(key) else None for key in ("data", "out"))
    command = Command(
        home=Path(given.home or os.environ.get("PIPELINE_HOME") or "data").resolve(),
        as_json=given.json,
        verb=name,
        model=typed.pop("model", None),
        arguments={key: value for key in verb.options if (value := typed.get(key.replace("-", "_"))) is not None},
        file=file,
        out=out,
    )
    verb.check(command.model, command.arguments, file=file)
    if out is not None:
        _OUT[name][1](out)
    return command


def _overview() -> str:
    rows = [f"  {name:<13} {verb.summary}" for name, verb in VERBS.items()]
    return "\n".join([
        "python -m pipeline_core [--home DIR] VERB MODEL ... [--json]",
        "",
        *rows,
        "",
        "--home DIR  the folder of the store ($PIPELINE_HOME, or ./data); --json  one JSON object on standard output",
        "Exit code: 0 yes, 1 no (quarantined, refused, a page alert), 2 error. 'VERB --help' tells its options.",
        "",
    ])


def _parser(name: str, verb: Verb) -> _Parser:
    parser = _Parser(prog=f"pipeline_core {name}", description=verb.summary, allow_abbrev=False)
    if verb.model != "no":
        parser.add_argument("model", nargs="?", metavar="MODEL")
    if verb.file != "no":
        parser.add_argument(
            "--data", metavar="FILE", help="the file: CSV, JSON, Parquet, Arrow or Excel; plain, gz or zst"
        )
    if name in _OUT:
        parser.add_argument("--out", metavar="FILE", help=_OUT[name][0])
    for key, option in verb.options.items():
        _add(parser, key, option)
    return parser


_OUT: dict[str, tuple[str, Callable[[Path], object]]] = {
    "score": ("write the predictions to a .parquet, .csv or .jsonl file", exports.writer),
    "card": ("write the card to a .md or .html file", cardtext.writer),
}
"""The verbs that write a file: what it will be, and what knows its endings before anything is computed."""


def _add(parser: _Parser, key: str, option: Option) -> None:
    if option.kind == "flag":
        parser.add_argument(f"--{key}", action="store_true", default=None, help=option.help)
        return
    if option.positional:
        parser.add_argument(key, nargs="?", metavar=key.upper(), help=option.help)
        return
    if option.kind == "pairs":
        parser.add_argument(f"--{key}", action=_Pairs, metavar="KEY=VALUE", help=option.help)
        return
    readers: dict[str, Callable[[str], object]] = {"text": str, "whole": _whole, "names": _names, "types": _types}
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    parser.add_argument(f"--{key}", type=readers[option.kind], metavar=key.upper(), help=f"{option.help}{choices}")


class _Pairs(argparse.Action):
    """Collects ``KEY=VALUE`` words; a value may hold anything, commas and equals signs too."""

    def __call__(self, _parser: object, namespace: argparse.Namespace, word: Any, _option: object = None) -> None:
        key, found, value = str(word).partition("=")
        if not found or not key.strip():
            raise argparse.ArgumentError(self, f"{word!r} is not like KEY=VALUE")
        setattr(namespace, self.dest, {**(getattr(namespace, self.dest) or {}), key.strip(): value})


def _whole(text: str) -> int:
    try:
        return int(text.removeprefix("v"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None


def _names(text: str) -> list[str]:
    return [name for part in text.split(",") if (name := part.strip())]


def _types(text: str) -> dict[str, str]:
    pairs = [name.rpartition("=") for name in _names(text)]
    if not all(before for before, _, _ in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not like A=number,B=category")
    return {before.strip(): after.strip() for before, _, after in pairs}


# --- carrying it out ----------------------------------------------------------------------------


def _answer(command: Command) -> Answer:
    """Do it here where the lock is free; else through the app that holds it; else wait a little."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            store = Store.open(command.home)
        except StoreBusy as busy:
            if busy.url and busy.token:
                _aside(f"through the running app at {busy.url}")
                return _through(command, busy.url, busy.token)
            if time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_S)
            continue
        with store:
            _aside("took the store's lock")
            return carry_out(
                store, command.verb, command.model, arguments=command.arguments, file=command.file, progress=_progress
            )


def _through(command: Command, url: str, token: str) -> Answer:
    named = {"source": command.file.name} if command.file is not None else {}  # the app sees an upload without a name
    call = json.dumps({"model": command.model, "arguments": {**named, **command.arguments}})
    with ExitStack() as stack:
        form: dict[str, Any] = {"call": (None, call)}
        if command.file is not None:
            form["file"] = (command.file.name, stack.enter_context(command.file.open("rb")))
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=httpx.Timeout(30.0, read=None)))
        try:
            reply = client.post(
                f"{url}/api/verbs/{command.verb}", files=form, headers={"Authorization": f"Bearer {token}"}
            )
            told = reply.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise _SilentApp(
                f"The app at {url} holds the store and does not answer as it should ({error}). "
                "Look at its log, restart it, or stop it and run the command again."
            ) from None
    if reply.status_code != httpx.codes.OK:
        raise _FromApp(told["error"], told["message"], kind=told.get("kind", ""))
    content = told["content"]
    predictions = pa.Table.from_pylist(content.pop("predictions")) if "predictions" in content else None
    return Answer(verb=command.verb, code=told["code"], content=content, predictions=predictions)


# --- saying it ----------------------------------------------------------------------------------


def _print(command: Command, answer: Answer) -> None:
    content = answer.content
    if answer.predictions is not None and command.out is not None:
        exports.write(answer.predictions, command.out)
        content = {**content, "out": str(command.out)}
    elif command.verb == "card" and command.out is not None:
        cardtext.write(load(ModelCard, content), command.out)
        content = {**content, "out": str(command.out)}
    elif answer.predictions is not None:
        content = {**content, "predictions": answer.predictions.to_pylist()}
    if command.as_json:
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("\n".join(lines.lines(answer.verb, content)) + "\n")


def _aside(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _progress(share: float, message: str) -> None:
    if sys.stderr.isatty():
        _aside(f"{share:4.0%} {message}")


def _complain(headline: str, message: str, *, as_json: bool) -> None:
    _aside(f"{headline}{'' if headline.endswith('?') else '.'} {message}")
    if as_json:
        sys.stdout.write(json.dumps({"error": headline, "message": message}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
