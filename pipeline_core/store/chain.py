"""Is a file of chained lines what was recorded? Lines in, faults out; nothing is read or written here.

A line is canonical JSON (keys sorted, no spaces, ASCII); its ``hash`` is the SHA-256 of the same JSON without ``hash``, and
``previous`` is the hash of the line before. Neighbours: ``audit`` keeps the lines and the file. It refuses to trust either
side: the kept lines are checked against their own hashes, and the file against the kept lines.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any

from pipeline_core.errors import PipelineError
from pipeline_core.records import AuditEntry, AuditFault, Deed, load

BEGINNING = "0" * 64
"""What stands for the hash of the line before the first one."""


def line_of(deed: Deed, *, sequence: int, previous: str, at: datetime) -> tuple[str, str]:
    """Give the line that keeps a deed, and its hash.

    Parameters
    ----------
    deed : Deed
        What was done.
    sequence : int
        Its number, from 1.
    previous : str
        The hash of the line before.
    at : datetime
        When, where the deed does not say.

    Returns
    -------
    (str, str)
    """
    said = {
        "sequence": sequence,
        "at": (deed.at or at).isoformat(),
        "act": deed.act.value,
        "model": deed.model,
        "by": deed.by,
        "reason": deed.reason,
        "about": dict(deed.about),
        "previous": previous,
    }
    digest = _digest(said)
    return _canonical({**said, "hash": digest}), digest


def entry_of(line: str) -> AuditEntry:
    """Give what a kept line says.

    Parameters
    ----------
    line : str
        As ``line_of`` gave it.

    Returns
    -------
    AuditEntry
    """
    return load(AuditEntry, line)


def text_of(lines: Sequence[str]) -> bytes:
    """Give the file that holds these lines and nothing else.

    Parameters
    ----------
    lines : sequence of str
        In their order.

    Returns
    -------
    bytes
    """
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def check(lines: Sequence[str]) -> tuple[AuditFault, ...]:
    """Hold kept lines against their own hashes: the first that does not agree, if any.

    Parameters
    ----------
    lines : sequence of str
        All that the database keeps, in order.

    Returns
    -------
    tuple of AuditFault
        At most one.
    """
    head = BEGINNING
    for sequence, line in enumerate(lines, start=1):
        said = _sound(line.encode(), head)
        if said is None or said["sequence"] != sequence:
            message = (
                f"The database's own entry {sequence} does not agree with its hash, with its number or with the entry before it:"
                " the database was changed by hand."
            )
            return (AuditFault(line=None, code="database", message=message),)
        head = said["hash"]
    return ()


def compare(content: bytes, kept: Sequence[str]) -> tuple[AuditFault, ...]:
    """Hold a file against the lines that were written to it.

    Parameters
    ----------
    content : bytes
        The file.
    kept : sequence of str
        The lines, in order.

    Returns
    -------
    tuple of AuditFault
        Empty exactly where the file holds these lines and not a byte more or less; the first one names the first bad line.
    """
    if content == text_of(kept):
        return ()
    wanted = [line.encode("ascii") for line in kept]
    found = content.removesuffix(b"\n").split(b"\n") if content else []
    faults = [*_ahead(found, wanted), *_truncated(found, wanted)] or [
        *_strange(found, wanted),
        *_missing(found, wanted),
    ]
    if not faults:
        faults = [AuditFault(line=len(found), code="torn", message=f"Line {len(found)} has lost its end.")]
    return tuple(sorted(faults, key=lambda fault: fault.line or len(found) + 1))


def _ahead(found: Sequence[bytes], wanted: Sequence[bytes]) -> Iterator[AuditFault]:
    """Tell lines that follow soundly on all that is kept: the database lost them, or somebody knew how to chain."""
    more = found[len(wanted) :]
    if not more or list(found[: len(wanted)]) != list(wanted):
        return
    head: str = json.loads(wanted[-1])["hash"] if wanted else BEGINNING
    for line, text in enumerate(more, start=len(wanted) + 1):
        said = _sound(text, head)
        if said is None:
            message = f"Line {line} was put in: nothing of that kind was recorded."
            yield AuditFault(line=line, code="inserted", message=message)
            continue
        head = said["hash"]
        message = (
            f"Line {line} ({_told(text.decode())}) follows soundly on the line before, but the database does not have it: either"
            " the database lost its newest changes, or somebody wrote the line."
        )
        yield AuditFault(line=line, code="ahead", message=message)


def _truncated(found: Sequence[bytes], wanted: Sequence[bytes]) -> Iterator[AuditFault]:
    """Tell where the file stops early, and is right until there."""
    if len(found) > len(wanted) or not wanted or list(found[:-1]) != list(wanted[: max(0, len(found) - 1)]):
        return
    whole = len(found) - 1 if found and found[-1] != wanted[len(found) - 1] else len(found)
    cut = whole < len(found)
    if whole == len(wanted) or (cut and not wanted[whole].startswith(found[-1])):
        return
    rest = _span(whole + 1, len(wanted))
    where = (
        f"Line {whole + 1} is cut off"
        if cut
        else f"The file ends after line {whole}"
        if found
        else "The file is empty or gone"
    )
    yield AuditFault(
        line=whole + 1, code="truncated", message=f"{where}: {rest} {_is_are(len(wanted) - whole)} missing at its end."
    )


def _strange(found: Sequence[bytes], wanted: Sequence[bytes]) -> Iterator[AuditFault]:
    """Tell of each line what it is that was not recorded there."""
    known = {line: sequence for sequence, line in enumerate(wanted, start=1)}
    gone = set(wanted).difference(found)
    seen: set[int] = set()
    due = 1
    for line, text in enumerate(found, start=1):
        while due <= len(wanted) and (due in seen or wanted[due - 1] in gone):
            due += 1
        sequence = known.get(text)
        if sequence == due:
            seen.add(sequence)
        elif sequence is None:
            changed = line <= len(wanted) and wanted[line - 1] in gone
            yield (
                _changed(line, wanted[line - 1])
                if changed
                else AuditFault(
                    line=line, code="inserted", message=f"Line {line} was put in: nothing of that kind was recorded."
                )
            )
        else:
            again = " a second time" if sequence in seen else ""
            seen.add(sequence)
            yield AuditFault(
                line=line,
                code="moved",
                message=f"Line {line} holds entry {sequence}{again}, which does not belong there.",
            )


def _changed(line: int, recorded: bytes) -> AuditFault:
    message = f"Line {line} was changed. Recorded was entry {line}: {_told(recorded.decode())}."
    return AuditFault(line=line, code="changed", message=message)


def _missing(found: Sequence[bytes], wanted: Sequence[bytes]) -> Iterator[AuditFault]:
    """Tell runs of entries that stand nowhere in the file, and in whose place no other line stands."""
    there = set(found)
    known = set(wanted)
    places = [
        n
        for n, line in enumerate(wanted, start=1)
        if line not in there and not (n <= len(found) and found[n - 1] not in known)
    ]
    for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in run]
        said = f" ({_told(wanted[numbers[0] - 1].decode())})" if len(numbers) == 1 else ""
        message = f"{_span(numbers[0], numbers[-1])}{said} {_is_are(len(numbers))} missing."
        yield AuditFault(line=numbers[0], code="missing", message=f"{message[0].upper()}{message[1:]}")


def _told(line: str) -> str:
    """Put a sound line into few words."""
    entry = entry_of(line)
    by = f" by {entry.by}" if entry.by else ""
    return f"{entry.act.value} of {entry.model or 'the audit file'}{by} at {entry.at:%Y-%m-%d %H:%M:%S} UTC"


def _span(first: int, last: int) -> str:
    return f"entry {first}" if first == last else f"entries {first} to {last}"


def _is_are(number: int) -> str:
    return "is" if number == 1 else "are"


def _sound(line: bytes, head: str) -> dict[str, Any] | None:
    """Read a line that agrees with its own hash, stands as it is written here, and follows on ``head``."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError, PipelineError):
        said: dict[str, Any] = json.loads(line)
        digest = said["hash"]
        rest = {name: value for name, value in said.items() if name != "hash"}
        if digest == _digest(rest) and said["previous"] == head and _canonical(said).encode("ascii") == line:
            entry_of(line.decode("ascii"))
            return said
    return None


def _canonical(said: Mapping[str, Any]) -> str:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _digest(said: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(said).encode("ascii")).hexdigest()
