"""Does everything that is said about where a version comes from still agree? Asked again, link by link.

Files as received are hashed again, the dataset is read again and named, the model file is hashed and loaded, its metrics
are computed again on the hold-out, the rows of the verdict are named again. Neighbours: ``lineage`` says what was kept,
``remeasuring`` computes in a child process. It changes nothing, and takes nothing for granted that it can ask again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from pipeline_core.errors import ArtifactRejected, PipelineError
from pipeline_core.flows import datasets
from pipeline_core.flows.compute import Compute, Progress, in_child
from pipeline_core.flows.evidence import evidence
from pipeline_core.flows.lineage import asked, lineage
from pipeline_core.flows.remeasuring import Remeasured, RemeasureRequest, remeasure
from pipeline_core.flows.versions import named_types
from pipeline_core.records import (
    BatchReport,
    Decision,
    Figure,
    Lineage,
    LineageCheck,
    LinkCheck,
    LinkState,
    Measured,
    ModelVersion,
)
from pipeline_core.store.home import Store

TOLERANCE = 1e-12
"""A figure computed again may differ by so much, as a share of its size where that is above 1."""


def verify(
    store: Store,
    model: str,
    *,
    version: int | None = None,
    progress: Progress | None = None,
    compute: Compute = in_child,
) -> LineageCheck:
    """Ask each link of a lineage again, and keep what was found.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name.
    version : int, optional
        Which version; the champion, unless said.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.
    compute : callable
        Where the metrics are computed: ``compute.in_child``, or ``compute.in_process`` in tests.

    Returns
    -------
    LineageCheck

    Raises
    ------
    NotFound
        No such model or version.
    ComputeFailed
        The child process died.
    """
    tell = progress or (lambda _share, _message: None)
    chosen, kept = asked(store, model, version), lineage(store, model, version=version)
    tell(0.02, f"Hashing the files of {len(kept.batches):,} batches")
    links = [*_batches(store, kept.batches)]
    with store.work_dir() as work:
        tell(0.2, "Reading the dataset again")
        rows = work / "dataset.parquet"
        links += _dataset(store, kept, rows)
        tell(0.45, "Hashing and loading the model file, and computing its metrics again")
        links += _version(store, chosen, rows, compute=compute)
    tell(0.85, "Naming the rows of the verdict again")
    links += [*_verdict(store, kept), *_promotion(store, kept)]
    check = LineageCheck(
        model=model,
        version=chosen.version,
        agrees=all(link.state is not LinkState.DIFFERS for link in links),
        checked_at=store.now(),
        links=tuple(links),
    )
    store.datasets.put_check(check)
    return check


def compared(link: str, what: str, *, kept: str, found: str, words: str = "") -> LinkCheck:
    """Hold a value that was kept against the one that is found now.

    Parameters
    ----------
    link, what : str
        Of the lineage, and what of it.
    kept, found : str
        The two values; without a kept one there is nothing to hold against.
    words : str
        What to know about it.

    Returns
    -------
    LinkCheck
    """
    state = LinkState.NOT_KEPT if not kept else LinkState.AGREES if kept == found else LinkState.DIFFERS
    return LinkCheck(link=link, what=what, state=state, kept=kept, found=found, words=words)


# --- batches and dataset ------------------------------------------------------------------------


def _batches(store: Store, batches: Iterable[BatchReport]) -> Iterable[LinkCheck]:
    for batch in batches:
        what = f"batch {batch.batch_id}, file as received"
        try:
            path = store.batches.raw_path(batch)
        except PipelineError:
            yield LinkCheck(link="batches", what=what, state=LinkState.NOT_KEPT, kept=batch.sha256, words=_NO_FILE)
            continue
        if path.is_file():
            yield compared("batches", what, kept=batch.sha256, found=_sha256(path))
        else:
            yield compared("batches", what, kept=batch.sha256, found="gone", words="The file is gone.")


_NO_FILE = "No file was kept of it; its rows are held against the dataset."


def _dataset(store: Store, kept: Lineage, rows: Path) -> list[LinkCheck]:
    source = kept.source
    if source is None:
        words = "The version was made before datasets were kept with their content. Train again to have one."
        return [LinkCheck(link="dataset", what="rows", state=LinkState.NOT_KEPT, kept=kept.dataset.sha256, words=words)]
    said = f"dataset {source.dataset_id}"
    links = [compared("dataset", f"{said}, as the version tells it", kept=kept.dataset.sha256, found=source.sha256)]
    try:
        found = datasets.redraw(store, source, to=rows)
    except PipelineError as error:
        lost = compared("dataset", f"{said}, its rows", kept=source.sha256, found="unreadable", words=error.message)
        return [*links, lost]
    words = "; ".join(datasets.differences(source, found))
    return [*links, compared("dataset", f"{said}, its rows", kept=source.sha256, found=found.sha256, words=words)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the version --------------------------------------------------------------------------------


def _version(store: Store, version: ModelVersion, rows: Path, *, compute: Compute) -> list[LinkCheck]:
    links = [_artifact(store, version), *_beside(store, version)]
    if not rows.is_file() or links[0].state is not LinkState.AGREES:
        why = "the dataset" if not rows.is_file() else "the model file"
        words = f"They cannot be computed again without {why}."
        return [*links, LinkCheck(link="version", what="metrics", state=LinkState.NOT_KEPT, words=words)]
    schema = store.models.schema(version.model, version.schema_version)
    request = RemeasureRequest(
        schema=schema,
        artifact=store.artifacts.path(version.artifact_sha256),
        artifact_sha256=version.artifact_sha256,
        rows=rows,
        dataset=version.dataset,
        seed=version.run.seed,
        fitted=rows.with_name("fitted.parquet"),
        types=named_types(store, version),
    )
    try:
        found = compute(remeasure, request)
    except ArtifactRejected as error:
        return [*links, compared("version", "model file, loaded", kept="loads", found="refused", words=error.message)]
    return [*links, *_fitted(version, found), *_metrics(version, found)]


def _artifact(store: Store, version: ModelVersion) -> LinkCheck:
    try:
        found = _sha256(store.artifacts.path(version.artifact_sha256))
    except PipelineError as error:
        return compared("version", "model file", kept=version.artifact_sha256, found="gone", words=error.message)
    return compared("version", "model file", kept=version.artifact_sha256, found=found)


def _beside(store: Store, version: ModelVersion) -> Iterable[LinkCheck]:
    named = {
        "sample of fitted rows": version.reference_sha256,
        "hashes of fitted rows": version.dataset.fitted_sha256,
    }
    for what, sha256 in named.items():
        if sha256:
            path = store.files.reference(sha256)
            yield compared("version", what, kept=sha256, found=_sha256(path) if path.is_file() else "gone")


def _fitted(version: ModelVersion, found: Remeasured) -> Iterable[LinkCheck]:
    data = version.dataset
    if data.fitted_sha256:
        what = "hashes of fitted rows, made again from the dataset"
        yield compared("run", what, kept=data.fitted_sha256, found=found.fitted_sha256)
    kept = f"{data.fit_rows:,} fitted on, {data.holdout_rows:,} held out"
    now = f"{found.fit_rows:,} fitted on, {found.holdout_rows:,} held out"
    yield compared("run", "rows", kept=kept, found=now)


def _metrics(version: ModelVersion, found: Remeasured) -> Iterable[LinkCheck]:
    for name, figure in version.metrics.items():
        now = found.metrics.get(name)
        state = LinkState.AGREES if now is not None and _same(figure, now) else LinkState.DIFFERS
        yield LinkCheck(
            link="version", what=f"metric {name}", state=state, kept=_shown(figure), found=_shown(now),
            words="" if state is LinkState.AGREES else "Computed again on the hold-out with the kept model file.",
        )  # fmt: skip


def _same(kept: Figure, now: Figure) -> bool:
    if not isinstance(kept, Measured) or not isinstance(now, Measured):
        return kept == now
    pairs = ((kept.value, now.value), (kept.low, now.low), (kept.high, now.high), (kept.rows, now.rows))
    return all(_near(first, second) for first, second in pairs)


def _near(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= TOLERANCE * max(1.0, abs(first))


def _shown(figure: Figure | None) -> str:
    if not isinstance(figure, Measured):
        return "nothing" if figure is None else f"not measured: {figure.reason}"
    if figure.low is None or figure.high is None:
        return repr(figure.value)
    return f"{figure.value!r} ({figure.low!r} to {figure.high!r})"


# --- verdict and promotion ----------------------------------------------------------------------


def _verdict(store: Store, kept: Lineage) -> list[LinkCheck]:
    verdict = kept.verdict
    if verdict is None:
        return []
    what = f"{verdict.verdict_id}, rows judged on"
    try:
        found = evidence(store, verdict, as_of=verdict.decided_at)
    except PipelineError as error:
        return [compared("verdict", what, kept=verdict.sha256, found="unreadable", words=error.message)]
    check = compared("verdict", what, kept=verdict.sha256, found=found)
    if check.state is LinkState.DIFFERS:
        said = "Rows, labels or the hold-out of one of the two versions are not what they were when it was decided."
        return [replace(check, words=said)]
    return [check]


def _promotion(store: Store, kept: Lineage) -> Iterable[LinkCheck]:
    move = kept.promotion
    if move is None:
        return
    moves = sorted(store.models.promotions(kept.model), key=lambda m: m.epoch)
    before = next((m for m in moves if m.epoch == move.epoch - 1), None)
    yield compared(
        "promotion", f"move {move.epoch}, the champion before it",
        kept=str(move.previous or "none"), found=str(before.version if before else "none"),
    )  # fmt: skip
    if move.verdict_id is not None:
        verdict = next((v for v in store.models.verdicts(kept.model) if v.verdict_id == move.verdict_id), None)
        found = f"{verdict.verdict.value} on version {verdict.version}" if verdict else "no such verdict"
        passing = f"{Decision.PROMOTE.value} on version {move.version}"
        yield compared("promotion", f"move {move.epoch}, its verdict", kept=passing, found=found)
