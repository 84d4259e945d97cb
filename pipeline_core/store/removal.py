"""How a model goes: its rows in one transaction, its files once that is committed.

Neighbours: ``models`` is the door, ``migrations`` lists the tables. It refuses to touch a file that another batch
or version names.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from pipeline_core.store.acknowledged import REMOVING, STAYING, Acknowledged, Entry
from pipeline_core.store.artifacts import VERSION_FILES, version_files
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders, remove_files
from pipeline_core.store.migrations import MODEL_TABLES

_BATCHES = "SELECT batch_id, raw_name FROM batches WHERE model = ?"


def remove_model(database: Database, folders: Folders, log: Acknowledged, *, model: str) -> None:
    """Remove everything that belongs to a model.

    Parameters
    ----------
    database : Database
        With a transaction open in this thread.
    folders : Folders
        Of the same home.
    log : Acknowledged
        Is told before, so that what goes on purpose is never taken for lost.
    model : str
        The model's name.
    """
    leaving = Entry(kind=REMOVING, model=model, at=database.now())
    log.append(leaving)
    database.after_rollback(lambda: log.append(replace(leaving, kind=STAYING)))
    batches = database.rows(_BATCHES, [model])
    rows = [path for batch_id, _ in batches for path in folders.of_batch(model, batch_id)]
    raw = {name for _, name in batches if name is not None}
    fitted = version_files(folders, database.rows(f"{VERSION_FILES} WHERE model = ?", [model]))
    for table in MODEL_TABLES:
        database.run(f"DELETE FROM {table} WHERE model = ?", [model])
    database.run("DELETE FROM jobs WHERE model = ? AND status IN ('done', 'failed')", [model])

    def clear() -> None:
        # asked once all is committed: the same transaction may have made the model anew, of the same files
        named = {row[0] for row in database.rows("SELECT DISTINCT raw_name FROM batches")}
        staying = version_files(folders, database.rows(VERSION_FILES))
        remove_files([*rows, *(folders.raw / name for name in raw - named), *(fitted - staying)])
        with suppress(OSError):
            folders.model_rows(model).rmdir()  # unless a new model of that name has rows there

    database.after_commit(clear)
