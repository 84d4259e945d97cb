"""The sentences of the intake pages; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pages.intake.reads import Arrivals
from pages.ui import periods, wording
from pages.ui.wording import State
from pipeline_core.records import (
    BatchReport,
    BatchStatus,
    LabelReport,
    Schema,
    ScoringReport,
    Severity,
    Task,
)

SEVERITY_NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def tally(report: BatchReport) -> str:
    """Count the findings by severity: ``"2 errors, 1 warning"``, or ``"no findings"``."""
    counted = Counter(f.severity for f in report.findings)
    parts = [wording.count(counted[s], noun) for s, noun in SEVERITY_NOUNS.items() if counted[s]]
    return ", ".join(parts) or "no findings"


def period(report: BatchReport, schema: Schema) -> str:
    """Name the event times of a batch."""
    return periods.period(report.first_event_at, report.last_event_at, schema)


def arrivals_state(arrivals: Arrivals) -> State:
    """Give the state of the list: the newest batch refused is urgent, an older one is to be known."""
    if not arrivals.batches:
        return State.UNKNOWN
    if arrivals.batches[0].status is BatchStatus.QUARANTINED:
        return State.PAGE
    return State.WATCH if arrivals.quarantined else State.OK


def arrivals_sentence(arrivals: Arrivals, shown: Sequence[BatchReport], schema: Schema) -> str:
    """Say what came in, what was refused, and what was last."""
    accepted = [b for b in shown if b.status is BatchStatus.ACCEPTED]
    refused = [b for b in shown if b.status is BatchStatus.QUARANTINED]
    rows = wording.count(sum(b.rows for b in accepted), "row")
    opening = f"**{wording.count(len(accepted), 'batch')}** with {rows} came in for **{wording.safe(schema.model)}**"
    quarantined = ", none was quarantined"
    if refused:
        names = wording.listing([b.batch_id for b in refused])
        quarantined = f"; **{len(refused)} {'is' if len(refused) == 1 else 'are'} quarantined** ({names})"
    newest = arrivals.batches[0]
    return (
        f"{opening}{quarantined}. Newest: {newest.batch_id}, received {wording.clock(newest.received_at)},"
        f" {newest.status.value}, {tally(newest)}."
    )


def strip_title(shown: Sequence[BatchReport], period: str) -> str:
    """Say what the chart of the batches shows (for a chart)."""
    refused = sum(b.status is BatchStatus.QUARANTINED for b in shown)
    when = "" if period == "All" else f", {period.lower()}"
    told = f"{refused} quarantined" if refused else "none quarantined"
    return f"Rows in {wording.count(len(shown), 'batch')}, {told}{when}"


def outcome_state(report: BatchReport) -> State:
    """Give the state of one batch: refused, accepted with warnings, or clean."""
    if report.status is BatchStatus.QUARANTINED:
        return State.PAGE
    return State.WATCH if any(f.severity is Severity.WARNING for f in report.findings) else State.OK


def outcome(report: BatchReport, schema: Schema) -> str:
    """Say what the door decided about a batch."""
    name = f"**{report.batch_id}** ({wording.safe(report.source)}, {wording.count(report.rows, 'row')})"
    if report.duplicate:
        return f"This content is already known: it is {name}, {report.status.value}. Nothing was added."
    if report.status is BatchStatus.QUARANTINED:
        return (
            f"{name} is **quarantined**: {tally(report)}. It is kept as received, and is never trained on or scored."
            " Mend the file upstream and send it again."
        )
    named = period(report, schema)
    when = "" if named == wording.DASH else f" for {named}"
    labelled = f"; {wording.count(report.labelled_rows, 'row')} with ground truth" if report.labelled_rows else ""
    return f"{name} is **accepted**{when}: {tally(report)}{labelled}."


def scored(report: ScoringReport, schema: Schema) -> str:
    """Say what the champion answered about a batch."""
    again = " (it had scored them before; nothing was added)" if report.already_scored else ""
    opening = f"v{report.version} scored {wording.count(report.rows, 'row')}{again}"
    if schema.task is Task.REGRESSION:
        return f"{opening}: mean prediction {wording.number(report.mean_score)}."
    if schema.task is Task.BINARY and schema.positive is not None:
        share = report.predicted.get(schema.positive, 0) / max(report.rows, 1)
        return f"{opening}: {wording.percent(share)} predicted {wording.safe(schema.positive)}."
    commonest = max(report.predicted, key=lambda name: report.predicted[name], default=None)
    return f"{opening}." if commonest is None else f"{opening}, most often {wording.safe(commonest)}."


def labels_state(report: LabelReport) -> State:
    """Give the state of a labels file: amber where most rows are unknown."""
    return State.WATCH if report.unknown_rows * 2 > report.rows else State.OK


def labels_result(report: LabelReport) -> str:
    """Say what a file of ground truth changed."""
    unknown = (
        f" {wording.count(report.unknown_rows, 'row')} belong to no batch yet and are kept for one that may come."
        if report.unknown_rows
        else ""
    )
    return (
        f"{wording.count(report.rows, 'label')} read: **{report.new_rows:,} new**, {report.changed_rows:,} changed,"
        f" {report.unchanged_rows:,} known before; {report.matched_predictions:,} belong to rows that were scored.{unknown}"
    )
