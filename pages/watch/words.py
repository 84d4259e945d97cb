"""The sentences and cards of the watch pages; pure. Foreign names are escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pages.ui import verdicts, wording
from pages.ui.wording import State
from pages.watch import reads, signals
from pages.watch.needs import Need
from pages.watch.reads import Seen
from pages.watch.signals import drift_state, matters, waiting
from pipeline_core.policy import Policy
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BatchStatus,
    Decision,
    DriftState,
    FeatureDrift,
    ModelVersion,
    Schema,
    Task,
    TimeUnit,
    WindowReport,
)

CODES = {
    "data_drift": "Data drift",
    "prediction_drift": "The scores moved",
    "performance": "The model got worse",
    "batch_quarantined": "A batch was quarantined",
    "batch_suspect": "Values were rewritten upstream",
}


def validated(version: ModelVersion) -> str:
    """Give the version's leading validation figure: ``"AUC 0.781"``."""
    name = wording.primary_metric(version.metrics)
    figure = version.metrics[name] if name else None
    value = wording.number(getattr(figure, "value", None))
    return f"{wording.metric_name(name or 'metric')} {value}"


def overview(seen: Seen, windows: Sequence[WindowReport], schema: Schema, *, policy: Policy) -> tuple[str, State]:
    """Say whether anything is wrong now, with the figures in it."""
    if seen.champion is None:
        return no_champion(seen), State.WATCH if seen.promotions else State.UNKNOWN
    name = f"Champion v{seen.champion.version}"
    if not windows:
        return f"{name} had {validated(seen.champion)} on held-out rows; {_nothing(seen)}.", State.UNKNOWN
    last = reads.newest(windows)
    told, states = [], [drift_state(last)]
    drop = reads.dropped_since(windows)
    if drop is not None:
        told.append(_drop(drop, windows, schema))
        states.append(State.PAGE)
    told.append(_drift(last, schema, policy))
    if drop is not None and drift_state(last) is State.OK:
        told[-1] += ", so the relation itself may have changed"
    if last.prediction_drift.drifted:
        told.append(f"its scores moved from {_means(last)}")
        states.append(State.WATCH)
    state = wording.worst(states)
    if state is State.OK:
        held = reads.last_measured(windows)
        kept = f"holds {metric(held)}" if held else f"had {validated(seen.champion)} at validation"
        return f"Nothing is wrong now: {name} {kept}, and {told[-1]}.", state
    return f"{name}{' ' if drop is not None else ': '}{'; '.join(told)}.", state


def _nothing(seen: Seen) -> str:
    if seen.report is None:
        return "nothing has been checked since"
    return "no window lies in the chosen period" if seen.report.windows else "no later data has come in since"


def no_champion(seen: Seen) -> str:
    """Say how far a model without a champion is, or since when the last one is retired."""
    if seen.promotions:
        left = seen.promotions[0]
        return (
            f"No champion since {wording.clock(left.at)}: {wording.safe(left.by)} retired v{left.version}, so nothing is scored and nothing"
            " is watched until a version is promoted."
        )
    accepted = [batch for batch in seen.batches if batch.status is BatchStatus.ACCEPTED]
    rows = wording.count(sum(batch.rows for batch in accepted), "row")
    labelled = wording.count(sum(batch.labelled_rows for batch in accepted))
    if seen.challenger is not None:
        passed = seen.verdict is not None and seen.verdict.verdict is Decision.PROMOTE
        waits = (
            "waits for a person to promote it"
            if passed
            else "has not passed the gate yet"
            if seen.verdict
            else "waits for its verdict"
        )
        return f"No champion yet: v{seen.challenger.version} is trained ({validated(seen.challenger)}) and {waits}."
    return f"No champion yet: {rows} in {wording.count(len(accepted), 'batch')}, {labelled} of them labelled, nothing trained."


def metric(window: WindowReport) -> str:
    """Give a window's realised leading metric with its name."""
    name = wording.primary_metric(window.performance.metrics) or ""
    figure = reads.primary(window)
    return f"{wording.metric_name(name)} {wording.number(figure.value if figure else None)}"


def _drop(first: WindowReport, windows: Sequence[WindowReport], schema: Schema) -> str:
    latest = reads.last_measured(windows)
    now = f"{metric(latest)}, was {wording.number(latest.performance.reference)}" if latest else ""
    when = wording.moment(first.start, schema)
    wrong = "further off" if schema.task is Task.REGRESSION else "wrong more often"
    return f"has been {wrong} since {when}: **{now}**"


def _drift(window: WindowReport, schema: Schema, policy: Policy) -> str:
    when = wording.during(window.start, window.end, schema)
    leading = [f.feature for f in matters(window) if f.drifted]
    drifted, soon = [f.feature for f in window.features if f.drifted], [f.feature for f in waiting(window)]
    if leading:
        said = f"{wording.listing(leading, most=2)} drifted {when}"
    elif soon:
        lasting = signals.lasting(policy, several=len(soon) > 1)
        said = f"{wording.listing(soon)} drifted {when}, which {lasting}"
    elif drifted:
        said = f"only {wording.listing(drifted)} drifted {when}, which hardly matters to it"
    elif reads.undecided(window):
        said = f"{wording.count(window.rows, 'row')} {when} are too few to say what drifted"
    else:
        said = f"no feature drifted {when}"
    return "; ".join([said, *signals.beside(window)])


def score_name(schema: Schema) -> str:
    """Say what the mean of the scores is a mean of."""
    return {Task.BINARY: "score", Task.MULTICLASS: "confidence", Task.REGRESSION: "prediction"}[schema.task]


def _means(window: WindowReport) -> str:
    moved = window.prediction_drift
    return f"{wording.number(moved.baseline_mean)} to {wording.number(moved.current_mean)}"


def drift(window: WindowReport, schema: Schema, *, policy: Policy) -> tuple[str, State]:
    """Say how many features drifted in a window, and which of them matter."""
    when = wording.during(window.start, window.end, schema)
    total, drifted = len(window.features), [feature for feature in window.features if feature.drifted]
    state = drift_state(window)
    if reads.undecided(window):
        said = f"{wording.count(window.rows, 'row')} {when} are too few to say what drifted"
        return f"{'; '.join([said, *signals.beside(window)])}.", state
    told = [f"{len(drifted) or 'None'} of {wording.count(total, 'feature')} drifted {when}"]
    leading, soon = [feature for feature in matters(window) if feature.drifted], waiting(window)
    if leading:
        verb = "matters" if len(leading) == 1 else "matter"
        first = leading[0]
        said = f"{wording.safe(first.feature, length=40)} carries {wording.percent(first.shap_share, digits=0)} of what the model says"
        told.append(f"**{len(leading)} {verb}**: {said}")
    elif soon:
        names = wording.listing([feature.feature for feature in soon], most=2)
        several = len(soon) > 1
        told.append(f"**{names}** matter{'' if several else 's'} and {signals.lasting(policy, several=several)}")
    elif drifted:
        told.append("none of them matters much to the model")
    return f"{'; '.join([*told, *signals.beside(window)])}.", state


def too_short(windows: Sequence[WindowReport], *, rows_min: int) -> str:
    """Say that no window is large enough to be judged, and what to do."""
    most = max(window.rows for window in windows)
    found = "The window is" if len(windows) == 1 else f"All {wording.count(len(windows), 'window')} are"
    return f"{found} too small to judge: {wording.count(most, 'row')} at most, {rows_min:,} are needed. Take longer windows."


def earlier(paged: WindowReport | None, schema: Schema) -> str:
    """Say when something last paged, where the window that is shown is quiet."""
    if paged is None:
        return ""
    names = [found.feature for found in matters(paged)]
    what = wording.listing(names, most=2) if names else "; ".join(signals.beside(paged))
    return f" Last page: {what}, {wording.during(paged.start, paged.end, schema)}."


def subject(alert: Alert) -> str:
    """Say what an alert is about: the feature and what happened to it, or its kind (Markdown)."""
    name = None if alert.feature is None else f"**{wording.safe(alert.feature, length=40)}**"
    return _about(alert, wording.safe(alert.code), name)


def _about(alert: Alert, code: str, name: str | None) -> str:
    known = CODES.get(alert.code, code)
    if name is None:
        return known
    happened = "no longer belongs to its row" if alert.detached else "drifted"
    return f"{name} {happened}" if alert.code == "data_drift" else f"{known}: {name}"


def need(item: Need, schema: Schema) -> str:
    """Say what a group of open alerts is about, in one line of Markdown."""
    state = wording.state_of(item.alert.level)
    head = f":{wording.badge_colour(state)}[{wording.icon(state)} {wording.word(state)}]"
    about = subject(item.alert)
    return f"{head} {about}  \n:gray[{period(item, schema)}]"


def period(item: Need, schema: Schema) -> str:
    """Say when a group of alerts was: its window, or how many windows in which time."""
    if item.first is None or item.last is None:
        return wording.clock(item.alert.raised_at)
    when = wording.span(item.first, item.last, schema)
    return when if item.count == 1 else f"{wording.count(item.count, 'window')}, {when}"


_SAID = {
    DriftState.DRIFTED: "moved {when}",
    DriftState.STABLE: "did not drift {when}",
    DriftState.UNCLEAR: "cannot be judged {when}",
}
_ADVICE = {
    AlertLevel.PAGE: "That is much: look at where the column comes from before you retrain.",
    AlertLevel.WATCH: "That is little: note it and look again in a week.",
    AlertLevel.NONE: "Nothing to do.",
}


def in_words(found: FeatureDrift, window: WindowReport, schema: Schema, *, policy: Policy) -> str:
    """Say in plain words what happened to a feature in a window, and what that means."""
    when = wording.during(window.start, window.end, schema)
    clause = clause_of(found) or f"effect {wording.number(found.effect)}"
    for text in found.hard_evidence:  # it stands below in full
        clause = clause.replace(f"; {text.rstrip('.')}", "")
    moved = _SAID[DriftState.DRIFTED] if surely_moved(found, policy) else _SAID[found.state]
    said = f"{moved.format(when=when)}: {wording.safe(clause, length=400).removesuffix('.')}."
    rank = f"number {found.shap_rank} of {len(window.features)}"
    share = f"It carries {wording.percent(found.shap_share)} of what the model says ({rank})."
    return f"**{wording.safe(found.feature, length=40)}** {said} {share} {_advice(found, window, policy)}"


def surely_moved(found: FeatureDrift, policy: Policy) -> bool:
    """Say whether even the lower bound of a feature's effect is above the floor, whether or not it is called drift."""
    return found.effect_low is not None and found.effect_low >= policy.drift_effect_min


def _advice(found: FeatureDrift, window: WindowReport, policy: Policy) -> str:
    if found in signals.detached(window):
        return "Check the join, and the order of rows and columns, upstream."
    if found.alert is AlertLevel.WATCH and not found.drifted:
        return "Look at where the column comes from."
    if found.state is DriftState.UNCLEAR and surely_moved(found, policy):
        return "Look at where the column comes from: that it moved is sure, that it is a fault is not."
    if found in waiting(window):
        return f"The model leans on it: it {signals.lasting(policy)}, so far {found.windows_drifted} drifted."
    return _ADVICE[found.alert]


def clause_of(found: FeatureDrift) -> str:
    """Give a feature's reason without its name in front, which the core may have shortened."""
    head, _, rest = found.reason.partition(": ")
    begin = head.split("…")[0]
    named = head == found.feature or ("…" in head and found.feature.startswith(begin))
    return rest if named else found.reason.removeprefix(f"{found.feature}: ")


def heat_title(windows: Sequence[WindowReport]) -> str:
    """Say what the heat map shows: in how many windows something that matters drifted."""
    paged = sum(signals.weighty(window) for window in windows)
    total = wording.count(len(windows), "window")
    if all(reads.undecided(window) for window in windows):
        return f"How far each feature is from the baseline, not judged in {total}"
    return (
        f"Something that matters drifted in {paged} of {total}" if paged else f"Nothing that matters drifted in {total}"
    )


def quadrant_title(window: WindowReport) -> str:
    """Say which features of a window moved and matter (for a chart)."""
    leading = [wording.plain(found.feature, length=24) for found in (*matters(window), *waiting(window))]
    if not leading:
        return "Which of them matter? None in this window"
    more = f" and {len(leading) - 2} more" if len(leading) > 2 else ""
    return f"Which of them matter? {', '.join(leading[:2])}{more}"


def strip_title(windows: Sequence[WindowReport], schema: Schema) -> str:
    """Say where the drift that counts was largest."""
    known = [window for window in windows if window.weighted_drift is not None and not reads.undecided(window)]
    if not known:
        return f"What happened in {wording.count(len(windows), 'window')}?"
    top = max(known, key=lambda window: window.weighted_drift or 0.0)
    return f"Drift that counts was largest {wording.during(top.start, top.end, schema)}"


def drift_row(found: FeatureDrift) -> dict[str, object]:
    """Give one feature in one window as columns of a table."""
    return {
        "State": found.state.value,
        "Alert": "" if found.alert is AlertLevel.NONE else wording.word(wording.state_of(found.alert)),
        "Effect": found.effect,
        "p": found.p_value,
        "p adjusted": found.p_adjusted,
        "SHAP share": found.shap_share,
        "Contribution": found.contribution,
        "Nulls baseline": found.nulls.baseline if found.nulls else None,
        "Nulls current": found.nulls.current if found.nulls else None,
    }


def _begin(at: datetime, schema: Schema) -> str:
    return wording.day(at) if schema.time_unit in {TimeUnit.CLOCK, TimeUnit.NONE} else wording.moment(at, schema)


Step = tuple[str, str, str, dict[str, str]]


def step(seen: Seen, windows: Sequence[WindowReport]) -> Step:
    """Choose the overview's one next step: (button, page, why, query)."""
    if seen.champion is None and seen.promotions:
        return "Decide in the registry", "registry", "Roll back, promote another version, or train one.", {}
    if seen.champion is None and seen.challenger is None:
        return "Train the first version", "training", "A first version needs only to beat a guess.", {}
    if seen.verdict is not None and seen.verdict.verdict is Decision.PROMOTE:
        return _about_challenger(seen) or _about_windows(windows)
    if seen.batches and seen.batches[0].status is BatchStatus.QUARANTINED:
        query = {"batch": seen.batches[0].batch_id}
        return "See why it was quarantined", "batches", "The newest batch takes no part in scoring or training.", query
    if seen.report is not None and not seen.report.windows:
        return "Receive the next batch", "batches", "A check needs data that came in after the champion's.", {}
    return _about_challenger(seen) or _about_windows(windows)


def _about_challenger(seen: Seen) -> Step | None:
    rival = seen.challenger
    if rival is None:
        return None
    if seen.verdict is None:
        return f"Challenge with v{rival.version}", "challenge", "A trained version waits for the gate's verdict.", {}
    if seen.verdict.verdict is Decision.PROMOTE:
        why = verdicts.doubt(seen.verdict) or "The gate found nothing against it; a person decides."
        return f"Decide on v{rival.version}", "challenge", why, {"challenger": str(rival.version)}
    return None


def _about_windows(windows: Sequence[WindowReport]) -> Step:
    if not windows:
        return "Check now", "drift", "Compare what came in with the baseline.", {}
    if reads.dropped_since(windows) is not None:
        return "Train a challenger", "training", "Performance dropped: retrain on recent data; the gate decides.", {}
    last = reads.newest(windows)
    leading = matters(last)
    if leading:
        query = {"feature": leading[0].feature, "window": wording.window_key(last.start)}
        return "Look at what drifted", "drift", "Data that the model leans on has changed.", query
    if drift_state(last) is State.PAGE:
        query = {"window": wording.window_key(last.start)}
        return "Look at what drifted", "drift", "Many features moved together, more than in healthy windows.", query
    return "Receive the next batch", "batches", "", {}


def alert_row(alert: Alert, schema: Schema) -> dict[str, object]:
    """Give an alert as a row of the file."""
    return {
        "State": "open" if alert.acknowledged_at is None else f"seen by {alert.acknowledged_by}",
        "Level": wording.word(wording.state_of(alert.level)),
        "About": about(alert),
        "Window": wording.span(alert.window_start, alert.window_end, schema),
        "Contribution": alert.contribution,
        "Message": alert.message,
    }


def about(alert: Alert) -> str:
    """Say what an alert is about in a cell: the feature and what happened to it, or its kind."""
    return _about(alert, alert.code, alert.feature)


def need_row(item: Need, schema: Schema) -> dict[str, object]:
    """Give a group of alerts as a row of the table."""
    last = item.alerts[0].window_end and max(alert.window_end for alert in item.alerts if alert.window_end)
    start = max((alert.window_start for alert in item.alerts if alert.window_start), default=None)
    return {
        "Level": wording.word(wording.state_of(item.alert.level)),
        "About": about(item.alert),
        "Since": _begin(item.first or item.alert.raised_at, schema),
        "Last window": wording.span(start, last, schema) if start and last else wording.DASH,
        "Windows": item.count,
        "Contribution": item.alert.contribution,
        "State": "open" if item.waiting else f"seen by {item.alert.acknowledged_by}",
    }
