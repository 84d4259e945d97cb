"""Where a model stands in the registry, as sentences; pure. Foreign names are escaped here."""

from __future__ import annotations

from pages.release.reads import Shelf
from pages.ui import periods, wording
from pipeline_core.records import Lineage, LineageCheck, LinkState, ModelVersion, Schema

MOVED = {"promote": "promoted", "rollback": "rolled back", "retire": "retired"}


def challenge_does(shelf: Shelf) -> str:
    """Say what the challenge compares, and that it moves nothing."""
    if shelf.champion is None:
        return (
            "There is no champion yet, so the version is compared with the trivial predictor on the newest labelled rows that"
            " it was not fitted on. Nothing goes out until somebody promotes it."
        )
    return (
        "Champion and challenger predict the same newest labelled rows, none of which either was fitted on. The gate compares"
        " the leading metric with its interval: the challenger may replace the champion when it is shown not to be worse by more"
        " than the margin, its probabilities are no worse, and no part of the rows loses too much. The more versions are tried on"
        " the same rows, the stricter it gets. Nothing changes in production until somebody promotes it."
    )


def unchallenged(version: ModelVersion, shelf: Shelf) -> str:
    """Say that a version has not been compared yet."""
    against = f"champion v{shelf.champion.version}" if shelf.champion else "the trivial predictor"
    return f"**v{version.version}** has not been compared with {against} yet. Run the challenge to see whether it may go out."


def no_challenger(shelf: Shelf, schema: Schema) -> str:
    """Say that there is nothing to compare, and who is champion since when."""
    model = wording.safe(schema.model)
    if shelf.champion is None and shelf.promotions:
        return vacant(shelf, schema)
    if shelf.champion is None:
        waits = "no version that may go out" if shelf.versions else "no version yet"
        return f"**{model}** has {waits}: train one, and this page says whether it may go out."
    move = shelf.promotions[0] if shelf.promotions else None
    since = (
        f" since {wording.clock(move.at)} ({MOVED.get(move.action, move.action)} by {wording.safe(move.by)}: “{wording.safe(move.reason, length=160)}”)"
        if move
        else ""
    )
    return f"**v{shelf.champion.version}** is champion of **{model}**{since}. No challenger waits."


def no_champion(shelf: Shelf) -> str:
    """Say what is missing before something is in production."""
    if shelf.challengers:
        return "A version is trained and waits for the challenge; the promoted one appears here with everything that made it."
    return "Nothing is in production. Train a version, challenge it, promote it: it appears here with everything that made it."


def vacant(shelf: Shelf, schema: Schema) -> str:
    """Say that the champion was retired, by whom and why, and what that means."""
    move = shelf.promotions[0]
    return (
        f"**{wording.safe(schema.model)}** has no champion since {wording.clock(move.at)}: {wording.safe(move.by)} retired"
        f" v{move.version}, because: “{wording.safe(move.reason.rstrip(' .'), length=300)}”. Nothing is scored and nothing is watched until"
        " a version is promoted."
    )


def made_from(lineage: Lineage, schema: Schema, doubt: str = "") -> str:
    """Answer what data produced the champion and what was its validation metric."""
    data = lineage.dataset
    name = wording.primary_metric(lineage.metrics)
    figure = (
        f"validation {wording.metric_name(name)} {wording.interval(lineage.metrics[name])}" if name else "no metric"
    )
    named = periods.period(data.first_event_at, data.last_event_at, schema)
    when = "" if named == wording.DASH else f", {named}"
    return (
        f"**v{lineage.version}** is champion of **{wording.safe(schema.model)}**, made from"
        f" {wording.count(len(data.batches), 'batch')} ({wording.count(data.rows, 'row')}{when}): {figure}."
        f"{' Passed the gate, barely. ' if doubt else ''}{doubt}"
    )


def traced(check: LineageCheck | None) -> str:
    """Say where what was verified no longer agrees; nothing where it does, or nobody asked."""
    if check is None or check.agrees:
        return ""
    broken = sum(link.state is LinkState.DIFFERS for link in check.links)
    return f" Its lineage no longer agrees: {wording.count(broken, 'statement')} of {len(check.links)} below."


def reign_title(shelf: Shelf) -> str:
    """Say who is champion since when, and how often that changed (for a chart)."""
    if shelf.champion is None or not shelf.promotions:
        return "Who was champion when?"
    since = max(shelf.promotions, key=lambda move: move.epoch).at
    changes = sum(move.action != "retire" for move in shelf.promotions) - 1
    after = f", after {wording.count(changes, 'change')}" if changes else ", the first one"
    return f"v{shelf.champion.version} is champion since {wording.clock(since)}{after}"


def promoted(lineage: Lineage, shelf: Shelf) -> str:
    """Say who made it champion, by which move, when and why."""
    back = bool(shelf.promotions) and shelf.promotions[0].action == "rollback"
    reason = wording.safe(lineage.reason.rstrip(" ."), length=300)
    because = f", because: “{reason}”" if reason else ""
    return f"{'Rolled back' if back else 'Promoted'} by **{wording.safe(lineage.promoted_by)}** on {wording.clock(lineage.promoted_at)}{because}.{_overridden(lineage)}"


def _overridden(lineage: Lineage) -> str:
    """Say for good who let the champion pass although the bias audit blocked it."""
    if not lineage.override_by:
        return ""
    why = wording.safe(lineage.override_reason.rstrip(" ."), length=300)
    return (
        f" :orange[:material/group:] The bias audit had proved a violation; **{wording.safe(lineage.override_by)}** overrode"
        f" its block, because: “{why}”."
    )
