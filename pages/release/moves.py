"""What a person may do to the champion: challenge it, promote, roll back; each with its consequences."""

from __future__ import annotations

import streamlit as st

from pages.release import overriding, rulings, runs, words
from pages.release.reads import Shelf
from pages.ui import dialogs, panels, session, wording
from pipeline_core.flows import release
from pipeline_core.records import Decision, ModelVersion, Schema


def pick_challenger(shelf: Shelf) -> ModelVersion:
    """Draw the choice of the challenger (default: the newest; in the URL as ``?challenger=2``) and give it."""
    numbers = [v.version for v in shelf.challengers]
    asked = st.query_params.get("challenger", "")
    index = numbers.index(int(asked)) if asked.isdigit() and int(asked) in numbers else 0
    picked = numbers[index]
    if len(numbers) > 1:
        picked = st.selectbox(
            "Challenger", numbers, index=index, key="challenger_pick", width=320,
            format_func=lambda n: f"v{n}, {words.made(shelf, n)}",
        )  # fmt: skip
    st.query_params["challenger"] = str(picked)
    return next(v for v in shelf.challengers if v.version == picked)


def decision(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    """Draw the reasons of the verdict and the three buttons: promote, challenge, retrain."""
    verdict = shelf.verdict(version.version)
    block = rulings.promotion_block(verdict, shelf.epoch)
    with st.container(border=True, key="decision"):
        st.markdown("**Why**" if verdict else "**Next**")
        for reason in verdict.reasons if verdict else ():
            blocks = verdict is not None and reason in verdict.blocks
            st.markdown(f"- {':red[:material/block:] ' if blocks else ''}{wording.safe(reason, length=600)}")
        if block:
            st.caption(f":material/block: {block}")
        stale = verdict is None or verdict.epoch != shelf.epoch
        if st.button(
            f"Promote v{version.version}", key="promote", type="primary" if block is None else "secondary",
            disabled=block is not None, help=block, icon=":material/trophy:", width="stretch",
        ):  # fmt: skip
            _confirm_promotion(version, shelf, schema)
        if overriding.offered(verdict, shelf):
            overriding.form(version, shelf, schema)
        if st.button(
            "Run the challenge" if verdict is None else "Run the challenge again", key="challenge_run",
            type="primary" if stale else "secondary", icon=":material/swords:", width="stretch",
        ):  # fmt: skip
            with session.guard():
                session.submit("challenge", schema.model, {"version": version.version})
                st.rerun()
        lost = verdict is not None and not stale and verdict.verdict is Decision.KEEP
        runs.retrain(schema, key="challenge_retrain", leads=lost)
        if verdict is not None and verdict.verdict is Decision.INSUFFICIENT:
            panels.link("Send rows or labels", "batches", icon=":material/upload:")


def _confirm_promotion(version: ModelVersion, shelf: Shelf, schema: Schema) -> None:
    def act(by: str, reason: str) -> None:
        release.promote(
            session.store(), schema.model, version=version.version, by=by, reason=reason, expected_epoch=shelf.epoch
        )
        told = f"v{version.version} is champion of {wording.safe(schema.model)}."
        session.tell(f"{told} {session.check_soon(schema.model)}", icon=":material/trophy:")

    dialogs.confirm(
        f"Promote v{version.version}",
        promotion_consequences(version, shelf),
        button=f"Make v{version.version} champion",
        action=act,
        key="confirm_promote",
        reason="Reason (kept with the promotion)",
    )


def rollback(shelf: Shelf, schema: Schema, *, leads: bool = False) -> None:
    """Draw the button that makes the former champion champion again; disabled says why. ``leads``: it is the next step."""
    target = shelf.rollback_to
    block = None if target else "There is no former champion to go back to, or all of them were retired for good."
    label = f"Roll back to v{target}" if target else "Roll back"
    if st.button(
        label,
        key="rollback",
        disabled=block is not None,
        help=block,
        icon=":material/undo:",
        type="primary" if leads and target else "secondary",
    ):
        _confirm_rollback(shelf, schema, target or 0)


def _confirm_rollback(shelf: Shelf, schema: Schema, target: int) -> None:
    def act(by: str, reason: str) -> None:
        moved = release.rollback(session.store(), schema.model, by=by, reason=reason, expected_epoch=shelf.epoch)
        told = f"v{moved.version} is champion of {wording.safe(schema.model)} again."
        session.tell(f"{told} {session.check_soon(schema.model)}", icon=":material/undo:")

    dialogs.confirm(
        f"Roll back to v{target}",
        rollback_consequences(shelf, target),
        button=f"Make v{target} champion again",
        action=act,
        key="confirm_rollback",
        reason="Reason (kept with the move)",
    )


def promotion_consequences(version: ModelVersion, shelf: Shelf) -> str:
    """Say what a promotion does."""
    former = shelf.champion
    retired = f" v{former.version} is retired and can be rolled back to." if former else ""
    return (
        f"From now on v{version.version} is the one that scores, and windows are watched against its own rows, or the baseline that somebody chose."
        f"{retired} Predictions that were made stay as they are. The move is kept with your name and reason and cannot be erased."
    )


def rollback_consequences(shelf: Shelf, target: int) -> str:
    """Say what a rollback does."""
    now = (
        f"v{shelf.champion.version} stops scoring at once and v{target} takes its place"
        if shelf.champion
        else f"v{target} scores from now on"
    )
    return (
        f"{now}, without a new challenge; windows are watched against"
        f" its own rows, or the baseline that somebody chose. The move is kept with your name and reason and cannot be erased."
    )
