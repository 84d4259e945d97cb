"""Batches, counts and facts made from typed rows in memory: what an engine would say of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline_core.policy import Policy
from pipeline_core.records import (
    COUNTS,
    BatchFacts,
    ColumnBaseline,
    ColumnFacts,
    ColumnType,
    Finding,
    Role,
    Schema,
)
from pipeline_core.stages.validation import Batch, Checked, Context, TypedRows, check
from pipeline_core.stats.grids import cells_of
from pipeline_core.stats.spikes import common_values

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SPIKES, LEARNED_SPIKES = 20, 50


def counts_of(rows: pa.Table, schema: Schema) -> pa.Table:
    """Count each column by its grid, all rows in one bucket."""
    parts = []
    for grid in schema.grids:
        values = rows.column(grid.column_id)
        if grid.kind == "level":
            keys, cells = values.cast(pa.string()), pa.nulls(len(values), pa.float64())
        else:
            known = values.to_numpy()
            placed = cells_of(known, grid)
            if grid.starts:
                starts = np.asarray(grid.starts, dtype=np.float64)
                placed = starts[np.searchsorted(starts, placed, side="right") - 1]
            placed = np.where(np.isnan(known), np.nan, placed)
            keys, cells = pa.nulls(len(values), pa.string()), pa.array(placed, pa.float64(), from_pandas=True)
        table = pa.table({"cell": cells, "level": keys}).group_by(["cell", "level"]).aggregate([([], "count_all")])
        parts.append(
            pa.table({
                "column_id": pa.array([grid.column_id] * table.num_rows, pa.string()),
                "bucket": pa.nulls(table.num_rows, pa.timestamp("us")),
                "cell": table["cell"],
                "level": table["level"],
                "n": table["count_all"],
            }).cast(COUNTS)
        )
    return pa.concat_tables(parts) if parts else COUNTS.empty_table()


def number_facts(column_id: str, values: pd.Series, baseline: ColumnBaseline | None) -> ColumnFacts:
    known = np.sort(values.dropna().to_numpy(np.float64))
    plain = {"column_id": column_id, "rows": len(values), "nulls": len(values) - len(known)}
    if not len(known):
        return ColumnFacts(**plain, distinct=0)
    distinct, n = np.unique(known, return_counts=True)
    asked = [0.0, -1.0]
    if baseline is not None and baseline.mean is not None:
        asked += [baseline.mean, baseline.quantiles[len(baseline.quantiles) // 2]]
    return ColumnFacts(
        **plain,
        distinct=len(distinct),
        low=float(known[0]),
        high=float(known[-1]),
        mean=float(known.mean()),
        quantiles=tuple(known[np.linspace(0, len(known) - 1, 101).astype(int)].tolist()),
        spikes=common_values(distinct, n, rows=len(known), most=SPIKES),
        asked=tuple((v, int(np.isclose(known, v, rtol=1e-9, atol=0).sum())) for v in dict.fromkeys(asked)),
    )


def facts_of(rows: pa.Table, schema: Schema) -> BatchFacts:
    """Say of typed rows what an engine would."""
    frame = rows.to_pandas()
    baselines = {b.column_id: b for b in schema.baselines}
    columns = []
    for column in schema.columns:
        values = frame[column.column_id]
        if column.type is ColumnType.NUMBER:
            columns.append(number_facts(column.column_id, values, baselines.get(column.column_id)))
        else:
            columns.append(
                ColumnFacts(
                    column_id=column.column_id,
                    rows=len(values),
                    nulls=int(values.isna().sum()),
                    distinct=values.nunique(),
                )
            )
    times = frame["event_at"].dropna()
    ids = frame[schema.id.column_id] if schema.id else None
    stamps = frame["event_at"].astype("int64").where(frame["event_at"].notna()).dropna()
    compared = [c.column_id for c in schema.columns]
    return BatchFacts(
        rows=len(frame),
        columns=tuple(columns),
        null_patterns=patterns_of(rows, schema),
        repeated_rows=int(frame.duplicated(compared).sum()) if compared else 0,
        repeated_ids=0 if ids is None else int(ids.dropna().duplicated().sum()),
        missing_ids=0 if ids is None else int(ids.isna().sum()),
        untimed_rows=len(frame) - len(times),
        unordered_rows=int((stamps.diff() < 0).sum()),
        first_event_at=times.min().to_pydatetime().replace(tzinfo=UTC) if len(times) else None,
        last_event_at=times.max().to_pydatetime().replace(tzinfo=UTC) if len(times) else None,
        rows_by_day=dict(sorted(Counter(times.dt.strftime("%Y-%m-%d")).items())),
    )


def patterns_of(rows: pa.Table, schema: Schema) -> tuple[tuple[tuple[str, ...], int], ...]:
    features = [c.column_id for c in schema.columns if c.role in {Role.FEATURE, Role.PROTECTED}]
    nulls = rows.select(features).to_pandas().isna()
    found = Counter(tuple(nulls.columns[row]) for row in nulls.to_numpy()[nulls.any(axis=1).to_numpy()])
    return tuple(found.most_common(20))


def with_spikes(schema: Schema, rows: pa.Table) -> Schema:
    """Add what the engine teaches beside ``learn``: common numbers and columns that are null together."""
    baselines = []
    for learned in schema.baselines:
        b = learned
        if schema.by_id(b.column_id).type is ColumnType.NUMBER and not b.spikes:
            known = rows.column(b.column_id).drop_null().to_numpy()
            distinct, n = np.unique(known, return_counts=True)
            common = common_values(distinct, n, rows=len(known), most=LEARNED_SPIKES) if len(known) else ()
            b = replace(b, spikes=tuple((v, k / len(known)) for v, k in common))
        baselines.append(b)
    return replace(
        schema,
        baselines=tuple(baselines),
        null_patterns=tuple((ids, n / rows.num_rows) for ids, n in patterns_of(rows, schema)),
    )


def batch_of(typed: TypedRows, schema: Schema, **more: Any) -> Batch:
    return Batch(
        arrivals=typed.arrivals,
        facts=facts_of(typed.rows, schema),
        counts=counts_of(typed.rows, schema),
        failures=typed.failures,
        **more,
    )


def checked(typed: TypedRows, schema: Schema, policy: Policy | None = None, **context: Any) -> Checked:
    """Check typed rows as the door does."""
    known = Context(received_at=NOW, **context)
    return check(batch_of(typed, schema), schema, policy=policy or Policy(), context=known)


def findings_of(typed: TypedRows, schema: Schema, policy: Policy | None = None, **context: Any) -> list[Finding]:
    return list(checked(typed, schema, policy, **context).findings)
