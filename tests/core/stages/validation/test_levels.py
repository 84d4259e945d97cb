"""Categories that are new, gone, or spelled otherwise."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline_core.stages.validation.levels import plain_level
from tests.core.stages.validation.drawn import drawn, said


def renamed(changes: dict[str, str], every: int = 1, rows: int = 2_000) -> dict[str, pa.Array]:
    columns = drawn(9, rows, day=1)
    cities = columns["city"].to_pylist()
    return columns | {"city": pa.array([changes.get(c, c) if i % every == 0 else c for i, c in enumerate(cities)])}


@pytest.mark.parametrize("spelled", ["oslo", "OSLO", "Os lo", "Oslo.", "Ósló", "os-lo"])
def test_another_spelling_is_named(spelled: str) -> None:
    found = said(renamed({"Oslo": spelled}, every=10))
    finding = found["category_spelling", "city"]
    assert f"{spelled!r} for 'Oslo'" in finding.message
    assert 0.01 < float(finding.value or 0) < 0.05
    assert ("unseen_category", "city") in found


def test_a_new_category_is_no_spelling() -> None:
    found = said(renamed({"Oslo": "Wien"}, every=10))
    assert ("unseen_category", "city") in found
    assert ("category_spelling", "city") not in found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Sao Paulo", "são-paulo", True),
        ("<=50K", ">50K", False),
        ("v1.5", "v15", False),
        ("a+", "a-", False),
        ("-1", "1", False),
        ("Self-emp", "self_emp", True),
        ("???", "!!!", False),
    ],
)
def test_what_is_the_same_but_for_spelling(one: str, other: str, same: bool) -> None:
    assert (plain_level(one) == plain_level(other)) is same


def test_a_category_that_is_gone() -> None:
    found = said(renamed({"Bern": "Oslo"}))
    finding = found["category_vanished", "city"]
    assert "'Bern' (" in finding.message
    assert 0.08 < float(finding.value or 0) < 0.12


def test_a_rare_category_may_be_missing() -> None:
    columns = drawn(9, 2_000, day=1)
    kept = ["x" if level == "z" else level for level in columns["rare"].to_pylist()]
    assert ("category_vanished", "rare") not in said(columns | {"rare": pa.array(kept)})


def test_many_levels_of_a_small_batch_are_no_shift() -> None:
    assert said(drawn(9, 1_000, day=1)) == {}
