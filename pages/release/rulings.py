"""How a verdict reads; pure."""

from __future__ import annotations

from pages.ui import periods, verdicts, wording
from pipeline_core.records import Comparison, Decision, Figure, Measured, Schema, Verdict


def verdict_sentence(verdict: Verdict, schema: Schema) -> str:
    """Say whether the challenger may replace the champion, with the figure that decides."""
    rows = f"on {wording.count(verdict.rows, 'held-out row')}{_period(verdict, schema)}"
    opening = (_against_champion if verdict.champion else _against_nothing)(verdict)
    deciding = verdicts.deciding(verdict)
    if deciding is None:
        return f"{opening} ({rows})."
    doubt = verdicts.doubt(verdict)
    return f"{opening}: {_figures(*deciding)} {rows}.{' ' if doubt else ''}{doubt}"


def _against_champion(verdict: Verdict) -> str:
    if verdict.blocked_by_bias:
        return (
            f"**Keep champion v{verdict.champion}**: v{verdict.version} passed the gate, but the bias audit blocks it"
        )
    return {
        Decision.PROMOTE: f"**v{verdict.version} may replace champion v{verdict.champion}**",
        Decision.KEEP: f"**Keep champion v{verdict.champion}**: {_why_kept(verdict)}",
        Decision.INSUFFICIENT: f"**Nobody can say yet** whether v{verdict.version} is as good as champion v{verdict.champion}",
    }[verdict.verdict]


def _against_nothing(verdict: Verdict) -> str:
    if verdict.blocked_by_bias:
        return f"**v{verdict.version} should not go out**: it passed the gate, but the bias audit blocks it"
    beats = "it passed the gate, barely" if verdicts.doubt(verdict) else "it beats the trivial predictor"
    return {
        Decision.PROMOTE: f"**v{verdict.version} may become the first champion**: {beats}",
        Decision.KEEP: f"**v{verdict.version} should not go out**: {'something blocks it' if verdict.blocks else 'it is no better than no model'}",
        Decision.INSUFFICIENT: f"**Nobody can say yet** whether v{verdict.version} is better than no model",
    }[verdict.verdict]


def _why_kept(verdict: Verdict) -> str:
    if not verdict.blocks:
        return f"v{verdict.version} is worse by more than is allowed"
    parts = sum(found.blocks for found in verdict.slices)
    if parts:
        return f"v{verdict.version} loses too much in {wording.count(parts, 'part')} of the rows"
    return f"{wording.count(len(verdict.blocks), 'finding')} {'blocks' if len(verdict.blocks) == 1 else 'block'} v{verdict.version}"


def _period(verdict: Verdict, schema: Schema) -> str:
    named = periods.period(verdict.first_event_at, verdict.last_event_at, schema)
    return "" if named == wording.DASH else f" ({named})"


def _figures(name: str, pair: Comparison) -> str:
    spoken = wording.metric_name(name)
    if not isinstance(pair.challenger, Measured) or not isinstance(pair.champion, Measured):
        return f"{spoken} could not be compared"
    against = f"{wording.number(pair.challenger.value)} against {wording.number(pair.champion.value)}"
    return f"{spoken} {against}, {difference(pair.difference)},"


def difference(figure: Figure) -> str:
    """Give how much better or worse the challenger is, with its interval."""
    if not isinstance(figure, Measured):
        return f"{wording.DASH} {wording.safe(figure.reason, length=120)}"
    word = "better" if figure.value >= 0 else "worse"
    if figure.low is None or figure.high is None:
        return f"{word} by {wording.number(abs(figure.value))}"
    ends = f"{wording.signed(figure.low)} to {wording.signed(figure.high)}"
    return f"{word} by {wording.number(abs(figure.value))} ({ends})"


def promotion_block(verdict: Verdict | None, epoch: int) -> str | None:
    """Say why this version cannot be promoted now; None when it can."""
    if verdict is None:
        return "Promotion needs a verdict: run the challenge first."
    if verdict.epoch != epoch:
        return "The champion has changed since this verdict: run the challenge again."
    if verdict.verdict is Decision.PROMOTE:
        return None
    if verdict.blocked_by_bias:
        return "The bias audit proved a violation: it can be promoted only with an override by a second person."
    if verdict.verdict is Decision.INSUFFICIENT:
        return f"The verdict is open{_missing(verdict)}."
    why = "because of what is marked above" if verdict.blocks else "because it is to keep what is there"
    return f"The gate refuses this promotion, {why}."


def _missing(verdict: Verdict) -> str:
    if verdict.champion and not any(pair.decides for pair in verdict.metrics.values()):
        return f": champion v{verdict.champion} predicts other classes, so that the two cannot be compared"
    if verdict.rows_needed is None:
        return ": too few labelled rows that neither model was fitted on"
    return f": about {wording.count(verdict.rows_needed, 'labelled row')} are needed, {verdict.rows:,} are there"
