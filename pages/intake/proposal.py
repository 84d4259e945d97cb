"""The sentences of the page "New model"; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pages.ui import wording
from pipeline_core.records import Schema, Task
from pipeline_core.stages.schema import Suggestion


def size(suggestion: Suggestion, *, whole: bool) -> str:
    """Say how large a file is, or how much of its beginning was looked at."""
    rows, columns = wording.count(suggestion.rows, "row"), wording.count(len(suggestion.columns), "column")
    return f"{rows} and {columns}" if whole else f"{columns}; its first {rows} were looked at"


def define_block(name: str, target: str | None, *, known: Sequence[str], questions: int = 0) -> str | None:
    """Say why the model cannot be defined yet; None when it can."""
    if questions:
        return f"Answer {wording.count(questions, 'question')} about how the file is to be read."
    if not name:
        return "Give the model a name."
    if name in known:
        return f"A model {wording.safe(name)} is already here. Choose another name."
    return None if target else "Choose the target: the column to predict."


def will_predict(name: str, given: Mapping[str, Any], suggestion: Suggestion) -> str:
    """Say what the model will do, as far as it is known."""
    if not given["target"]:
        return "What is to be predicted? **Choose the target**, correct the roles, then define the model."
    named = {given["target"], given["time"], given["id"], *given["protected"], *given["exclude"]}
    features = sum(guess.name not in named for guess in suggestion.columns)
    order = (
        f"in the order of **{wording.safe(given['time'])}**" if given["time"] else "without an event time, by arrival"
    )
    positive = f" (positive: {wording.safe(given['positive'])})" if given["positive"] else ""
    return (
        f"**{wording.safe(name) or 'The model'}** will predict **{wording.safe(given['target'])}**{positive} from"
        f" {wording.count(features, 'feature')}, {order}."
    )


def asks(name: str, questions: int) -> str:
    """Say that a file cannot be taken yet: only a person knows how it is to be read."""
    ways = "a question" if questions == 1 else f"{questions} questions"
    return f"**{wording.safe(name)}** can be read in more than one way: **answer {ways}**, then define the model."


def will_define(given: Mapping[str, Any], suggestion: Suggestion, *, whole: bool) -> str:
    """Say what the button will do with the rows and the other columns."""
    out = f" Left out: {wording.listing(given['exclude'], most=6)}." if given["exclude"] else ""
    audit = f" Kept for audits only: {wording.listing(given['protected'])}." if given["protected"] else ""
    rows = f"The {wording.count(suggestion.rows, 'row')}" if whole else "All rows of the file"
    return f"{rows} become the first batch and the baseline of later ones.{out}{audit}"


def defined(schema: Schema) -> str:
    """Say what a model is, now that it is defined."""
    what = {
        Task.BINARY: f"whether {wording.safe(schema.target.name)} is {wording.safe(schema.positive)}",
        Task.MULTICLASS: f"{wording.safe(schema.target.name)} ({wording.count(len(schema.classes), 'class')})",
        Task.REGRESSION: f"the number {wording.safe(schema.target.name)}",
    }[schema.task]
    features = wording.count(len(schema.features), "feature")
    return f"**{wording.safe(schema.model)}** is defined: it predicts {what} from {features}."
