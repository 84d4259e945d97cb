from __future__ import annotations

import pytest

from pipeline_core.records import Measured, NotMeasured
from pipeline_core.stages.gate import saying


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd"), (113, "113th")]
)
def test_ordinals(number: int, said: str) -> None:
    assert saying.ordinal(number) == said


def test_figures_differences_and_levels() -> None:
    nothing = NotMeasured(reason="no rows")
    assert (saying.value(nothing), saying.why(nothing)) == ("not measured", "no rows")
    assert (saying.value(Measured(value=0.5)), saying.why(Measured(value=0.5))) == ("0.5000", "")
    assert (saying.better(0.01), saying.better(-0.01)) == ("better by 0.0100", "worse by 0.0100")
    assert (saying.loss(-0.01), saying.loss(0.01)) == ("at most 0.0100 worse", "at least 0.0100 better")
    assert saying.interval(Measured(value=0.5)) == ""
    assert [saying.confidence(level) for level in (0.025, 0.05 / 6, 0.05 / 420)] == ["97.5 %", "99.167 %", "99.988 %"]
