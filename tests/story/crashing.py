"""The process that is killed: it receives, trains and promotes in a loop, and says on stdout what is done.

``python -m tests.story.crashing HOME RUN`` with ``FAULT`` in the environment. A line is written after the store
has returned, so that whatever was said is acknowledged.
"""

from __future__ import annotations

import json
import sys

from pipeline_core.store import Store
from tests.core.store import made

ROWS = 20
TURNS = 4


def ids(run: int, turn: int) -> list[str]:
    return [f"{run}-{turn}-{i}" for i in range(ROWS)]


def acknowledge(**done: object) -> None:
    print(json.dumps(done), flush=True)


def main(home: str, run: int) -> None:
    with Store.open(home) as store:
        if not store.models.names():
            store.models.define(made.schema())
        acknowledge(opened=store.revision)
        for turn in range(TURNS):
            batch = made.add_batch(store, ids(run, turn), target=["yes", "no"] * (ROWS // 2), first_day=turn)
            acknowledge(batch=batch.batch_id, turn=turn, revision=store.revision)
            version = made.add_version(store, content=f"{run}-{turn}".encode())
            acknowledge(version=version.version, revision=store.revision)
            champion = store.models.champion("bank")
            epoch = store.models.epoch("bank") + 1
            previous = champion.version if champion else None
            store.models.apply(made.promotion(version.version, epoch=epoch, previous=previous))
            acknowledge(champion=version.version, epoch=epoch, revision=store.revision)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
