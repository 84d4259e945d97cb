"""How an answer about the audit file reads in a terminal.

Neighbours: ``lines`` puts these into its table. It computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline_core.service.terminal import plain, table

Content = Mapping[str, Any]


def _entries(content: Content) -> list[str]:
    if not content["entries"]:
        return ["Nothing was decided yet."]
    header = ("entry", "when (UTC)", "act", "model", "by", "why", "hash")
    rows = (
        (
            e["sequence"],
            e["at"][:19],
            e["act"],
            e["model"] or None,
            e["by"] or None,
            e["reason"] or None,
            e["hash"][:12],
        )
        for e in content["entries"]
    )
    return table(header, rows)


def _report(content: Content) -> list[str]:
    if content["whole"] and not content["entries"]:
        return ["Audit chain empty: nothing was decided since there is an audit file."]
    if content["whole"]:
        return [f"Audit chain whole: {content['entries']:,} entries. Hash of the last one: {content['head']}"]
    said = [f"Audit chain broken: {content['entries']:,} entries were recorded."] if content["faults"] else []
    said += [f"  {fault['code']:<9} {plain(fault['message'])}" for fault in content["faults"]]
    if content["waiting"]:
        said.append(
            f"{content['waiting']:,} entries wait to be written: free disk space or mend the file's permissions."
        )
    return [*said, *([content["advice"]] if content["advice"] else [])]


AUDIT_WRITERS: Mapping[str, Callable[[Content], list[str]]] = {
    "audit list": _entries,
    "audit verify": _report,
    "audit mend": _report,
}
