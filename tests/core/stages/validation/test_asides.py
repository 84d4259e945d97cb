"""Rows that break a rule: listed once, in order, whatever the slices."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline_core.stages.validation.asides import NO_ID, REPEATED, Asides, hashes

LATEST = np.datetime64("2026-01-02", "us")


@settings(deadline=None)
@given(st.lists(st.text(max_size=80)))
def test_texts_have_the_same_number_exactly_where_they_are_the_same(texts: list[str]) -> None:
    found = hashes(pa.array(texts, pa.string())).tolist()
    assert len(set(found)) == len(set(texts))
    assert [hashes(pa.array([text])).tolist()[0] for text in texts] == found


def test_lengths_and_paddings_are_told_apart() -> None:
    texts = ["", "\0", "\0\0", "a", "a\0", "x" * 64, "x" * 65, "x" * 66, "é" * 32, "é" * 33, "12345678", "1234567"]
    assert len(set(hashes(pa.array(texts)).tolist())) == len(texts)


def test_many_like_ids_stay_apart() -> None:
    ids = pa.array(np.arange(200_000)).cast(pa.string())
    assert len(np.unique(hashes(ids))) == 200_000


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.sampled_from("abcdef")), max_size=30), st.integers(1, 7))
def test_every_row_of_an_id_but_the_first(ids: list[str | None], each: int) -> None:
    asides = Asides(LATEST)
    for first in range(0, len(ids), each):
        part = pa.array(ids[first : first + each], pa.string())
        asides.start(len(part), first_row=first)
        asides.ids(part, "c001")
    seen: Counter[str | None] = Counter()
    expected = []
    for row, key in enumerate(ids):
        if key is None or seen[key]:
            expected.append((row, NO_ID if key is None else REPEATED))
        seen[key] += 1
    assert [(r["row_number"], r["reason"]) for r in asides.table().to_pylist()] == expected


def test_the_first_rule_stays() -> None:
    asides = Asides(LATEST)
    asides.start(3, first_row=10)
    asides.put(None, "c000", "never")
    asides.put(np.array([False, True, False]), "c001", "one")
    asides.put(np.array([True, True, False]), "c002", "two")
    expected = [(10, "c002", "two"), (11, "c001", "one")]
    assert [tuple(r.values()) for r in asides.table().to_pylist()] == expected
    assert [tuple(r.values()) for r in asides.table().to_pylist()] == expected  # asking changes nothing
