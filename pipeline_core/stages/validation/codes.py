"""The stable names of findings; ``docs/findings.md`` explains each, and a house test compares."""

from __future__ import annotations

from enum import StrEnum


class FindingCode(StrEnum):
    """What a finding is about."""

    NO_ROWS = "no_rows"
    COLUMN_MISSING = "column_missing"
    COLUMN_EXTRA = "column_extra"
    TYPE_CHANGED = "type_changed"
    ALL_NULL = "all_null"
    NULL_SHARE_UP = "null_share_up"
    NULL_SHARE_DOWN = "null_share_down"
    OUT_OF_RANGE = "out_of_range"
    UNSEEN_CATEGORY = "unseen_category"
    DISTRIBUTION_SHIFT = "distribution_shift"
    DUPLICATE_IDS = "duplicate_ids"
    IDS_KNOWN = "ids_known"
    EVENT_TIME_MISSING = "event_time_missing"
    TARGET_UNKNOWN = "target_unknown"


CODES = tuple(FindingCode)


def percent(share: float) -> str:
    """Write a share (0-1) as findings do: ``12.4 %``, and two digits where that would say 0.0."""
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.2g} %"
