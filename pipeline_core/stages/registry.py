"""Which moves of the champion are legal, and which versions may be taken out.

Pure rules over what the registry says now; the store applies a move only if nobody moved meanwhile. A challenger is
promoted or rejected; a champion is replaced, rolled back from or retired; who was champion is promoted again, rolled back
to or retired. Rejected, and retired by hand, are for good. Neighbours: ``gate`` gives the verdict, ``store.registry`` does
the move. It refuses to compare models and to change anything itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_core.errors import InvalidDefinition, Refused
from pipeline_core.records import Decision, Dismissal, ModelVersion, Promotion, Stage, Verdict

PROMOTE = "promote"
ROLLBACK = "rollback"
REJECT = "reject"
RETIRE = "retire"
_DONE = {REJECT: "rejected", RETIRE: "retired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Who is champion now: the version (None: nobody), how often the champion has moved, and who was taken out for good."""

    model: str
    champion: int | None
    epoch: int
    dismissed: Mapping[int, Dismissal] = field(default_factory=dict)


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
        The version is champion already or was taken out, there is no passing verdict against the present champion, the
        bias audit blocks it and nobody overrides that, there is nothing to override, or the rows that the verdict rests on
        have changed.
    InvalidDefinition
        Nobody signed, no reason is given, or both signed for the override are one person.
    """
    _check_signature(signed, PROMOTE)
    if version == seat.champion:
        raise Refused(f"Version {version} of model {seat.model!r} is the champion already; nothing was changed.")
    check_open(version, seat=seat)
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


def check_open(version: int, *, seat: Seat) -> None:
    """Refuse a version that was taken out for good.

    Parameters
    ----------
    version : int
        The version that is to be challenged or promoted.
    seat : Seat
        Who is champion now, and who was taken out.

    Raises
    ------
    Refused
        It was rejected, or retired by hand.
    """
    gone = seat.dismissed.get(version)
    if gone is not None:
        raise Refused(
            f"Version {version} of model {seat.model!r} was {_DONE[gone.action]} by {gone.by} on {gone.at:%Y-%m-%d}:"
            f" {gone.reason!r}. That is for good; to bring the same model back, train it again as a new version and let it"
            " pass the gate."
        )


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

    Rolling back twice goes back two champions, it does not return to the one that was just removed. Versions that were
    taken out are passed over; where the champion was retired, the one before it comes back.

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
        There was no champion before the present one, or all of them were taken out.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    _check_signature(signed, ROLLBACK)
    before = _line(promotions)[:-1]
    way_back = [(version, verdict_id) for version, verdict_id in before if version not in seat.dismissed]
    if not way_back:
        why = "every one before it was retired for good" if before else "there is nothing to go back to"
        raise Refused(
            f"Model {seat.model!r} has no champion before {_named(seat.champion)}; {why}. Train and promote another version"
            " instead."
        )
    version, verdict_id = way_back[-1]
    return _move(version, ROLLBACK, verdict_id, seat=seat, signed=signed)


def _line(promotions: Sequence[Promotion]) -> list[tuple[int, str | None]]:
    """Give the champions that each followed on the one before, the last one to sit at the end."""
    line: list[tuple[int, str | None]] = []
    for move in sorted(promotions, key=lambda p: p.epoch):
        if move.action == ROLLBACK:
            del line[-1:]
            while line and line[-1][0] != move.version:
                line.pop()
        if move.action == PROMOTE or not line:
            line.append((move.version, move.verdict_id))
    return line


def reject(version: ModelVersion, verdict: Verdict | None, *, seat: Seat, signed: Signature) -> Dismissal:
    """Turn a challenger down for good.

    Parameters
    ----------
    version : ModelVersion
        The challenger.
    verdict : Verdict or None
        The latest verdict on it; none is needed.
    seat : Seat
        Who is champion now.
    signed : Signature
        Who does it, why and when.

    Returns
    -------
    Dismissal

    Raises
    ------
    Refused
        It is or was champion, or was rejected before.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    _check_signature(signed, REJECT)
    check_open(version.version, seat=seat)
    if version.stage is not Stage.CHALLENGER:
        now = "is the champion" if version.stage is Stage.CHAMPION else "was champion"
        raise Refused(
            f"Version {version.version} of model {seat.model!r} {now}; only a challenger, which never was, can be rejected."
            f" {'Roll back, or retire' if version.stage is Stage.CHAMPION else 'Retire'} version {version.version} instead."
        )
    return _dismissal(version, REJECT, verdict, seat=seat, signed=signed)


def retire(version: ModelVersion, verdict: Verdict | None, *, seat: Seat, signed: Signature) -> Dismissal:
    """Take a version that is or was champion out for good: nobody can roll back to it.

    Parameters
    ----------
    version : ModelVersion
        The version.
    verdict : Verdict or None
        The latest verdict on it.
    seat : Seat
        Who is champion now.
    signed : Signature
        Who does it, why and when.

    Returns
    -------
    Dismissal
        Of the champion, ``vacate`` is the move that goes before it.

    Raises
    ------
    Refused
        It was never champion, or was retired before.
    InvalidDefinition
        Nobody signed, or no reason is given.
    """
    _check_signature(signed, RETIRE)
    check_open(version.version, seat=seat)
    if version.stage is Stage.CHALLENGER:
        raise Refused(
            f"Version {version.version} of model {seat.model!r} never was champion, so there is nothing to retire it from."
            f" Reject version {version.version} instead."
        )
    return _dismissal(version, RETIRE, verdict, seat=seat, signed=signed)


def vacate(*, seat: Seat, signed: Signature) -> Promotion:
    """Make the move that leaves a model without a champion.

    Parameters
    ----------
    seat : Seat
        Who is champion now: somebody.
    signed : Signature
        Who does it, why and when.

    Returns
    -------
    Promotion
        Of the version that sat; nobody sits after it.

    Raises
    ------
    Refused
        Nobody is champion.
    """
    if seat.champion is None:
        raise Refused(f"Model {seat.model!r} has no champion to retire; nothing was changed.")
    return _move(seat.champion, RETIRE, None, seat=seat, signed=signed)


def _dismissal(
    version: ModelVersion, action: str, verdict: Verdict | None, *, seat: Seat, signed: Signature
) -> Dismissal:
    return Dismissal(
        model=seat.model,
        version=version.version,
        action=action,
        by=signed.by.strip(),
        reason=signed.reason.strip(),
        at=signed.at,
        epoch=seat.epoch,
        verdict_id=verdict.verdict_id if verdict else None,
    )


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
