"""What goes between a process and its children: a step by name, a request and an answer as JSON.

Neighbours: ``compute`` and ``sandbox`` start the children, each in its own way; both sides of both speak through here.
It refuses to import anything heavy, because a child that reads a file imports it, and to raise what is no known error.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar, get_type_hints

from pipeline_core import errors
from pipeline_core.errors import ComputeFailed, PipelineError
from pipeline_core.records import dump, load

Q = TypeVar("Q")
A = TypeVar("A")
Progress = Callable[[float, str], None]
Step = Callable[[Q, Progress], A]


class Compute(Protocol):
    """Runs a step somewhere: ``compute.in_child``, ``compute.in_process`` or ``sandbox.confined``."""

    def __call__(self, step: Step[Q, A], request: Q, *, progress: Progress | None = None) -> A:
        """Give the step's result, or raise its PipelineError."""


def name_of(step: Callable[..., Any]) -> str:
    """Say by which name the other side finds a step.

    Parameters
    ----------
    step : callable
        A module-level function.

    Returns
    -------
    str
        As in ``"pipeline_core.flows.compute:fit_version"``.
    """
    return f"{step.__module__}:{step.__qualname__}"


def find(named: str) -> Callable[[Any, Progress], Any]:
    """Give the step of that name.

    Parameters
    ----------
    named : str
        What ``name_of`` said.

    Returns
    -------
    callable
    """
    module, name = named.split(":")
    found: Callable[[Any, Progress], Any] = getattr(importlib.import_module(module), name)
    return found


def carry_out(named: str, request: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Do a step and put what came of it into plain values.

    Parameters
    ----------
    named : str
        The step.
    request : mapping
        Its request, dumped.
    progress : callable
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    dict
        ``result``, or ``error`` and ``message`` of a known error; every other one goes on.
    """
    step = find(named)
    try:
        asked = load(next(iter(get_type_hints(step).values())), request)
        return {"result": dump(step(asked, progress))}
    except PipelineError as error:
        return {"error": type(error).__name__, "message": error.message}


def answer(told: Mapping[str, Any], kind: type[A]) -> A:
    """Give the result that the other side told, or raise the error that it met.

    Parameters
    ----------
    told : mapping
        What ``carry_out`` gave.
    kind : type
        The record that the step gives.

    Returns
    -------
    record

    Raises
    ------
    PipelineError
        The one that the step raised.
    ComputeFailed
        It raised anything else.
    """
    if "error" not in told:
        return load(kind, told["result"])
    known = getattr(errors, told["error"], None)
    if not (isinstance(known, type) and issubclass(known, PipelineError)):
        raise ComputeFailed(f"{told['message']} ({told['error']}).")
    raise known(told["message"])
