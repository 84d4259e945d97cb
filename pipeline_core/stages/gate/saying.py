"""How the gate says a figure, a difference and a count in a sentence.

Neighbours: every module of the gate that gives a reason. Refused: rounding for screens (``pages.ui.wording`` does).
"""

from __future__ import annotations

from pipeline_core.records import Figure, Measured, NotMeasured


def value(figure: Figure) -> str:
    """Give a figure, or that there is none."""
    return f"{figure.value:.4f}" if isinstance(figure, Measured) else "not measured"


def why(figure: Figure) -> str:
    """Give the reason why there is no figure."""
    return figure.reason if isinstance(figure, NotMeasured) else ""


def better(by: float) -> str:
    """Give a difference as a clause."""
    return f"better by {by:.4f}" if by >= 0 else f"worse by {-by:.4f}"


def loss(low: float) -> str:
    """Give the bound of a difference as a clause."""
    return f"at most {-low:.4f} worse" if low < 0 else f"at least {low:.4f} better"


def interval(figure: Measured) -> str:
    """Give an interval in brackets; nothing where it is not known."""
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 % interval {figure.low:.4f} to {figure.high:.4f})"


def confidence(level: float) -> str:
    """Give the confidence of a one-sided test: 0.025 -> 97.5 %."""
    return f"{100 * (1 - level):.5g} %"


def ordinal(number: int) -> str:
    """Give 1st, 2nd, 3rd, 4th, 11th."""
    teen = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
