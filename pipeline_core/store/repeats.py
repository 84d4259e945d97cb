"""Rows that come again under a known id: which stored rows they replace, and what that takes from the day counts.

Of a row id received twice the newest batch counts (decision 0006), and a batch that a person takes in later keeps the
place at which it came. ``selection`` holds to that when it chooses rows; here it is written down as the batch comes
in, for all who count. Neighbours: ``batches`` keeps the rows,
``stages.validation`` says whether a repeated id is right, which this module refuses to judge.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline_core.records import COUNTS, BatchReport, Schema
from pipeline_core.sql import identifier
from pipeline_core.store.batches import Batches
from pipeline_core.store.database import Database, parquet

REPEATS = pa.schema([
    ("batch_id", pa.string()), ("row_number", pa.int64()), ("same", pa.bool_()), ("replaced_by", pa.string())
])  # fmt: skip
"""Rows that count no more because their id comes twice; ``same``: as the same row (event time; values where there is none).

``replaced_by`` is null where the batch that comes in replaces them. Of a batch that came earlier than it is taken in,
rows of its own may be replaced by those of a newer one, which is named there.
"""

_NEWEST = 1 << 62

_REPEATED = """
CREATE OR REPLACE TEMP TABLE repeated AS
SELECT parse_filename(r.filename, true) AS batch_id, r.row_number AS stored, i.row_number AS coming, b.sequence > ? AS newer
FROM {files} r JOIN {coming} i ON i.row_id = r.row_id
JOIN batches b ON b.model = ? AND b.batch_id = parse_filename(r.filename, true)
WHERE NOT EXISTS (
    SELECT 1 FROM replaced p
    WHERE p.model = ? AND p.batch_id = parse_filename(r.filename, true) AND p.row_number = r.row_number)
"""

# the other columns are read for the repeated ids only: mostly there are none
_COMPARED = """
SELECT if(newer, ?, f.batch_id) AS batch_id, if(newer, f.coming, f.stored) AS row_number, bool_and({same}) AS same,
       if(newer, f.batch_id, NULL) AS replaced_by
FROM repeated f
JOIN {files} r ON parse_filename(r.filename, true) = f.batch_id AND r.row_number = f.stored
JOIN {coming} i ON i.row_number = f.coming
GROUP BY ALL ORDER BY 1, 2
"""

# a time that was missing, or is missing now, tells nothing apart
_SAME_TIME = "coalesce(r.event_at = i.event_at, true)"


class Repeats:
    """``store.repeats``.

    Parameters
    ----------
    database : Database
        Where it is written down.
    batches : Batches
        Of the same store.
    """

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database = database
        self._batches = batches

    def find(self, schema: Schema, rows: Path, *, batch: BatchReport | None = None) -> pa.Table:
        """Find the accepted rows that rows about to come in would replace, and those of theirs that newer ones replace.

        Parameters
        ----------
        schema : Schema
            The model's; it may not be kept yet.
        rows : Path
            A Parquet file of typed rows.
        batch : BatchReport, optional
            Whose rows they are, where it is kept already and is taken in late; without, nothing is newer.

        Returns
        -------
        pa.Table
            ``REPEATS``; none where the model has no id column: generated ids never repeat.
        """
        stored = self._batches.rows_paths(schema.model, there=True) if schema.id is not None else ()
        if not stored:
            return REPEATS.empty_table()
        same = _SAME_TIME
        if schema.time is None:
            columns = [identifier(c.column_id) for c in schema.features]
            same = " AND ".join(f"r.{c} IS NOT DISTINCT FROM i.{c}" for c in columns)
        files, coming = parquet(stored), parquet([rows])
        database = self._database
        place, own = _NEWEST, None
        if batch is not None:
            own, sql = batch.batch_id, "SELECT sequence FROM batches WHERE model = ? AND batch_id = ?"
            place = int(database.rows(sql, [schema.model, own])[0][0])
        database.run(_REPEATED.format(files=files, coming=coming), [place, schema.model, schema.model])
        try:
            if not database.rows("SELECT 1 FROM repeated LIMIT 1"):
                return REPEATS.empty_table()
            return database.table(_COMPARED.format(files=files, coming=coming, same=same), [own]).cast(REPEATS)
        finally:
            database.run("DROP TABLE repeated")

    def rows(self, model: str, repeats: pa.Table) -> dict[str, pa.Table]:
        """Read the stored rows that are to be replaced.

        Parameters
        ----------
        model : str
            The model's name.
        repeats : pa.Table
            ``REPEATS``.

        Returns
        -------
        dict of str to pa.Table
            Batch id to typed rows.
        """
        with self._database.incoming(repeats):
            return {
                batch_id: self._database.table(
                    f"SELECT * EXCLUDE (filename) FROM {parquet(self._batches.rows_paths(model, [batch_id]))}"
                    " WHERE row_number IN (SELECT row_number FROM incoming WHERE batch_id = ?) ORDER BY row_number",
                    [batch_id],
                )
                for batch_id in repeats.column("batch_id").unique().to_pylist()
            }

    def add(self, batch: BatchReport, repeats: pa.Table, *, counts: pa.Table) -> None:
        """Write down that a batch replaces rows; call it in the transaction that adds the batch.

        Parameters
        ----------
        batch : BatchReport
            The newer one.
        repeats : pa.Table
            ``REPEATS``, found before the batch was added, in the same transaction or with the same accepted batches.
        counts : pa.Table
            ``batch_id`` and COUNTS (bucket = day) of the replaced rows. They are taken from the batch that brought
            those rows, so that the sums are right for any choice of batches.
        """
        n = COUNTS.get_field_index("n")
        taken = counts.select([*COUNTS.names, "batch_id"])
        negative = pc.negate(taken.column("n"))
        with self._database.transaction():
            by = pc.fill_null(repeats.column("replaced_by"), batch.batch_id)
            named = repeats.select(["batch_id", "row_number"]).append_column("replaced_by", by)
            self._database.append("replaced", named, constants={"model": batch.model})
            self._database.append("day_counts", taken.set_column(n, "n", negative), constants={"model": batch.model})

    def replaced(self, model: str, batch_ids: Iterable[str]) -> pa.Table:
        """Say which rows of some batches count no more.

        Parameters
        ----------
        model : str
            The model's name.
        batch_ids : iterable of str
            Which batches.

        Returns
        -------
        pa.Table
            ``file`` (of typed rows) and ``row_number``.
        """
        found = self._database.table(
            "SELECT batch_id, row_number FROM replaced WHERE model = ? AND list_contains(?::VARCHAR[], batch_id)"
            " ORDER BY batch_id, row_number",
            [model, list(batch_ids)],
        )
        batch = found.column("batch_id").combine_chunks().dictionary_encode()
        paths = [str(self._batches.rows_paths(model, [name])[0]) for name in batch.dictionary.to_pylist()]
        files = pa.array(paths, pa.string()).take(batch.indices)
        return pa.table({"file": files, "row_number": found.column("row_number")})
