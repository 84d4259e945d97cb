"""The verbs about sources: what a person types to set one up, run it and forget it.

Neighbours: ``verbs`` puts them into its table, ``flows.feeds`` does what they ask. It refuses secrets as arguments: a
command line stands in the shell's history, so a secret is named by where it is found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline_core.errors import InvalidDefinition
from pipeline_core.flows import feeds
from pipeline_core.records import Feed, FeedKind, FeedReport, dump
from pipeline_core.service.asking import READING, Call, Option, Verb, reading_of
from pipeline_core.store.home import Store

_NAME = Option(help="the source", required=True, positional=True)


def _add(store: Store, call: Call) -> object:
    said = call.arguments
    feed = Feed(
        name=said["name"],
        model=call.model,
        kind=FeedKind(said["kind"]),
        settings=said.get("set") or {},
        secrets=said.get("secret") or {},
        reading=reading_of(said),
        every_s=said.get("every"),
        added_at=store.now(),
    )
    rows = said.get("batch-rows")
    return feeds.add_source(store, feed if rows is None else replace(feed, batch_rows=rows))


def _list(store: Store, call: Call) -> object:
    return {"sources": [dump(status) for status in feeds.list_sources(store, call.model or None)]}


def _remove(store: Store, call: Call) -> object:
    return feeds.remove_source(store, call.arguments["name"])


def _run(store: Store, call: Call) -> object:
    return feeds.run_source(store, call.arguments["name"], most=call.arguments.get("most"), progress=call.progress)


def _pace(store: Store, call: Call) -> object:
    said = call.arguments
    if said.get("every") is None and not said.get("pause") and not said.get("resume"):
        raise InvalidDefinition("Nothing was said to change. Say --every SECONDS, --pause or --resume.")
    changes: feeds.Changes = {}
    if said.get("every") is not None:
        changes["every_s"] = said["every"]
    if said.get("pause") or said.get("resume"):
        changes["enabled"] = not said.get("pause")
    return feeds.change_source(store, said["name"], **changes)


def _bad(report: FeedReport) -> bool:
    return bool(report.quarantined or report.errors)


SOURCES: Mapping[str, Verb] = {
    "source add": Verb(
        summary="set up where batches come from by themselves: a folder, a database, a URL, Kafka or Redis",
        run=_add,
        options={
            "name": Option(help="what to call it", required=True),
            "kind": Option(help="where it gets its rows", choices=tuple(FeedKind), required=True),
            "set": Option(kind="pairs", help="a setting, KEY=VALUE; once for each (docs/sources.md lists them)"),
            "secret": Option(kind="pairs", help="where a secret setting is found, KEY=env:NAME; once for each"),
            "every": Option(kind="whole", help="run it every so many seconds while the app runs"),
            "batch-rows": Option(kind="whole", help="close a batch at so many rows"),
            **READING,
        },
    ),
    "source list": Verb(summary="list the sources and how far each was read", run=_list, model="optional"),
    "source run": Verb(
        summary="receive what a source holds behind the place where it was left",
        run=_run,
        no=_bad,
        long=True,
        model="no",
        options={"name": _NAME, "most": Option(kind="whole", help="stop after so many files")},
    ),
    "source change": Verb(
        summary="change a source's pace, or pause it; how far it was read stays",
        run=_pace,
        model="no",
        options={
            "name": _NAME,
            "every": Option(kind="whole", help="run it every so many seconds; 0: only when asked"),
            "pause": Option(kind="flag", help="run it no more by itself"),
            "resume": Option(kind="flag", help="run it by itself again"),
        },
    ),
    "source remove": Verb(
        summary="forget a source and how far it was read; what it brought stays",
        run=_remove,
        model="no",
        options={"name": _NAME},
    ),
}
"""What is asked of a source; part of ``verbs.VERBS``."""
