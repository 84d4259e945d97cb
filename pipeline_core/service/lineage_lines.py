"""How datasets, lineage and card read in a terminal.

Neighbours: ``lines`` puts them beside the other verbs and lends its tables. It computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline_core.records import ModelCard, load
from pipeline_core.service import cardtext
from pipeline_core.service.terminal import day, plain

Content = Mapping[str, Any]
Tabled = Callable[[Sequence[str], Sequence[Sequence[object]]], list[str]]
HASH_SHOWN = 12
_MARKS = {"agrees": "agrees   ", "differs": "DIFFERS  ", "not kept": "not kept "}


def dataset(content: Content) -> list[str]:
    """Tell one dataset.

    Parameters
    ----------
    content : mapping
        A dumped ``DatasetVersion``.

    Returns
    -------
    list of str
    """
    return [
        f"Dataset {content['dataset_id']}: {content['rows']:,} rows of {len(content['parts'])} batches,"
        f" {day(content['first_event_at'])} to {day(content['last_event_at'])}",
        f"  sha256 {content['sha256']}",
    ]


def datasets(content: Content, table: Tabled) -> list[str]:
    """List the datasets of a model.

    Parameters
    ----------
    content : mapping
        With ``datasets``.
    table : callable
        Sets a table.

    Returns
    -------
    list of str
    """
    if not content["datasets"]:
        return [f"Model {content['model']} has no dataset yet. Each training makes one; so does: dataset MODEL"]
    header = ("dataset", "rows", "batches", "from", "to", "labels of", "schema", "sha256", "versions")
    rows = [
        (
            kept["dataset_id"], kept["rows"], len(kept["parts"]), day(kept["first_event_at"]), day(kept["last_event_at"]),
            day(kept["labels_at"]), kept["schema_version"], kept["sha256"][:HASH_SHOWN],
            ", ".join(f"v{number}" for number in kept["versions"]) or None,
        )
        for kept in content["datasets"]
    ]  # fmt: skip
    return table(header, rows)


def check(content: Content) -> list[str]:
    """Tell what was found about a lineage; what differs with both values.

    Parameters
    ----------
    content : mapping
        A dumped ``LineageCheck``.

    Returns
    -------
    list of str
    """
    links = content["links"]
    broken = sum(link["state"] == "differs" for link in links)
    found = "all of it agrees" if content["agrees"] else f"{broken} of {len(links)} statements no longer agree"
    said = [f"Lineage of version {content['version']}, verified {content['checked_at']}: {found}"]
    for link in links:
        said.append(f"  {_MARKS[link['state']]} {link['link']}: {plain(link['what'])}")
        if link["state"] == "differs":
            said += [f"            was {plain(link['kept'])}", f"            is  {plain(link['found'])}"]
        if link["words"] and link["state"] != "agrees":
            said.append(f"            {plain(link['words'])}")
    return said


def lineage(content: Content, figure: Callable[[Content], str]) -> list[str]:
    """Tell where a version comes from.

    Parameters
    ----------
    content : mapping
        A dumped ``Lineage`` or ``LineageCheck``.
    figure : callable
        Puts a figure into words.

    Returns
    -------
    list of str
    """
    if "links" in content:
        return check(content)
    data, verdict = content["dataset"], content["verdict"]
    who = f"Version {content['version']} ({content['stage']})"
    if content["promotion"]:
        who += f", promoted by {plain(content['promoted_by'])} at {content['promoted_at']}: {plain(content['reason'])}"
    said = [
        who,
        f"  made from {data['rows']:,} rows of {len(data['batches'])} batches, {day(data['first_event_at'])} to"
        f" {day(data['last_event_at'])}, dataset {data['dataset_id'] or '-'}, sha256 {data['sha256'][:HASH_SHOWN]}",
        f"  run {content['run']['run_id']}, {content['run']['estimator']}, code {plain(content['run']['code_version'])}",
        f"  artifact sha256 {content['artifact_sha256'][:HASH_SHOWN]}",
    ]
    if verdict:
        said.append(
            f"  {verdict['verdict_id']}: {verdict['verdict']} on {verdict['rows']:,} rows, sha256 {verdict['sha256'][:HASH_SHOWN]}"
        )
    return [*said, *(f"  {name}: {figure(value)}" for name, value in content["metrics"].items())]


def card(content: Content) -> list[str]:
    """Give a model card as Markdown.

    Parameters
    ----------
    content : mapping
        A dumped ``ModelCard``, and perhaps where it was written.

    Returns
    -------
    list of str
    """
    if "out" in content:
        return [f"Model card of version {content['version']} written to {content['out']}"]
    return cardtext.markdown(load(ModelCard, dict(content))).splitlines()
