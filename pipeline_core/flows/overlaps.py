"""Was a row that models are to be judged on already in the training data of one of them? Told by row hash.

With each version a hash of every row that it was fitted on is kept: of its id, and of its features. A row of a known id
was fitted on. A row of known features is a row that came again, or another one that looks alike by chance: where the
fitted rows hardly ever have a twin among themselves it came again and is left out; where they often have, it says nothing
and stays, because leaving it out would judge on odd rows only (decision 0026). The label is no part of the hash: it may
have been corrected meanwhile, and leaving out rows by their label would bend what is measured. Neighbours: ``verdicts``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline_core.records import ColumnType, ModelVersion, Overlap, Schema
from pipeline_core.stats.rowkeys import Keys, row_hashes
from pipeline_core.store.home import Store

TWIN_SHARE_MAX = 0.01
"""Of the fitted rows at most so many may have a twin for a known row to be one that came again."""

_ID = (("row_id", ColumnType.CATEGORY),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Hashes of the rows that a version was fitted on, sorted; ``ids`` is empty where the model has no id."""

    features: Keys
    ids: Keys

    @property
    def twin_share(self) -> float:
        """The share of rows that have a twin: so many of fresh rows look like one of these by chance."""
        if not len(self.features):
            return 0.0
        counts = np.unique(self.features, return_counts=True)[1]
        return float(counts[counts > 1].sum() / len(self.features))


def hashed(rows: pa.Table, schema: Schema) -> Fitted:
    """Hash rows by the features, and by the id, of a schema.

    Parameters
    ----------
    rows : pa.Table
        Typed rows.
    schema : Schema
        Says what is a feature, and whether rows have an id.

    Returns
    -------
    Fitted
        In the order of the rows.
    """
    features = row_hashes(rows, [(column.column_id, column.type) for column in schema.features])
    ids = np.zeros(0, dtype=np.uint64) if schema.id is None else row_hashes(rows, _ID)
    return Fitted(features=features, ids=ids)


def write(rows: pa.Table, schema: Schema, path: Path) -> Path:
    """Write the hashes of fitted rows: 8 bytes a row, and 8 more where rows have an id; equal rows give equal bytes.

    Parameters
    ----------
    rows : pa.Table
        The fitted rows.
    schema : Schema
        Theirs.
    path : Path
        The Parquet file to write.

    Returns
    -------
    Path
    """
    made = hashed(rows, schema)
    columns = {"features": np.sort(made.features)} | ({"ids": np.sort(made.ids)} if len(made.ids) else {})
    pq.write_table(pa.table(columns), path, compression="none", use_dictionary=False)
    return path


def read(store: Store, version: ModelVersion) -> Fitted | None:
    """Read the hashes of the rows that a version was fitted on.

    Parameters
    ----------
    store : Store
        The home.
    version : ModelVersion
        Whose rows.

    Returns
    -------
    Fitted or None
        None: it was made before they were kept.

    Raises
    ------
    NotFound, ArtifactRejected
        The file is gone, or was changed.
    """
    if not version.dataset.fitted_sha256:
        return None
    kept = pq.read_table(store.artifacts.reference(version.dataset.fitted_sha256))
    ids = kept.column("ids").to_numpy() if "ids" in kept.column_names else np.zeros(0, dtype=np.uint64)
    return Fitted(features=kept.column("features").to_numpy(), ids=ids)


def without_fitted(store: Store, versions: Iterable[ModelVersion | None], rows: pa.Table) -> tuple[pa.Table, Overlap]:
    """Leave out the rows that one of the versions was fitted on, and say how many there were.

    Parameters
    ----------
    store : Store
        The home.
    versions : iterable of ModelVersion
        Champion and challenger; None is passed over.
    rows : pa.Table
        The typed rows to judge on.

    Returns
    -------
    pa.Table
        What may be judged on.
    Overlap
    """
    seen, drop = np.zeros(rows.num_rows, dtype=bool), np.zeros(rows.num_rows, dtype=bool)
    known, unknown, twins = [], [], [0.0]
    for version in filter(None, versions):
        fitted = read(store, version)
        if fitted is None:
            unknown.append(version.version)
            continue
        alike, same = _among(fitted, hashed(rows, store.models.schema(version.model, version.schema_version)))
        twins.append(fitted.twin_share)
        seen |= alike | same
        drop |= same | (alike & (fitted.twin_share <= TWIN_SHARE_MAX))
        known.append(version.version)
    counted = Overlap(
        rows=rows.num_rows,
        seen_rows=int(seen.sum()),
        dropped_rows=int(drop.sum()),
        twin_share=max(twins),
        versions=tuple(known),
        unknown=tuple(unknown),
    )
    return rows.filter(pa.array(~drop)), replace(counted, words=_words(counted))


def _among(fitted: Fitted, asked: Fitted) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Say which rows look like a fitted one, and which have the id of one."""
    alike = _found(asked.features, fitted.features)
    both = len(fitted.ids) and len(asked.ids)
    return alike, _found(asked.ids, fitted.ids) if both else np.zeros(len(alike), dtype=bool)


def _found(wanted: Keys, among: Keys) -> npt.NDArray[np.bool_]:
    if not len(among):
        return np.zeros(len(wanted), dtype=bool)
    places = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    found: npt.NDArray[np.bool_] = among[places] == wanted
    return found


def _words(overlap: Overlap) -> str:
    if not overlap.versions:
        return _not_known(overlap.unknown)
    whose = " or ".join(f"v{number}" for number in overlap.versions)
    kept = overlap.seen_rows - overlap.dropped_rows
    said = f"{overlap.dropped_rows:,} of {overlap.rows:,} evaluation rows were in the training data of {whose} (by row hash)"
    said += " and were left out" if overlap.dropped_rows else ""
    if kept:
        said += (
            f"; {kept:,} others have the features of a fitted row, as {100 * overlap.twin_share:.1f} % of the fitted rows have among"
            " themselves, and stay"
        )
    if kept and _beyond_chance(kept, overlap):
        said += ". That is more than chance explains: rows may have come again under another id"
    return f"{said}.{' ' + _not_known(overlap.unknown) if overlap.unknown else ''}"


def _beyond_chance(kept: int, overlap: Overlap) -> bool:
    """Say whether more rows look like a fitted one than their twins explain: by three standard errors."""
    chance = overlap.twin_share
    return kept / overlap.rows > chance + 3 * math.sqrt(chance * (1 - chance) / overlap.rows)


def _not_known(versions: tuple[int, ...]) -> str:
    whose = " and ".join(f"v{number}" for number in versions)
    return f"The training data of {whose} cannot be looked at by row hash: made before hashes were kept."
