"""The stable names of findings as the checks use them, and how findings write shares.

Neighbours: ``records.codes`` lists the names, because the policy file uses them too; every check of this package takes
them from here. It refuses other words for a share than these.
"""

from __future__ import annotations

from pipeline_core.records.codes import CODES, OFF, SEVERITIES, FindingCode

__all__ = ["CODES", "OFF", "SEVERITIES", "FindingCode", "percent"]


def percent(share: float) -> str:
    """Write a share (0-1) as findings do: ``12.4 %``, and two digits where that would say 0.0."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.2g} %"
