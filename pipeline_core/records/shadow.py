"""A challenger beside the champion on live rows: who put it there, what it cost, and how the two compare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline_core.records.release import Verdict
from pipeline_core.records.words import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """One stretch in which a challenger scores what the champion scores, unseen by callers.

    ``number`` counts a model's stretches from 1. ``ended_at`` None: it goes on. ``live``: what the gate last said on the
    labelled live rows (None: nobody asked, or there were none).
    """

    model: str
    number: int
    version: int
    started_by: str
    started_at: datetime
    reason: str
    ended_at: datetime | None = None
    ended_by: str = ""
    end_reason: str = ""
    live: Verdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowBatch:
    """One batch that a shadow was given after the champion; times are of predicting alone.

    ``error``: why it has no predictions (empty: it has). ``champion_ms`` None: the champion had scored it before.
    """

    model: str
    version: int
    batch_id: str
    champion: int
    rows: int
    scored_at: datetime
    shadow_ms: float | None = None
    champion_ms: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """One live row as both scored it, both of the champion's positive class."""

    row_id: str
    batch_id: str
    champion_score: float
    shadow_score: float
    champion_prediction: str
    shadow_prediction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowGroup:
    """How both decide about one level of a protected column (None: no value there); figures as in ``ShadowReport``."""

    column: str
    level: str | None
    rows: int
    agreement: Figure
    mean_difference: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds a row: half of the rows took at most ``p50_ms``, 99 of 100 at most ``p99_ms``.

    A row's time is its batch's time over its rows.
    """

    p50_ms: Figure
    p99_ms: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """How a shadow compares with the champion on the live rows that both scored.

    ``agreement`` is the share of rows (0-1) with the same decision, ``mean_difference`` shadow minus champion in the score's
    unit, ``distance`` the KS distance of the two score distributions (0-1). ``champion_bins`` and ``shadow_bins`` count rows
    between ``edges``. ``rows`` are the newest of ``all_rows``. ``labelled_rows`` of them have a label; ``rows_needed``
    labelled live rows are needed before the gate can say anything, as far as is known (None: not known, or enough).
    ``groups`` are levels of protected columns, those with the least agreement first.
    """

    model: str
    version: int
    champion: int | None
    shadow: Shadow
    rows: int
    all_rows: int
    batches: int
    rows_min: int
    first_scored_at: datetime | None
    last_scored_at: datetime | None
    agreement: Figure
    mean_difference: Figure
    distance: Figure
    edges: tuple[float, ...]
    champion_bins: tuple[int, ...]
    shadow_bins: tuple[int, ...]
    most_different: tuple[ShadowRow, ...]
    groups: tuple[ShadowGroup, ...]
    champion_latency: Latency
    shadow_latency: Latency
    errors: int
    last_error: str
    labelled_rows: int
    rows_needed: int | None

    @property
    def enough(self) -> bool:
        """Whether there are as many live rows as the policy asks for before a window is judged."""
        return self.rows >= self.rows_min
