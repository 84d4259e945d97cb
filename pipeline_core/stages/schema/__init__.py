"""What a model expects at the door: proposed from a first file, corrected by a person, then learned.

``suggest`` guesses everything for the screen; ``propose`` takes what a person named and says what the
rest is; ``learn`` adds the baseline, from rows that have the proposed types; ``suspects`` names features that look as if
they knew the target.
"""

from __future__ import annotations

from pipeline_core.stages.schema.leakage import Look, look, suspects
from pipeline_core.stages.schema.learning import learn
from pipeline_core.stages.schema.proposal import DefineRequest, propose
from pipeline_core.stages.schema.suggestion import ColumnGuess, Suggestion, suggest

__all__ = ["ColumnGuess", "DefineRequest", "Look", "Suggestion", "learn", "look", "propose", "suggest", "suspects"]
