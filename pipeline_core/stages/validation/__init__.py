"""Does a batch fit its schema? First the types, cell by cell, then the checks, column by column.

``type_rows`` stores nothing silently: every cell that the schema's type cannot hold becomes a null
and a finding. ``check`` compares with the baseline; ``decide`` accepts or quarantines the batch as a
whole. The codes are listed in ``docs/findings.md``.
"""

from __future__ import annotations

from pipeline_core.stages.validation.checks import check, decide
from pipeline_core.stages.validation.codes import CODES, FindingCode
from pipeline_core.stages.validation.conversion import NOT_STORED, TypedRows, convert, type_rows

__all__ = ["CODES", "NOT_STORED", "FindingCode", "TypedRows", "check", "convert", "decide", "type_rows"]
