"""Where the champion comes from: batches, dataset, run, version, verdict, promotion, each with its hash."""

from __future__ import annotations

import streamlit as st

from pages.release import reads, words
from pages.release.reads import Shelf
from pages.ui import panels, periods, session, wording
from pipeline_core.records import Lineage, Schema


def chain(lineage: Lineage, shelf: Shelf, schema: Schema) -> None:
    """Draw the six links from the batches to the promotion as one row of cards."""
    kept = session.cached(reads.artifact_kept, lineage.artifact_sha256)
    found = links(lineage, shelf, kept=kept)
    for place, (title, figure, note) in zip(st.columns(len(found), gap="xsmall"), found, strict=True):
        arrow = "" if title == found[-1][0] else " :material/arrow_forward:"
        with place.container(border=True, height="stretch", gap="xsmall"):
            st.caption(f"{title}{arrow}")
            st.markdown(f"**{figure}**")
            st.markdown(f":small[{note}]")
    made_of = len(lineage.dataset.batches)
    with st.expander("Hash of the batch" if made_of == 1 else f"Hashes of the {wording.count(made_of, 'batch')}"):
        panels.table(
            [
                {
                    "Batch": b.batch_id, "Rows": b.rows, "Source": b.source, "Received": wording.clock(b.received_at),
                    "Period": periods.period(b.first_event_at, b.last_event_at, schema),
                    "SHA-256": b.sha256,
                }
                for b in lineage.batches
            ],
            key="lineage_batches",
            alt="Batches that the champion was made from, with the hash of each file",
        )  # fmt: skip


def links(lineage: Lineage, shelf: Shelf, *, kept: bool) -> list[tuple[str, str, str]]:
    """Give the six links as title, figure and hash; ``kept``: the artifact is where it should be."""
    data, run = lineage.dataset, lineage.run
    ids = data.batches
    verdict = next((v for v in shelf.verdicts if v.verdict_id == lineage.verdict_id), None)
    state = ":material/check: file kept" if kept else ":material/error: file missing"
    figure = wording.primary_metric(lineage.metrics)
    metric = f"{wording.metric_name(figure)} {wording.number(words.value(lineage.metrics[figure]))}" if figure else ""
    return [
        ("Batches", f"{len(ids)}", f"{ids[0]} – {ids[-1]}" if len(ids) > 1 else "".join(ids)),
        ("Dataset", wording.count(data.rows, "row"), f"`{data.sha256[:10]}`"),
        (
            "Run",
            words.estimator_name(run.estimator),
            f"{wording.duration(run.duration_s)}  \ncode `{run.code_version[:14]}`",
        ),
        ("Version", f"v{lineage.version} · {metric}", f"`{lineage.artifact_sha256[:10]}` {state}"),
        (
            "Verdict",
            f"{verdict.verdict.value}{', overridden' if lineage.override_by else ''}" if verdict else "none",
            f"`{verdict.verdict_id.removeprefix('verdict-')[:10]}`  \n{wording.count(verdict.rows, 'row')}"
            if verdict
            else "rolled back to",
        ),
        ("Promotion", wording.safe(lineage.promoted_by, length=24), wording.clock(lineage.promoted_at)),
    ]


def version_rows(shelf: Shelf) -> list[dict[str, object]]:
    """Give all versions, newest first, as a table."""
    return [
        {
            "Version": f"v{v.version}",
            "Stage": v.stage.value,
            "Validation": words.headline(v),
            "Made": wording.clock(v.created_at),
            "Dataset": v.dataset.sha256[:12],
            "Artifact": v.artifact_sha256[:12],
            "Size": wording.size(v.artifact_bytes),
        }
        for v in shelf.versions
    ]


def promotion_rows(shelf: Shelf) -> list[dict[str, object]]:
    """Give all moves of the champion, newest first, as a table; overrides of the bias audit stay in it for good."""
    overridden = any(p.override_by for p in shelf.promotions)
    return [
        {
            "When": wording.clock(p.at),
            "Move": f"{p.action} v{p.version}",
            "Instead of": f"v{p.previous}" if p.previous else wording.DASH,
            "By": p.by,
            "Reason": p.reason,
            **({"Overridden by": p.override_by, "Why overridden": p.override_reason} if overridden else {}),
        }
        for p in shelf.promotions
    ]
