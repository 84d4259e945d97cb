"""Do two models err on different rows: McNemar's test on the rows where exactly one of them is right.

Neighbours: ``scores.paired`` says by how much their accuracy differs, ``stages/gate`` shows both. Refused: rows on which
both are right or both are wrong, which say nothing about which is better.
"""

from __future__ import annotations

from scipy import stats

EXACT_BELOW = 25
"""With fewer discordant rows the normal approximation of McNemar's test is too rough."""


def mcnemar(only_first: int, only_second: int, *, exact: bool | None = None) -> tuple[float, float | None]:
    """Test whether two models are right equally often on the same rows (McNemar 1947; Edwards' correction).

    Exact: twice the smaller tail of Binomial(b + c, 1/2). Otherwise ``(|b - c| - 1)² / (b + c)`` against chi-squared with
    one degree of freedom.

    Parameters
    ----------
    only_first, only_second : int, rows
        Rows that only the first, and only the second, gets right.
    exact : bool, optional
        Exact below 25 discordant rows, unless said.

    Returns
    -------
    p_value : float, 0-1
        Two-sided.
    statistic : float or None
        Chi-squared; None where the test is exact.

    Examples
    --------
    >>> round(mcnemar(6, 16)[0], 7)
    0.0524788
    >>> round(mcnemar(6, 16, exact=False)[1], 6)
    3.681818
    """
    discordant = only_first + only_second
    if discordant < EXACT_BELOW if exact is None else exact:
        tail = float(stats.binom.cdf(min(only_first, only_second), discordant, 0.5))
        return min(1.0, 2.0 * tail), None
    if discordant == 0:
        return 1.0, 0.0
    statistic = max(abs(only_first - only_second) - 1, 0) ** 2 / discordant
    return float(stats.chi2.sf(statistic, 1)), statistic
