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
from pipeline_core.stages.validation.ledger import KINDS

SEVERITY_NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


CHANGES = {
    "null_word": "a blank or a word for “no value” became a null",
    "decimal_comma": "a decimal comma became a point",
    "thousands": "marks between thousands were taken out",
    "date_order": "a date in another order became a time",
    **KINDS,
}
JUDGE_AGAIN = "Receives the kept file once more, under the policy, the rules and the definition as they are today."


def change(kind: str) -> str:
    """Say what a kind of change did to a cell."""
    return CHANGES.get(kind, kind.replace("_", " "))


def rule_name(code: str) -> str:
    """Name the rule of a finding."""
    return wording.safe(code.replace("_", " "), length=60)


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
    """Give the state of one batch: refused, accepted with warnings or by a person, clean, or thrown away."""
    if report.status is BatchStatus.DISCARDED:
        return State.UNKNOWN
    if report.status is BatchStatus.QUARANTINED:
        return State.PAGE
    doubtful = report.ruling or any(f.severity is Severity.WARNING for f in report.findings)
    return State.WATCH if doubtful else State.OK


def outcome(report: BatchReport, schema: Schema) -> str:
    """Say what the door, or a person, decided about a batch."""
    name = f"**{report.batch_id}** ({wording.safe(report.source)}, {wording.count(report.rows, 'row')})"
    if report.duplicate and report.status is BatchStatus.QUARANTINED:
        return (
            f"This content is known: judged again, {name} is still **quarantined**: {tally(report)}. Nothing was added."
        )
    if report.duplicate:
        return f"This content is already known: it is {name}, {report.status.value}. Nothing was added."
    if report.status is BatchStatus.DISCARDED:
        return f"{name} was **discarded**: its file is gone, what was found stays here. Sent again, it is judged anew."
    if report.status is BatchStatus.QUARANTINED:
        return (
            f"{name} is **quarantined**: {tally(report)}. It is kept as received, and is never trained on or scored."
            " Mend the file upstream and send it again."
        )
    named = period(report, schema)
    when = "" if named == wording.DASH else f" for {named}"
    labelled = f"; {wording.count(report.labelled_rows, 'row')} with ground truth" if report.labelled_rows else ""
    aside = f"; **{wording.count(report.set_aside_rows, 'row')} set aside**" if report.set_aside_rows else ""
    how = "was quarantined and is **accepted by a person**" if report.ruling else "is **accepted**"
    return f"{name} {how}{when}: {tally(report)}{labelled}{aside}."


def score_block(report: BatchReport, arrivals: Arrivals) -> str | None:
    """Say why a batch cannot be scored; None where it can."""
    if report.status is not BatchStatus.ACCEPTED:
        return f"A {report.status.value} batch is never scored."
    if arrivals.champion is None:
        return "There is no champion yet: train and promote a version first."
    return f"v{arrivals.champion} has scored it." if report.batch_id in arrivals.scored else None


def ruling(report: BatchReport) -> str:
    """Say who decided otherwise than the door, when and why; nothing where nobody did."""
    if report.ruling is None:
        return ""
    verb = "Discarded" if report.status is BatchStatus.DISCARDED else "Taken in"
    by, reason = wording.safe(report.ruling.decided_by, length=60), wording.safe(report.ruling.reason, length=500)
    return f":material/gavel: {verb} by **{by}**, {wording.clock(report.ruling.decided_at)}: “{reason}”"


def readmit_consequences(report: BatchReport) -> str:
    """Say what taking in a refused batch does."""
    return (
        f"Its {wording.count(report.rows, 'row')} become part of the data: they can be scored, trained on and count in drift, in"
        f" spite of {tally(report)}. Cells that could not be read are nulls. Your name and reason stay with the batch for good, and"
        " its alert is closed. It cannot be taken back."
    )


def discard_consequences(report: BatchReport) -> str:
    """Say what discarding a refused batch does."""
    return (
        f"The file of {report.batch_id} is removed, and with it the only copy that is kept here. What was found, your name and"
        " your reason stay, and its alert is closed. The same content sent again is judged anew. It cannot be taken back."
    )


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
