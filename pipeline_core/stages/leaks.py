"""Whether a version rests on one feature so much that it may have been told the answer.

Neighbours: ``schema`` looks at features alone and in pairs before anything is fitted; here a version is known, so it can be
said how much of what the model says comes from one feature. It refuses to call that a leak: a good feature is rare,
but there are some. When a value is known, no row can say; a person must.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pipeline_core.policy import Policy
from pipeline_core.records import Finding, Measured, Severity, Task
from pipeline_core.records.words import Figure

CODE = "leakage_suspect"
KNOWN_MIN = 0.8
"""Share of what the whole version knows that the feature must know alone."""
AHEAD_MIN = 1.5
"""How many times as much it must know as the next feature."""
STRONG_MIN = 0.3
"""Knowledge (2 AUC - 1, or R²) below which no version is suspected: a weak model often has one leg."""

_RULE = (
    "One feature with more than the policy's share of SHAP (leak_share_min) that alone is nearly as good as all features"
    " together, and far ahead of the next one or with nearly all of SHAP; or half that share and a name that speaks of what is known only after the"
    " event. On the hold-out."
)


def rested_on(
    alone: Mapping[str, float],
    shares: Mapping[str, float],
    whole: Figure | None,
    *,
    task: Task,
    hinted: Collection[str] = (),
    policy: Policy,
) -> tuple[Finding, ...]:
    """Say whether one feature carries a version.

    Parameters
    ----------
    alone : mapping of str to float
        AUC (classes) or R² (numbers) of each feature alone, by name.
    shares : mapping of str to float
        SHAP shares of the version, by name.
    whole : Figure or None
        AUC, macro AUC or R² of the version on the same rows.
    task : Task
        What is predicted.
    hinted : collection of str
        Features whose name speaks of what is known only after the event: half the share, and no lead, is enough.
    policy : Policy
        ``leak_share_min``.

    Returns
    -------
    tuple of Finding
        None or one, of code ``leakage_suspect``.
    """
    if not isinstance(whole, Measured) or not shares or len(alone) < 2:
        return ()
    top = max(shares, key=lambda name: shares[name])
    known = {name: _knowledge(figure, task) for name, figure in alone.items()}
    most, all_of_it = known.get(top, 0.0), _knowledge(whole.value, task)
    following = max((name for name in known if name != top), key=lambda name: known[name])
    if top in hinted:
        suspect = shares[top] >= policy.leak_share_min / 2
    else:
        # near all of SHAP needs no lead: another feature may be an echo of the leak
        ahead = most >= AHEAD_MIN * known[following] or shares[top] >= (1 + policy.leak_share_min) / 2
        strong = all_of_it >= STRONG_MIN and most >= KNOWN_MIN * all_of_it
        suspect = shares[top] >= policy.leak_share_min and strong and ahead
    if not suspect or top not in alone:
        return ()
    name = ", whose name speaks of what is known only after the event," if top in hinted else ""
    word = "R²" if task is Task.REGRESSION else "AUC"
    return (
        Finding(
            code=CODE,
            column=top,
            severity=Severity.WARNING,
            message=(
                f"Column {top!r}{name} carries the version: {100 * shares[top]:.0f} % of SHAP, and alone it reaches {word}"
                f" {alone[top]:.3f} of the {whole.value:.3f} that all features reach (the next, {following!r}, reaches"
                f" {alone[following]:.3f}). Find out when its value is known: if that is after the prediction, exclude it."
            ),
            value=shares[top],
            allowed=f"a share of SHAP below {policy.leak_share_min:g}, or features that share the work",
            rule=_RULE,
        ),
    )


def _knowledge(figure: float, task: Task) -> float:
    return max(0.0, figure if task is Task.REGRESSION else 2 * figure - 1)
