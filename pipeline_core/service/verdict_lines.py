"""What stands beside a verdict on a terminal: the worst parts of the rows, and what each side costs to run.

Neighbours: ``lines`` writes the verdict itself and lends its words for figures and foreign text. It refuses to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline_core.service.terminal import Content, figure, plain, table

SLICES_SHOWN = 3


def beside(content: Mapping[str, Any], *, figure: Callable[[Any], str], plain: Callable[[Any], str]) -> list[str]:
    """Tell the worst parts of the rows and what each side costs to run.

    Parameters
    ----------
    content : mapping
        A dumped ``Verdict``.
    figure : callable
        Puts a dumped figure into words.
    plain : callable
        Makes foreign text harmless.

    Returns
    -------
    list of str
    """
    said = []
    if content["slices"]:
        said.append(f"  {content['slices_judged']:,} parts of the rows were judged; the worst:")
    for part in content["slices"][:SLICES_SHOWN]:
        where = " and ".join(f"{plain(c)} {plain(v)}" for c, v in zip(part["columns"], part["levels"], strict=True))
        said.append(f"    {where}: {figure(part['difference'])}{', blocks' if part['blocks'] else ''}")
    for name in ("champion", "challenger"):
        cost = content[f"{name}_footprint"]
        if cost:
            speed = f"a row in {cost['p50_ms']:.1f} ms (99 % in {cost['p99_ms']:.1f} ms)"
            said.append(f"  {name}: {speed}, a file of {cost['artifact_bytes']:,} bytes")
    return said


def audit(content: Content | None) -> list[str]:
    """Tell the bias audit: its state, why, and the groups that decide.

    Parameters
    ----------
    content : mapping or None
        A dumped ``BiasAudit`` or ``NotMeasured``; None: made before there was an audit.

    Returns
    -------
    list of str
    """
    if content is None:
        return []
    if "attributes" not in content:
        return [f"Bias audit: not measured, {plain(content['reason'])}"]
    found = [
        (plain(f["attribute"]), plain(f["group"]), f["measure"], figure(f["figure"]), f["limit"], f["state"], f["rows"])
        for attribute in content["attributes"]
        for f in attribute["findings"]
        if f["decides"] and (len(attribute["columns"]) == 1 or f["state"] == "violation")
    ]
    said = [f"Bias audit: {content['state']} ({content['rows']:,} rows)"]
    said += [f"  {plain(reason)}" for reason in content["reasons"]]
    return [*said, *table(("column", "group", "measure", "against the rest", "limit", "state", "rows"), found)]


def override(content: Content) -> list[str]:
    """Tell who let a version pass although the bias audit blocked it.

    Parameters
    ----------
    content : mapping
        A dumped ``Promotion`` or ``Lineage``.

    Returns
    -------
    list of str
    """
    if not content.get("override_by"):
        return []
    return [f"  bias block overridden by {plain(content['override_by'])}: {plain(content['override_reason'])}"]
