"""What may go out: schemas, versions, verdicts, baselines, and the one alias that says who is champion.

A version's stage is what the alias and the promotions say, never a second copy of it, so there cannot be two
champions. Neighbours: ``stages.registry`` decides whether a move is legal; this only makes it happen once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Unpack

import pyarrow as pa

from pipeline_core.errors import NotFound, Stale, nearest
from pipeline_core.records import (
    ModelStatus,
    ModelVersion,
    Promotion,
    Schema,
    Stage,
    Verdict,
    dump_text,
    load,
)
from pipeline_core.store import faults, history
from pipeline_core.store.acknowledged import Acknowledged
from pipeline_core.store.artifacts import Artifacts
from pipeline_core.store.baselines import put_baseline, read_baseline
from pipeline_core.store.database import Database
from pipeline_core.store.files import Folders
from pipeline_core.store.glance import statuses
from pipeline_core.store.history import Decision
from pipeline_core.store.removal import remove_model


class Models:  # ruff: ignore[too-many-public-methods] - one room: what belongs to a model is asked for here
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
    """

    def __init__(self, database: Database, folders: Folders, artifacts: Artifacts, log: Acknowledged) -> None:
        self._log = log
        self._database = database
        self._folders = folders
        self._artifacts = artifacts

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

    def names(self) -> tuple[str, ...]:
        """Give the models by name."""
        return tuple(row[0] for row in self._database.rows("SELECT model FROM aliases ORDER BY model"))

    def statuses(self) -> tuple[ModelStatus, ...]:
        """Give each model at a glance, by name."""
        return statuses(self._database)

    def remove(self, model: str) -> None:
        """Remove a model with everything that belongs to it: rows in one transaction, files after it.

        Parameters
        ----------
        model : str
            The model's name.

        Raises
        ------
        NotFound
            There is no such model.
        """
        with self._database.transaction():
            self._require(model)
            remove_model(self._database, self._folders, self._log, model=model)

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

    def next_version(self, model: str) -> int:
        """Give the number of the next version."""
        return int(self._scalar("SELECT coalesce(max(version), 0) + 1 FROM versions WHERE model = ?", [model]))

    def add_version(self, version: ModelVersion) -> None:
        """Keep a trained version.

        Parameters
        ----------
        version : ModelVersion
            Its artifact must have been put; its ``stage`` is not kept (see the module).

        Raises
        ------
        NotFound
            The model or the artifact is not there.
        Stale
            The number is taken: take ``next_version`` in the same ``transaction()``.
        """
        with self._database.transaction():
            self._require(version.model)
            self._artifacts.path(version.artifact_sha256)
            taken = self._scalar(
                "SELECT count(*) FROM versions WHERE model = ? AND version = ?", [version.model, version.version]
            )
            if taken:
                raise Stale(f"Model {version.model!r} has a version {version.version} by now. Train again.")
            self._database.run(
                "INSERT INTO versions VALUES (?, ?, ?, ?)",
                [version.model, version.version, version.artifact_sha256, dump_text(version)],
            )
            faults.point("train.before_commit")
            self._database.after_commit(lambda: faults.point("train.after_commit"))

    def versions(self, model: str) -> tuple[ModelVersion, ...]:
        """Give a model's versions, newest first."""
        return self._versions("v.model = ?", [model])

    def version(self, model: str, number: int) -> ModelVersion:
        """Give one version.

        Parameters
        ----------
        model : str
            The model's name.
        number : int
            The version's number.

        Returns
        -------
        ModelVersion

        Raises
        ------
        NotFound
            There is no such version.
        """
        found = self._versions("v.model = ? AND v.version = ?", [model, number])
        if not found:
            self._require(model)
            known = ", ".join(str(v.version) for v in reversed(self.versions(model))) or "none yet"
            raise NotFound(f"Model {model!r} has no version {number}. There are: {known}.")
        return found[0]

    def champion(self, model: str) -> ModelVersion | None:
        """Give the champion, if there is one."""
        found = self._versions("v.model = ? AND v.version = a.version", [model])
        return found[0] if found else None

    def epoch(self, model: str) -> int:
        """Say how often the champion has moved.

        Parameters
        ----------
        model : str
            The model's name.

        Returns
        -------
        int

        Raises
        ------
        NotFound
            There is no such model.
        """
        self._require(model)
        return int(self._scalar("SELECT epoch FROM aliases WHERE model = ?", [model]))

    def add_verdict(self, verdict: Verdict) -> None:
        """Keep what the gate said.

        Parameters
        ----------
        verdict : Verdict
            Of a known model.
        """
        with self._database.transaction():
            self._require(verdict.model)
            self._database.run(
                "INSERT INTO verdicts (model, version, verdict_id, record) VALUES (?, ?, ?, ?)",
                [verdict.model, verdict.version, verdict.verdict_id, dump_text(verdict)],
            )

    def verdict(self, model: str, version: int) -> Verdict | None:
        """Give the latest verdict on a version."""
        found = self._database.rows(
            "SELECT record FROM verdicts WHERE model = ? AND version = ? ORDER BY entry DESC LIMIT 1", [model, version]
        )
        return load(Verdict, found[0][0]) if found else None

    def verdicts(self, model: str) -> tuple[Verdict, ...]:
        """Give a model's verdicts, newest first."""
        found = self._database.rows("SELECT record FROM verdicts WHERE model = ? ORDER BY entry DESC", [model])
        return tuple(load(Verdict, row[0]) for row in found)

    def apply(self, promotion: Promotion) -> None:
        """Move the champion, if nobody moved it since it was looked at.

        Parameters
        ----------
        promotion : Promotion
            ``epoch`` = ``epoch(model) + 1``; ``previous`` = the number of the present champion.

        Raises
        ------
        Stale
            The champion moved meanwhile; nothing was written.
        NotFound
            The model or the version is not there.
        """
        with self._database.transaction():
            self.version(promotion.model, promotion.version)
            faults.point("promote.before_write")
            moved = self._database.rows(
                "UPDATE aliases SET version = ?, epoch = ? "
                "WHERE model = ? AND epoch = ? AND version IS NOT DISTINCT FROM ?::INTEGER RETURNING epoch",
                [promotion.version, promotion.epoch, promotion.model, promotion.epoch - 1, promotion.previous],
            )
            if not moved:
                raise Stale(
                    f"The champion of {promotion.model!r} was moved by somebody else (the move was made for epoch "
                    f"{promotion.epoch}; {self.epoch(promotion.model)} moves are done). Reload, and decide again."
                )
            self._database.run(
                "INSERT INTO promotions VALUES (?, ?, ?, ?)",
                [promotion.model, promotion.epoch, promotion.version, dump_text(promotion)],
            )
            faults.point("promote.before_commit")
            self._database.after_commit(lambda: faults.point("promote.after_commit"))

    def promotions(self, model: str) -> tuple[Promotion, ...]:
        """Give the moves of a model's champion, newest first."""
        found = self._database.rows("SELECT record FROM promotions WHERE model = ? ORDER BY epoch DESC", [model])
        return tuple(load(Promotion, row[0]) for row in found)

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

    def _versions(self, where: str, parameters: Sequence[object]) -> tuple[ModelVersion, ...]:
        sql = f"""SELECT v.record, v.version = a.version,
                         EXISTS (SELECT 1 FROM promotions p WHERE p.model = v.model AND p.version = v.version)
                  FROM versions v JOIN aliases a ON a.model = v.model WHERE {where} ORDER BY v.version DESC"""
        return tuple(
            replace(load(ModelVersion, record), stage=_stage(champion=bool(champion), promoted=promoted))
            for record, champion, promoted in self._database.rows(sql, parameters)
        )

    def _require(self, model: str) -> None:
        if not self._scalar("SELECT count(*) FROM aliases WHERE model = ?", [model]):
            raise NotFound(f"There is no model {model!r}. {nearest(model, self.names())}")

    def _scalar(self, sql: str, parameters: Sequence[object]) -> Any:
        return self._database.rows(sql, parameters)[0][0]


def _stage(*, champion: bool, promoted: bool) -> Stage:
    if champion:
        return Stage.CHAMPION
    return Stage.RETIRED if promoted else Stage.CHALLENGER
