"""Does the one metric that decides show that the challenger is no worse: promote, keep, or not enough rows to say.

Non-inferiority: the one-sided lower bound of "challenger better by" must lie above minus the margin. The level starts at
2.5 % (the lower end of the drawn 95 % interval) and falls with each try on the same rows (``multiplicity.next_level``).
Where the rows are so few that a challenger exactly as good would mostly fail, "no worse" is refused; only one that is shown
to be better, or worse by more than the margin, is decided on. Neighbours: ``comparing`` measures, ``trivial`` decides where
there is no champion. Refused: blocks, which are not about the deciding metric (``outcome.blocked``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline_core.policy import Policy
from pipeline_core.records import Comparison, Decision, Figure, Measured, NotMeasured, Schema, Task, Trial
from pipeline_core.stages.gate import saying
from pipeline_core.stats.intervals import LEVEL, rows_for_margin
from pipeline_core.stats.multiplicity import next_level
from pipeline_core.stats.noninferiority import lower_bound, p_value, power
from pipeline_core.stats.scores import PRIMARY, SPOKEN, Difference
from pipeline_core.stats.truth import Scored, negative

ROWS_NEEDED_MAX = 1_000_000_000
ALPHA = round(1 - LEVEL, 12)
"""The chance that any version that is worse by the margin passes, over all that are tried on the same rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A decision with its reasons, and how many labelled rows in all would decide where these do not."""

    decision: Decision
    reasons: tuple[str, ...]
    rows_needed: int | None = None
    trial: Trial | None = None


def margin_of(champion: Figure, deciding: str, policy: Policy) -> float | None:
    """Give the loss that is allowed, in the unit of the deciding metric.

    Parameters
    ----------
    champion : Figure
        The champion's figure, of which an error's margin is a share.
    deciding : str
        The deciding metric.
    policy : Policy
        Margins; ``superiority`` allows no loss and asks for a gain.

    Returns
    -------
    float or None
        None where it is a share of what is not measured.
    """
    if policy.superiority:
        return 0.0
    if deciding != PRIMARY[Task.REGRESSION]:
        return policy.auc_margin
    return policy.relative_error_margin * champion.value if isinstance(champion, Measured) else None


def short_of_rows(rows: Scored, schema: Schema, policy: Policy) -> Finding | None:
    """Say what is missing where there are too few rows, or too few of a class, for an interval to hold.

    Parameters
    ----------
    rows : Scored
        Truth and predictions.
    schema : Schema
        Names the classes.
    policy : Policy
        ``class_rows_min``.

    Returns
    -------
    Finding or None
        None where there are enough.
    """
    least = max(1, int(policy.class_rows_min))
    if rows.task is Task.REGRESSION:
        return _few(rows.rows, {"labelled rows": rows.rows}, least) if rows.rows < least else None
    counts = np.bincount(rows.y.astype(np.intp), minlength=2)
    names = (negative(schema), schema.positive or "") if rows.task is Task.BINARY else schema.classes
    # a class that never occurs takes no part in the macro AUC; a binary task needs both
    lacking = {
        f"labelled rows of class {name!r}": int(n)
        for name, n in zip(names, counts, strict=False)
        if n < least and (n > 0 or rows.task is Task.BINARY or rows.rows == 0)
    }
    if not lacking and np.count_nonzero(counts) < 2:
        lacking = {"labelled rows of a second class": 0}
    return _few(rows.rows, lacking, least) if lacking else None


def _few(rows: int, lacking: dict[str, int], least: int) -> Finding:
    reasons = tuple(
        f"The {rows:,} rows to compare on hold {n:,} {name}; policy asks for at least {least:,}"
        f" (class_rows_min). {least - n:,} more are needed."
        for name, n in lacking.items()
    )
    fewest = min(lacking.values())
    needed = math.ceil(rows * least / fewest) if fewest else None
    return Finding(decision=Decision.INSUFFICIENT, reasons=reasons, rows_needed=needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """The test of one metric, with everything that its answer is said with."""

    value: float
    error: float
    margin: float
    rows: int
    trial: Trial
    weak: bool
    earlier: tuple[float, ...]

    @property
    def low(self) -> float:
        """The bound that must lie above minus the margin; where the rows are too few for that, above 0."""
        return lower_bound(self.value, self.error, level=self.trial.level)

    @property
    def passed(self) -> bool:
        """Whether it is shown to be no worse; with few rows: to be better."""
        return self.low > (0.0 if self.weak else -self.margin)

    @property
    def lost(self) -> bool:
        """Whether it seems worse by the margin; with few rows: is shown to be."""
        high = -lower_bound(-self.value, self.error, level=self.trial.level)
        return (high if self.weak else self.value) <= -self.margin


def decide(
    deciding: str, compared: Comparison, difference: Difference, *, earlier: Sequence[float], policy: Policy
) -> Finding:
    """Decide by the metric that decides.

    Parameters
    ----------
    deciding : str
        Its name.
    compared : Comparison
        Both sides' figures, the difference and the margin.
    difference : Difference
        The difference with its standard error.
    earlier : sequence of float
        The p-values of the tries before this one.
    policy : Policy
        ``gate_power_min``.

    Returns
    -------
    Finding
    """
    spoken, figure, margin = SPOKEN[deciding], compared.difference, compared.margin
    if isinstance(figure, NotMeasured) or margin is None:
        reason = figure.reason if isinstance(figure, NotMeasured) else "the champion's figure is not known"
        return Finding(decision=Decision.INSUFFICIENT, reasons=(f"{spoken} cannot be compared: {reason}.",))
    first = (
        f"On {figure.rows or 0:,} rows the challenger has {spoken} {saying.value(compared.challenger)}, the champion"
        f" {saying.value(compared.champion)}: {saying.better(figure.value)}{saying.interval(figure)}."
    )
    if difference.standard_error is None:
        return Finding(decision=Decision.INSUFFICIENT, reasons=(first, "The rows are too few for an interval."))
    asked = _asked(figure, difference.standard_error, margin, earlier=tuple(earlier), policy=policy)
    decision, reason, needed = _answer(asked, policy)
    reasons = (first, *_strictness(asked.trial), reason)
    return Finding(decision=decision, reasons=reasons, rows_needed=needed, trial=asked.trial)


def _asked(figure: Measured, error: float, margin: float, *, earlier: tuple[float, ...], policy: Policy) -> _Question:
    level = next_level(earlier, alpha=ALPHA)
    passing = power(error, margin=margin, level=level) if margin > 0 else None
    trial = Trial(
        p_value=p_value(figure.value, error, margin=margin), level=level, place=len(earlier) + 1, power=passing
    )
    return _Question(
        value=figure.value,
        error=error,
        margin=margin,
        rows=figure.rows or 0,
        trial=trial,
        weak=passing is not None and passing < policy.gate_power_min,
        earlier=earlier,
    )


def _strictness(trial: Trial) -> tuple[str, ...]:
    """Say which level this try has to reach, and why."""
    if trial.place == 1:
        return ()
    return (
        f"This is the {saying.ordinal(trial.place)} try on these rows since the champion last moved. So that none of many"
        f" passes by luck, it takes {saying.confidence(trial.level)} confidence; the first took {saying.confidence(ALPHA / 2)}.",
    )


def _answer(asked: _Question, policy: Policy) -> tuple[Decision, str, int | None]:
    confidence = f"With {saying.confidence(asked.trial.level)} confidence it is {saying.loss(asked.low)}"
    if asked.passed:
        allowed = (
            f"a loss of less than {asked.margin:.4f} is allowed"
            if asked.margin
            else "policy asks for a gain, not for no loss"
        )
        return Decision.PROMOTE, f"{confidence}; {allowed}: it may be promoted.", None
    if asked.lost:
        allowed = (
            f"That is not less than the allowed loss of {asked.margin:.4f}"
            if asked.margin
            else "Policy asks for a gain"
        )
        return Decision.KEEP, f"{allowed}: the champion stays.", None
    # the next challenge is one more try, and has to reach the level of that
    level = next_level((*asked.earlier, asked.trial.p_value), alpha=ALPHA)
    if asked.weak:
        needed = rows_for_margin(asked.error, asked.rows, margin=asked.margin, alpha=level)
        return Decision.INSUFFICIENT, _too_few(asked, needed, policy), min(needed, ROWS_NEEDED_MAX)
    needed = rows_for_margin(asked.error, asked.rows, margin=asked.value + asked.margin, alpha=level)
    lost = f"A loss of {-asked.low:.4f}" if asked.low < 0 else "No gain"
    reason = (
        f"{lost} cannot be ruled out with {saying.confidence(asked.trial.level)} confidence; {asked.margin:.4f} is allowed."
        f" If the difference stays as it is, {_shown(needed)} labelled rows in all would decide."
    )
    return Decision.INSUFFICIENT, reason, min(needed, ROWS_NEEDED_MAX)


def _too_few(asked: _Question, needed: int, policy: Policy) -> str:
    return (
        f"The rows are too few: of challengers exactly as good as the champion {100 * (asked.trial.power or 0):.0f} % would pass on"
        f" them, and policy asks for {100 * policy.gate_power_min:.0f} % (gate_power_min). With {_shown(needed)} labelled rows"
        f" in all, 80 % would."
    )


def _shown(needed: int) -> str:
    return f"about {needed:,}" if needed <= ROWS_NEEDED_MAX else f"more than {ROWS_NEEDED_MAX:,}"
