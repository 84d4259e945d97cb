"""What belongs to a model: its schemas, the severities that people set, the baselines of its versions, and how it goes.

Neighbours: ``registry`` is the half that says which version is what; both are asked for as ``store.models``.
"""

from __future__ import annotations

import hashlib
from typing import Unpack

import pyarrow as pa

from pipeline_core.errors import NotFound, Stale
from pipeline_core.records import Act, Deed, ModelStatus, Schema, dump_text, load
from pipeline_core.store import history
from pipeline_core.store.acknowledged import Acknowledged
from pipeline_core.store.artifacts import Artifacts
from pipeline_core.store.audit import Audit
from pipeline_core.store.baselines import put_baseline, read_baseline
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders
from pipeline_core.store.glance import statuses
from pipeline_core.store.history import Decision
from pipeline_core.store.registry import Registry
from pipeline_core.store.removal import remove_model


class Models(Registry):
    """``store.models``.

    Parameters
    ----------
    database : Database
        Where the rows are.
    folders : Folders
        Of the same home.
    artifacts : Artifacts
        Where a version's file must already be.
    log : Acknowledged
        Of the same home.
    audit : Audit
        Of the same home.
    """

    def __init__(
        self, database: Database, folders: Folders, artifacts: Artifacts, *, log: Acknowledged, audit: Audit
    ) -> None:
        super().__init__(database, artifacts, audit)
        self._log = log
        self._folders = folders

    def define(self, schema: Schema) -> None:
        """Keep a schema, the first of a model or its next one.

        Parameters
        ----------
        schema : Schema
            ``schema_version`` must be one more than the newest (1 for a new model).

        Raises
        ------
        Stale
            The model has another schema by now.
        """
        with self._database.transaction():
            newest = self._scalar("SELECT max(schema_version) FROM schemas WHERE model = ?", [schema.model]) or 0
            if schema.schema_version != newest + 1:
                raise Stale(
                    f"Model {schema.model!r} has schema version {newest}; version {schema.schema_version} cannot "
                    f"follow it. Reload and define it again."
                )
            self._database.run(
                "INSERT INTO schemas VALUES (?, ?, ?)", [schema.model, schema.schema_version, dump_text(schema)]
            )
            if newest == 0:
                self._database.run("INSERT INTO aliases VALUES (?, NULL, 0)", [schema.model])
            digest = hashlib.sha256(dump_text(schema).encode()).hexdigest()
            about = {"schema_version": schema.schema_version, "schema_sha256": digest}
            self._audit.add(Deed(act=Act.DEFINE, model=schema.model, about=about))

    def schema(self, model: str, schema_version: int | None = None) -> Schema:
        """Give a model's schema.

        Parameters
        ----------
        model : str
            The model's name.
        schema_version : int, optional
            The newest, unless said.

        Returns
        -------
        Schema

        Raises
        ------
        NotFound
            There is no such model or version; the message names the nearest.
        """
        found = self._database.rows(
            "SELECT record FROM schemas WHERE model = ? AND (?::INTEGER IS NULL OR schema_version = ?) "
            "ORDER BY schema_version DESC LIMIT 1",
            [model, schema_version, schema_version],
        )
        if found:
            return load(Schema, found[0][0])
        self._require(model)
        raise NotFound(f"Model {model!r} has no schema version {schema_version}.")

    def statuses(self) -> tuple[ModelStatus, ...]:
        """Give each model at a glance, by name."""
        return statuses(self._database)

    def remove(self, model: str, *, by: str = "", reason: str = "") -> None:
        """Remove a model with everything that belongs to it: rows in one transaction, files after it.

        Parameters
        ----------
        model : str
            The model's name.
        by, reason : str
            Who does it and why, for the audit file, which outlives the model.

        Raises
        ------
        NotFound
            There is no such model.
        """
        with self._database.transaction():
            champion, versions = self.champion(model), self.versions(model)
            self._require(model)
            remove_model(self._database, self._folders, self._log, model=model)
            about = {"versions": len(versions), "champion": champion.version if champion else None}
            self._audit.add(Deed(act=Act.REMOVE, model=model, by=by, reason=reason, about=about))

    def severities(self, model: str) -> dict[tuple[str, str | None], str]:
        """Give the severities that people set, by finding's code and column id (None: in every column)."""
        return history.severities(self._database, model)

    def set_severity(
        self, model: str, *, code: str, column_id: str | None = None, severity: str | None, **decision: Unpack[Decision]
    ) -> None:
        """Say how serious a finding is from now on; what was said before is kept as well.

        Parameters
        ----------
        model : str
            The model's name.
        code : str
            The finding's code.
        column_id : str, optional
            In this column only.
        severity : str or None
            error, warning, info or off; None: as the policy says.
        **decision
            ``by`` and ``reason``: who decided, and why.

        Raises
        ------
        NotFound
            There is no such model.
        InvalidDefinition
            There is no such severity, or nobody and no reason was named.
        """
        with self._database.transaction():
            self._require(model)
            history.set_severity(self._database, model, rule=(code, column_id), severity=severity, decision=decision)
            about = {"code": code, "column_id": column_id, "severity": severity}
            self._audit.add(Deed(act=Act.SEVERITY, model=model, about=about, **decision))

    def set_baseline(self, model: str, version: int, *, counts: pa.Table, score_counts: pa.Table | None) -> None:
        """Keep (or replace) what later windows are compared with.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.
        counts : pa.Table
            COUNTS of the fitted rows; the bucket is not kept.
        score_counts : pa.Table or None
            COUNTS of the scores on the hold-out.
        """
        with self._database.transaction():
            self.version(model, version)
            put_baseline(self._database, (model, version), kinds={"rows": counts, "scores": score_counts})

    def baseline(self, model: str, version: int) -> pa.Table:
        """Give the counts of the fitted rows.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.

        Returns
        -------
        pa.Table
            COUNTS with a null bucket; empty when none were kept.
        """
        return read_baseline(self._database, (model, version), kind="rows")

    def score_baseline(self, model: str, version: int) -> pa.Table:
        """Give the counts of the scores on the hold-out.

        Parameters
        ----------
        model : str
            The model's name.
        version : int
            The version's number.

        Returns
        -------
        pa.Table
            COUNTS with a null bucket; empty when none were kept.
        """
        return read_baseline(self._database, (model, version), kind="scores")
