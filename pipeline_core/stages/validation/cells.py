"""One column of one slice after its conversion: its cells, and marks on those that were changed.

Neighbours: ``conversion`` and ``moments`` make it, ``ledger`` counts the marks. It refuses to know what a mark means.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

FAILED = "failed"
"""The kind of change that lost a value: the cell is none of its column's type."""

Mask = npt.NDArray[np.bool_]
Marks = dict[str, Mask]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """Cells in the type that they are stored in, and which of them were changed, by kind of change."""

    cells: pa.Array
    marks: Marks = field(default_factory=dict)


def mask_of(flags: pa.Array) -> Mask:
    """Give booleans as a numpy mask; a null is false.

    Parameters
    ----------
    flags : pa.Array
        Of bool.

    Returns
    -------
    array of bool
    """
    filled = flags if flags.null_count == 0 else pc.fill_null(flags, fill_value=False)
    return filled.to_numpy(zero_copy_only=False)


def valid(column: pa.Array) -> Mask:
    """Give which cells hold a value."""
    return mask_of(column.is_valid())


def by_level(column: pa.Array, make: Callable[[pa.Array], Converted]) -> Converted:
    """Do the work once per distinct value and not once per cell.

    Parameters
    ----------
    column : pa.Array
        As arrived.
    make : callable
        Converts an array of distinct values.

    Returns
    -------
    Converted
        As long as ``column``.
    """
    try:
        encoded = column.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists and structures have no dictionary
        return make(column)
    made = make(encoded.dictionary)
    marks: Marks = {}
    if made.marks:
        indices = encoded.indices if encoded.null_count == 0 else pc.fill_null(encoded.indices, len(made.cells))
        places = indices.to_numpy()
        marks = {kind: np.append(mask, False)[places] for kind, mask in made.marks.items() if mask.any()}
    return Converted(cells=made.cells.take(encoded.indices), marks=marks)


def text_marks(raw: pa.Array, text: pa.Array, stored: pa.Array) -> Marks:
    """Mark what it cost to make something else of text: blanks, what failed, and that it was text.

    Parameters
    ----------
    raw, text : pa.Array
        As arrived, and without blanks at the ends.
    stored : pa.Array
        What became of it.

    Returns
    -------
    dict of str to array of bool
    """
    blank, kept = mask_of(pc.equal(text, "")), valid(stored)
    return {
        "null_word": blank,
        FAILED: valid(raw) & ~blank & ~kept,
        "trimmed": mask_of(pc.not_equal(raw, text)) & kept,
        "parsed": kept,
    }


def all_failed(column: pa.Array, to: pa.DataType) -> Converted:
    """Give nulls of a type: no value of the column can be one of it."""
    return Converted(cells=pa.nulls(len(column), to), marks={FAILED: valid(column)})
