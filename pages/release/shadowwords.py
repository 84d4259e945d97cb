"""How a shadow reads; pure. Foreign text is escaped here."""

from __future__ import annotations

from pages.ui import verdicts, wording
from pages.ui.wording import State
from pipeline_core.records import Decision, Figure, Measured, Shadow, ShadowReport, Task

_SAYS = {
    Decision.PROMOTE: "as good as the champion within the margin",
    Decision.KEEP: "worse than is allowed",
    Decision.INSUFFICIENT: "nobody can say yet",
}


def offer(version: int, champion: int, running: Shadow | None) -> str:
    """Say what a shadow does, and why none can be started now."""
    if running is not None:
        return (
            f"v{running.version} is in shadow since {wording.clock(running.started_at)}, and one shadow at a time is allowed:"
            f" choose it above to see how it does, or to stop it."
        )
    return (
        f"Before anything moves, v{version} can score every batch right after champion v{champion}. Callers get the"
        f" champion's answer and see nothing of it; what v{version} says is kept apart and takes no part in drift, alerts or"
        " performance. A batch takes longer by the time that it needs."
    )


def state(report: ShadowReport) -> State:
    """Say how the block shows: errors are to be watched; whether it is well only labels tell, through the gate."""
    live = report.shadow.live
    if report.errors:
        return State.WATCH
    return verdicts.state(live) if live is not None and live.champion == report.champion else State.UNKNOWN


def sentence(report: ShadowReport) -> str:
    """Say what the shadow has scored beside whom since when, and how far they agree."""
    name, kept = f"**v{report.version}**", report.shadow
    if report.champion is None:
        return f"{name} and the present champion answer different questions: nothing of the two can be compared."
    if not report.rows:
        waits = (
            "nothing more will be" if kept.ended_at else f"the next batch that v{report.champion} scores, it scores too"
        )
        return f"{name} has scored no live row beside v{report.champion} yet; {waits}."
    since = f" since {wording.day(report.first_scored_at)}" if report.first_scored_at else ""
    said = f"{name} has scored {wording.count(report.all_rows, 'live row')} beside v{report.champion}{since}: {_agree(report)}."
    if not report.enough:
        said += f" That is too little to rely on: {report.rows_min:,} rows are asked for."
    if report.all_rows > report.rows:
        said += f" Compared are the newest {report.rows:,}."
    return said


def _agree(report: ShadowReport) -> str:
    if isinstance(report.agreement, Measured):
        return f"they agree on {share(report.agreement)}"
    moved = report.mean_difference
    if not isinstance(moved, Measured):
        return "nothing of it could be compared"
    return f"it predicts {wording.number(abs(moved.value))} {'more' if moved.value >= 0 else 'less'} on average"


def share(figure: Figure) -> str:
    """Give a share with its interval as percent: ``"97.1 % (96.0–97.9 %)"``."""
    if not isinstance(figure, Measured):
        return wording.DASH
    if figure.low is None or figure.high is None:
        return wording.percent(figure.value)
    return f"{wording.percent(figure.value)} ({wording.percent(figure.low).removesuffix(' %')}–{wording.percent(figure.high)})"


def who(kept: Shadow) -> str:
    """Say who started it and why, and who ended it."""
    said = f"Started {wording.clock(kept.started_at)} by {wording.safe(kept.started_by)}: “{wording.safe(kept.reason, length=200)}”."
    if kept.ended_at is None:
        return said
    by = f" by {wording.safe(kept.ended_by)}" if kept.ended_by else ""
    why = f": “{wording.safe(kept.end_reason, length=200)}”" if kept.end_reason else ""
    return f"{said} Ended {wording.clock(kept.ended_at)}{by}{why}."


def labelled(report: ShadowReport) -> str:
    """Say how many live rows have a label, and how many are needed."""
    there = wording.count(report.labelled_rows, "live row")
    has = "has" if report.labelled_rows == 1 else "have"
    if report.rows_needed is None:
        return f"{there} {has} a label so far."
    if report.labelled_rows < report.rows_needed:
        return f"{there} {has} a label so far; the gate needs about {report.rows_needed:,} before it can say anything."
    return f"{there} {has} a label: enough for the gate to be asked."


def verdict(report: ShadowReport) -> str:
    """Say what the gate said of the labelled live rows; nothing where it was not asked."""
    live = report.shadow.live
    if live is None:
        return ""
    old = "" if live.champion == report.champion else f" That was beside v{live.champion}, who is champion no more."
    return (
        f"**The gate on {wording.count(live.rows, 'labelled live row')}** ({wording.clock(live.decided_at)}):"
        f" {_SAYS[live.verdict]}.{old}"
    )


def failed(report: ShadowReport) -> str:
    """Say on how many batches it failed, and how the last time."""
    return (
        f"v{report.version} failed on {wording.count(report.errors, 'batch')}; callers got the champion's answer all the same."
        f" The last time: {wording.safe(report.last_error, length=300)}"
    )


def different(report: ShadowReport, task: Task) -> list[dict[str, object]]:
    """List the rows where the two differ most, as a table with raw names."""
    ours, theirs = f"v{report.champion}", f"v{report.version}"
    decided = task is not Task.REGRESSION
    return [
        {
            "Row": row.row_id,
            "Batch": row.batch_id,
            f"Score of {ours}": row.champion_score,
            f"Score of {theirs}": row.shadow_score,
            **({f"{ours} says": row.champion_prediction, f"{theirs} says": row.shadow_prediction} if decided else {}),
        }
        for row in report.most_different
    ]


def groups(report: ShadowReport) -> list[dict[str, object]]:
    """List how both decide about the levels of protected columns, as a table with raw names."""
    return [
        {
            "Group": f"{group.column}: {'no value' if group.level is None else group.level}",
            "Rows": group.rows,
            "Same decision": share(group.agreement),
            f"v{report.version} minus v{report.champion}": wording.interval(group.mean_difference),
        }
        for group in report.groups
    ]


def bins(report: ShadowReport) -> list[dict[str, object]]:
    """List the counts that the chart draws."""
    ends = zip(report.edges[:-1], report.edges[1:], report.champion_bins, report.shadow_bins, strict=True)
    return [
        {"From": low, "To": high, f"v{report.champion} rows": ours, f"v{report.version} rows": theirs}
        for low, high, ours, theirs in ends
    ]


def title(report: ShadowReport) -> str:
    """Say how far apart the two score distributions are (for the chart)."""
    if not isinstance(report.distance, Measured):
        return "Do the two score alike?"
    apart = wording.number(report.distance.value)
    return f"The scores of v{report.version} and v{report.champion} are {apart} apart (KS distance, 0 to 1)"
