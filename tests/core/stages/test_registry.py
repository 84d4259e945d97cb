"""Only legal moves of the champion are made, and each refusal says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline_core.errors import InvalidDefinition, Refused
from pipeline_core.records import BiasAudit, BiasState, Decision, Dismissal, Promotion, Stage, Verdict
from pipeline_core.stages import registry
from tests.core.store import made

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SIGNED = registry.Signature(by=" Ada ", reason=" better ", at=NOW)


def verdict(
    version: int = 2, *, champion: int | None = 1, epoch: int = 1, says: Decision = Decision.PROMOTE
) -> Verdict:
    return Verdict(
        verdict_id="verdict-1", model="loans", version=version, champion=champion, epoch=epoch, verdict=says,
        reasons=("AUC fell by 0.1.",), metrics={}, rows=100, decided_at=NOW,
    )  # fmt: skip


def seat(champion: int | None = 1, epoch: int = 1) -> registry.Seat:
    return registry.Seat(model="loans", champion=champion, epoch=epoch)


def history(*moves: str) -> list[Promotion]:
    """Make moves such as ``+1`` (promote version 1) and ``-`` (roll back), each by the rules."""
    done: list[Promotion] = []
    for epoch, move in enumerate(moves):
        sits = seat(done[-1].version if done else None, epoch)
        signed = registry.Signature(by="Ada", reason="because", at=NOW + timedelta(days=epoch))
        if move == "-":
            done.append(registry.rollback(done[::-1], seat=sits, signed=signed))
        else:
            given = verdict(int(move), champion=sits.champion, epoch=epoch)
            done.append(registry.promote(int(move), given, seat=sits, signed=signed))
    return done


def test_a_passing_verdict_moves_the_champion() -> None:
    move = registry.promote(2, verdict(), seat=seat(), signed=SIGNED)
    assert move == Promotion(
        model="loans", epoch=2, version=2, previous=1, action="promote", by="Ada", reason="better",
        verdict_id="verdict-1", at=NOW,
    )  # fmt: skip


def test_the_first_champion_has_no_predecessor() -> None:
    move = registry.promote(1, verdict(1, champion=None, epoch=0), seat=seat(None, 0), signed=SIGNED)
    assert (move.epoch, move.previous) == (1, None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "was not challenged"),
        (verdict(3), "was not challenged"),
        (verdict(epoch=0), "compared with version 1; since then the champion has moved and is version 1"),
        (verdict(champion=None), "compared with no champion; since then the champion has moved and is version 1"),
        (verdict(says=Decision.KEEP), r"The gate says 'keep' on version 2 .* AUC fell by 0\.1\."),
        (verdict(says=Decision.INSUFFICIENT), "The gate says 'insufficient'"),
    ],
)
def test_without_a_passing_verdict_on_the_present_champion_nothing_moves(given: Verdict | None, words: str) -> None:
    with pytest.raises(Refused, match=words):
        registry.promote(2, given, seat=seat(), signed=SIGNED)


def test_a_verdict_counts_as_long_as_its_rows_are_what_they_were() -> None:
    given = replace(verdict(), sha256="abc")
    with pytest.raises(
        Refused, match=r"rows that this verdict rests on have changed since: .* Challenge version 2 again"
    ):
        registry.promote(2, given, seat=seat(), signed=SIGNED, rows_sha256="abd")
    for now in ("abc", None):
        assert registry.promote(2, given, seat=seat(), signed=SIGNED, rows_sha256=now).version == 2
    assert registry.promote(2, verdict(), seat=seat(), signed=SIGNED, rows_sha256="abd").version == 2


def test_the_champion_is_not_promoted_again() -> None:
    with pytest.raises(Refused, match="Version 1 of model 'loans' is the champion already"):
        registry.promote(1, verdict(1), seat=seat(), signed=SIGNED)


@pytest.mark.parametrize(("by", "reason", "what"), [(" ", "because", "name"), ("Ada", "", "reason")])
def test_every_move_is_signed(by: str, reason: str, what: str) -> None:
    empty = registry.Signature(by=by, reason=reason, at=NOW)
    with pytest.raises(InvalidDefinition, match=f"A promote needs a {what}"):
        registry.promote(2, verdict(), seat=seat(), signed=empty)
    with pytest.raises(InvalidDefinition, match=f"A rollback needs a {what}"):
        registry.rollback(history("1", "2"), seat=seat(2, 2), signed=empty)


@pytest.mark.parametrize(
    ("moves", "champions"),
    [
        (("1", "2", "-"), [1, 2, 1]),
        (("1", "2", "3", "-", "-"), [1, 2, 3, 2, 1]),
        (("1", "2", "-", "3", "-"), [1, 2, 1, 3, 1]),
        (("1", "2", "1", "-"), [1, 2, 1, 2]),
    ],
)
def test_rolling_back_goes_back_along_the_line(moves: tuple[str, ...], champions: list[int]) -> None:
    done = history(*moves)
    assert [m.version for m in done] == champions
    assert [m.epoch for m in done] == list(range(1, len(moves) + 1))
    assert done[-1].action == "rollback"
    assert done[-1].previous == champions[-2]


@pytest.mark.parametrize("moves", [(), ("1",), ("1", "2", "-")])
def test_there_is_nothing_before_the_first_champion(moves: tuple[str, ...]) -> None:
    done = history(*moves)
    sits = seat(done[-1].version if done else None, len(done))
    with pytest.raises(Refused, match=r"has no champion before (version 1|no champion)"):
        registry.rollback(done, seat=sits, signed=SIGNED)


# --- taking out ---------------------------------------------------------------------------------


def dismissed(version: int, action: str = "retire") -> dict[int, Dismissal]:
    return {
        version: Dismissal(model="loans", version=version, action=action, by="Grace", reason="biased", at=NOW, epoch=1)
    }


@pytest.mark.parametrize(("action", "done"), [("reject", "rejected"), ("retire", "retired")])
def test_what_was_taken_out_is_not_promoted_and_the_sentence_says_what_to_do(action: str, done: str) -> None:
    sits = replace(seat(), dismissed=dismissed(2, action))
    with pytest.raises(
        Refused,
        match=f"Version 2 of model 'loans' was {done} by Grace on 2025-06-01: 'biased'. That is for good; .* train it again",
    ):
        registry.promote(2, verdict(), seat=sits, signed=SIGNED)


@pytest.mark.parametrize(
    ("moves", "out", "back_to"), [(("1", "2", "3"), 2, 1), (("1", "2", "3"), 1, 2), (("1", "2", "1", "3"), 1, 2)]
)
def test_rolling_back_passes_over_what_was_retired(moves: tuple[str, ...], out: int, back_to: int) -> None:
    sits = replace(seat(3, len(moves)), dismissed=dismissed(out))
    done = history(*moves)
    back = registry.rollback(done, seat=sits, signed=SIGNED)
    assert (back.version, back.previous) == (back_to, 3)
    # and the line goes on from there, not from what was passed over
    rest = replace(seat(back_to, len(moves) + 1), dismissed=dismissed(out))
    if (out, back_to) == (2, 1):
        with pytest.raises(Refused, match="has no champion before version 1; there is nothing to go back to"):
            registry.rollback([*done, back], seat=rest, signed=SIGNED)


def test_where_all_before_were_retired_there_is_no_way_back() -> None:
    sits = replace(seat(2, 2), dismissed=dismissed(1))
    with pytest.raises(Refused, match=r"every one before it was retired for good\. Train and promote another"):
        registry.rollback(history("1", "2"), seat=sits, signed=SIGNED)


def test_a_retired_champion_leaves_the_seat_empty_and_the_one_before_may_come_back() -> None:
    done = history("1", "2")
    left = registry.vacate(seat=seat(2, 2), signed=SIGNED)
    assert (left.action, left.version, left.previous, left.epoch, left.verdict_id) == ("retire", 2, 2, 3, None)
    empty = replace(seat(None, 3), dismissed=dismissed(2))
    back = registry.rollback([*done, left], seat=empty, signed=SIGNED)
    assert (back.version, back.previous, back.epoch) == (1, None, 4)
    with pytest.raises(Refused, match="has no champion to retire"):
        registry.vacate(seat=empty, signed=SIGNED)


@pytest.mark.parametrize(
    ("act", "stage", "words"),
    [
        (registry.reject, Stage.CHAMPION, "is the champion; .* Roll back, or retire version 2 instead"),
        (registry.reject, Stage.RETIRED, "was champion; .* Retire version 2 instead"),
        (registry.retire, Stage.CHALLENGER, "never was champion.* Reject version 2 instead"),
    ],
)
def test_only_what_fits_the_stage_is_legal(act: Callable[..., Dismissal], stage: Stage, words: str) -> None:
    given = replace(made.version(2, "0" * 64, model="loans"), stage=stage)
    with pytest.raises(Refused, match=words):
        act(given, None, seat=seat(), signed=SIGNED)


@pytest.mark.parametrize(
    ("act", "stage"), [(registry.reject, Stage.CHALLENGER), (registry.retire, Stage.RETIRED), (registry.retire, Stage.CHAMPION)]
)  # fmt: skip
def test_taking_out_keeps_who_why_when_and_the_verdict(act: Callable[..., Dismissal], stage: Stage) -> None:
    given = replace(made.version(2, "0" * 64, model="loans"), stage=stage)
    gone = act(given, verdict(says=Decision.KEEP), seat=seat(), signed=SIGNED)
    assert gone == Dismissal(
        model="loans", version=2, action=act.__name__, by="Ada", reason="better", at=NOW, epoch=1, verdict_id="verdict-1"
    )  # fmt: skip
    with pytest.raises(Refused, match="for good"):
        act(given, None, seat=replace(seat(), dismissed={2: gone}), signed=SIGNED)
    with pytest.raises(InvalidDefinition, match=f"A {act.__name__} needs a reason"):
        act(given, None, seat=seat(), signed=replace(SIGNED, reason=" "))


# --- a block by the bias audit ------------------------------------------------------------------


def blocked(gate: Decision = Decision.PROMOTE) -> Verdict:
    audit = BiasAudit(state=BiasState.VIOLATION, reasons=("'f' is selected less.",), attributes=(), rows=100, gate=gate)
    return replace(verdict(says=Decision.KEEP), audit=audit)


def signed(by: str = "Grace", reason: str = "reviewed by the board", *, first: str = "Ada") -> registry.Signature:
    return registry.Signature(by=first, reason="better", at=NOW, override=registry.Override(by=by, reason=reason))


def test_a_violation_blocks_until_a_second_person_answers_for_it() -> None:
    with pytest.raises(Refused, match="The gate says 'keep' on version 2"):
        registry.promote(2, blocked(), seat=seat(), signed=SIGNED)
    move = registry.promote(2, blocked(), seat=seat(), signed=signed("  Grace   Hopper "))
    assert (move.version, move.by, move.override_by, move.override_reason) == (
        2, "Ada", "Grace Hopper", "reviewed by the board",
    )  # fmt: skip


@pytest.mark.parametrize("same", ["Ada", " ADA ", "ada", "\uff21da"])
def test_one_person_does_not_sign_twice(same: str) -> None:
    with pytest.raises(InvalidDefinition, match="two different people are needed"):
        registry.promote(2, blocked(), seat=seat(), signed=signed(same))


@pytest.mark.parametrize(("by", "reason", "lacks"), [(" ", "because", "name"), ("Grace", "", "reason")])
def test_an_override_is_signed_and_reasoned(by: str, reason: str, lacks: str) -> None:
    with pytest.raises(InvalidDefinition, match=f"needs the {lacks} of a second person"):
        registry.promote(2, blocked(), seat=seat(), signed=signed(by, reason))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (verdict(says=Decision.KEEP), "Only a block by the bias audit can be overridden"),
        (verdict(says=Decision.INSUFFICIENT), "Only a block by the bias audit can be overridden"),
        (blocked(Decision.KEEP), "Only a block by the bias audit can be overridden"),
        (verdict(), "there is nothing to override"),
    ],
)
def test_nothing_else_can_be_overridden(given: Verdict, words: str) -> None:
    with pytest.raises(Refused, match=words):
        registry.promote(2, given, seat=seat(), signed=signed())


def test_an_override_does_not_outlive_the_champion_it_was_compared_with() -> None:
    with pytest.raises(Refused, match="since then the champion has moved"):
        registry.promote(2, blocked(), seat=seat(3, 2), signed=signed())
