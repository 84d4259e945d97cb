"""What stands beside a verdict on a terminal: the worst parts of the rows, and what each side costs to run.

Neighbours: ``lines`` writes the verdict itself and lends its words for figures and foreign text. It refuses to judge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

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
