"""A check of rows that are not here: a table on a Spark cluster is counted there and judged like any other.

Answers "what would the check say of that table?". Neighbours: ``watch`` judges, ``engines.spark`` counts, ``sides`` holds the
windows. The raw rows stay where they are, so what needs them (a look at rows, windows of hours or of so many rows) is not
measured, and says so. Predictions and labels that this store has are used as always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import pyarrow as pa

from pipeline_core.engines.spark import SparkEngine
from pipeline_core.errors import InvalidDefinition, NotEnough
from pipeline_core.flows import watch
from pipeline_core.flows.compute import Progress
from pipeline_core.flows.sides import Side
from pipeline_core.flows.watched import whole_days
from pipeline_core.flows.windows import zone_of
from pipeline_core.records import Grid, ModelVersion, Role, Schema, TimeUnit, WatchReport
from pipeline_core.store.home import Store


def check_on_spark(
    store: Store, model: str, source: str, *, window: str | None = None, progress: Progress | None = None
) -> WatchReport:
    """Check the windows of a table on Spark against the champion's baseline.

    Parameters
    ----------
    store : Store
        The home.
    model : str
        The model's name; its schema says which columns of the table are meant, by their names.
    source : str
        A path of Parquet files, or a table that the session knows.
    window : str, optional
        Of whole days, weeks or months: ``1d``, ``7d``, ``1mo``, ``7d/1d``; none: the shortest that fits, and never rows.
    progress : callable, optional
        Is told the share done (0-1) and what is being done.

    Returns
    -------
    WatchReport
        Kept like any other, ``rows_in`` says where the rows are.

    Raises
    ------
    NotFound
        No such model, or it has no champion.
    InvalidDefinition
        The model has no event time, or the window is not of whole days.
    NotEnough
        The table has no row since the champion's fitted rows end.
    Unreadable
        Spark is not there, or cannot read the table.
    """
    champion = watch.champion_of(store, model)
    schema = store.models.schema(model, champion.schema_version)
    time = next((c.name for c in schema.columns if c.role is Role.TIME), None)
    if time is None or schema.time_unit is not TimeUnit.CLOCK:
        raise InvalidDefinition(
            f"Model {model!r} has no column with dates as its event time, so a table elsewhere cannot be cut into windows. Define it"
            " with --time, or bring its rows by `receive`."
        )
    if window is not None:
        whole_days(window, schema.time_unit)  # before a session is asked for
    zone, names = zone_of(schema), {c.column_id: c.name for c in schema.features}
    since = champion.dataset.holdout_from
    with SparkEngine(source, columns=names, time=time, zone=zone) as engine:
        if progress:
            progress(0.02, f"Counting the days of {source}")
        days = engine.days(since=since)
        if not days:
            raise NotEnough(_nothing(source, schema, champion))
        counted = partial(_counted, engine, since)
        away = watch.Away(side=Side(days=days, elsewhere=counted), told=f"{source} (Spark)")
        return watch.check(store, model, window=window, away=away, progress=progress)


def _counted(
    engine: SparkEngine, since: datetime | None, grids: Sequence[Grid], buckets: Mapping[datetime, datetime]
) -> pa.Table:
    return engine.counts(grids, buckets=buckets, since=since)


def _nothing(source: str, schema: Schema, champion: ModelVersion) -> str:
    since = champion.dataset.holdout_from
    after = (
        ""
        if since is None
        else f" from {since:%Y-%m-%d %H:%M} UTC on, where the fitted rows of v{champion.version} end"
    )
    return (
        f"{source!r} has no row{after}, so there is nothing to check of {schema.model!r}. Name a table with newer rows."
    )
