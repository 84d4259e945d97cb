"""Which rows teach a model, which are kept to judge it, and in which parts the first are looked at.

The hold-out is never fitted on, by any version: with an event time it is the newest rows, cut between
two distinct times; without one it is the rows whose hashed id, or hashed features where there is no id
either, falls into the share: the same rows for every version (decision 0005). The fitted part is cut into
blocks the same way, for cross-validation, search and calibration. Neighbours: ``fitting`` fits. It refuses to
cut at random: rows of one time, or of equal features, stay together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.errors import NotEnough
from pipeline_core.policy import Policy
from pipeline_core.records import Schema, TimeUnit
from pipeline_core.stats.rowkeys import eight_bytes, head

_HASH_RANGE = float(1 << 64)
_SLICE_ROWS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Which rows are fitted on (true in ``fit``) and from when on rows are held out, if by time."""

    fit: npt.NDArray[np.bool_]
    holdout_from: datetime | None


def enough(model: str, rows: int, policy: Policy) -> None:
    """Refuse to train on too few rows.

    Parameters
    ----------
    model : str
        The model's name.
    rows : int
        Its labelled rows.
    policy : Policy
        ``train_rows_min``.

    Raises
    ------
    NotEnough
        There are fewer.
    """
    if rows < policy.train_rows_min:
        raise NotEnough(
            f"Model {model!r} has {rows:,} labelled rows to train on; policy asks for at least"
            f" {policy.train_rows_min:,}. Receive more rows or labels, or lower train_rows_min in the policy."
        )


def split(rows: pa.Table, schema: Schema, policy: Policy) -> Split:
    """Keep a part of the labelled rows away from the fit.

    Parameters
    ----------
    rows : pa.Table
        Labelled typed rows with ``row_id`` and ``event_at``.
    schema : Schema
        Says whether the rows have an event time.
    policy : Policy
        ``holdout_share`` and ``train_rows_min``.

    Returns
    -------
    Split

    Raises
    ------
    NotEnough
        Too few rows, or all of them at one event time, or one of the two parts is empty.
    """
    enough(schema.model, rows.num_rows, policy)
    if schema.time_unit is TimeUnit.NONE:
        cut = Split(fit=~held_out(rows, schema, policy.holdout_share), holdout_from=None)
    else:
        cut = _time_split(rows, schema, policy)
    if not cut.fit.any() or cut.fit.all():
        raise NotEnough(
            f"A hold-out share of {policy.holdout_share} leaves {int(cut.fit.sum()):,} of {rows.num_rows:,} rows to"
            " fit on; both parts need rows. Set holdout_share in the policy between 0.05 and 0.5."
        )
    return cut


def held_out(rows: pa.Table, schema: Schema, share: float) -> npt.NDArray[np.bool_]:
    """Say which rows are held out where there is no event time.

    Parameters
    ----------
    rows : pa.Table
        Typed rows with ``row_id``.
    schema : Schema
        Says whether the rows have an id. Generated ids differ from file to file: without an id, rows of equal
        features are held out together, in whatever file they come and whatever their label becomes.
    share : float
        Share (0-1) that is held out.

    Returns
    -------
    np.ndarray of bool
    """
    if schema.id is not None:
        return hashed_holdout(rows.column("row_id").to_pylist(), share)
    keys = [
        key for start in range(0, rows.num_rows, _SLICE_ROWS) for key in _keys(rows.slice(start, _SLICE_ROWS), schema)
    ]
    return _below(keys, share)


def hashed_holdout(row_ids: Sequence[str], share: float) -> npt.NDArray[np.bool_]:
    """Say which rows are held out where there is no event time.

    Parameters
    ----------
    row_ids : sequence of str
        The rows' ids.
    share : float
        Share (0-1) that is held out; the rows of a smaller share are among those of a larger one.

    Returns
    -------
    np.ndarray of bool
        True where the first 8 bytes of md5(row_id), as a fraction, are below the share.
    """
    return _below([i.encode() for i in row_ids], share)


def _below(keys: Sequence[bytes], share: float) -> npt.NDArray[np.bool_]:
    heads = [head(key) for key in keys]
    held: npt.NDArray[np.bool_] = np.frombuffer(b"".join(heads), dtype=">u8") / _HASH_RANGE < share
    return held


def _keys(rows: pa.Table, schema: Schema) -> list[bytes]:
    """Give the features of each row as bytes: nine a column, of which the first says whether there is a value."""
    cells = np.zeros((rows.num_rows, len(schema.features)), dtype=[("known", "u1"), ("value", "<u8")])
    for place, column in enumerate(schema.features):
        values = rows.column(column.column_id)
        cells["known"][:, place] = values.is_valid().to_numpy()
        cells["value"][:, place] = eight_bytes(values, column.type)
    width = cells.dtype.itemsize * cells.shape[1]
    flat = cells.tobytes()
    return [flat[at : at + width] for at in range(0, len(flat), width)]


def _time_split(rows: pa.Table, schema: Schema, policy: Policy) -> Split:
    events = rows.column("event_at").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    ordered = np.sort(events)
    times, first_rows = np.unique(ordered, return_index=True)
    if len(times) < 2:
        raise NotEnough(
            f"All {rows.num_rows:,} labelled rows of model {schema.model!r} have one event time,"
            f" {_moment(times[0]):%Y-%m-%d %H:%M}; a hold-out in time needs at least two. Receive rows of another time,"
            " or define the model without an event time."
        )
    # rows of one time stay together: of the possible cuts, the one that comes nearest to the share
    wanted = rows.num_rows * (1 - policy.holdout_share)
    cut = times[1:][np.argmin(np.abs(first_rows[1:] - wanted))]
    return Split(fit=events < cut, holdout_from=_moment(cut))


def _moment(micros: int) -> datetime:
    return datetime.fromtimestamp(int(micros) // 1_000_000, tz=UTC).replace(microsecond=int(micros) % 1_000_000)


# --- parts of the fitted rows -------------------------------------------------------------------


def blocks(rows: pa.Table, schema: Schema, count: int) -> npt.NDArray[np.intp]:
    """Cut rows into blocks of about one size, the oldest first.

    Parameters
    ----------
    rows : pa.Table
        Typed rows with ``row_id`` and ``event_at``.
    schema : Schema
        Says whether the rows have an event time; without one the order is that of their hashes.
    count : int
        How many blocks, at least 2.

    Returns
    -------
    np.ndarray of int
        The block (0 to count - 1) of each row. Rows of one time, or of equal features, are in one block.

    Raises
    ------
    NotEnough
        The rows have too few different times for so many blocks.
    """
    keys = _keys_in_order(rows, schema)
    times, first_rows = np.unique(np.sort(keys), return_index=True)
    wanted = len(keys) * np.arange(1, count) / count
    after = np.searchsorted(first_rows, wanted).clip(1, max(1, len(times) - 1))
    nearer = (after > 1) & (wanted - first_rows[after - 1] < first_rows[after % len(times)] - wanted)
    places = np.unique(after - nearer)
    if len(times) < 2 or len(places) < count - 1:
        raise NotEnough(
            f"The {len(keys):,} rows to fit on cannot be cut into {count} parts: they have {len(times):,} different"
            " event times, or most of them one. Ask for fewer folds, or train on more data."
        )
    return np.searchsorted(times[places], keys, side="right")


def _keys_in_order(rows: pa.Table, schema: Schema) -> npt.NDArray[Any]:
    if schema.time_unit is not TimeUnit.NONE:
        return rows.column("event_at").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    if schema.id is not None:
        keys = [i.encode() for i in rows.column("row_id").to_pylist()]
    else:
        keys = [
            k for start in range(0, rows.num_rows, _SLICE_ROWS) for k in _keys(rows.slice(start, _SLICE_ROWS), schema)
        ]
    return np.frombuffer(b"".join(head(key) for key in keys), dtype=">u8").astype(np.uint64)
