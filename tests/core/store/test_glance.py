"""Each model at a glance."""

from __future__ import annotations

from pipeline_core.records import AlertLevel, BatchStatus, Task
from pipeline_core.store import Store
from tests.core.store import made


def test_a_glance_counts_what_there_is_and_says_what_comes_next(store: Store) -> None:
    def glance() -> tuple[object, ...]:
        (status,) = store.models.statuses()
        return (
            status.champion, status.versions, status.batches, status.quarantined, status.rows, status.open_pages,
            status.open_watches, status.next_step,
        )  # fmt: skip

    assert glance() == (None, 0, 0, 0, 0, 0, 0, "Receive a batch that passes the door.")
    made.add_batch(store, ["a"], status=BatchStatus.QUARANTINED)
    assert glance() == (None, 0, 1, 1, 0, 0, 0, "Receive a batch that passes the door.")
    made.add_batch(store, ["a", "b"])
    assert glance() == (None, 0, 2, 1, 2, 0, 0, "Train the first version.")
    made.add_version(store)
    assert glance() == (None, 1, 2, 1, 2, 0, 0, "Challenge version 1 and promote it.")
    store.models.apply(made.promotion(1, epoch=1, previous=None))
    assert glance() == (1, 1, 2, 1, 2, 0, 0, "Nothing is waiting; receive the next batch.")
    store.signals.add_alerts([made.alert("l-1"), made.alert("l-2"), made.alert("l-3", level=AlertLevel.WATCH)])
    assert glance() == (1, 1, 2, 1, 2, 2, 1, "Look at 2 open page alerts.")
    store.signals.acknowledge("l-1", by="Ada")
    store.signals.acknowledge("l-2", by="Ada")
    assert glance() == (1, 1, 2, 1, 2, 0, 1, "Look at 1 open watch alert.")
    (status,) = store.models.statuses()
    assert (status.task, status.demo, status.last_received_at) == (Task.BINARY, False, made.DAY)
