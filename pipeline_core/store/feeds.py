"""The sources that were set up, and how far each was read.

How far is one text of the source's own, moved by ``advance`` inside the transaction that keeps a batch: after a crash
both are there or neither is. Neighbours: ``batches`` keeps what they bring, ``flows.feeds`` runs them. It refuses
two runs of one source at once: both would begin at the same place and bring the same rows, differently cut.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from pipeline_core.errors import InvalidDefinition, NotFound, Stale, nearest
from pipeline_core.records import Feed, FeedState, FeedStatus, dump_text, load
from pipeline_core.store.database import Database, aware, naive

_STATE = "name, place, last_run_at, last_error, deliveries, row_count"


class Feeds:
    """``store.feeds``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._running: dict[str, datetime | None] = {}  # when the source of a run was added: a namesake is another one
        self._order = threading.Lock()

    def keep(self, feed: Feed, *, new: bool = False) -> Feed:
        """Keep a source, or its changed settings; how far it was read stays.

        Parameters
        ----------
        feed : Feed
            The source.
        new : bool
            Whether its name must be free.

        Returns
        -------
        Feed

        Raises
        ------
        InvalidDefinition
            The name is taken: by another source where it must be free, by one of another model or kind otherwise.
        """
        with self._database.transaction():
            known = {s.feed.name: s.feed for s in self.list()}.get(feed.name)
            if known is None:
                self._database.run(
                    "INSERT INTO feeds (name, model, record, deliveries, row_count) VALUES (?, ?, ?, 0, 0)",
                    [feed.name, feed.model, dump_text(feed)],
                )
            elif new or (known.model, known.kind) != (feed.model, feed.kind):
                raise InvalidDefinition(
                    f"A source {feed.name!r} ({known.kind}, for model {known.model!r}) is already here. Choose another name,"
                    " or remove it first."
                )
            else:
                self._database.run("UPDATE feeds SET record = ? WHERE name = ?", [dump_text(feed), feed.name])
        return feed

    def list(self, model: str | None = None) -> tuple[FeedStatus, ...]:
        """Give the sources by name, of one model if one is named."""
        found = self._database.rows(
            f"SELECT record, {_STATE} FROM feeds WHERE ?::VARCHAR IS NULL OR model = ? ORDER BY name", [model, model]
        )
        return tuple(FeedStatus(feed=load(Feed, row[0]), state=_state(row[1:])) for row in found)

    def get(self, name: str) -> FeedStatus:
        """Give one source and how far it was read.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        FeedStatus

        Raises
        ------
        NotFound
            There is none of that name; the message names the nearest.
        """
        known = {status.feed.name: status for status in self.list()}
        if name not in known:
            raise NotFound(f"There is no source {name!r}. {nearest(name, known)}")
        return known[name]

    def state(self, name: str) -> FeedState:
        """Say how far a source was read (NotFound where there is none)."""
        return self.get(name).state

    def remove(self, name: str) -> Feed:
        """Forget a source and how far it was read; what it brought stays.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        Feed
            As it was.

        Raises
        ------
        NotFound
            There is none of that name.
        """
        with self._database.transaction():
            feed = self.get(name).feed
            self._database.run("DELETE FROM feeds WHERE name = ?", [name])
        return feed

    def advance(self, name: str, cursor: str, *, rows: int = 0) -> None:
        """Note how far a source was read; call it in the transaction that keeps what it brought.

        Parameters
        ----------
        name : str
            The source.
        cursor : str
            Its own note: what lies behind it will not be asked for again.
        rows : int
            How many rows this delivery held.

        Raises
        ------
        NotFound
            There is none of that name (it was removed during its run), or it is another one (added anew since): the
            delivery is not kept either.
        """
        with self._database.transaction():
            moved = not self._is_namesake(name) and self._database.rows(
                "UPDATE feeds SET place = ?, deliveries = deliveries + 1, row_count = row_count + ? WHERE name = ?"
                " RETURNING name",
                [cursor, rows, name],
            )
            if not moved:
                raise NotFound(
                    f"There is no source {name!r} any more: it was removed. Nothing of this delivery is kept."
                )

    def ran(self, name: str, *, at: datetime, error: str | None = None) -> None:
        """Note that a source was run, and what went wrong if something did; of a removed one nothing is noted."""
        if self._is_namesake(name):
            return
        known = self._database.rows("SELECT last_error FROM feeds WHERE name = ?", [name])
        # a run that found nothing new is nothing that a page must read again for
        with self._database.transaction(revises=bool(known) and known[0][0] != error):
            self._database.run(
                "UPDATE feeds SET last_run_at = ?, last_error = ? WHERE name = ?", [naive(at), error, name]
            )

    @contextmanager
    def running(self, name: str) -> Generator[FeedStatus]:
        """Hold a source for one run.

        Parameters
        ----------
        name : str
            Its name.

        Yields
        ------
        FeedStatus
            As it is at the start.

        Raises
        ------
        Stale
            It is running already.
        NotFound
            There is none of that name.
        """
        with self._order:
            if name in self._running:
                raise Stale(f"Source {name!r} is running already; one run at a time is allowed. Wait until it is done.")
            self._running[name] = None
        try:
            status = self.get(name)
            self._running[name] = status.feed.added_at
            yield status
        finally:
            with self._order:
                self._running.pop(name, None)

    def unscored(self, feed: Feed, *, version: int, since: datetime) -> tuple[str, ...]:
        """Name the accepted batches that a source brought and a version has not scored, oldest first.

        Parameters
        ----------
        feed : Feed
            The source; its batches are named after it.
        version : int
            Of its model.
        since : datetime
            Received from then on.

        Returns
        -------
        tuple of str
        """
        found = self._database.rows(
            "SELECT batch_id FROM batches WHERE model = ? AND status = 'accepted' AND received_at >= ?"
            " AND starts_with(record->>'$.source', ?)"
            " AND batch_id NOT IN (SELECT batch_id FROM predictions WHERE model = ? AND version = ?) ORDER BY sequence",
            [feed.model, naive(since), f"{feed.name}: ", feed.model, version],
        )
        return tuple(row[0] for row in found)

    def _is_namesake(self, name: str) -> bool:
        """Say whether the source that runs under this name was removed, and another one was added."""
        started = self._running.get(name)
        kept = {status.feed.name: status.feed.added_at for status in self.list()} if started is not None else {}
        return name in kept and kept[name] != started


def _state(row: tuple[Any, ...]) -> FeedState:
    name, place, last_run_at, last_error, deliveries, rows = row
    return FeedState(
        name=name,
        cursor=place,
        last_run_at=aware(last_run_at),
        last_error=last_error,
        deliveries=deliveries,
        rows=rows,
    )
