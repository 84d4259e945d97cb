"""How an answer reads in a terminal.

Works on plain values (``Answer.content``), so that an answer that came through the running app reads the same.
It computes nothing: a figure that is not in the answer is not printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipeline_core.service import lineage_lines
from pipeline_core.service.audit_lines import AUDIT_WRITERS
from pipeline_core.service.terminal import Content, cell, day, figure, plain, table
from pipeline_core.service.training_lines import trained
from pipeline_core.service.verdict_lines import audit, beside, override

FEATURES_SHOWN = 5


def lines(verb: str, content: Content) -> list[str]:
    """Put an answer into short lines.

    Parameters
    ----------
    verb : str
        The verb that was asked.
    content : mapping
        Its answer as plain values.

    Returns
    -------
    list of str
    """
    return WRITERS[verb](content)


def _batch(content: Content) -> list[str]:
    known = " (already known)" if content.get("duplicate") else ""
    said = [f"Batch {content['batch_id']}: {content['status']}, {content['rows']:,} rows{known}"]
    said += [f"  {f['severity']:<7}  {f['code']}: {plain(f['message'])}" for f in content["findings"]]
    if content.get("set_aside_rows"):
        said.append(f"  {content['set_aside_rows']:,} rows were set aside and take part in nothing")
    return [*said, *(f"  note     {plain(note)}" for note in content.get("notes", ()))]


def _define(content: Content) -> list[str]:
    schema = content["schema"]
    columns = schema["columns"]
    counted = {role: sum(c["role"] == role for c in columns) for role in ("feature", "protected", "excluded")}
    target = next(c["name"] for c in columns if c["role"] == "target")
    said = [
        f"Model {schema['model']}: {schema['task']}, target {plain(target)}, {counted['feature']} features, "
        f"{counted['protected']} protected, {counted['excluded']} excluded",
    ]
    said += table(("column", "type", "role"), ((c["name"], c["type"], c["role"]) for c in columns))
    return [*said, *_batch(content["batch"])]


def _challenge(content: Content) -> list[str]:
    against = f"champion {content['champion']}" if content["champion"] is not None else "the trivial predictor"
    said = [
        f"Verdict on version {content['version']} against {against}: {content['verdict']} ({content['rows']:,} rows)"
    ]
    said += [f"  {plain(reason)}" for reason in content["reasons"]]
    said += [f"  {content['overlap']['words']}"] if content.get("overlap") else []
    rows = (
        (name, *("-" if "reason" in c[key] else figure(c[key]) for key in ("champion", "challenger", "difference")))
        for name, c in content["metrics"].items()
    )
    return [
        *said,
        *beside(content, figure=figure, plain=plain),
        *table(("metric", "champion", "challenger", "difference"), rows),
        *audit(content.get("audit")),
    ]


def _shadow(content: Content) -> list[str]:
    kept, rows = content["shadow"], content["rows"]
    beside = f"beside champion {content['champion']}" if content["champion"] is not None else "beside nobody comparable"
    until = f" until {day(kept['ended_at'])}" if kept["ended_at"] else ""
    said = [
        f"Version {content['version']} in shadow {beside} since {day(kept['started_at'])}{until}: {rows:,} live rows of"
        f" {content['batches']} {'batch' if content['batches'] == 1 else 'batches'} (by {plain(kept['started_by'])}: {plain(kept['reason'])})"
    ]
    if rows < content["rows_min"]:
        said.append(f"  too few to say much: {content['rows_min']:,} rows are asked for (window_rows_min)")
    for name, key in (("agree on", "agreement"), ("mean difference", "mean_difference"), ("KS distance", "distance")):
        said.append(f"  {name}: {figure(content[key])}")
    if content["errors"]:
        said.append(f"  failures: {content['errors']}, the last one: {plain(content['last_error'])}")
    said += table(
        ("ms a row", "p50", "p99"),
        ((n, *(figure(content[f"{n}_latency"][q]) for q in ("p50_ms", "p99_ms"))) for n in ("champion", "shadow")),
    )
    needed = f" of about {content['rows_needed']:,} that the gate needs" if content["rows_needed"] else ""
    said.append(f"Labelled so far: {content['labelled_rows']:,} live rows{needed}")
    if kept["live"]:
        said.append(f"The gate on {kept['live']['rows']:,} labelled live rows: {kept['live']['verdict']}")
        said += [f"  {plain(reason)}" for reason in kept["live"]["reasons"]]
    header = ("differ most: row", "batch", "champion", "shadow")
    keys = ("row_id", "batch_id", "champion_score", "shadow_score")
    different = [[row[key] for key in keys] for row in content["most_different"][:FEATURES_SHOWN]]
    return [*said, *(table(header, different) if different else [])]


def _promotion(content: Content) -> list[str]:
    before = f"after version {content['previous']}" if content["previous"] is not None else "the first champion"
    return [
        f"Version {content['version']} is champion ({before}), by {plain(content['by'])}: {plain(content['reason'])}",
        *override(content),
    ]


def _dismissal(content: Content) -> list[str]:
    done = "rejected" if content["action"] == "reject" else "retired"
    return [f"Version {content['version']} is {done} for good, by {plain(content['by'])}: {plain(content['reason'])}"]


def _score(content: Content) -> list[str]:
    again = " (already scored)" if content.get("already_scored") else ""
    said = [f"Batch {content['batch_id']}: {content['rows']:,} rows scored by version {content['version']}{again}"]
    if content.get("mean_score") is not None:
        said.append(f"  mean score {cell(float(content['mean_score']))}")
    said += [f"  {plain(str(name))}: {rows:,} rows" for name, rows in content["predicted"].items()]
    if "out" in content:
        said.append(f"  written to {content['out']}")
    return said


def _labels(content: Content) -> list[str]:
    return [
        f"{content['rows']:,} labels: {content['new_rows']:,} new, {content['changed_rows']:,} changed, "
        f"{content['unchanged_rows']:,} known, {content['unknown_rows']:,} for rows that are not here; "
        f"{content['matched_predictions']:,} predictions have their outcome now"
    ]


def _check(content: Content) -> list[str]:
    windows = content["windows"]
    said = [
        f"Version {content['version']}: {len(windows)} windows of {content['window']}, {content['new_alerts']} new alerts"
    ]
    if content["baseline"]:
        said.append(f"Compared with {_baseline_words(content['baseline'])}")
    if content["rule"]:
        rule = content["rule"]
        times = (
            f"; on the {rule['tried']} healthy windows it would have paged {rule['fired']} times"
            if rule["tried"]
            else ""
        )
        said.append(f"{plain(rule['words']).rstrip('.')}{times}.")
    rows = []
    for window in windows:
        drifted = [f["feature"] for f in window["features"] if f["drifted"]]
        first = next(iter(window["performance"]["metrics"].values()), None)
        names = ", ".join(drifted[:FEATURES_SHOWN])
        shown = "-" if first is None or "reason" in first else cell(float(first["value"]))
        rows.append((
            day(window["start"]),
            window["rows"],
            window["alert"],
            window["weighted_drift"],
            shown,
            names,
        ))
    return [*said, *table(("from", "rows", "alert", "weighted drift", "metric", "drifted"), rows)]


def _baseline_words(choice: Content) -> str:
    """Say what windows are compared with, who said so and why."""
    what = {
        "training": "the training data",
        "season": f"the same {choice['season']} of the training data",
        "period": f"{choice['start']} to {choice['end']}",
        "previous": "the window before",
    }[choice["kind"]]
    return f"{what} (chosen by {plain(choice['decided_by'])}: {plain(choice['reason'])})"


def _baseline(content: Content) -> list[str]:
    return [f"Choice {content['number']}: from the next check on windows are compared with {_baseline_words(content)}"]


def _replay(content: Content) -> list[str]:
    windows, left = content["windows"], content["left_out"]
    paged = sum(window["alert"] == "page" for window in windows)
    watched = sum(window["alert"] == "watch" for window in windows)
    said = [
        f"Version {content['version']} over {plain(content['source'])}: {len(windows)} windows of {content['window']}, {paged} page,"
        f" {watched} to be watched; {content['replayed_rows']:,} of {content['rows']:,} rows replayed"
    ]
    why = {
        "trained_rows": "the champion was made from them, or from later ones",
        "later_rows": "not before the end",
        "untimed_rows": "no event time",
    }
    said += [f"  left out {left[name]:,} rows: {words}" for name, words in why.items() if left[name]]
    if content["quarantined"]:
        said.append(
            f"  refused  {content['quarantined']} of {content['batches']} batches, which were taken in all the same"
        )
    header = ("from", "rows", "alert", "reasons", "weighted drift", "metric", "labelled", "top feature", "drifted")
    return [*said, *table(header, map(_replayed, windows))]


def _replayed(window: Content) -> tuple[object, ...]:
    first = next(iter(window["realised"].values()), None)
    names = ", ".join(window["drifted_features"][:FEATURES_SHOWN])
    return (
        day(window["start"]),
        window["rows"],
        window["alert"],
        ", ".join(window["reasons"]),
        window["weighted_drift"],
        None if first is None else first.get("value"),
        window["labelled_rows"],
        window["top_feature"],
        names,
    )


def _demo(content: Content) -> list[str]:
    if content.get("removed"):
        return [f"The demo model {content['model']} is removed."]
    return [
        f"The demo model {content['model']} is ready: champion {content['champion']}, {content['batches']} batches."
    ]


def _restore(content: Content) -> list[str]:
    said = [f"{len(content['batches'])} batches are whole again: {', '.join(content['batches']) or 'none was lost'}"]
    return [*said, *(f"  left     {plain(left['reason'])}" for left in content["left"])]


def _status(content: Content) -> list[str]:
    said = [
        f"Lost: batch {b['batch_id']} of {b['model']} ({plain(b['source'])}, {b['missing']})" for b in content["losses"]
    ]
    said += ["Bring them back with: restore"] if said else []
    return [*said, *map(plain, content["notices"]), *_models(content)]


def _models(content: Content) -> list[str]:
    if not content["models"]:
        return [f"No models in {content['home']} yet. Start with: define MODEL --data FILE --target COLUMN"]
    header = ("model", "task", "champion", "versions", "batches", "rows", "pages", "watches", "next step")
    rows = [
        (
            m["model"], m["task"], m["champion"], m["versions"], m["batches"], m["rows"], m["open_pages"],
            m["open_watches"], m["next_step"],
        )
        for m in content["models"]
    ]  # fmt: skip
    return table(header, rows)


def _source(content: Content) -> list[str]:
    pace = f"every {content['every_s']} s while the app runs" if content["every_s"] else "only when asked"
    state = pace if content["enabled"] else "paused"
    return [f"Source {plain(content['name'])} ({content['kind']}) for model {content['model']}: {state}"]


def _sources(content: Content) -> list[str]:
    if not content["sources"]:
        return ["No sources yet. Set one up with: source add MODEL --name NAME --kind KIND --set KEY=VALUE"]
    header = ("source", "kind", "model", "every", "last run", "files", "rows", "last error")
    rows = (
        (f["name"], f["kind"], f["model"], f["every_s"], s["last_run_at"], s["deliveries"], s["rows"], s["last_error"])
        for f, s in ((status["feed"], status["state"]) for status in content["sources"])
    )
    return table(header, rows)


def _source_run(content: Content) -> list[str]:
    said = [
        f"Source {plain(content['name'])}: {content['rows']:,} rows in {len(content['batches'])} batches, "
        f"{content['quarantined']} quarantined, {content['duplicates']} known already; {content['stopped']}"
    ]
    said += [f"  error    {plain(text)}" for text in content["errors"]]
    return [*said, *(f"  note     {plain(text)}" for text in content["notes"])]


WRITERS: Mapping[str, Callable[[Content], list[str]]] = {
    "define": _define,
    "receive": _batch,
    "readmit": _batch,
    "discard": _batch,
    "restore": _restore,
    "train": trained,
    "challenge": _challenge,
    "shadow": _shadow,
    "promote": _promotion,
    "rollback": _promotion,
    "reject": _dismissal,
    "retire": _dismissal,
    "score": _score,
    "labels": _labels,
    "check": _check,
    "baseline": _baseline,
    "replay": _replay,
    "lineage": lambda content: lineage_lines.lineage(content, figure),
    "dataset": lineage_lines.dataset,
    "datasets": lambda content: lineage_lines.datasets(content, table),
    "card": lineage_lines.card,
    "demo": _demo,
    "status": _status,
    **AUDIT_WRITERS,
    "source add": _source,
    "source list": _sources,
    "source run": _source_run,
    "source change": _source,
    "source remove": lambda content: [f"Source {plain(content['name'])} is forgotten; what it brought stays."],
}
