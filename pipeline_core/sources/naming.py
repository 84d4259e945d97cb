"""Which names a file may give its columns: visible, short, different from each other whatever their case.

Neighbours: ``files`` checks the names of every format with it, and the text formats check their header before they
touch the body, so that a table that is too wide costs nothing. It refuses to rename: a person mends the file, or says
``--names``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pipeline_core.errors import Unreadable
from pipeline_core.policy import Policy
from pipeline_core.sources.opened import printable

NAME_CHARACTERS_MAX = 128


def checked(names: Sequence[str], label: str, policy: Policy) -> list[str]:
    """Give the names trimmed and normalised (NFC), or one sentence why not.

    Parameters
    ----------
    names : sequence of str
        As they stand in the file.
    label : str
        What the file is called in messages.
    policy : Policy
        ``columns_max``.

    Returns
    -------
    list of str
        As many.

    Raises
    ------
    Unreadable
        Too many, or one that is blank, too long, invisible or there twice.
    """
    check_width(len(names), label, policy)
    plain = [normalised(n) for n in names]
    seen: dict[str, str] = {}
    for position, name in enumerate(plain, start=1):
        trouble = _trouble(name)
        if trouble:
            raise Unreadable(
                f"File {label!r}: column {position} {trouble}; names of 1 to {NAME_CHARACTERS_MAX} visible characters"
                " are allowed. Rename it in the file; if these are values, the header row is missing: --header no."
            )
        twin = seen.get(name.casefold())
        seen[name.casefold()] = name
        if twin is not None:
            raise Unreadable(
                f"File {label!r} has the columns {printable(twin)!r} and {printable(name)!r}, which differ in nothing"
                " but case, if at all. Rename one of them; if these are values, the header row is missing: --header no."
            )
    return plain


def check_width(columns: int, label: str, policy: Policy) -> None:
    """Refuse a table that is too wide.

    Parameters
    ----------
    columns : int
        How many there are.
    label : str
        What the file is called in messages.
    policy : Policy
        ``columns_max``.

    Raises
    ------
    Unreadable
        There are more than the policy allows.
    """
    if columns > policy.columns_max:
        raise Unreadable(
            f"File {label!r} has {columns:,} columns; policy allows {policy.columns_max:,}. Leave out columns, or"
            " raise columns_max in the policy."
        )


def normalised(name: str) -> str:
    """Write a name in one way: composed characters (NFC), no blanks at its ends.

    Parameters
    ----------
    name : str
        As it stands in the file.

    Returns
    -------
    str
    """
    return unicodedata.normalize("NFC", name).strip()


def _trouble(name: str) -> str | None:
    if not name:
        return "has no name"
    if len(name) > NAME_CHARACTERS_MAX:
        return f"has a name of {len(name):,} characters ({printable(name)!r})"
    hidden = next((c for c in name if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}), None)
    if hidden is not None:
        return f"({printable(name)!r}) holds the control or direction character U+{ord(hidden):04X}"
    return None
