"""Says whether the categories of a column are those of the baseline, spelled as they were, and as common.

Neighbours: ``numbers`` asks the same of numbers and words the shift. It refuses to say what is new where the baseline
keeps only the commonest levels, and to miss levels that come and go with the calendar.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress

from pipeline_core.records import ColumnType, Finding, Severity
from pipeline_core.stages.validation.codes import FindingCode, percent
from pipeline_core.stages.validation.numbers import shift
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
from pipeline_core.stats.distances import js_distance
from pipeline_core.stats.twosample import smallest_detectable_js

_NAMED = 5
# what carries no meaning of its own; signs (<, >, +, %, &) and a point between digits do
_SPELLING = re.compile(r"(?<!\d)[^\w<>=+%&#$]|[^\w<>=+%&#$](?!\d)|_")
_LOST = re.compile(r"[?\ufffd]")
"""What stands where a letter could not be written."""


def outcomes(compared: Compared, case: Case) -> Outcomes:
    """Apply the rules about levels to one category column."""
    if compared.column.type is not ColumnType.CATEGORY or not compared.tally.known:
        return
    yield from _unseen(compared, case)
    yield from _spelling(compared)
    yield from _vanished(compared, case)
    yield from _shift(compared, case)


def _new(compared: Compared) -> list[str]:
    # beyond the 200 commonest levels nobody knows which are new: the shift of their share is told instead
    if not compared.baseline.levels_complete:
        return []
    counted, known = compared.tally.levels, compared.baseline.levels
    return sorted((level for level in counted if level not in known), key=lambda level: (-counted[level], level))


def _listed(levels: Sequence[str], counted: Mapping[str, int]) -> str:
    shown = ", ".join(f"{level[:40]!r} ({counted[level]:,} rows)" for level in levels[:_NAMED])
    return f"{shown}{', …' if len(levels) > _NAMED else ''}"


def _unseen(compared: Compared, case: Case) -> Outcomes:
    if not compared.baseline.levels_complete:
        return
    counted, new, rows = compared.tally.levels, _new(compared), compared.tally.known
    hits = sum(counted[level] for level in new)
    share = hits / rows
    finding = _unseen_finding(compared, case, new=new, hits=hits) if new else None
    yield Outcome(code=FindingCode.UNSEEN_CATEGORY, column=compared.column, measured=share, finding=finding)


def _unseen_finding(compared: Compared, case: Case, *, new: list[str], hits: int) -> Finding:
    rows, most = compared.tally.known, case.policy.unseen_share_max
    share, limit = hits / rows, percent(most)
    expected = compared.baseline.follows_calendar  # a month that has not been before is no fault of the file
    beyond = not expected and share > most and significant(0, compared.baseline_known, hits, rows)
    advice = (
        "In the baseline each day has one category, so new ones come with the calendar: train on data that has them."
        if expected
        else f"Policy allows {limit}. Check spelling and coding upstream, or train on data that has them."
    )
    return Finding(
        code=FindingCode.UNSEEN_CATEGORY,
        column=compared.column.name,
        severity=WORST[compared.column.role] if beyond else Severity.WARNING,
        message=(
            f"Column {compared.column.name!r}: {hits:,} of {rows:,} values ({percent(share)}) are categories that the"
            f" baseline does not have: {_listed(new, compared.tally.levels)}. {advice}"
        ),
        value=share,
        allowed="any" if expected else f"at most {limit}",
        rule=(
            f"Categories that the baseline does not have are always told; above {limit} (unseen_share_max) of the values,"
            f" p < {P_VALUE_MAX:g}, a feature is unusable: the model has no idea of them."
        ),
        examples=examples_of(compared.arrival, "case", "trimmed"),
    )


def plain_level(level: str) -> str:
    """Give a category without case, accents, blanks and punctuation; one without a letter stays as it is.

    Parameters
    ----------
    level : str
        As stored.

    Returns
    -------
    str

    Examples
    --------
    >>> plain_level(" São-Paulo"), plain_level("<=50K"), plain_level("-1.5")
    ('saopaulo', '<=50k', '-1.5')
    """
    if not any(c.isalpha() for c in level):
        return level
    folded = unicodedata.normalize("NFKD", level).casefold()
    return _SPELLING.sub("", "".join(c for c in folded if not unicodedata.combining(c))) or level


def _respelled(level: str, known: Mapping[str, str]) -> str | None:
    """Give the known category that a new one is another spelling of; ``known``: by their plain form."""
    for text in (level, *_decoded(level)):
        if (old := known.get(plain_level(text))) is not None:
            return old
    if not _LOST.search(level):
        return None
    # each lost letter left a mark
    wanted = re.compile("".join("[^\\x00-\\x7f]+" if _LOST.match(c) else re.escape(c) for c in level))
    return next((old for old in known.values() if wanted.fullmatch(old)), None)


def _decoded(level: str) -> list[str]:
    """Undo UTF-8 that was read as Windows-1252 or Latin-1."""
    found = []
    for encoding in ("cp1252", "latin-1"):
        with suppress(UnicodeError):
            found.append(level.encode(encoding).decode("utf-8"))
    return [text for text in found if text != level]


def _spelling(compared: Compared) -> Outcomes:
    if not compared.baseline.levels_complete:
        return
    counted, code = compared.tally.levels, FindingCode.CATEGORY_SPELLING
    known = {plain_level(level): level for level in sorted(compared.baseline.levels, reverse=True)}
    pairs = [(level, old) for level in _new(compared) if (old := _respelled(level, known)) is not None]
    hits = sum(counted[level] for level, _ in pairs)
    share = hits / compared.tally.known
    finding = None
    if pairs:
        shown = ", ".join(f"{new[:40]!r} for {old[:40]!r} ({counted[new]:,} rows)" for new, old in pairs[:_NAMED])
        finding = Finding(
            code=code,
            column=compared.column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {compared.column.name!r}: {hits:,} values are known categories in another spelling: {shown}"
                f"{', …' if len(pairs) > _NAMED else ''}. The model takes them for categories it has never seen. Spell them as"
                " before upstream."
            ),
            value=share,
            allowed="the spelling of the baseline",
            rule=(
                "Told when a new category equals a known one but for case, blanks, accents, punctuation or damaged letters: to the model it"
                " is another category."
            ),
            examples=examples_of(compared.arrival, "case", "trimmed"),
        )
    yield Outcome(code=code, column=compared.column, measured=share, finding=finding)


def _vanished(compared: Compared, case: Case) -> Outcomes:
    baseline, counted, rows = compared.baseline, compared.tally.levels, compared.tally.known
    if baseline.follows_calendar or not baseline.levels:
        return
    limit, tested = case.policy.vanished_share_min, len(baseline.levels) * max(1, len(case.compared))
    # the chance that none of the rows has it, however often it was asked
    gone = [
        level
        for level, share in baseline.levels.items()
        if level not in counted and (1 - share) ** rows * tested < P_VALUE_MAX
    ]
    share = sum(baseline.levels[level] for level in gone)
    finding = None
    if gone and share >= limit:
        gone.sort(key=lambda level: (-baseline.levels[level], level))
        shown = ", ".join(f"{level[:40]!r} ({percent(baseline.levels[level])})" for level in gone[:_NAMED])
        finding = Finding(
            code=FindingCode.CATEGORY_VANISHED,
            column=compared.column.name,
            severity=Severity.WARNING,
            message=(
                f"Column {compared.column.name!r}: {len(gone):,} categories that make {percent(share)} of the baseline are in"
                f" none of {rows:,} values: {shown}{', …' if len(gone) > _NAMED else ''}. Part of the source may be missing, or"
                " its coding changed."
            ),
            value=share,
            allowed=f"below {percent(limit)}",
            rule=(
                f"Told when categories of {percent(limit)} (vanished_share_min) of the baseline are gone, p < {P_VALUE_MAX:g}:"
                " part of a source that goes missing takes its categories with it."
            ),
        )
    yield Outcome(
        code=FindingCode.CATEGORY_VANISHED, column=compared.column, measured=share, fires_from=limit, finding=finding
    )


def _shift(compared: Compared, case: Case) -> Outcomes:
    known, rows = compared.baseline_known, compared.tally.known
    if not compared.baseline.levels or min(rows, known) < case.policy.window_rows_min:
        return
    levels = list(compared.baseline.levels)
    base = [compared.baseline.levels[level] for level in levels]
    current = [compared.tally.levels.get(level, 0) / rows for level in levels]
    # levels beyond the 200 commonest, and new ones, count as one
    distance = js_distance([*base, max(0.0, 1 - sum(base))], [*current, max(0.0, 1 - sum(current))])
    moved = max(range(len(levels)), key=lambda i: abs(current[i] - base[i]))
    most = f"{levels[moved][:40]!r} moved most, from {percent(base[moved])} to {percent(current[moved])}"
    chance = smallest_detectable_js(known, rows, levels=len(levels) + 1, alpha=P_VALUE_MAX)
    yield shift(compared, distance, chance=chance, how=f"Jensen-Shannon distance {distance:.2f}; {most}", case=case)
