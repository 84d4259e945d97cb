"""The overview's five cards; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Sequence

from pages.ui import verdicts, wording
from pages.ui.panels import Card
from pages.ui.wording import State
from pages.watch import reads, signals, words
from pages.watch.reads import Seen
from pipeline_core.records import BatchStatus, ModelVersion, Schema, Severity, TimeUnit, WindowReport


def cards(seen: Seen, windows: Sequence[WindowReport], schema: Schema) -> list[Card]:
    """Give the five cards of the overview; needs a champion."""
    return [_champion_card(seen, schema), _batch_card(seen), *_signal_cards(windows, schema)]


def _champion_card(seen: Seen, schema: Schema) -> Card:
    champion = seen.champion
    if champion is None:
        return Card(
            title="Champion", state=State.UNKNOWN, value=wording.DASH, note="none yet", page="training", link="Train"
        )
    name = wording.primary_metric(champion.metrics)
    figure = champion.metrics[name] if name else None
    low, high = getattr(figure, "low", None), getattr(figure, "high", None)
    between = f"{wording.number(low)}–{wording.number(high)}" if low is not None else None
    doubt = verdicts.doubt(seen.crowned)
    return Card(
        title=f"Champion v{champion.version}",
        state=State.WATCH if doubt else State.OK,
        word="Passed the gate, barely" if doubt else "Passed the gate",
        value=_figure(name, getattr(figure, "value", None)),
        delta=between,
        note=f"{_named(name)}on {wording.count(champion.dataset.holdout_rows, 'held-out row')}; {_fitted(champion, schema)}{'. ' if doubt else ''}{doubt}",
        page="registry",
        link="Lineage",
        help=name,
    )


def _fitted(champion: ModelVersion, schema: Schema) -> str:
    until = champion.dataset.holdout_from or champion.dataset.last_event_at
    rows = wording.count(champion.dataset.fit_rows, "row")
    if until is None or schema.time_unit is TimeUnit.NONE:
        return f"fitted on {rows}"
    day = wording.day(until) if schema.time_unit is TimeUnit.CLOCK else wording.moment(until, schema)
    return f"fitted on {rows} until {day}"


SHORT_NAME = 5


def _figure(name: str | None, value: float | None) -> str:
    """Give a metric for a card: a short name stands before the figure, a long one in the note."""
    spoken = wording.metric_name(name or "")
    return f"{spoken} {wording.number(value)}" if name and len(spoken) <= SHORT_NAME else wording.number(value)


def _named(name: str | None) -> str:
    spoken = wording.metric_name(name or "")
    return f"{spoken} " if len(spoken) > SHORT_NAME else ""


def _batch_card(seen: Seen) -> Card:
    if not seen.batches:
        return Card(
            title="Last batch", state=State.UNKNOWN, value=wording.DASH, note="none yet", page="batches", link="Upload"
        )
    last = seen.batches[0]
    warned = sum(finding.severity is Severity.WARNING for finding in last.findings)
    state = State.PAGE if last.status is BatchStatus.QUARANTINED else State.WATCH if warned else State.OK
    told = "quarantined" if state is State.PAGE else wording.count(warned, "warning") if warned else "accepted"
    accepted = [batch for batch in seen.batches if batch.status is BatchStatus.ACCEPTED]
    return Card(
        title="Last batch",
        state=state,
        value=wording.count(last.rows, "row"),
        delta=told,
        note=f"{last.status.value}, received {wording.day(last.received_at)}",
        history=tuple(float(batch.rows) for batch in reversed(accepted[:30])),
        page="batches",
        link="Batches",
    )


def _signal_cards(windows: Sequence[WindowReport], schema: Schema) -> list[Card]:
    if not windows:
        return [
            Card(
                title=title, state=State.UNKNOWN, value=wording.DASH, note="not checked yet", page="drift", link="Check"
            )
            for title in ("Data drift", "Predictions", "Performance")
        ]
    return [_drift_card(windows, schema), _prediction_card(windows, schema), _performance_card(windows, schema)]


def _recent(values: Sequence[float | None]) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)[-30:]


def _drift_card(windows: Sequence[WindowReport], schema: Schema) -> Card:
    last = reads.newest(windows)
    drifted = sum(feature.drifted for feature in last.features)
    known = [window.weighted_drift for window in windows]
    return Card(
        title="Data drift",
        state=signals.drift_state(last),
        value=wording.DASH if reads.undecided(last) else f"{drifted} of {len(last.features)}",
        delta="too few rows" if reads.undecided(last) else f"weighted {wording.number(last.weighted_drift)}",
        note=f"features drifted, {wording.span(last.start, last.end, schema)}",
        history=_recent(known),
        page="drift",
        link="Drift",
        help="weighted_drift",
    )


def _prediction_card(windows: Sequence[WindowReport], schema: Schema) -> Card:
    moved = windows[-1].prediction_drift
    known = moved.current_mean is not None
    delta = None
    if moved.current_mean is not None and moved.baseline_mean is not None:
        delta = f"baseline {wording.number(moved.baseline_mean)}"
    return Card(
        title="Predictions",
        state=State.UNKNOWN if not known else State.WATCH if moved.drifted else State.OK,
        value=wording.number(moved.current_mean),
        delta=delta,
        note=f"mean {words.score_name(schema)} of {wording.count(moved.rows, 'row')}"
        if known
        else wording.safe(moved.reason or "not scored"),
        history=_recent([window.prediction_drift.current_mean for window in windows]),
        page="batches" if not known else "drift",
        link="Score a batch" if not known else "Drift",
        help="prediction_drift",
    )


def _against(name: str | None, gained: float) -> str:
    """Say a difference from validation with its direction: of an error, more is worse."""
    if gained == 0:
        return "the same"
    better = (gained < 0) == (name in wording.SMALLER_IS_BETTER)
    return f"{wording.number(abs(gained), digits=2)} {'better' if better else 'worse'}"


def _performance_card(windows: Sequence[WindowReport], schema: Schema) -> Card:
    last = reads.last_measured(windows)
    if last is None:
        why = windows[-1].performance.reason or "no ground truth yet"
        return Card(
            title="Performance", state=State.UNKNOWN, value=wording.DASH, note=wording.safe(why, length=60), page="batches",
            link="Upload labels", help="performance",
        )  # fmt: skip
    figures = [reads.primary(window) for window in windows]
    now, reference = reads.primary(last), last.performance.reference
    name = wording.primary_metric(last.performance.metrics)
    delta = None if now is None or reference is None else _against(name, now.value - reference)
    against = "" if delta is None else f"than at validation ({wording.number(reference)}); "
    between = f"{wording.number(now.low)}–{wording.number(now.high)} on " if now and now.low is not None else ""
    return Card(
        title="Performance",
        state=State.PAGE if last.performance.dropped else State.OK,
        value=_figure(name, now.value if now else None),
        delta=delta,
        note=f"{against}{_named(name)}{between}{wording.count(last.performance.labelled_rows, 'label')}, {wording.span(last.start, last.end, schema)}",
        history=_recent([figure.value if figure else None for figure in figures]),
        page="training",
        link="Retrain" if last.performance.dropped else "Versions",
        help="performance",
    )
