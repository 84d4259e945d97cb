"""What can go wrong by a broken promise, as one tree.

Bad data is a finding (``records.Finding``), never one of these. Every message says what happened,
with the value; what is allowed, and by whom; what to do next. Foreign exceptions are translated
where they enter: ``duckdb`` in ``store`` and ``engines``, parsers in ``sources``.

::

    PipelineError
    ├── NotFound            a model, batch, version or column of that name is not there
    ├── Unreadable          a file cannot be read as what it says it is
    │   └── Doubtful        it can be read in two ways: a person has to say which
    ├── InvalidDefinition   a schema, role, policy or request that contradicts itself
    ├── Quarantined         a quarantined batch was asked to take part in training or scoring
    ├── NotEnough           too few rows, labels or classes to do what was asked
    ├── Refused             the answer is no: the gate did not pass (exit code 1, not 2)
    ├── Stale               somebody else moved first: reload and decide again
    ├── ArtifactRejected    a model file whose hash or types are not what they should be
    ├── ComputeFailed       the child process that trains or explains died or raised
    ├── StoreBusy           another process owns the store
    └── StoreBroken         the store cannot be opened or trusted
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PipelineError(Exception):
    """A known failure with a headline for people.

    Parameters
    ----------
    message : str
        What happened with the value, what is allowed, what to do next.
    """

    headline = "This did not work"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(PipelineError):
    """A model, batch, version or column of that name is not there."""

    headline = "Not found"


class Unreadable(PipelineError):
    """A file cannot be read as what it says it is."""

    headline = "The file cannot be read"


class Doubtful(Unreadable):
    """A file can be read in two ways, and a wrong guess would change its values."""

    headline = "How should the file be read?"


class InvalidDefinition(PipelineError):
    """A schema, role, policy or request that contradicts itself."""

    headline = "This cannot be done as asked"


class Quarantined(PipelineError):
    """A quarantined batch was asked to take part in training or scoring."""

    headline = "The batch is quarantined"


class NotEnough(PipelineError):
    """Too few rows, labels or classes to do what was asked."""

    headline = "Not enough data yet"


class Refused(PipelineError):
    """The answer is no: the gate did not pass."""

    headline = "Refused"


class Stale(PipelineError):
    """Somebody else moved first."""

    headline = "This view is out of date"


class ArtifactRejected(PipelineError):
    """A model file whose hash or types are not what they should be."""

    headline = "The model file was rejected"


class ComputeFailed(PipelineError):
    """The child process that trains or explains died or raised."""

    headline = "The computation failed"


class StoreBusy(PipelineError):
    """Another process owns the store.

    Parameters
    ----------
    message : str
        As for every error.
    url, token : str or None
        Where that process answers, and the word that it accepts, if it is a running app.
    """

    headline = "The store is in use"

    def __init__(self, message: str, *, url: str | None = None, token: str | None = None) -> None:
        super().__init__(message)
        self.url = url
        self.token = token


class StoreBroken(PipelineError):
    """The store cannot be opened or trusted."""

    headline = "The store cannot be opened"


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which known name the unknown one is closest to.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What there is.

    Returns
    -------
    str
        A sentence to put behind the error, e.g. ``"Did you mean 'income'?"``.
    """
    names = sorted(str(n) for n in known)
    begun = [n for n in names if n.startswith(name)] if len(name.strip("-")) > 1 else []
    close = begun if len(begun) == 1 else difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    if not names:
        return "There are none yet."
    shown = ", ".join(repr(n) for n in names[:12])
    return f"There are: {shown}{', …' if len(names) > 12 else ''}."
