"""What every source is: something that hands over files, one after the other, from a place that it can return to.

The place is a text of the source's own (the cursor), stored by the caller in the transaction that keeps the
file's rows. A source that is started again with the cursor of the last kept file goes on right behind it, so that
each row arrives once whatever was killed in between. Neighbours: ``folder``, ``database``, ``web``, ``kafka`` and
``redis`` are sources, ``flows.feeds`` drives them. It refuses to hold a secret: settings name where one is found.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pipeline_core.errors import InvalidDefinition, NotFound, nearest

SECRET_FILES = (Path(".streamlit") / "secrets.toml", Path("~/.streamlit/secrets.toml"))
"""Where Streamlit keeps its secrets: the project's, then the person's."""

_HIDDEN = "***"
_SECRETIVE = re.compile(r"passw|secret|token|api_?key|credential|authorization", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^/@\s]*:[^@\s]+@|(^|[?&;\s])(password|passwd|pwd|token|api_?key)\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One file that a source hands over. No two hold the same bytes unless they hold the same rows of the same place.

    ``name`` is what a person calls it; ``cursor`` is the place behind it; ``rows`` may be unknown.
    """

    path: Path
    name: str
    cursor: str
    rows: int | None = None


class Source(Protocol):
    """Something that hands over files from a place on.

    Attributes
    ----------
    notes : list of str
        What the last run left out, or what is not ready yet, as sentences; grows while deliveries are read.
    """

    notes: list[str]

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over what lies behind the place, oldest first, and end where nothing more is there now.

        Parameters
        ----------
        cursor : str or None
            The place behind the last file that was kept; None: from the beginning.
        folder : Path
            Where to write; the caller removes a file once it is done with it.

        Yields
        ------
        Delivery
        """
        ...

    def settled(self, cursor: str) -> None:
        """Hear that everything up to this place is kept: tell the broker, if there is one."""
        ...

    def close(self) -> None:
        """Let go of connections; calling it again does nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A source's settings with its secrets filled in, and the size of what it hands over."""

    name: str
    settings: Mapping[str, str] = field(repr=False)
    batch_rows: int
    batch_s: float
    bytes_max: int
    hidden: tuple[str, ...] = field(default=(), repr=False)

    def get(self, setting: str, default: str = "") -> str:
        """Give a setting, or the default where it was not set."""
        return self.settings.get(setting, default)

    def number(self, setting: str, default: float) -> float:
        """Give a setting as a number (InvalidDefinition where it is none)."""
        said = self.settings.get(setting)
        try:
            return default if said is None else float(said)
        except ValueError:
            raise InvalidDefinition(
                f"Source {self.name!r}: {setting} is {said!r}; a number is allowed. Change the setting."
            ) from None

    def hide(self, message: object) -> str:
        """Give a message of a foreign library without the secrets that it may repeat, on one line."""
        told = " ".join(str(message).split())
        for value in sorted(self.hidden, key=len, reverse=True):
            told = told.replace(value, _HIDDEN)
        return re.sub(r"://[^/@\s]*:[^@\s]+@", f"://{_HIDDEN}@", told).rstrip(" .")


def check_settings(
    name: str,
    settings: Mapping[str, str],
    *,
    secrets: Mapping[str, str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
) -> None:
    """Refuse settings that a kind does not know or that hold a secret in the clear.

    Parameters
    ----------
    name : str
        Of the source.
    settings : mapping of str to str
        What was set.
    secrets : mapping of str to str
        Settings whose values are found elsewhere.
    required, optional : tuple of str
        What the kind knows.

    Raises
    ------
    InvalidDefinition
        A setting is unknown, missing, said twice, or looks like a secret.
    """
    known = (*required, *optional)
    for setting in (*settings, *secrets):
        if setting not in known:
            raise InvalidDefinition(f"Source {name!r} has no setting {setting!r}. {nearest(setting, known)}")
    for setting in required:
        if not settings.get(setting) and setting not in secrets:
            raise InvalidDefinition(f"Source {name!r} needs the setting {setting!r}. Set it, and add the source again.")
    for setting in settings:
        if setting in secrets:
            raise InvalidDefinition(f"Source {name!r}: {setting!r} is both a setting and a secret. Say it once.")
        _refuse_secret(name, setting, settings[setting])
    for setting, reference in secrets.items():
        _place_and_key(setting, reference)


def _refuse_secret(name: str, setting: str, value: str) -> None:
    if _SECRETIVE.search(setting) or (setting != "query" and _PASSWORD.search(value)):
        raise InvalidDefinition(
            f"Source {name!r}: the setting {setting!r} holds a secret, and settings are stored in the clear. Put it into"
            f" an environment variable NAME, and say where it is: --secret {setting}=env:NAME."
        )


def revealed(secrets: Mapping[str, str], *, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Look up the values that references stand for.

    Parameters
    ----------
    secrets : mapping of str to str
        Setting to ``env:NAME`` or ``streamlit:NAME`` (dots lead into sections of secrets.toml).
    environment : mapping of str to str, optional
        The process's, unless said.

    Returns
    -------
    dict of str to str

    Raises
    ------
    NotFound
        There is no such variable or entry.
    InvalidDefinition
        A reference is neither, or secrets.toml is not valid.
    """
    given = os.environ if environment is None else environment
    found = {}
    for setting, reference in secrets.items():
        place, key = _place_and_key(setting, reference)
        value = given.get(key) if place == "env" else _streamlit(key)
        if not value:
            where = f"the environment variable {key}" if place == "env" else f"{key!r} in .streamlit/secrets.toml"
            raise NotFound(f"The secret {setting!r} is not there: {where} is not set. Set it, and run again.")
        found[setting] = value
    return found


def _place_and_key(setting: str, reference: str) -> tuple[str, str]:
    place, _, key = reference.partition(":")
    if place not in {"env", "streamlit"} or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", key):
        raise InvalidDefinition(  # the reference is not repeated: it may be the secret itself
            f"The secret {setting!r} does not say where it is found; env:NAME and streamlit:NAME are allowed. Never put the"
            " value itself here."
        )
    return place, key


def _streamlit(key: str) -> str | None:
    for path in SECRET_FILES:
        file = path.expanduser()
        if not file.is_file():
            continue
        try:
            value: object = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            raise InvalidDefinition(f"{file} is not valid TOML. Mend it.") from None
        for part in key.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            return str(value)
    return None


def imported(load: Callable[[], Any], *, package: str) -> Any:
    """Import a driver that not everybody needs.

    Parameters
    ----------
    load : callable
        Imports and gives it.
    package : str
        What to install where it is absent.

    Returns
    -------
    module or class

    Raises
    ------
    NotFound
        It is not installed; the message says what to install.
    """
    try:
        return load()
    except ImportError:
        raise NotFound(
            f"This source needs the library {package}, which is not installed. Run: pip install {package}"
        ) from None


def noted(cursor: str | None) -> dict[str, Any]:
    """Give what a cursor says; nothing of one that is None.

    Parameters
    ----------
    cursor : str or None
        As a source wrote it.

    Returns
    -------
    dict
    """
    said: dict[str, Any] = json.loads(cursor) if cursor else {}
    return said
