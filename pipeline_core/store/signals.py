"""What was said and what was seen: predictions, windows of the watch, and alerts.

Neighbours: ``batches`` holds the labels that predictions are joined with. It decides nothing: whether something
drifted, or is worth an alert, is for ``stages``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from pipeline_core.errors import NotFound, Stale
from pipeline_core.records import Alert, Ruling, WatchReport, WindowReport, dump_text, load
from pipeline_core.store.database import Database, naive

_QUARANTINED = "batch_quarantined"  # the alert whose message begins with the batch it is about

_PREDICTED = pa.schema([
    pa.field("row_id", pa.string()),
    pa.field("row_number", pa.int64()),
    pa.field("event_at", pa.timestamp("us")),
    pa.field("prediction", pa.string()),
    pa.field("score", pa.float64()),
    pa.field("value", pa.float64()),
    pa.field("scores", pa.list_(pa.float64())),
])

_PREDICTIONS = """
SELECT p.row_id, p.row_number, p.event_at, p.score, p.prediction, l.value AS label, p.value, p.scores, p.version,
       p.batch_id
FROM predictions p
JOIN batches b ON b.model = p.model AND b.batch_id = p.batch_id
LEFT JOIN labels l ON l.model = p.model AND l.newest AND l.row_id = p.row_id
WHERE p.model = $model AND ($version::INTEGER IS NULL OR p.version = $version)
  AND ($batch_id::VARCHAR IS NULL OR p.batch_id = $batch_id)
  AND ($since::TIMESTAMP IS NULL OR p.event_at >= $since) AND ($until::TIMESTAMP IS NULL OR p.event_at < $until)
QUALIFY row_number() OVER (PARTITION BY p.version, p.row_id ORDER BY b.sequence DESC, p.row_number DESC) = 1
ORDER BY p.event_at NULLS LAST, b.sequence, p.row_number, p.version
"""


class Signals:
    """``store.signals``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_predictions(self, model: str, version: int, *, batch_id: str, predictions: pa.Table) -> int:
        """Log what a version said about a batch.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            Which version spoke.
        batch_id : str
            About which batch.
        predictions : pa.Table
            Columns row_id, row_number, event_at, prediction, score, and where there are any ``value`` and ``scores``
            (list of double, in the order of the schema's classes).

        Returns
        -------
        int
            Rows added; 0 where this version's word on the batch was already logged.
        """
        known = [f for f in _PREDICTED if f.name in predictions.column_names]
        table = predictions.select([f.name for f in known]).cast(pa.schema(known))
        with self._database.transaction():
            if self.has_predictions(model, version, batch_id=batch_id):
                return 0
            constants = {"model": model, "version": version, "batch_id": batch_id}
            self._database.append("predictions", table, constants=constants)
        return int(table.num_rows)

    def has_predictions(self, model: str, version: int, *, batch_id: str) -> bool:
        """Say whether a version has scored a batch.

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
        sql = "SELECT 1 FROM predictions WHERE model = ? AND version = ? AND batch_id = ? LIMIT 1"
        return bool(self._database.rows(sql, [model, version, batch_id]))

    def predictions(
        self,
        model: str,
        *,
        version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        batch_id: str | None = None,
    ) -> pa.Table:
        """Give logged predictions with the newest label of their row, by event time.

        Parameters
        ----------
        model : str
            The model's name.
        version : int, optional
            Of this version only.
        since, until : datetime, optional
            Event time, inclusive and exclusive.
        batch_id : str, optional
            About this batch only.

        Returns
        -------
        pa.Table
            Columns row_id, row_number, event_at, score, prediction, label, value, scores, version, batch_id. Of a
            row that a version scored twice the newest batch counts.
        """
        return self._database.table(
            _PREDICTIONS,
            {"model": model, "version": version, "batch_id": batch_id, "since": naive(since), "until": naive(until)},
        )

    def prediction_batches(self, model: str, *, version: int | None = None) -> tuple[str, ...]:
        """Give the ids of scored batches, oldest first.

        Parameters
        ----------
        model : str
            The model's name.
        version : int, optional
            Scored by this version.

        Returns
        -------
        tuple of str
        """
        found = self._database.rows(
            "SELECT b.batch_id FROM batches b WHERE b.model = ? AND b.batch_id IN (SELECT batch_id FROM predictions "
            "WHERE model = ? AND (?::INTEGER IS NULL OR version = ?)) ORDER BY b.sequence",
            [model, model, version, version],
        )
        return tuple(row[0] for row in found)

    def put_windows(self, report: WatchReport) -> None:
        """Keep an answer of ``check``; it replaces the one for the same model, version and window length.

        Parameters
        ----------
        report : WatchReport
            The whole answer.
        """
        key = [report.model, report.version, report.window]
        with self._database.transaction():
            for table in ("watches", "windows"):
                self._database.run(f"DELETE FROM {table} WHERE model = ? AND version = ? AND window_spec = ?", key)
            self._database.run(
                "INSERT INTO watches (model, version, window_spec, record) VALUES (?, ?, ?, ?)",
                [*key, dump_text(replace(report, windows=()))],
            )
            windows = pa.table({
                "start_at": pa.array([naive(w.start) for w in report.windows], pa.timestamp("us")),
                "record": pa.array([dump_text(w) for w in report.windows], pa.string()),
            })
            constants = {"model": report.model, "version": report.version, "window_spec": report.window}
            self._database.append("windows", windows, constants=constants)

    def watch(self, model: str, *, version: int | None = None, window: str | None = None) -> WatchReport | None:
        """Give the latest kept answer of ``check``.

        Parameters
        ----------
        model : str
            The model's name.
        version : int, optional
            About this version.
        window : str, optional
            With this window length, as asked (``7d``).

        Returns
        -------
        WatchReport or None
        """
        found = self._database.rows(
            "SELECT version, window_spec, record FROM watches WHERE model = ? "
            "AND (?::INTEGER IS NULL OR version = ?) AND (?::VARCHAR IS NULL OR window_spec = ?) "
            "ORDER BY entry DESC LIMIT 1",
            [model, version, version, window, window],
        )
        if not found:
            return None
        number, spec, record = found[0]
        windows = self._database.rows(
            "SELECT record FROM windows WHERE model = ? AND version = ? AND window_spec = ? ORDER BY start_at, rowid",
            [model, number, spec],
        )
        return replace(load(WatchReport, record), windows=tuple(load(WindowReport, row[0]) for row in windows))

    def windows(self, model: str, *, version: int | None = None, window: str | None = None) -> tuple[WindowReport, ...]:
        """Give the windows of the latest kept answer of ``check``, in time order.

        Parameters
        ----------
        model : str
            The model's name.
        version : int, optional
            About this version.
        window : str, optional
            With this window length.

        Returns
        -------
        tuple of WindowReport
            Empty when nothing was checked.
        """
        report = self.watch(model, version=version, window=window)
        return report.windows if report else ()

    def add_alerts(self, alerts: Iterable[Alert]) -> tuple[Alert, ...]:
        """Keep alerts; one whose id is already known is left as it is, with its acknowledgement.

        Parameters
        ----------
        alerts : iterable of Alert
            The most pressing first.

        Returns
        -------
        tuple of Alert
            Those that were new.
        """
        new = []
        with self._database.transaction():
            for alert in alerts:
                if self._database.rows("SELECT 1 FROM alerts WHERE alert_id = ?", [alert.alert_id]):
                    continue
                self._database.run(
                    "INSERT INTO alerts (alert_id, model, raised_at, level, is_open, record) VALUES (?, ?, ?, ?, ?, ?)",
                    [
                        alert.alert_id, alert.model, naive(alert.raised_at), alert.level.value,
                        alert.acknowledged_at is None, dump_text(alert),
                    ],
                )  # fmt: skip
                new.append(alert)
        return tuple(new)

    def alerts(self, model: str | None = None, *, open_only: bool = False) -> tuple[Alert, ...]:
        """Give alerts, newest first; those raised together in the order in which they came.

        Parameters
        ----------
        model : str, optional
            Of this model only.
        open_only : bool
            Only those that nobody acknowledged.

        Returns
        -------
        tuple of Alert
        """
        found = self._database.rows(
            "SELECT record FROM alerts WHERE (?::VARCHAR IS NULL OR model = ?) AND (NOT ? OR is_open) "
            "ORDER BY raised_at DESC, entry",
            [model, model, open_only],
        )
        return tuple(load(Alert, row[0]) for row in found)

    def alert(self, alert_id: str) -> Alert:
        """Give one alert.

        Parameters
        ----------
        alert_id : str
            Which.

        Returns
        -------
        Alert

        Raises
        ------
        NotFound
            There is no such alert.
        """
        found = self._database.rows("SELECT record FROM alerts WHERE alert_id = ?", [alert_id])
        if not found:
            raise NotFound(f"There is no alert {alert_id!r}. Reload the list of alerts.")
        return load(Alert, found[0][0])

    def acknowledge(self, alert_id: str, *, by: str, note: str = "", at: datetime | None = None) -> Alert:
        """Say that a person has seen an alert.

        Parameters
        ----------
        alert_id : str
            Which.
        by : str
            The person.
        note : str
            What they want to say about it.
        at : datetime, optional
            Now, unless said.

        Returns
        -------
        Alert

        Raises
        ------
        NotFound
            There is no such alert.
        Stale
            Somebody acknowledged it before.
        """
        with self._database.transaction():
            alert = self.alert(alert_id)
            if alert.acknowledged_at is not None:
                raise Stale(f"This alert was acknowledged by {alert.acknowledged_by} already. Reload the list.")
            return self._put(replace(alert, acknowledged_by=by, acknowledged_at=at or self._database.now(), note=note))

    def close_batch(self, model: str, batch_id: str, *, ruling: Ruling) -> None:
        """Acknowledge the open alerts about a batch in the name of the person who decided on it.

        Parameters
        ----------
        model : str
            The model's name.
        batch_id : str
            The batch.
        ruling : Ruling
            Who decided, when and why.
        """
        for alert in self.alerts(model, open_only=True):
            if alert.code == _QUARANTINED and alert.message.startswith(f"Batch {batch_id} "):
                self.acknowledge(alert.alert_id, by=ruling.decided_by, note=ruling.reason, at=ruling.decided_at)

    def reopen(self, alert_id: str) -> Alert:
        """Take an acknowledgement back; the note stays.

        Parameters
        ----------
        alert_id : str
            Which.

        Returns
        -------
        Alert

        Raises
        ------
        NotFound
            There is no such alert.
        """
        with self._database.transaction():
            return self._put(replace(self.alert(alert_id), acknowledged_by=None, acknowledged_at=None))

    def _put(self, alert: Alert) -> Alert:
        self._database.run(
            "UPDATE alerts SET is_open = ?, record = ? WHERE alert_id = ?",
            [alert.acknowledged_at is None, dump_text(alert), alert.alert_id],
        )
        return alert
