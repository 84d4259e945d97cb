"""The stable names of findings, and what a policy may say of each; ``docs/findings.md`` explains them.

They stand among the records because the policy file names them too. It refuses to say how bad a thing is: that is for
the check that found it, then for the policy.
"""

from __future__ import annotations

from enum import StrEnum

OFF = "off"
SEVERITIES = ("error", "warning", "info", OFF)
"""What a policy file or a person may say of a code; ``off``: measured all the same, and never told."""


class FindingCode(StrEnum):
    """What a finding is about."""

    NO_ROWS = "no_rows"
    COLUMN_MISSING = "column_missing"
    COLUMN_EXTRA = "column_extra"
    COLUMN_RENAMED = "column_renamed"
    COLUMNS_REORDERED = "columns_reordered"
    TYPE_CHANGED = "type_changed"
    ALL_NULL = "all_null"
    NULL_SHARE_UP = "null_share_up"
    NULL_SHARE_DOWN = "null_share_down"
    NULL_PATTERN = "null_pattern"
    IMPUTED = "imputed"
    OUT_OF_RANGE = "out_of_range"
    UNIT_JUMP = "unit_jump"
    CONSTANT = "constant"
    UNSEEN_CATEGORY = "unseen_category"
    CATEGORY_VANISHED = "category_vanished"
    CATEGORY_SPELLING = "category_spelling"
    DISTRIBUTION_SHIFT = "distribution_shift"
    DUPLICATE_ROWS = "duplicate_rows"
    DUPLICATE_IDS = "duplicate_ids"
    IDS_KNOWN = "ids_known"
    EVENT_TIME_MISSING = "event_time_missing"
    TIME_FUTURE = "time_future"
    TIME_TOO_OLD = "time_too_old"
    TIME_UNORDERED = "time_unordered"
    TIME_GAP = "time_gap"
    TIME_ZONE = "time_zone"
    ROW_COUNT = "row_count"
    TARGET_UNKNOWN = "target_unknown"
    LEAKAGE_SUSPECT = "leakage_suspect"
    SET_ASIDE = "set_aside"


CODES = tuple(FindingCode)
