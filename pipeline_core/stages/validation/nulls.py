"""Says whether nulls are as common as in the baseline, and whether columns are null together that were not.

Neighbours: ``fingerprints`` asks what gaps were filled with; ``checks`` runs these rules. It refuses to call a change
of a share a finding when chance explains it, and a set of columns a pattern when their nulls fall together by chance.
"""

from __future__ import annotations

from pipeline_core.records import Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.outcomes import (
    P_VALUE_MAX,
    WORST,
    Case,
    Compared,
    Outcome,
    Outcomes,
    examples_of,
    significant,
)
from pipeline_core.stats.twosample import share_test

_NAMED = 5
_BEYOND_CHANCE = 2.0
_NEARLY = 0.6


def outcomes(compared: Compared, case: Case) -> Outcomes:
    """Hold the share of nulls of one column against the baseline."""
    policy, facts = case.policy, compared.facts
    share, was = compared.nulls / facts.rows, compared.baseline.null_share
    chance = not significant(round(was * compared.baseline.rows), compared.baseline.rows, compared.nulls, facts.rows)
    rise = 0.0 if chance else share - was
    floor = policy.null_share_change_min
    down = rise <= -floor
    found = None
    if down or rise >= floor:
        found = _down(compared, case) if down else _up(compared, case, rise=rise)
    everything = found is not None and found.code == FindingCode.ALL_NULL
    for code, measured in (
        (FindingCode.NULL_SHARE_UP, 0.0 if everything else max(0.0, rise)),
        (FindingCode.NULL_SHARE_DOWN, max(0.0, -rise)),
        (FindingCode.ALL_NULL, max(0.0, rise) if everything else 0.0),
    ):
        finding = found if found is not None and found.code == code else None
        yield Outcome(code=code, column=compared.column, measured=measured, fires_from=floor, finding=finding)


def _down(compared: Compared, case: Case) -> Finding:
    share, was = compared.nulls / compared.facts.rows, compared.baseline.null_share
    return Finding(
        code=FindingCode.NULL_SHARE_DOWN,
        column=compared.column.name,
        severity=Severity.WARNING,
        message=(
            f"Column {compared.column.name!r}: {percent(share)} null; the baseline has {percent(was)}. Upstream may be"
            " filling gaps with a value (imputing) since then: ask what a gap is now, because the model learned what a null"
            " means."
        ),
        value=share,
        allowed=f"about {percent(was)}",
        rule=_rule(case, "falls", "the model learned what a gap means, and a filled one means something else."),
    )


def _up(compared: Compared, case: Case, *, rise: float) -> Finding:
    name, rows, policy = compared.column.name, compared.facts.rows, case.policy
    share, was = compared.nulls / rows, compared.baseline.null_share
    limit = percent(policy.null_share_rise_max)
    code = FindingCode.ALL_NULL if compared.nulls == rows else FindingCode.NULL_SHARE_UP
    if code == FindingCode.ALL_NULL:
        message = f"Column {name!r} is null in all {rows:,} rows; the baseline has {percent(was)}. Check the extract."
    else:
        message = (
            f"Column {name!r}: {percent(share)} null; the baseline has {percent(was)} and policy allows a rise of"
            f" {limit}. Check the upstream extract, or change null_share_rise_max."
        )
    reason = f"above a rise of {limit} (null_share_rise_max) too little is left of the column."
    return Finding(
        code=code,
        column=name,
        severity=WORST[compared.column.role] if rise > policy.null_share_rise_max else Severity.WARNING,
        message=message,
        value=share,
        allowed=f"at most {percent(min(1.0, was + policy.null_share_rise_max))}",
        rule=_rule(case, "rises", reason),
        examples=examples_of(compared.arrival, "null_word"),
    )


def _rule(case: Case, verb: str, reason: str) -> str:
    floor = percent(case.policy.null_share_change_min)
    return f"Told when the share of nulls {verb} by {floor} (null_share_change_min) and p < {P_VALUE_MAX:g}: {reason}"


def patterns(case: Case) -> Outcomes:
    """Look for columns that are null together in rows where they were not."""
    code, rows, limit = FindingCode.NULL_PATTERN, case.rows, case.policy.null_pattern_share_min
    here = {c.column.column_id: c for c in case.compared}
    base_rows = max((c.baseline.rows for c in case.compared), default=0)
    found: list[tuple[float, list[str], int, float]] = []
    worst = 0.0
    for together, hits, was in _together(case):
        rise = hits / rows - was
        if rise <= 0 or not base_rows or not _beyond_chance(together, hits, case, here):
            continue
        if share_test(round(was * base_rows), base_rows, hits, rows).p_value < P_VALUE_MAX:
            worst = max(worst, rise)
            found.append((rise, [c.column.name for i, c in here.items() if i in together], hits, was))
    # the most columns among the sets that are nearly as common as the commonest
    found = [f for f in found if f[0] >= max(limit, _NEARLY * worst)]
    finding = None
    if found:
        _, names, hits, was = max(found, key=lambda f: (len(f[1]), f[0]))
        shown = ", ".join(repr(name[:40]) for name in names[:_NAMED])
        finding = Finding(
            code=code,
            column=names[0],
            severity=Severity.WARNING,
            message=(
                f"{len(names):,} columns are null together in {hits:,} of {rows:,} rows ({percent(hits / rows)}): {shown}"
                f"{', …' if len(names) > _NAMED else ''}; in the baseline in {percent(was)}. That is what a join leaves that"
                " found no partner. Check the join upstream."
            ),
            value=hits / rows,
            allowed=f"about {percent(was)}",
            rule=(
                f"Told when columns are null together in {percent(limit)} (null_pattern_share_min) more of the rows than"
                f" before, p < {P_VALUE_MAX:g}, and more often than their single null shares explain: a join failed."
            ),
        )
    yield Outcome(code=code, column=None, measured=worst, fires_from=limit, finding=finding)


def _together(case: Case) -> list[tuple[frozenset[str], int, float]]:
    """Give the sets of columns that are null together, with their rows and their share in the baseline.

    Other columns are null by chance in some of these rows, so a set is what several patterns have in common, and counts
    in all of them.

    Returns
    -------
    list of (column ids, rows, share in the baseline)
    """
    # columns that are null in every row are null with all others; that is told by itself
    here = {c.column.column_id for c in case.compared if c.facts.nulls < case.rows}
    patterns = [(frozenset(ids) & here, hits) for ids, hits in case.batch.facts.null_patterns]
    known = [(frozenset(ids), share) for ids, share in case.schema.null_patterns]
    sets = {one & other for one, _ in patterns for other, _ in patterns}
    return [
        (
            together,
            sum(hits for ids, hits in patterns if together <= ids),
            sum(share for ids, share in known if together <= ids),
        )
        for together in sorted(sets, key=sorted)
        if len(together) > 1
    ]


def _beyond_chance(together: frozenset[str], hits: int, case: Case, here: dict[str, Compared]) -> bool:
    return hits >= _BEYOND_CHANCE * case.rows * _by_chance(together, case, here)


def _by_chance(together: frozenset[str], case: Case, here: dict[str, Compared]) -> float:
    """Give the share of rows that are null in all these columns if only those are linked that were in the baseline."""
    known = [(frozenset(ids), share) for ids, share in case.schema.null_patterns]
    linked = {together & ids for ids, _ in known if 2 <= len(together & ids) < len(together)}
    share = 1.0
    for ids in sorted(linked, key=lambda ids: (-len(ids), sorted(ids))):
        if ids <= together:
            together -= ids
            share *= sum(s for other, s in known if ids <= other)
    for column_id in together:
        share *= here[column_id].facts.nulls / case.rows
    return share
