"""Who is champion: versions, verdicts, every move of the one alias that says it, and the versions that were taken out.

A version's stage is what the alias, the promotions and the dismissals say, never a second copy of it, so there cannot be
two champions. Neighbours: ``stages.registry`` decides whether a move is legal, ``models`` is the door, ``audit`` keeps who
did what. It refuses to move the champion for somebody who looked at another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pipeline_core.errors import NotFound, Stale, nearest
from pipeline_core.records import Act, Deed, Dismissal, ModelVersion, Promotion, Stage, Verdict, dump, dump_text, load
from pipeline_core.store import faults
from pipeline_core.store.artifacts import Artifacts
from pipeline_core.store.audit import Audit
from pipeline_core.store.database import Database

RETIRE = "retire"
_SIGNED = ("model", "by", "reason", "at")


class Registry:
    """The part of ``store.models`` that says which version is what.

    Parameters
    ----------
    database : Database
        Where the rows are.
    artifacts : Artifacts
        Where a version's file must already be.
    audit : Audit
        Of the same home.
    """

    def __init__(self, database: Database, artifacts: Artifacts, audit: Audit) -> None:
        self._database = database
        self._artifacts = artifacts
        self._audit = audit

    def names(self) -> tuple[str, ...]:
        """Give the models by name."""
        return tuple(row[0] for row in self._database.rows("SELECT model FROM aliases ORDER BY model"))

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
            about = {
                "version": version.version,
                "run_id": version.run.run_id,
                "dataset_sha256": version.dataset.sha256,
                "artifact_sha256": version.artifact_sha256,
            }
            self._audit.add(Deed(act=Act.TRAIN, model=version.model, about=about))
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
            about = {
                "version": verdict.version,
                "champion": verdict.champion,
                "epoch": verdict.epoch,
                "verdict": verdict.verdict.value,
                "verdict_id": verdict.verdict_id,
                "rows": verdict.rows,
                "rows_sha256": verdict.sha256,
            }
            self._audit.add(Deed(act=Act.VERDICT, model=verdict.model, about=about))

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
            version = self.version(promotion.model, promotion.version)
            faults.point("promote.before_write")
            moved = self._database.rows(
                "UPDATE aliases SET version = ?, epoch = ? "
                "WHERE model = ? AND epoch = ? AND version IS NOT DISTINCT FROM ?::INTEGER RETURNING epoch",
                [
                    None if promotion.action == RETIRE else promotion.version,
                    promotion.epoch,
                    promotion.model,
                    promotion.epoch - 1,
                    promotion.previous,
                ],
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
            self._sign(promotion, artifact_sha256=version.artifact_sha256)
            faults.point("promote.before_commit")
            self._database.after_commit(lambda: faults.point("promote.after_commit"))

    def promotions(self, model: str) -> tuple[Promotion, ...]:
        """Give the moves of a model's champion, newest first."""
        found = self._database.rows("SELECT record FROM promotions WHERE model = ? ORDER BY epoch DESC", [model])
        return tuple(load(Promotion, row[0]) for row in found)

    def dismiss(self, dismissal: Dismissal) -> None:
        """Take a version out for good; its record, files and predictions stay.

        Parameters
        ----------
        dismissal : Dismissal
            ``epoch`` = ``epoch(model)``. A retired champion must have lost the seat in the same ``transaction()``.

        Raises
        ------
        Stale
            The champion moved meanwhile, the version is champion, or somebody took it out before.
        NotFound
            The model or the version is not there.
        """
        with self._database.transaction():
            version, model = self.version(dismissal.model, dismissal.version), dismissal.model
            before = self.dismissals(model).get(dismissal.version)
            if before or version.stage is Stage.CHAMPION or dismissal.epoch != self.epoch(model):
                now = (
                    f"was taken out by {before.by}"
                    if before
                    else f"is {version.stage}, after {self.epoch(model)} moves"
                )
                raise Stale(
                    f"Version {dismissal.version} of {model!r} {now}; it was to be taken out as it stood after"
                    f" {dismissal.epoch} moves. Reload, and decide again."
                )
            self._database.run(
                "INSERT INTO dismissals (model, version, record) VALUES (?, ?, ?)",
                [model, dismissal.version, dump_text(dismissal)],
            )
            if self._moved(dismissal) is None:
                self._sign(dismissal, artifact_sha256=version.artifact_sha256)
            faults.point("dismiss.before_commit")

    def dismissals(self, model: str) -> dict[int, Dismissal]:
        """Give the versions of a model that were taken out for good, by number."""
        found = self._database.rows("SELECT version, record FROM dismissals WHERE model = ? ORDER BY version", [model])
        return {int(version): load(Dismissal, record) for version, record in found}

    def _moved(self, dismissal: Dismissal) -> Promotion | None:
        """Give the move by which the retired version lost the seat, if that is what this is: it has been signed for."""
        newest = self._database.rows(
            "SELECT record FROM promotions WHERE model = ? AND epoch = ?", [dismissal.model, dismissal.epoch]
        )
        move = load(Promotion, newest[0][0]) if newest else None
        return move if move and (move.action, move.version) == (RETIRE, dismissal.version) else None

    def _sign(self, done: Promotion | Dismissal, **about: object) -> None:
        said = {name: value for name, value in dump(done).items() if name not in {*_SIGNED, "action"}}
        deed = Deed(
            act=Act(done.action), model=done.model, by=done.by, reason=done.reason, about={**said, **about}, at=done.at
        )
        self._audit.add(deed)

    def _versions(self, where: str, parameters: Sequence[object]) -> tuple[ModelVersion, ...]:
        sql = f"""SELECT v.record, v.version = a.version,
                         EXISTS (SELECT 1 FROM promotions p WHERE p.model = v.model AND p.version = v.version),
                         (SELECT d.record ->> '$.action' FROM dismissals d WHERE d.model = v.model AND d.version = v.version)
                  FROM versions v JOIN aliases a ON a.model = v.model WHERE {where} ORDER BY v.version DESC"""
        return tuple(
            replace(
                load(ModelVersion, record), stage=_stage(champion=bool(champion), promoted=promoted, dismissed=said)
            )
            for record, champion, promoted, said in self._database.rows(sql, parameters)
        )

    def _require(self, model: str) -> None:
        if not self._scalar("SELECT count(*) FROM aliases WHERE model = ?", [model]):
            raise NotFound(f"There is no model {model!r}. {nearest(model, self.names())}")

    def _scalar(self, sql: str, parameters: Sequence[object]) -> Any:
        return self._database.rows(sql, parameters)[0][0]


def _stage(*, champion: bool, promoted: bool, dismissed: str | None) -> Stage:
    if champion:
        return Stage.CHAMPION
    if dismissed is not None:
        return Stage.RETIRED if dismissed == RETIRE else Stage.REJECTED
    return Stage.RETIRED if promoted else Stage.CHALLENGER
