"""Which features look as if they knew the answer: a warning when a model is defined, before anybody is pleased with it.

Three kinds of evidence: a feature alone nearly decides the target; features together are the target (parts of a sum, a
price times a quantity); a name says that it is known only after the event, which is no more than a hint. Neighbours:
``strength`` has the figures, ``suggestion`` shows the suspects beside the guesses, a flow puts them into the first
batch's findings. It refuses to exclude anything: a good feature is rare, but there are some.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline_core.records import Finding, Schema, Severity, Task
from pipeline_core.stages.schema.strength import (
    CLASS_ROWS_MIN,
    SAME_SHARE_MIN,
    Codes,
    Floats,
    auc_alone,
    auc_of,
    codes,
    is_number,
    numbers,
    r2_alone,
    r2_linear,
    same_share,
)

Make = Callable[[Floats, Floats], Floats]

CODE = "leakage_suspect"
SUSPECT_MIN = 0.98
"""AUC (classes) or R² (numbers) of a single feature from which on it is a suspect."""

ROWS_MIN = 200
ROWS_LOOKED_AT = 20_000
PAIRED_MAX = 40
"""Numbers that are tried in pairs; of more, the first ones."""

_PROBE_ROWS = 500
_PROBE_SLACK = 0.02
_SHARED_TOKEN_MIN = 5
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_AFTERWARDS = frozenset({
    "duration", "outcome", "outcomes", "result", "results", "paid", "payout", "settled", "settlement", "resolved", "resolution",
    "closed", "cancelled", "canceled", "cancellation", "refund", "refunded", "chargeback", "ended", "completed", "finished",
    "returned", "repaid", "recovered", "final", "actual", "realised", "realized", "predicted", "prediction",
})  # fmt: skip


def _ratio(a: Floats, b: Floats) -> Floats:
    with np.errstate(over="ignore"):  # beyond all numbers is large enough to rank, and equals nothing
        return np.divide(a, b, out=np.full(len(a), np.nan), where=b != 0)


_PAIRS: tuple[tuple[str, Make, bool], ...] = (
    ("the sum", np.add, False),
    ("the difference", np.subtract, False),
    ("the difference", lambda a, b: b - a, False),
    ("the product", np.multiply, True),
    ("the ratio", _ratio, True),
    ("the ratio", lambda a, b: _ratio(b, a), True),
)
_RANKS: tuple[tuple[str, Make], ...] = (("the difference", np.subtract), ("the ratio", _ratio))
_RULE = (
    f"An AUC (classes) or R² (numbers) of {SUSPECT_MIN} and more by one feature alone, or features that together are the"
    " target: such a feature is nearly always known only after the event, and will be missing when it matters."
)
_HINT_RULE = "A name that speaks of what is known only after the event, or of the target: a hint, and no evidence."
_ADVICE = "Find out when its value is known: if that is after the prediction, exclude it."


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What is to be predicted: numbers, or classes by number from 0."""

    name: str
    values: Floats
    is_number: bool
    suspect_min: float

    @property
    def figure(self) -> str:
        return "R²" if self.is_number else "AUC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a look for leaks found: findings, and the AUC (classes) or R² (numbers) of each feature alone, by name."""

    findings: tuple[Finding, ...]
    alone: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Columns that are suspect together, by ``how`` they are put together."""

    names: tuple[str, ...]
    figure: float
    how: str


def suspects(table: pa.Table, schema: Schema) -> tuple[Finding, ...]:
    """Say which features of a first file look as if they knew the target.

    Parameters
    ----------
    table : pa.Table
        As typed, or as read.
    schema : Schema
        Names features and target.

    Returns
    -------
    tuple of Finding
        Of code ``leakage_suspect``: warnings with their figure, the strongest first, then hints.
    """
    typed = "row_number" in table.column_names
    arrived = {c.name: c.column_id if typed else c.name for c in schema.columns}
    features = {c.name: table.column(arrived[c.name]) for c in schema.features if arrived[c.name] in table.column_names}
    target = schema.target.name
    return find(features, table.column(arrived[target]), target=target, task=schema.task)


def find(
    features: Mapping[str, pa.ChunkedArray], answers: pa.ChunkedArray, *, target: str, task: Task
) -> tuple[Finding, ...]:
    """Say which columns look as if they knew another.

    Parameters
    ----------
    features : mapping of str to pa.ChunkedArray
        By display name; times are passed over.
    answers : pa.ChunkedArray
        The target's values.
    target : str
        Its name.
    task : Task
        What the model predicts.

    Returns
    -------
    tuple of Finding
    """
    return look(features, answers, target=target, task=task).findings


def look(
    features: Mapping[str, pa.ChunkedArray],
    answers: pa.ChunkedArray,
    *,
    target: str,
    task: Task,
    suspect_min: float = SUSPECT_MIN,
) -> Look:
    """Say which columns look as if they knew another, and how well each knows it alone.

    Parameters
    ----------
    features : mapping of str to pa.ChunkedArray
        By display name; times are passed over.
    answers : pa.ChunkedArray
        The target's values.
    target : str
        Its name.
    task : Task
        What the model predicts.
    suspect_min : float
        AUC (classes) or R² (numbers) of a single feature from which on it is a suspect.

    Returns
    -------
    Look
    """
    kept = _sample(answers)
    features = {name: c for name, c in features.items() if not pa.types.is_temporal(c.type)}
    figures: dict[str, float] = {}
    found: list[Finding] = []
    if len(kept) >= ROWS_MIN:
        columns = {name: column.take(pa.array(kept)) for name, column in features.items()}
        answer = _answer(answers.take(pa.array(kept)), target=target, task=task, suspect_min=suspect_min)
        figures = {name: _alone(column, answer) for name, column in columns.items()}
        strong = sorted((n for n in figures if figures[n] >= suspect_min), key=lambda n: -figures[n])
        found.extend(_decides(name, figures[name], answer) for name in strong)
        rest = {n: numbers(c) for n, c in columns.items() if n not in strong and is_number(c.type)}
        found.extend(_together(rest, answer))
    named = {f.column for f in found}
    hinted = (n for n in features if n not in named and _speaks(n, target))
    found.extend(_hint(n, figures.get(n), target, suspect_min) for n in hinted)
    return Look(findings=tuple(found), alone=figures)


def _sample(answers: pa.ChunkedArray) -> Codes:
    known = answers.is_valid().to_numpy()
    if is_number(answers.type):
        known &= np.isfinite(answers.cast(pa.float64(), safe=False).to_numpy())
    places = np.flatnonzero(known)
    if len(places) > ROWS_LOOKED_AT:
        places = np.sort(np.random.default_rng(0).choice(places, ROWS_LOOKED_AT, replace=False))
    return places


def _answer(answers: pa.ChunkedArray, *, target: str, task: Task, suspect_min: float) -> _Target:
    if task is Task.REGRESSION:
        return _Target(name=target, values=numbers(answers), is_number=True, suspect_min=suspect_min)
    classes = answers.combine_chunks().dictionary_encode().indices.to_numpy()
    return _Target(name=target, values=classes.astype(np.float64), is_number=False, suspect_min=suspect_min)


def _alone(column: pa.ChunkedArray, answer: _Target) -> float:
    cells = codes(column)
    if not answer.is_number:
        return auc_alone(cells, answer.values.astype(np.intp)) or 0.0
    linear = r2_linear(numbers(column), answer.values) if is_number(column.type) else 0.0
    return max(linear, r2_alone(cells, answer.values))


def _together(columns: dict[str, Floats], answer: _Target) -> Iterator[Finding]:
    columns = dict(list(columns.items())[:PAIRED_MAX])
    if answer.is_number:
        groups = list(_equal_pairs(columns, answer.values)) or list(_equal_sum(columns, answer.values))
    elif answer.values.max() <= 1:
        groups = list(_ranking_pairs(columns, answer.values == 1, answer.suspect_min))
    else:
        groups = []
    seen: set[str] = set()
    for group in groups:
        for name in group.names:
            if name not in seen:
                yield _in_group(name, group, answer)
        seen.update(group.names)


def _equal_pairs(columns: dict[str, Floats], target: Floats) -> Iterator[_Group]:
    for names in combinations(columns, 2):
        a, b = (columns[name] for name in names)
        for how, make, neutral in _PAIRS:
            telling = ~np.isnan(a) & ~np.isnan(b) & (a != 0) & (b != 0) & (target != 0)
            if neutral:  # times 1 is no sign of anything either
                telling &= (np.abs(a) != 1) & (np.abs(b) != 1)
            places = np.flatnonzero(telling)
            few = places[:: max(1, len(places) // _PROBE_ROWS)]  # spares most pairs the long look
            if same_share(make(a[few], b[few]), target[few]) < SAME_SHARE_MIN - _PROBE_SLACK:
                continue
            share = same_share(make(a[places], b[places]), target[places])
            if share >= SAME_SHARE_MIN:
                yield _Group(names=names, figure=share, how=how)
                break


def _equal_sum(columns: dict[str, Floats], target: Floats) -> Iterator[_Group]:
    """Find three and more columns of which the target is the sum, each once, with either sign."""
    names = [name for name, values in columns.items() if not np.isnan(values).any() and np.ptp(values) > 0]
    if len(names) < 3:
        return
    matrix = np.column_stack([columns[name] for name in names])
    scale = np.abs(matrix).max(axis=0)
    weights = np.linalg.lstsq(matrix / scale, target, rcond=None)[0] / scale
    signs = np.rint(weights)
    parts = tuple(name for name, sign in zip(names, signs, strict=True) if sign)
    if len(parts) >= 3 and np.abs(signs).max() == 1:
        share = same_share((matrix @ signs)[target != 0], target[target != 0])
        if share >= SAME_SHARE_MIN:
            yield _Group(names=parts, figure=share, how="the sum (or difference)")


def _ranking_pairs(columns: dict[str, Floats], truth: npt.NDArray[np.bool_], suspect_min: float) -> Iterator[_Group]:
    for names in combinations(columns, 2):
        a, b = (columns[name] for name in names)
        known = np.flatnonzero(~np.isnan(a) & ~np.isnan(b) & (b != 0))
        few = known[:: max(1, len(known) // _PROBE_ROWS)]
        for how, make in _RANKS:
            if _rank(make, a[few], b[few], truth[few]) < suspect_min - _PROBE_SLACK:
                continue
            figure = _rank(make, a[known], b[known], truth[known])
            if figure >= suspect_min:
                yield _Group(names=names, figure=figure, how=how)
                break


def _rank(make: Make, a: Floats, b: Floats, truth: npt.NDArray[np.bool_]) -> float:
    classes = np.count_nonzero(truth), np.count_nonzero(~truth)
    return auc_of(make(a, b), truth) if min(classes) >= CLASS_ROWS_MIN else 0.0


def _speaks(name: str, target: str) -> bool:
    tokens, wanted = _tokens(name), _tokens(target)
    return bool(tokens & _AFTERWARDS) or any(len(t) >= _SHARED_TOKEN_MIN for t in tokens & wanted)


def _tokens(name: str) -> set[str]:
    return {token.casefold() for token in _TOKEN.findall(name)}


def _decides(name: str, figure: float, answer: _Target) -> Finding:
    return Finding(
        code=CODE,
        column=name,
        severity=Severity.WARNING,
        message=(
            f"Column {name!r} alone nearly decides the target {answer.name!r}: {answer.figure} {figure:.3f} on"
            f" {len(answer.values):,} rows; from {answer.suspect_min} on a feature is held for a copy of the answer. {_ADVICE}"
        ),
        value=figure,
        allowed=f"{answer.figure} below {answer.suspect_min}",
        rule=_RULE,
    )


def _in_group(name: str, group: _Group, answer: _Target) -> Finding:
    others = " and ".join(repr(other) for other in group.names if other != name)
    if answer.is_number:
        said = f"is the target {answer.name!r} in {100 * group.figure:.1f} % of the rows in which it tells"
    else:
        said = f"ranks the rows by the target {answer.name!r} with an AUC of {group.figure:.3f}"
    return Finding(
        code=CODE,
        column=name,
        severity=Severity.WARNING,
        message=f"Column {name!r} with {others}: {group.how} of them {said}. {_ADVICE}",
        value=group.figure,
        allowed="features that are not the target, not even together",
        rule=_RULE,
    )


def _hint(name: str, figure: float | None, answer: str, suspect_min: float) -> Finding:
    alone = "" if figure is None else f" (alone it reaches {figure:.2f}, {suspect_min} would be a suspect)"
    return Finding(
        code=CODE,
        column=name,
        severity=Severity.INFO,
        message=(
            f"Column {name!r}: its name speaks of what is known only after the event, or of the target {answer!r}{alone}."
            f" {_ADVICE}"
        ),
        value=figure,
        rule=_HINT_RULE,
    )
