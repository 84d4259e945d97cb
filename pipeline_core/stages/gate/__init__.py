"""Whether a challenger may become champion, judged on rows that neither model was fitted on.

One metric decides, by a test of non-inferiority (``deciding``); whatever else speaks against a promotion is a block, of
which the gate finds two itself (``comparing``: worse calibration; ``slices``: a part of the rows that loses) and to which
others may be added (``blocked``). Neighbours: ``serving`` made the predictions, ``registry`` acts on the verdict. Refused:
choosing the rows, and promoting.
"""

from pipeline_core.stages.gate.comparing import compare, curves_of, incomparable
from pipeline_core.stages.gate.outcome import Outcome, Setting, blocked
from pipeline_core.stages.gate.saying import ordinal

__all__ = ["Outcome", "Setting", "blocked", "compare", "curves_of", "incomparable", "ordinal"]
