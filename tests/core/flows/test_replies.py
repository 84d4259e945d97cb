"""What crosses between processes: results as records, known errors as themselves, anything else as a failure."""

from __future__ import annotations

import json

import pytest

from pipeline_core.errors import ComputeFailed, NotEnough, Unreadable
from pipeline_core.flows import replies
from tests.core.flows import steps


def silent(share: float, message: str) -> None:
    """Nobody listens."""


def test_a_step_is_found_by_its_name() -> None:
    assert replies.name_of(steps.step) == "tests.core.flows.steps:step"
    assert replies.find("tests.core.flows.steps:step") is steps.step


def test_a_result_crosses_as_plain_values() -> None:
    told = replies.carry_out("tests.core.flows.steps:step", {"how": "thread", "left": 2}, silent)
    told = json.loads(json.dumps(told))
    assert told["result"]["total"] == 6
    assert replies.answer(told, steps.Told) == steps.Told(total=6)


def test_a_known_error_crosses_as_itself_and_an_unknown_one_goes_on() -> None:
    told = replies.carry_out("tests.core.flows.steps:step", {"how": "known"}, silent)
    assert told == {"error": "Unreadable", "message": "File 'x.csv' is no table."}
    with pytest.raises(Unreadable, match=r"^File 'x\.csv' is no table\.$"):
        replies.answer(told, steps.Told)
    with pytest.raises(NotEnough, match=r"^Only 3\.$"):
        replies.answer({"error": "NotEnough", "message": "Only 3."}, steps.Told)
    with pytest.raises(ValueError, match="keyboard"):
        replies.carry_out("tests.core.flows.steps:step", {"how": "unknown"}, silent)


@pytest.mark.parametrize("kind", ["Unheard", "nearest", "annotations", "Exception"])
def test_an_error_of_no_known_kind_is_a_failed_computation(kind: str) -> None:
    with pytest.raises(ComputeFailed, match=rf"odd \({kind}\)"):
        replies.answer({"error": kind, "message": "odd"}, steps.Told)
