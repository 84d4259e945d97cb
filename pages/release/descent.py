"""Where a version comes from: batches, dataset, run, version, verdict, promotion, drawn with their hashes."""

from __future__ import annotations

import streamlit as st

from pages.release import links, reads, words
from pages.release.reads import Shelf
from pages.ui import lineage_charts, panels, periods, session, wording
from pipeline_core.records import Dismissal, JobStatus, Lineage, LineageCheck, Promotion, Schema


def section(shelf: Shelf, schema: Schema) -> int:
    """Draw the lineage of a version (the champion; ``?version=2`` another one) and verify it; gives its number."""
    number = _picked(shelf)
    lineage = session.cached(reads.lineage_of, schema.model, number)
    check = session.cached(reads.check_of, schema.model, number)
    nodes = links.nodes(lineage, check, schema)
    panels.chart(
        lineage_charts.graph(nodes, title=links.title(lineage, schema), subtitle=links.legend(check)),
        key="lineage_graph",
        alt=f"Lineage of version {number}: batches, dataset, run, version, verdict, promotion",
        table=links.rows(nodes),
    )
    _verify(schema, number)
    _found(check)
    _batches(lineage, schema)
    return number


def _picked(shelf: Shelf) -> int:
    numbers = [version.version for version in shelf.versions]
    default = shelf.champion.version if shelf.champion else numbers[0]
    wanted = (session.asked("version") or "").removeprefix("v")
    picked = int(wanted) if wanted.isdigit() and int(wanted) in numbers else default
    if len(numbers) > 1:
        picked = st.selectbox(
            "Version", numbers, index=numbers.index(picked), key="lineage_version", width=460,
            format_func=lambda n: _named(shelf, n), on_change=lambda: session.ask(version=str(st.session_state["lineage_version"])),
        )  # fmt: skip
    return picked


def _named(shelf: Shelf, number: int) -> str:
    version = shelf.numbered(number)
    return f"v{number}, {version.stage if version else ''}, {words.made(shelf, number)}"


def _verify(schema: Schema, number: int) -> None:
    running = [job for job in session.active_jobs(schema.model) if job.verb == "lineage"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            "Verify", key="lineage_verify", icon=":material/fact_check:", disabled=bool(running),
            help="It is being verified." if running else
            "Hashes the files, the rows and the model file again, and computes the metrics again on the hold-out.",
        ):  # fmt: skip
            with session.guard():
                session.submit("lineage", schema.model, {"version": number, "verify": True})
                st.rerun()
        for job in running:
            waits = job.status is JobStatus.QUEUED
            st.caption("Waits for the job before it." if waits else f"{wording.safe(job.message)} …")


def _found(check: LineageCheck | None) -> None:
    """Say what was last found, and list what no longer agrees with both values."""
    if check is None:
        st.caption("It was not verified yet: the hashes are those that were kept when each link was made.")
        return
    said = f"{wording.clock(check.checked_at)}: {wording.count(len(check.links), 'statement')} asked again"
    if check.agrees:
        kept = sum(link.state.value == "not kept" for link in check.links)
        rest = f"; {kept} cannot be asked, because nothing was kept" if kept else ""
        st.markdown(f":green[:material/check_circle:] Verified {said}, all of them agree{rest}.")
    else:
        st.markdown(f":red[:material/error:] Verified {said}. **These no longer agree:**")
        panels.table(
            links.found(check), key="lineage_check", alt="What no longer agrees: what was kept, what was found"
        )


def _batches(lineage: Lineage, schema: Schema) -> None:
    made_of = len(lineage.batches)
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
            alt="Batches that the version was made from, with the hash of each file",
        )  # fmt: skip


def version_rows(shelf: Shelf) -> list[dict[str, object]]:
    """Give all versions, newest first, as a table."""
    return [
        {
            "Version": f"v{v.version}",
            "Stage": f"{v.stage.value}{' for good' if v.version in shelf.dismissed else ''}",
            "Validation": words.headline(v),
            "Made": wording.clock(v.created_at),
            "Dataset": f"{v.dataset.dataset_id} {v.dataset.sha256[:12]}".strip(),
            "Artifact": v.artifact_sha256[:12],
            "Size": wording.size(v.artifact_bytes),
        }
        for v in shelf.versions
    ]


def promotion_rows(shelf: Shelf) -> list[dict[str, object]]:
    """Give all moves of the champion and all versions that were taken out, newest first, as a table."""
    done: list[Promotion | Dismissal] = list(shelf.promotions)
    left = {(p.epoch, p.version) for p in shelf.promotions if p.action == "retire"}
    done += [d for d in shelf.dismissed.values() if (d.epoch, d.version) not in left]
    overridden = any(p.override_by for p in shelf.promotions)
    return [
        {
            "When": wording.clock(act.at),
            "Move": f"{act.action} v{act.version}",
            "Instead of": _instead_of(act),
            "By": act.by,
            "Reason": act.reason,
            **(_override(act) if overridden else {}),
        }
        for act in sorted(done, key=lambda act: (act.at, act.epoch), reverse=True)
    ]


def _override(act: Promotion | Dismissal) -> dict[str, str]:
    """Give who let it pass although the bias audit blocked it, and why."""
    by, why = (act.override_by, act.override_reason) if isinstance(act, Promotion) else ("", "")
    return {"Overridden by": by, "Why overridden": why}


def _instead_of(act: Promotion | Dismissal) -> str:
    if isinstance(act, Dismissal) or act.action == "retire" or act.previous is None:
        return wording.DASH
    return f"v{act.previous}"
