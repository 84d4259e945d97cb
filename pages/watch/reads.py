"""What the watch pages read: functions of the store for ``session.cached``, and small sums over records; no Streamlit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from pages.ui import wording
from pages.ui.session import Period
from pipeline_core.records import (
    Alert,
    AlertLevel,
    BaselineChoice,
    BatchReport,
    BatchStatus,
    DomainTest,
    DriftState,
    Measured,
    ModelVersion,
    Promotion,
    SegmentDrift,
    Stage,
    Verdict,
    WatchReport,
    WindowReport,
)
from pipeline_core.sources.demo import Incident
from pipeline_core.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One model as the watch sees it; ``report`` is the latest check of the champion, ``alerts`` the open ones.

    ``verdict`` is the newest challenger's against the present champion, ``crowned`` the one that made the champion.
    """

    champion: ModelVersion | None
    versions: tuple[ModelVersion, ...]
    verdict: Verdict | None
    promotions: tuple[Promotion, ...]
    batches: tuple[BatchReport, ...]
    report: WatchReport | None
    alerts: tuple[Alert, ...]
    crowned: Verdict | None = None

    @property
    def challenger(self) -> ModelVersion | None:
        """The newest version that waits for a decision."""
        return next((version for version in self.versions if version.stage is Stage.CHALLENGER), None)


def seen(store: Store, model: str) -> Seen:
    """Read what stands on the overview."""
    champion = store.models.champion(model)
    versions = store.models.versions(model)
    challenger = next((version for version in versions if version.stage is Stage.CHALLENGER), None)
    return Seen(
        champion=champion,
        versions=versions,
        verdict=_present(store, model, challenger.version) if challenger else None,
        crowned=_crowned(store, model, champion.version) if champion else None,
        promotions=store.models.promotions(model),
        batches=store.batches.list(model),
        report=store.signals.watch(model, version=champion.version) if champion else None,
        alerts=store.signals.alerts(model, open_only=True),
    )


def _present(store: Store, model: str, version: int) -> Verdict | None:
    """Read the verdict on a version, unless the champion has moved since."""
    verdict = store.models.verdict(model, version)
    return verdict if verdict is not None and verdict.epoch == store.models.epoch(model) else None


def _crowned(store: Store, model: str, version: int) -> Verdict | None:
    """Read the verdict by which a version was promoted."""
    moves = [move.verdict_id for move in store.models.promotions(model) if move.version == version and move.verdict_id]
    return next((v for v in store.models.verdicts(model) if moves and v.verdict_id == moves[0]), None)


def champion(store: Store, model: str) -> ModelVersion | None:
    """Read the champion."""
    return store.models.champion(model)


def choices(store: Store, model: str) -> tuple[BaselineChoice, ...]:
    """Read what people chose as the baseline, newest first."""
    return store.choices.list(model)


def report(store: Store, model: str, size: str | None) -> WatchReport | None:
    """Read the champion's latest check, of one window length or of any."""
    champion = store.models.champion(model)
    return store.signals.watch(model, version=champion.version, window=size) if champion else None


def alerts(store: Store, model: str) -> tuple[Alert, ...]:
    """Read all alerts of a model."""
    return store.signals.alerts(model)


def inside(windows: Sequence[WindowReport], period: Period) -> tuple[WindowReport, ...]:
    """Give the windows that lie in the period, by their middle."""
    return tuple(window for window in windows if period.covers(window.start, window.end))


def primary(window: WindowReport) -> Measured | None:
    """Give the window's leading realised metric, where ground truth allowed to measure it."""
    name = wording.primary_metric(window.performance.metrics)
    figure = window.performance.metrics[name] if name else None
    return figure if isinstance(figure, Measured) else None


def last_measured(windows: Sequence[WindowReport]) -> WindowReport | None:
    """Give the newest window whose leading metric is known, if there is one from at least half of its labels."""
    known = [window for window in reversed(windows) if primary(window) is not None]
    ripe = (w for w in known if 2 * w.performance.labelled_rows >= w.performance.scored_rows)
    return next(ripe, known[0] if known else None)


def undecided(window: WindowReport) -> bool:
    """Say whether the window is too small to judge any feature."""
    return all(feature.state is DriftState.UNCLEAR for feature in window.features)


def newest(windows: Sequence[WindowReport]) -> WindowReport:
    """Give the newest window that is large enough to judge, or the newest of all."""
    return next((window for window in reversed(windows) if not undecided(window)), windows[-1])


def level(window: WindowReport) -> AlertLevel:
    """Give how loud a window's drift is: of its features, of the window as a whole, or of what only its rows show."""
    levels = {window.weighted_alert, *(feature.alert for feature in window.features)}
    if AlertLevel.PAGE in levels:
        return AlertLevel.PAGE
    return AlertLevel.WATCH if AlertLevel.WATCH in levels or "data_drift" in window.codes else AlertLevel.NONE


def rows_only(window: WindowReport) -> tuple[DomainTest | None, tuple[SegmentDrift, ...]]:
    """Give what only a look at the rows shows, where that is a signal: the classifier, and segments."""
    look = window.examined
    if look is None or "data_drift" not in window.codes:
        return None, ()
    domain = look.domain if look.domain is not None and look.domain.reason in window.reasons else None
    return domain, tuple(one for one in look.segments if one.reason in window.reasons)


def last_paged(windows: Sequence[WindowReport], window: WindowReport) -> WindowReport | None:
    """Give the newest window whose drift paged before a quiet one; None where that one pages itself or none did."""
    paged = [w for w in windows if level(w) is AlertLevel.PAGE]
    return None if window in paged else next((w for w in reversed(paged) if w.start < window.start), None)


def dropped_since(windows: Sequence[WindowReport]) -> WindowReport | None:
    """Give the first window of the drop that is still going on, skipping windows without ground truth."""
    first = None
    for window in reversed([window for window in windows if primary(window) is not None]):
        if not window.performance.dropped:
            break
        first = window
    return first


def important_share(window: WindowReport, *, top_share: float) -> float:
    """Give the SHAP share from which a feature counts as one that matters: that of the last one in the top share."""
    shares = sorted((drift.shap_share for drift in window.features), reverse=True)
    return shares[max(0, math.ceil(top_share * len(shares)) - 1)] if shares else 0.0


def midnight(at: date) -> datetime:
    """Give the start of a day in UTC."""
    return datetime.combine(at, time.min, UTC)


def found_in(incident: Incident, windows: Sequence[WindowReport], batches: Sequence[BatchReport]) -> list[str]:
    """Say what the watch found while a demo incident lasted, in sentences (Markdown)."""
    first, last = midnight(incident.first_day), midnight(incident.last_day) + timedelta(days=1)
    during = [window for window in windows if window.start < last and window.end > first]
    if not during:
        return ["Before or after the windows that were checked."]
    told = [_told(loud, during) for loud in (AlertLevel.PAGE, AlertLevel.WATCH)]
    sentences = [text for text in told if text]
    moved = [w.prediction_drift for w in during if w.prediction_drift.drifted]
    if moved:
        best = max(moved, key=lambda drift: drift.effect or 0.0)
        sentences.append(
            f"Scores moved: mean {wording.number(best.baseline_mean)} to {wording.number(best.current_mean)}."
        )
    sentences += _metric_told(during)
    held = [batch for batch in batches if batch.status is BatchStatus.QUARANTINED and _overlaps(batch, first, last)]
    sentences += [f"Quarantined: {wording.safe(batch.source)}." for batch in held]
    return sentences or ["Nothing."]


def _overlaps(batch: BatchReport, first: datetime, last: datetime) -> bool:
    at = batch.first_event_at or batch.received_at
    return first <= at < last


def _told(found: AlertLevel, windows: Sequence[WindowReport]) -> str:
    worst: dict[str, float] = {}
    for window in windows:
        for drift in window.features:
            if drift.alert is found:
                worst[drift.feature] = max(worst.get(drift.feature, 0.0), drift.effect or 0.0)
    ranked = sorted(worst, key=lambda name: -worst[name])
    names = ", ".join(f"{wording.safe(name, length=40)} ({wording.number(worst[name])})" for name in ranked[:3])
    more = f" and {len(ranked) - 3} more" if len(ranked) > 3 else ""
    whole = [window.weighted_drift or 0.0 for window in windows if window.weighted_alert is found]
    told = [f"{names}{more}"] if worst else []
    told += [f"weighted drift ({wording.number(max(whole), digits=2)})"] if whole else []
    alone = [
        w
        for w in windows
        if w.weighted_alert is AlertLevel.NONE and all(f.alert is AlertLevel.NONE for f in w.features)
    ]
    told += ["what only the rows show"] if found is AlertLevel.WATCH and any(level(w) is found for w in alone) else []
    state = wording.state_of(found)
    head = f":{wording.badge_colour(state)}[{wording.icon(state)} {wording.word(state)}]"
    return f"{head} {'; '.join(told)}." if told else ""


def _metric_told(windows: Sequence[WindowReport]) -> list[str]:
    known = [(window, figure) for window in windows if (figure := primary(window)) is not None]
    if not known:
        return ["No ground truth yet."]
    name = wording.metric_name(wording.primary_metric(known[0][0].performance.metrics) or "")
    values = [figure.value for _, figure in known]
    reference = wording.number(known[-1][0].performance.reference)
    drops = sum(window.performance.dropped for window, _ in known)
    between = (
        wording.number(values[0])
        if len(values) == 1
        else f"{wording.number(min(values))}–{wording.number(max(values))}"
    )
    tail = f"; clearly lower in {wording.count(drops, 'window')}" if drops else ", no clear drop"
    return [f"{name} {between}, was {reference}{tail}."]
