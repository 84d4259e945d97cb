"""A version that rests on one feature is told; a version with several legs, or a weak one, is not."""

from __future__ import annotations

import pytest

from pipeline_core.policy import Policy
from pipeline_core.records import Measured, NotMeasured, Severity, Task
from pipeline_core.stages import leaks

ALONE = {"told": 0.95, "age": 0.65, "city": 0.55}
SHARES = {"told": 0.7, "age": 0.2, "city": 0.1}


def found(alone=None, shares=None, whole: float = 0.97, **options):
    known = {"task": Task.BINARY, "policy": Policy()} | options
    return leaks.rested_on(alone or ALONE, shares or SHARES, Measured(value=whole), **known)


def test_one_feature_that_carries_all_is_told_with_its_figures() -> None:
    (finding,) = found()
    assert (finding.code, finding.column, finding.severity) == ("leakage_suspect", "told", Severity.WARNING)
    assert finding.value == SHARES["told"]
    assert "70 % of SHAP, and alone it reaches AUC 0.950 of the 0.970" in finding.message
    assert "(the next, 'age', reaches 0.650)" in finding.message
    assert "exclude it" in finding.message


def test_nearly_all_of_shap_needs_no_lead() -> None:
    echo = {"alone": {"told": 0.95, "age": 0.9, "city": 0.5}}
    assert found(**echo) == ()
    assert len(found(**echo, shares={"told": 0.76, "age": 0.14, "city": 0.1})) == 1
    assert found(**echo, shares={"told": 0.74, "age": 0.16, "city": 0.1}) == ()


@pytest.mark.parametrize(
    "changed",
    [
        {"shares": {"told": 0.45, "age": 0.45, "city": 0.1}},
        {"alone": {"told": 0.85, "age": 0.65, "city": 0.55}},
        {"alone": {"told": 0.95, "age": 0.85, "city": 0.55}},
        {"alone": {"told": 0.6, "age": 0.5, "city": 0.5}, "whole": 0.6},
        {"policy": Policy(leak_share_min=0.8)},
        {"task": Task.REGRESSION, "alone": {"told": 0.7, "age": 0.6, "city": 0.1}, "whole": 0.8},
    ],
    ids=["share", "less than all", "not ahead", "weak", "policy", "numbers"],
)
def test_what_is_not_carried_is_not_told(changed: dict[str, object]) -> None:
    assert found(**changed) == ()


def test_a_name_that_speaks_of_afterwards_needs_half_the_share_and_no_lead() -> None:
    known = {"alone": {"told": 0.75, "age": 0.74, "city": 0.6}, "shares": {"told": 0.3, "age": 0.3, "city": 0.2}}
    assert found(**known) == ()
    (finding,) = found(**known, hinted={"told"})
    assert (
        "whose name speaks of what is known only after the event, carries the version: 30 % of SHAP" in finding.message
    )
    assert found(**known, hinted={"age"}) == ()


def test_without_figures_nothing_is_said() -> None:
    nothing = NotMeasured(reason="one class")
    assert leaks.rested_on(ALONE, SHARES, nothing, task=Task.BINARY, policy=Policy()) == ()
    assert leaks.rested_on({}, SHARES, Measured(value=0.9), task=Task.BINARY, policy=Policy()) == ()
