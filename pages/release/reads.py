"""What the release pages read from the store, once per revision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pipeline_core.errors import NotFound, Refused
from pipeline_core.flows import release
from pipeline_core.flows.card import card
from pipeline_core.flows.lineage import lineage as descent_of
from pipeline_core.records import (
    BatchStatus,
    Decision,
    Dismissal,
    Lineage,
    LineageCheck,
    ModelCard,
    ModelVersion,
    Promotion,
    Stage,
    Verdict,
    dump,
)
from pipeline_core.stages import registry
from pipeline_core.store.home import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All versions of a model, newest first, with what the gate and people said about them."""

    versions: tuple[ModelVersion, ...]
    verdicts: tuple[Verdict, ...]
    promotions: tuple[Promotion, ...]
    epoch: int
    labelled_rows: int
    rollback_to: int | None = None
    first_event_at: datetime | None = None
    last_event_at: datetime | None = None
    dismissed: Mapping[int, Dismissal] = field(default_factory=dict)

    @property
    def champion(self) -> ModelVersion | None:
        """The version in production, if there is one."""
        return next((v for v in self.versions if v.stage is Stage.CHAMPION), None)

    @property
    def challengers(self) -> tuple[ModelVersion, ...]:
        """The versions that may replace it, newest first."""
        return tuple(v for v in self.versions if v.stage is Stage.CHALLENGER)

    @property
    def hopeful(self) -> bool:
        """Whether the newest challenger has not lost against the present champion."""
        verdict = self.verdict(self.challengers[0].version) if self.challengers else None
        lost = verdict is not None and verdict.epoch == self.epoch and verdict.verdict is Decision.KEEP
        return bool(self.challengers) and not lost

    @property
    def crowned(self) -> Verdict | None:
        """The verdict that made the champion what it is, if it was promoted by one."""
        champion = self.champion
        moves = (m for m in self.promotions if champion and m.version == champion.version and m.verdict_id)
        move = next(moves, None)
        return next((v for v in self.verdicts if move and v.verdict_id == move.verdict_id), None)

    @property
    def ready(self) -> bool:
        """Whether the newest challenger has passed against the present champion and waits for a person."""
        verdict = self.verdict(self.challengers[0].version) if self.challengers else None
        return verdict is not None and verdict.epoch == self.epoch and verdict.verdict is Decision.PROMOTE

    @property
    def next_step(self) -> str:
        """What to do with the newest challenger."""
        return f"{'Decide on' if self.ready else 'Challenge with'} v{self.challengers[0].version}"

    def verdict(self, version: int) -> Verdict | None:
        """Give the latest verdict on a version."""
        return next((v for v in self.verdicts if v.version == version), None)

    def numbered(self, version: int) -> ModelVersion | None:
        """Give the version of that number."""
        return next((v for v in self.versions if v.version == version), None)


def shelf(store: Store, model: str) -> Shelf:
    """Read everything the release pages show about a model."""
    accepted = store.batches.list(model, status=BatchStatus.ACCEPTED)
    return Shelf(
        versions=store.models.versions(model),
        verdicts=store.models.verdicts(model),
        promotions=store.models.promotions(model),
        epoch=store.models.epoch(model),
        labelled_rows=store.batches.labelled_rows(model),
        rollback_to=_rollback_to(store, model),
        first_event_at=min((b.first_event_at for b in accepted if b.first_event_at), default=None),
        last_event_at=max((b.last_event_at for b in accepted if b.last_event_at), default=None),
        dismissed=store.models.dismissals(model),
    )


def _rollback_to(store: Store, model: str) -> int | None:
    """Ask the rules themselves where a rollback would lead; None where there is no way back."""
    seat = release.seat_of(store, model)
    signed = registry.Signature(by="the screen", reason="to show where it leads", at=store.now())
    try:
        return registry.rollback(store.models.promotions(model), seat=seat, signed=signed).version
    except Refused:
        return None


def lineage(store: Store, model: str) -> Lineage | None:
    """Read where the champion comes from; None while there is no champion."""
    if store.models.champion(model) is None:
        return None
    return descent_of(store, model)


def lineage_of(store: Store, model: str, version: int) -> Lineage:
    """Read where a version comes from."""
    return descent_of(store, model, version=version)


def check_of(store: Store, model: str, version: int) -> LineageCheck | None:
    """Read what was last found when its lineage was verified."""
    return store.datasets.check(model, version)


def card_of(store: Store, model: str, version: int) -> ModelCard:
    """Read everything that is known about a version."""
    return card(store, model, version=version)


def belongings(store: Store, model: str) -> dict[str, int]:
    """Count what belongs to a model, under the nouns of it."""
    batches = store.batches.list(model)
    return {
        "batch": len(batches),
        "row": sum(batch.rows for batch in batches),
        "version": len(store.models.versions(model)),
        "alert": len(store.signals.alerts(model)),
    }


def artifact_kept(store: Store, sha256: str) -> bool:
    """Say whether the file of a version is where it should be."""
    try:
        return store.artifacts.path(sha256).exists()
    except NotFound:
        return False


def lineage_text(record: Lineage) -> str:
    """Give the lineage as a file that machines and people read."""
    return json.dumps(dump(record), indent=2, ensure_ascii=False)
