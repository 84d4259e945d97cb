"""Is one figure shown to be no worse than another by more than a margin: bound, p-value and power of the test.

One-sided and normal: every difference that a decision hangs on is a mean over many rows, or behaves like one. Neighbours:
``scores.paired`` gives the difference with its standard error, ``intervals.rows_for_margin`` says how many rows would do,
``multiplicity`` says at which level. Refused: choosing the margin.
"""

from __future__ import annotations

from scipy import stats

from pipeline_core.stats.intervals import normal_quantile


def lower_bound(value: float, standard_error: float, *, level: float) -> float:
    """Give the value that the difference is above, but for a chance of ``level``: ``value - z_(1-level) standard_error``.

    Parameters
    ----------
    value : float
        Better by how much, in the metric's unit.
    standard_error : float
        Of the paired difference, in the metric's unit.
    level : float, 0-1
        The one-sided level of the test.

    Returns
    -------
    float

    Examples
    --------
    >>> round(lower_bound(0.0, 0.01, level=0.025), 6)
    -0.0196
    """
    return value - normal_quantile(1.0 - level) * standard_error


def p_value(value: float, standard_error: float, *, margin: float) -> float:
    """Say how often a difference as good as this one is seen where the truth is a loss of exactly the margin.

    ``1 - Phi((value + margin) / standard_error)``; it is at or below a level exactly where the bound of that level is at
    or above minus the margin.

    Parameters
    ----------
    value : float
        Better by how much, in the metric's unit.
    standard_error : float
        Of the paired difference, in the metric's unit; 0 where both always say the same.
    margin : float
        The loss that is still allowed, in the metric's unit; 0 asks for superiority.

    Returns
    -------
    float, 0-1

    Examples
    --------
    >>> round(p_value(0.0, 0.01, margin=0.0196), 4)
    0.025
    """
    if standard_error <= 0:
        return 0.0 if value > -margin else 1.0
    return float(stats.norm.sf((value + margin) / standard_error))


def power(standard_error: float, *, margin: float, level: float) -> float:
    """Say how often the test would pass a challenger that is exactly as good.

    ``Phi(margin / standard_error - z_(1-level))``.

    Parameters
    ----------
    standard_error : float
        Of the paired difference on the rows at hand, in the metric's unit.
    margin : float
        The loss that is still allowed, in the metric's unit; above 0.
    level : float, 0-1
        The one-sided level of the test.

    Returns
    -------
    float, 0-1

    Examples
    --------
    >>> round(power(0.01, margin=0.0196, level=0.025), 3), power(0.0, margin=0.01, level=0.025)
    (0.5, 1.0)
    """
    if standard_error <= 0:
        return 1.0
    return float(stats.norm.cdf(margin / standard_error - normal_quantile(1.0 - level)))
