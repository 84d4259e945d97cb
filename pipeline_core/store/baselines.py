"""What later windows are compared with: the counts of a version's fitted rows and of its hold-out's scores.

Neighbours: ``models`` is the door.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from pipeline_core.records import COUNTS
from pipeline_core.store.database import Database

_BASELINE = """
SELECT column_id, NULL::TIMESTAMP AS bucket, cell, level, sum(n)::BIGINT AS n FROM baseline_counts
WHERE model = ? AND version = ? AND kind = ? GROUP BY column_id, cell, level ORDER BY column_id, cell, level
"""


def put_baseline(database: Database, key: tuple[str, int], *, kinds: Mapping[str, pa.Table | None]) -> None:
    """Keep (or replace) the baseline of a version.

    Parameters
    ----------
    database : Database
        With a transaction open in this thread.
    key : (str, int)
        Model and version.
    kinds : mapping of str to pa.Table
        Kind (``rows``, ``scores``) to COUNTS; the bucket is not kept.
    """
    database.run("DELETE FROM baseline_counts WHERE model = ? AND version = ?", key)
    for kind, counts in kinds.items():
        if counts is not None:
            bare = counts.select(COUNTS.names).cast(COUNTS).drop_columns(["bucket"])
            constants = {"model": key[0], "version": key[1], "kind": kind}
            database.append("baseline_counts", bare, constants=constants)


def read_baseline(database: Database, key: tuple[str, int], *, kind: str) -> pa.Table:
    """Give the baseline of a version.

    Parameters
    ----------
    database : Database
        Which holds it.
    key : (str, int)
        Model and version.
    kind : str
        ``rows`` or ``scores``.

    Returns
    -------
    pa.Table
        COUNTS with a null bucket; empty when none were kept.
    """
    return database.table(_BASELINE, [*key, kind]).cast(COUNTS)
