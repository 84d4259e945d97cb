"""Which moves of the champion are legal.

Pure rules over what the registry says now; the store applies a move only if nobody moved meanwhile.
Neighbours: ``gate`` gives the verdict, ``store.models.apply`` does the move. It refuses to compare
models and to change anything itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline_core.errors import InvalidDefinition, Refused
from pipeline_core.records import Decision, Promotion, Verdict

PROMOTE = "promote"
ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who is champion now: the version (None: nobody) and how often the champion has moved."""

    model: str
    champion: int | None
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The second person who lets a version pass although the bias audit blocks it, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who moves the champion, why and when; ``override``: who else answers for it."""

    by: str
    reason: str
    at: datetime
    override: Override | None = None


def promote(
    version: int, verdict: Verdict | None, *, seat: Seat, signed: Signature, rows_sha256: str | None = None
) -> Promotion:
    """Make the move that makes a version champion.

    Parameters
    ----------
    version : int
        The version to promote.
    verdict : Verdict or None
        The latest verdict on it.
    seat : Seat
        Who is champion now.
    signed : Signature
        Who does it, why and when.
    rows_sha256 : str, optional
        What names the rows of the verdict today; not given: they are not looked at.

    Returns
    -------
    Promotion

    Raises
    ------
    Refused
        The version is champion already, there is no passing verdict against the present champion, the bias audit blocks
        it and nobody overrides that, there is nothing to override, or the rows that the verdict rests on have changed.
    InvalidDefinition
        Nobody signed, no reason is given, or both signed for the override are one person.
    """
    _check_signature(signed, PROMOTE)
    if version == seat.champion:
        raise Refused(f"Version {version} of model {seat.model!r} is the champion already; nothing was changed.")
    if verdict is None or verdict.version != version:
        raise Refused(
            f"Version {version} of model {seat.model!r} was not challenged; only a version that passed the gate may be"
            f" promoted. Challenge version {version} first."
        )
    if verdict.epoch != seat.epoch or verdict.champion != seat.champion:
        raise Refused(
            f"Version {version} of model {seat.model!r} was compared with {_named(verdict.champion)}; since then the"
            f" champion has moved and is {_named(seat.champion)}. Challenge version {version} again."
        )
    _check_passed(verdict, signed.override)
    if verdict.sha256 and rows_sha256 not in {None, verdict.sha256}:
        raise Refused(
            f"Version {version} of model {seat.model!r} passed the gate, but the rows that this verdict rests on have"
            f" changed since: a label was corrected or added, or a row was sent again. Challenge version {version} again."
        )
    return _move(version, PROMOTE, verdict.verdict_id, seat=seat, signed=signed)


def _check_passed(verdict: Verdict, override: Override | None) -> None:
    said = f"The gate says {verdict.verdict.value!r} on version {verdict.version} of model {verdict.model!r}"
    if verdict.verdict is Decision.PROMOTE:
        if override is not None:
            raise Refused(
                f"{said}, so that there is nothing to override; nothing was changed. Promote it without a second person."
            )
    elif verdict.blocked_by_bias:
        if override is None:
            raise Refused(f"{said}: {' '.join(verdict.reasons)}")
    elif override is not None:
        raise Refused(
            f"{said}: {' '.join(verdict.reasons)} Only a block by the bias audit can be overridden, not this; nothing was"
            " changed. Train another version, or challenge again when more labels are in."
        )
    else:
        raise Refused(
            f"{said}: {' '.join(verdict.reasons)} Train another version, or challenge again when more labels are in."
        )


def rollback(promotions: Sequence[Promotion], *, seat: Seat, signed: Signature) -> Promotion:
    """Make the move that gives the seat back to the champion before this one.

    Rolling back twice goes back two champions, it does not return to the one that was just removed.

    Parameters
    ----------
    promotions : sequence of Promotion
        All moves so far, in any order.
    seat : Seat
        Who is champion now.
    signed : Signature
        Who does it, why and when.

    Returns
    -------
    Promotion

    Raises
    ------
    Refused
        There was no champion before the present one.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    _check_signature(signed, ROLLBACK)
    line: list[tuple[int, str | None]] = []
    for move in sorted(promotions, key=lambda p: p.epoch):
        if move.action == ROLLBACK and len(line) > 1:
            line.pop()
        else:
            line.append((move.version, move.verdict_id))
    if len(line) < 2:
        raise Refused(
            f"Model {seat.model!r} has no champion before {_named(seat.champion)}; there is nothing to go back to."
            " Train and promote another version instead."
        )
    version, verdict_id = line[-2]
    return _move(version, ROLLBACK, verdict_id, seat=seat, signed=signed)


def _move(version: int, action: str, verdict_id: str | None, *, seat: Seat, signed: Signature) -> Promotion:
    return Promotion(
        model=seat.model,
        epoch=seat.epoch + 1,
        version=version,
        previous=seat.champion,
        action=action,
        by=signed.by.strip(),
        reason=signed.reason.strip(),
        verdict_id=verdict_id,
        at=signed.at,
        override_by=_folded(signed.override.by) if signed.override else "",
        override_reason=signed.override.reason.strip() if signed.override else "",
    )


def _check_signature(signed: Signature, action: str) -> None:
    for what, value in (("name", signed.by), ("reason", signed.reason)):
        if not value.strip():
            raise InvalidDefinition(
                f"A {action} needs a {what}; it was empty. Say who does it and why: it stays in the registry."
            )
    second = signed.override
    if second is None:
        return
    for what, value in (("name", second.by), ("reason", second.reason)):
        if not value.strip():
            raise InvalidDefinition(
                f"An override needs the {what} of a second person; it was empty. Say who lets it pass and why: it stays in"
                " the registry."
            )
    if _folded(second.by).casefold() == _folded(signed.by).casefold():
        raise InvalidDefinition(
            f"{signed.by.strip()!r} signs both the promotion and the override; two different people are needed. Ask"
            " somebody else to answer for the override."
        )


def _folded(name: str) -> str:
    """Give a name without what does not tell people apart: blanks around and in it, other forms of the same letters."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
