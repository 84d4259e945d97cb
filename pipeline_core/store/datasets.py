"""Which dataset versions there are, and what was last found when a version's lineage was checked.

A dataset is a record: the rows stay where they are, in the files of their batches. Neighbours: ``selection`` reads them,
``flows/datasets`` names them. It refuses to change a dataset, and to keep the same content twice.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline_core.errors import NotFound, nearest
from pipeline_core.records import DatasetVersion, LineageCheck, dump_text, load
from pipeline_core.store.database import Database


class Datasets:
    """``store.datasets``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, dataset: DatasetVersion) -> DatasetVersion:
        """Keep a dataset under the next number of its model; the same content keeps the number that it has.

        Parameters
        ----------
        dataset : DatasetVersion
            Its ``dataset_id`` is given here.

        Returns
        -------
        DatasetVersion
            As it is kept.
        """
        with self._database.transaction():
            known = self._database.rows(
                "SELECT record FROM datasets WHERE model = ? AND sha256 = ?", [dataset.model, dataset.sha256]
            )
            if known:
                return load(DatasetVersion, known[0][0])
            ((number,),) = self._database.rows(
                "SELECT coalesce(max(number), 0) + 1 FROM datasets WHERE model = ?", [dataset.model]
            )
            kept = replace(dataset, dataset_id=f"d-{number}")
            self._database.run(
                "INSERT INTO datasets VALUES (?, ?, ?, ?, ?)",
                [kept.model, number, kept.dataset_id, kept.sha256, dump_text(kept)],
            )
        return kept

    def list(self, model: str) -> tuple[DatasetVersion, ...]:
        """Give a model's datasets, newest first.

        Parameters
        ----------
        model : str
            The model's name.

        Returns
        -------
        tuple of DatasetVersion
        """
        found = self._database.rows("SELECT record FROM datasets WHERE model = ? ORDER BY number DESC", [model])
        return tuple(load(DatasetVersion, row[0]) for row in found)

    def get(self, model: str, dataset_id: str) -> DatasetVersion:
        """Give one dataset.

        Parameters
        ----------
        model : str
            The model's name.
        dataset_id : str
            Like ``d-2``.

        Returns
        -------
        DatasetVersion

        Raises
        ------
        NotFound
            There is none of that name; the message names the nearest.
        """
        found = self._database.rows(
            "SELECT record FROM datasets WHERE model = ? AND dataset_id = ?", [model, dataset_id]
        )
        if not found:
            known = [dataset.dataset_id for dataset in self.list(model)]
            raise NotFound(f"Model {model!r} has no dataset {dataset_id!r}. {nearest(dataset_id, known)}")
        return load(DatasetVersion, found[0][0])

    def put_check(self, check: LineageCheck) -> None:
        """Keep what was found about a version's lineage, in the place of what was found before.

        Parameters
        ----------
        check : LineageCheck
            The newest one.
        """
        with self._database.transaction():
            key = [check.model, check.version]
            self._database.run("DELETE FROM lineage_checks WHERE model = ? AND version = ?", key)
            self._database.run("INSERT INTO lineage_checks VALUES (?, ?, ?)", [*key, dump_text(check)])

    def check(self, model: str, version: int) -> LineageCheck | None:
        """Give what was last found about a version's lineage; None: it was never checked.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.

        Returns
        -------
        LineageCheck or None
        """
        found = self._database.rows(
            "SELECT record FROM lineage_checks WHERE model = ? AND version = ?", [model, version]
        )
        return load(LineageCheck, found[0][0]) if found else None
