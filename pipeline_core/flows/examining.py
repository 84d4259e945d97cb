"""Which windows get a closer look, and what was found there: the newest one, and the newest that alert.

``examined`` chooses windows, samples their rows, keeps what the last check found in the same rows, and has the rest done
in a niced child. Neighbours: ``looking`` is the child's side; ``watch`` judges from counts first and asks this last. It
refuses to change a judgement: where nothing can be looked at, it says why.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypedDict, Unpack

import pyarrow.parquet as pq

from pipeline_core.engines.duck import DuckEngine
from pipeline_core.errors import PipelineError
from pipeline_core.flows.looking import FAILED, ExamineRequest, ExamineResult, Look, examine
from pipeline_core.flows.replies import Compute, Progress
from pipeline_core.flows.versions import named_types
from pipeline_core.flows.watched import Cut, Watched
from pipeline_core.policy import Policy
from pipeline_core.records import AlertLevel, Examination, Role, WindowReport
from pipeline_core.store.home import Store

__all__ = ["ExamineRequest", "ExamineResult", "Look", "Options", "examine", "examined"]

LOGGER = logging.getLogger(__name__)

Spans = Sequence[tuple[datetime, datetime]]

_KNOBS = (
    "alpha", "coherence_ratio_min", "coherence_strength_min", "detachment_kept_max", "domain_auc_min", "drift_effect_min",
    "examined_rows_max", "seed", "segment_columns_max", "segment_effect_min", "segment_rows_min", "shap_rows",
    "window_rows_min",
)  # fmt: skip
"""What of the policy decides what a look finds."""


class Options(TypedDict, total=False):
    """What may be said besides: see ``examined``."""

    against: Mapping[int, Spans]
    progress: Progress


def examined(
    store: Store,
    engine: DuckEngine,
    seen: Watched,
    cut: Cut,
    reports: Sequence[WindowReport],
    *,
    compute: Compute,
    **options: Unpack[Options],
) -> dict[int, Examination]:
    """Look closely at the newest window and at the newest ones that alert.

    Parameters
    ----------
    store : Store
        The home; a look of its kept report of the same version and window length is reused where the window's start, end,
        rows, drift and drifted features are the same, it was looked at by the same baseline and policy, and all of it
        was measured.
    engine : DuckEngine
        Samples the rows.
    seen : Watched
        The champion and the rows that it is watched on.
    cut : Cut
        Their windows.
    reports : sequence of WindowReport
        Of these windows, in their order, judged; ``examined`` is not looked at.
    compute : callable
        Where the work is done: ``compute.in_child``, or ``compute.in_process`` in tests.
    **options
        ``against``: by place in ``reports``, the spans of event time of the fitted rows that a window was compared with;
        a window that is not there was compared with all of them. ``progress`` is told the share done (0-1) and what is
        being done.

    Returns
    -------
    dict of int to Examination
        By place in ``reports``: what is known from before, and at most ``policy.examined_windows_max`` new looks. Where
        nothing could be looked at, ``rows`` is 0 and the reason says why.
    """
    policy, against = store.policy, options.get("against", {})
    chosen = _chosen(reports, limit=int(policy.examined_windows_max))
    asked = [_asked(against.get(place, ()), policy) for place in range(len(reports))]
    found = _kept(store, seen, cut, reports, asked=asked)
    small = {p: reports[p].rows for p in chosen if p not in found and reports[p].rows < policy.window_rows_min}
    found |= {
        place: _unseen(f"the window has {rows:,} rows; {policy.window_rows_min:,} are needed for a closer look")
        for place, rows in small.items()
    }
    left = {place: reports[place] for place in chosen if place not in found}
    if not left:
        return found
    if not seen.champion.reference_sha256:
        no_sample = "the version was trained before a sample of its fitted rows was kept; train a new one"
        return found | {place: _unseen(no_sample) for place in left}
    try:
        with store.work_dir() as work:
            desk = _Desk(store=store, seen=seen, cut=cut, folder=work, against=against)
            answer = compute(examine, _request(engine, desk, left), progress=options.get("progress"))
    except PipelineError as error:  # the windows are judged already; a look that fails must not take them along
        LOGGER.warning("Model %r: no closer look at %d windows: %s", seen.champion.model, len(left), error.message)
        return found | {place: _unseen(error.message) for place in left}
    looks = zip(left, answer.examinations, strict=True)
    return found | {place: replace(look, asked=asked[place]) for place, look in looks}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """What is the same for every look."""

    store: Store
    seen: Watched
    cut: Cut
    folder: Path
    against: Mapping[int, Spans]


def _chosen(reports: Sequence[WindowReport], *, limit: int) -> list[int]:
    """Give the places of the newest window that has rows and of the newest that alert, first those whose data moved."""
    filled = [place for place, report in enumerate(reports) if report.rows]
    alerting = [place for place in filled[:-1] if reports[place].alert is not AlertLevel.NONE]
    # a loss of performance alone leaves nothing in the rows to look for
    alerting.sort(key=lambda place: (any(f.drifted for f in reports[place].features), place), reverse=True)
    return sorted({*filled[-1:], *alerting[: limit - 1]})


def _unseen(reason: str) -> Examination:
    return Examination(rows=0, baseline_rows=0, reason=reason)


def _asked(against: Spans, policy: Policy) -> str:
    """Name what a window is looked at by: the time of its baseline, and the policy of a look."""
    spans = [[start.isoformat(), end.isoformat()] for start, end in against]
    text = json.dumps([spans, {knob: getattr(policy, knob) for knob in _KNOBS}])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kept(
    store: Store, seen: Watched, cut: Cut, reports: Sequence[WindowReport], *, asked: Sequence[str]
) -> dict[int, Examination]:
    """Give what the last check found in the same rows by the same means."""
    champion = seen.champion
    kept = store.signals.windows(champion.model, version=champion.version, window=str(cut.length))
    known = {_face(w, w.examined.asked): w.examined for w in kept if w.examined is not None and _whole(w.examined)}
    faces = [_face(report, one) for report, one in zip(reports, asked, strict=True)]
    return {place: known[face] for place, face in enumerate(faces) if face in known}


def _whole(look: Examination) -> bool:
    return look.rows > 0 and FAILED not in look.reason


def _face(report: WindowReport, asked: str) -> tuple[object, ...]:
    drifted = frozenset(f.feature for f in report.features if f.drifted)
    # windows of so many rows may share their start, end and size
    return report.start, report.end, report.rows, report.weighted_drift, drifted, asked


def _request(engine: DuckEngine, desk: _Desk, left: Mapping[int, WindowReport]) -> ExamineRequest:
    champion, schema, store = desk.seen.champion, desk.seen.schema, desk.store
    ids = {c.name: c.column_id for c in schema.features}
    calendar = {f.feature for report in left.values() for f in report.features if f.calendar}
    reference = store.artifacts.reference(champion.reference_sha256)
    return ExamineRequest(
        schema=schema,
        policy=store.policy,
        seed=champion.run.seed,
        artifact=store.artifacts.path(champion.artifact_sha256),
        types=named_types(store, champion),
        artifact_sha256=champion.artifact_sha256,
        reference=reference,
        shares={ids[name]: share for name, share in champion.shap_shares.items() if name in ids},
        calibration=champion.curves.calibration,
        calendar=tuple(sorted(ids[name] for name in calendar if name in ids)),
        looks=tuple(_look(engine, desk, place, report) for place, report in left.items()),
    )


def _look(engine: DuckEngine, desk: _Desk, place: int, report: WindowReport) -> Look:
    """Write a sample of a window's rows, and say what drifted there, furthest first."""
    schema, cut, rows = desk.seen.schema, desk.cut, desk.seen.rows
    wanted = [c.column_id for c in schema.columns if c.role in {Role.FEATURE, Role.PROTECTED}]
    ids, span = None, cut.spans[place]
    if cut.row_ids is not None:
        ids = cut.row_ids.slice(place * cut.now.size, cut.now.size)
    else:
        rows = replace(rows, since=max(span.start, rows.since or span.start), until=span.end)
    policy = desk.store.policy
    drawn = engine.sample(rows, wanted, count=int(policy.examined_rows_max), seed=int(policy.seed), row_ids=ids)
    path = desk.folder / f"window-{place}.parquet"
    pq.write_table(drawn, path, compression="zstd")
    column_ids = {c.name: c.column_id for c in schema.features}
    drifted = sorted((f for f in report.features if f.drifted and not f.calendar), key=lambda f: -(f.effect or 0.0))
    return Look(
        start=report.start,
        end=report.end,
        rows=path,
        drifted=tuple(column_ids[f.feature] for f in drifted if f.feature in column_ids),
        against=tuple(desk.against.get(place, ())),
        window_rows=report.rows,
    )
