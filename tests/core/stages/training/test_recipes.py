"""What cannot be asked is refused with its value and what is allowed."""

from __future__ import annotations

import pytest

from pipeline_core.errors import InvalidDefinition
from pipeline_core.records import Recipe, Task
from pipeline_core.stages import training


@pytest.mark.parametrize(
    ("recipe", "task", "words"),
    [
        (Recipe(class_weight="balance"), Task.BINARY, r"The class weight is 'balance'\. Did you mean 'balanced'\?"),
        (Recipe(calibration="platt"), Task.BINARY, r"The calibration is 'platt'\."),
        (
            Recipe(class_weight="balanced"),
            Task.REGRESSION,
            "this model predicts a number. Leave the class weight at none",
        ),
        (Recipe(calibration="sigmoid"), Task.REGRESSION, "Leave the calibration at none"),
        (Recipe(folds=1), Task.BINARY, "The number of folds is 1; 2 to 20 are allowed"),
        (Recipe(folds=21), Task.BINARY, "The number of folds is 21"),
        (Recipe(candidates=201), Task.BINARY, "The number of candidates is 201; up to 200"),
        (Recipe(candidates=-1), Task.BINARY, "The number of candidates is -1"),
    ],
)
def test_what_cannot_be_is_refused(recipe: Recipe, task: Task, words: str) -> None:
    with pytest.raises(InvalidDefinition, match=words):
        training.check(recipe, task)


def test_the_bounds_are_allowed() -> None:
    training.check(Recipe(folds=2, candidates=200, calibration="isotonic", class_weight="balanced"), Task.MULTICLASS)
    training.check(Recipe(folds=20), Task.REGRESSION)
