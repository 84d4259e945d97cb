"""How the tables came to be, step by step; a step that was released is never changed, only followed.

Few narrow tables: the key columns that are asked for, and the record as JSON. Opening costs by the number of
tables, so a model is a value in a column and never a table of its own.
"""

from __future__ import annotations

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE SEQUENCE entries",
        "CREATE TABLE meta (name VARCHAR PRIMARY KEY, number BIGINT)",
        "INSERT INTO meta VALUES ('revision', 0)",
        "CREATE TABLE schemas (model VARCHAR, schema_version INTEGER, record JSON, PRIMARY KEY (model, schema_version))",
        "CREATE TABLE aliases (model VARCHAR PRIMARY KEY, version INTEGER, epoch INTEGER)",
        """CREATE TABLE batches (
            model VARCHAR, batch_id VARCHAR, sequence BIGINT, sha256 VARCHAR, status VARCHAR, row_count BIGINT,
            received_at TIMESTAMP, raw_name VARCHAR, record JSON, PRIMARY KEY (model, batch_id))""",
        """CREATE TABLE day_counts (
            model VARCHAR, batch_id VARCHAR, column_id VARCHAR, bucket TIMESTAMP, cell DOUBLE, level VARCHAR,
            n BIGINT)""",
        """CREATE TABLE labels (
            model VARCHAR, row_id VARCHAR, value VARCHAR, revision INTEGER, newest BOOLEAN, received_at TIMESTAMP,
            batch_id VARCHAR)""",
        """CREATE TABLE versions (
            model VARCHAR, version INTEGER, artifact_sha256 VARCHAR, record JSON, PRIMARY KEY (model, version))""",
        """CREATE TABLE verdicts (
            entry BIGINT DEFAULT nextval('entries'), model VARCHAR, version INTEGER, verdict_id VARCHAR, record JSON)""",
        """CREATE TABLE promotions (
            model VARCHAR, epoch INTEGER, version INTEGER, record JSON, PRIMARY KEY (model, epoch))""",
        """CREATE TABLE baseline_counts (
            model VARCHAR, version INTEGER, kind VARCHAR, column_id VARCHAR, cell DOUBLE, level VARCHAR, n BIGINT)""",
        """CREATE TABLE predictions (
            model VARCHAR, version INTEGER, batch_id VARCHAR, row_number BIGINT, row_id VARCHAR, event_at TIMESTAMP,
            prediction VARCHAR, score DOUBLE, value DOUBLE, scores DOUBLE[])""",
        """CREATE TABLE watches (
            entry BIGINT DEFAULT nextval('entries'), model VARCHAR, version INTEGER, window_spec VARCHAR, record JSON)""",
        """CREATE TABLE windows (
            model VARCHAR, version INTEGER, window_spec VARCHAR, start_at TIMESTAMP, record JSON)""",
        """CREATE TABLE alerts (
            entry BIGINT DEFAULT nextval('entries'), alert_id VARCHAR PRIMARY KEY, model VARCHAR, raised_at TIMESTAMP, level VARCHAR,
            is_open BOOLEAN, record JSON)""",
        """CREATE TABLE jobs (
            entry BIGINT DEFAULT nextval('entries'), job_id VARCHAR PRIMARY KEY, model VARCHAR, status VARCHAR,
            record JSON)""",
    ),
    ("CREATE TABLE replaced (model VARCHAR, batch_id VARCHAR, row_number BIGINT, replaced_by VARCHAR)",),
    (
        "CREATE TABLE measures (model VARCHAR, batch_id VARCHAR, column_id VARCHAR, code VARCHAR, value DOUBLE)",
        """CREATE TABLE severities (
            entry BIGINT DEFAULT nextval('entries'), model VARCHAR, code VARCHAR, column_id VARCHAR, severity VARCHAR,
            decided_by VARCHAR, decided_at TIMESTAMP, reason VARCHAR)""",
    ),
    (
        """CREATE TABLE feeds (
            name VARCHAR PRIMARY KEY, model VARCHAR, record JSON, place VARCHAR, last_run_at TIMESTAMP,
            last_error VARCHAR, deliveries BIGINT, row_count BIGINT)""",
    ),
    ("CREATE TABLE batch_days (model VARCHAR, batch_id VARCHAR, day DATE, row_count BIGINT)",),
    ("CREATE TABLE baseline_choices (model VARCHAR, number INTEGER, record JSON, PRIMARY KEY (model, number))",),
    (
        "CREATE TABLE shadows (model VARCHAR, number INTEGER, version INTEGER, record JSON, PRIMARY KEY (model, number))",
        "CREATE TABLE shadow_batches (model VARCHAR, version INTEGER, batch_id VARCHAR, failed BOOLEAN, record JSON)",
        """CREATE TABLE shadow_predictions (
            model VARCHAR, version INTEGER, batch_id VARCHAR, row_number BIGINT, row_id VARCHAR, prediction VARCHAR,
            score DOUBLE)""",
    ),
    (
        """CREATE TABLE datasets (
            model VARCHAR, number INTEGER, dataset_id VARCHAR, sha256 VARCHAR, record JSON, PRIMARY KEY (model, number))""",
        "CREATE TABLE lineage_checks (model VARCHAR, version INTEGER, record JSON)",
    ),
    (
        "CREATE TABLE audit (sequence BIGINT PRIMARY KEY, hash VARCHAR, line VARCHAR)",
        "INSERT INTO meta VALUES ('audit_written', 0)",
        "CREATE TABLE dismissals (model VARCHAR, version INTEGER, record JSON, PRIMARY KEY (model, version))",
    ),
)
"""Migration number n is ``MIGRATIONS[n - 1]``: statements that run in one transaction."""

MODEL_TABLES: tuple[str, ...] = (
    "schemas", "aliases", "batches", "replaced", "day_counts", "labels", "versions", "verdicts", "promotions",
    "baseline_counts", "predictions", "watches", "windows", "alerts", "measures", "severities",
    "batch_days",
    "baseline_choices",
    "datasets",
    "lineage_checks",
    "dismissals",
    "feeds",
    "shadows", "shadow_batches", "shadow_predictions",
)  # fmt: skip
"""Every table whose rows belong to a model (jobs apart: they tell of this process's work; the audit outlives its models)."""
