"""What stands beside a verdict and does not decide: the rows they disagree on, the operating threshold, speed and size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pages.ui import panels, wording
from pages.ui.panels import Fact
from pipeline_core.records import Footprint, Verdict


def facts(verdict: Verdict) -> None:
    """Draw it as labelled figures."""
    found = [*_test(verdict), *_disagreement(verdict), *_footprints(verdict)]
    if found:
        panels.facts(found, key="verdict_beside", columns=3)


def _test(verdict: Verdict) -> list[Fact]:
    trial = verdict.trial
    if trial is None:
        return []
    tried = (
        f"The p-value of “worse by the margin” has to be at most {100 * trial.level:.3g} %. The first version tried on these rows"
        " since the champion last moved has to reach 2.5 %, each next one less, so that of all together at most 5 % pass by luck."
    )
    shown = [
        Fact(
            label=f"Try {trial.place} on these rows",
            value=f"p {wording.p_value(trial.p_value)}, at most {100 * trial.level:.3g} %",
            help=tried,
        )
    ]
    if trial.power is not None:
        equal = "How often a challenger that is exactly as good as the champion would pass on so many rows."
        shown.append(Fact(label="An equal one would pass", value=wording.percent(trial.power, digits=0), help=equal))
    return shown


def _disagreement(verdict: Verdict) -> list[Fact]:
    found = verdict.discordance
    if found is None:
        return []
    at = "" if verdict.threshold is None else f" at threshold {verdict.threshold:g}"
    how = "exact" if found.chi2 is None else f"chi-squared {found.chi2:.2f}"
    return [
        Fact(
            label=f"Only one is right{at}",
            value=f"v{verdict.champion} {found.only_champion:,}, v{verdict.version} {found.only_challenger:,}",
            help=f"Rows on which exactly one of the two is right. McNemar's test ({how}) of both being right equally often:"
            f" p {wording.p_value(found.p_value)}. It does not decide.",
        )
    ]


def _footprints(verdict: Verdict) -> list[Fact]:
    sides = (
        (f"v{verdict.champion}", verdict.champion_footprint),
        (f"v{verdict.version}", verdict.challenger_footprint),
    )
    known = [(name, found) for name, found in sides if found is not None]
    if not known:
        return []
    calls = " and ".join(f"{found.calls:,}" for _, found in known)
    latency = f"Measured for rows that come one by one ({calls} rows), on the machine that ran the challenge. It does not decide."
    return [
        Fact(label="A row takes, half / 99 % of them", value=_each(known, _speed), help=latency),
        Fact(label="Size of the model file", value=_each(known, lambda found: wording.size(found.artifact_bytes))),
    ]


def _each(known: Sequence[tuple[str, Footprint]], say: Callable[[Footprint], str]) -> str:
    return ", ".join(f"{name} {say(found)}" for name, found in known)


def _speed(found: Footprint) -> str:
    return f"{found.p50_ms:.1f} / {found.p99_ms:.1f} ms"
