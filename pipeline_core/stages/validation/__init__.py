"""Does a batch fit its schema? First the types, cell by cell, then the checks, column by column.

``Typing`` stores nothing silently: every cell that is changed stands in the ledger, and one that the schema's type
cannot hold becomes a null and a finding (``type_rows`` does a whole table). ``check`` compares with the baseline;
``decide`` accepts or quarantines the batch as a whole. The codes are listed in ``docs/findings.md``.
"""

from __future__ import annotations

from pipeline_core.stages.validation.checks import check, decide
from pipeline_core.stages.validation.codes import CODES, FindingCode
from pipeline_core.stages.validation.conversion import NOT_STORED, convert
from pipeline_core.stages.validation.ledger import KINDS, merge_changes
from pipeline_core.stages.validation.outcomes import Batch, Checked, Context, PastBatch
from pipeline_core.stages.validation.rows import ROW_RULED, TypedRows, Typing, type_rows

__all__ = [
    "CODES",
    "KINDS",
    "NOT_STORED",
    "ROW_RULED",
    "Batch",
    "Checked",
    "Context",
    "FindingCode",
    "PastBatch",
    "TypedRows",
    "Typing",
    "check",
    "convert",
    "decide",
    "merge_changes",
    "type_rows",
]
