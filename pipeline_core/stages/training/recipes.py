"""What of a recipe cannot be, whatever the rows are.

Neighbours: ``estimators`` checks the settings, ``preprocessing`` the treatments. It refuses before anything is read, so that
nobody waits for an answer that could be given at once.
"""

from __future__ import annotations

from pipeline_core.errors import InvalidDefinition, nearest
from pipeline_core.records import Recipe, Task

CLASS_WEIGHTS = ("none", "balanced")
CALIBRATIONS = ("none", "isotonic", "sigmoid")
FOLDS_MIN, FOLDS_MAX = 2, 20
CANDIDATES_MAX = 200


def check(recipe: Recipe, task: Task) -> None:
    """Refuse a recipe that cannot be.

    Parameters
    ----------
    recipe : Recipe
        What was asked for.
    task : Task
        What is predicted.

    Raises
    ------
    InvalidDefinition
        A choice that there is not, a number outside its bounds, or classes where a number is predicted.
    """
    for what, value, choices in (
        ("class weight", recipe.class_weight, CLASS_WEIGHTS),
        ("calibration", recipe.calibration, CALIBRATIONS),
    ):
        if value not in choices:
            raise InvalidDefinition(f"The {what} is {value!r}. {nearest(value, choices)}")
        if value != "none" and task is Task.REGRESSION:
            raise InvalidDefinition(
                f"The {what} {value!r} is for classes, and this model predicts a number. Leave the {what} at none."
            )
    if recipe.folds and not FOLDS_MIN <= recipe.folds <= FOLDS_MAX:
        raise InvalidDefinition(
            f"The number of folds is {recipe.folds}; {FOLDS_MIN} to {FOLDS_MAX} are allowed, or 0 for none. Mend it."
        )
    if not 0 <= recipe.candidates <= CANDIDATES_MAX:
        raise InvalidDefinition(
            f"The number of candidates is {recipe.candidates}; up to {CANDIDATES_MAX} are allowed, or 0 for no search."
            " Mend it."
        )
