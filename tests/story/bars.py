"""What is promised beside what was measured, and ``docs/statistics.md``, which holds both.

``BARS=1`` (``make bars``) measures the full size, must meet the bars themselves, and writes its part of the page. ``make
test`` measures a reduced size, whose intervals must still hold the bars, and whose rows must be those of the page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.stats import t as student

from pipeline_core.stats.intervals import wilson

FULL = os.environ.get("BARS") == "1"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
HEAD = """# What the statistics promise, and what was measured

Made by `make bars` on fixed seeds; `make test` measures the same rows on a smaller size. Simulated windows go through the product's own code, from counts to verdict, and each row says how many there
were. Intervals are of 95 %: Wilson's for shares, Student's over the runs for means of runs. A row that is missed says so, with the figure and the reason.
"""
COLUMNS = "| what | counted | measured (95 % interval) | promised | |\n|---|---|---|---|---|\n"
TITLES = (
    "1. Windows in which nothing is wrong",
    "2. Changes that must be found",
    "3. Persistence",
    "4. Drift that does harm",
    "5. A fault or another population",
    "6. The release gate",
    "7. Protected groups",
)

Given = TypeVar("Given")
Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One figure with its interval against what is promised: ``most``, ``least``, or neither where it is only told.

    ``why`` says in a sentence why a bar is missed.
    """

    what: str
    counted: str
    value: float
    interval: tuple[float, float]
    most: float | None = None
    least: float | None = None
    share: bool = True
    why: str = ""

    @property
    def met(self) -> bool:
        """Full size: the figure itself. Reduced: the interval still holds the bar."""
        low, high = (self.value, self.value) if FULL else self.interval
        return (self.most is None or low <= self.most) and (self.least is None or high >= self.least)

    @property
    def line(self) -> str:
        low, high = (self._said(bound) for bound in self.interval)
        measured = f"{self._said(self.value)} ({low} to {high}){' %' if self.share else ''}"
        return f"| {self.what} | {self.counted} | {measured} | {self._promise} | {self._verdict} |"

    @property
    def _promise(self) -> str:
        unit = " %" if self.share else ""
        if self.most is not None:
            return f"at most {self._said(self.most)}{unit}"
        return "-" if self.least is None else f"at least {self._said(self.least)}{unit}"

    @property
    def _verdict(self) -> str:
        if self.most is None and self.least is None:
            return "told"
        return "met" if self.met else f"**MISSED**: {self.why}"

    def _said(self, figure: float) -> str:
        return f"{100 * figure:.1f}" if self.share else f"{figure:.3f}"


def rate(
    what: str, hits: Iterable[bool], *, most: float | None = None, least: float | None = None, why: str = ""
) -> Bar:
    """Give a share of what was tried."""
    flat = np.asarray(hits).ravel()
    count = int(flat.sum())
    return Bar(
        what=what,
        counted=f"{count:,} of {flat.size:,}",
        value=count / flat.size,
        interval=wilson(count, flat.size),
        most=most,
        least=least,
        why=why,
    )


def mean(
    what: str,
    runs: Sequence[float],
    counted: str,
    *,
    most: float | None = None,
    least: float | None = None,
    why: str = "",
) -> Bar:
    """Give the mean of a figure over runs."""
    known = np.asarray(runs, dtype=np.float64)
    spread = known.std(ddof=1) / known.size**0.5 if known.size > 1 else np.inf
    half = float(student.ppf(0.975, known.size - 1) * spread) if known.size > 1 else np.inf
    middle = float(known.mean())
    return Bar(
        what=what,
        counted=counted,
        value=middle,
        interval=(middle - half, middle + half),
        most=most,
        least=least,
        share=False,
        why=why,
    )


def each(one: Callable[[Given], Made], given: Sequence[Given]) -> list[Made]:
    """Do the same with each, on as many cores as this process may use (``taskset`` limits them)."""
    cores = len(os.sched_getaffinity(0))
    if not FULL or cores == 1:
        return [one(item) for item in given]
    with ProcessPoolExecutor(cores) as pool:
        return list(pool.map(one, given, chunksize=max(1, len(given) // (8 * cores))))


def hold(title: str, bars: Sequence[Bar]) -> None:
    """Print the figures, keep them in the page or hold their names against it, and fail where a bar is missed.

    One that is known to be missed says ``why`` in the page, and does not fail.
    """
    for bar in bars:
        print(bar.line)
    if FULL:
        _write(title, "".join(f"{bar.line}\n" for bar in bars))
    told = re.findall(r"^\| (.+?) \|", _sections()[title], flags=re.MULTILINE)[1:]
    assert told == [bar.what for bar in bars], f"{PAGE.name} tells other rows: make bars"
    assert not [bar.line for bar in bars if not bar.met and not bar.why]


def _sections() -> dict[str, str]:
    text = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _write(title: str, lines: str) -> None:
    assert title in TITLES
    kept = _sections() | {title: f"\n{COLUMNS}{lines}\n"}
    body = "".join(f"## {each}\n{kept[each]}" for each in TITLES if each in kept)
    PAGE.write_text(f"{HEAD}\n{body}".rstrip() + "\n", encoding="utf-8")
