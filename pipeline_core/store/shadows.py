"""Who scores beside the champion, and what it said: kept apart from ``predictions``, so that nothing mixes them.

Neighbours: ``signals`` holds what callers were told, ``flows.shadow`` decides who may be a shadow. It refuses to judge:
it only lays the two sides of a row next to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from pipeline_core.errors import Stale
from pipeline_core.records import Shadow, ShadowBatch, dump_text, load
from pipeline_core.store.database import Database

PAIRS_MAX = 50_000
"""Newest rows that are laid side by side: more say no more about agreement, and a page would wait for them."""

_SAID = pa.schema([
    pa.field("row_id", pa.string()),
    pa.field("row_number", pa.int64()),
    pa.field("prediction", pa.string()),
    pa.field("score", pa.float64()),
])

_PAIRS = """
WITH once AS (
    SELECT p.row_id, p.batch_id, p.row_number, p.event_at, p.score, p.prediction, s.score AS shadow_score,
           s.prediction AS shadow_prediction, b.sequence
    FROM shadow_predictions s
    JOIN predictions p ON p.model = s.model AND p.batch_id = s.batch_id AND p.row_number = s.row_number
    JOIN batches b ON b.model = s.model AND b.batch_id = s.batch_id
    WHERE s.model = $model AND s.version = $version AND p.version = $champion
      AND NOT list_contains($made_from::VARCHAR[], s.batch_id)
    QUALIFY row_number() OVER (PARTITION BY p.row_id ORDER BY b.sequence DESC, p.row_number DESC) = 1)
SELECT o.* EXCLUDE (sequence), l.value AS label, count(*) OVER () AS all_rows
FROM once o LEFT JOIN labels l ON l.model = $model AND l.newest AND l.row_id = o.row_id
ORDER BY o.sequence DESC, o.row_number DESC LIMIT $limit
"""


class Shadows:
    """``store.shadows``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(self, shadow: Shadow) -> Shadow:
        """Keep a new stretch.

        Parameters
        ----------
        shadow : Shadow
            Its number is given here.

        Returns
        -------
        Shadow
            With its number.

        Raises
        ------
        Stale
            Another one goes on by now.
        """
        with self._database.transaction():
            before = self.list(shadow.model)
            if before and before[0].ended_at is None:
                raise Stale(f"Version {before[0].version} of model {shadow.model!r} is in shadow by now. Look again.")
            kept = replace(shadow, number=len(before) + 1)
            self._database.run(
                "INSERT INTO shadows (model, number, version, record) VALUES (?, ?, ?, ?)",
                [kept.model, kept.number, kept.version, dump_text(kept)],
            )
        return kept

    def put(self, shadow: Shadow) -> Shadow:
        """Keep what a stretch has become: ended, or judged.

        Parameters
        ----------
        shadow : Shadow
            A known one.

        Returns
        -------
        Shadow
        """
        with self._database.transaction():
            self._database.run(
                "UPDATE shadows SET record = ? WHERE model = ? AND number = ?",
                [dump_text(shadow), shadow.model, shadow.number],
            )
        return shadow

    def list(self, model: str) -> tuple[Shadow, ...]:
        """Give the stretches of a model, newest first.

        Parameters
        ----------
        model : str
            The model's name.

        Returns
        -------
        tuple of Shadow
        """
        found = self._database.rows("SELECT record FROM shadows WHERE model = ? ORDER BY number DESC", [model])
        return tuple(load(Shadow, row[0]) for row in found)

    def add(self, batch: ShadowBatch, said: pa.Table | None) -> None:
        """Keep what a shadow made of a batch; an earlier failure on it is forgotten, an earlier answer stays.

        Parameters
        ----------
        batch : ShadowBatch
            Its times, or its error.
        said : pa.Table or None
            Columns row_id, row_number, prediction, score; None where it failed.
        """
        key = [batch.model, batch.version, batch.batch_id]
        with self._database.transaction():
            if self.has(batch.model, batch.version, batch_id=batch.batch_id):
                return
            self._database.run("DELETE FROM shadow_batches WHERE model = ? AND version = ? AND batch_id = ?", key)
            self._database.run(
                "INSERT INTO shadow_batches (model, version, batch_id, failed, record) VALUES (?, ?, ?, ?, ?)",
                [*key, said is None, dump_text(batch)],
            )
            if said is not None:
                constants = {"model": batch.model, "version": batch.version, "batch_id": batch.batch_id}
                self._database.append("shadow_predictions", said.select(_SAID.names).cast(_SAID), constants=constants)

    def has(self, model: str, version: int, *, batch_id: str) -> bool:
        """Say whether a shadow has scored a batch (a failure is no score).

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.
        batch_id : str
            The batch's id.

        Returns
        -------
        bool
        """
        sql = "SELECT 1 FROM shadow_batches WHERE model = ? AND version = ? AND batch_id = ? AND NOT failed"
        return bool(self._database.rows(sql, [model, version, batch_id]))

    def batches(self, model: str, version: int) -> tuple[ShadowBatch, ...]:
        """Give the batches that a version was given as a shadow, in the order of their arrival.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.

        Returns
        -------
        tuple of ShadowBatch
        """
        found = self._database.rows(
            "SELECT s.record FROM shadow_batches s JOIN batches b ON b.model = s.model AND b.batch_id = s.batch_id"
            " WHERE s.model = ? AND s.version = ? ORDER BY b.sequence",
            [model, version],
        )
        return tuple(load(ShadowBatch, row[0]) for row in found)

    def pairs(
        self, model: str, *, version: int, champion: int, made_from: Sequence[str] = (), limit: int = PAIRS_MAX
    ) -> pa.Table:
        """Give the rows that both scored, newest first, each with its newest label.

        Parameters
        ----------
        model : str
            The model's name.
        version, champion : int
            The shadow and the version that answered callers.
        made_from : sequence of str
            Batches that one of the two was made from: their rows are no live rows.
        limit : int
            At most so many, the newest.

        Returns
        -------
        pa.Table
            Columns row_id, batch_id, row_number, event_at, score, prediction, shadow_score, shadow_prediction, label, and all_rows:
            how many there are without the limit. A row that came twice counts once, as it came last.
        """
        asked = {"model": model, "version": version, "champion": champion, "made_from": list(made_from), "limit": limit}
        return self._database.table(_PAIRS, asked)
