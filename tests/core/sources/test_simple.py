"""Columns of any type as simple ones, and what they would unfold to."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pipeline_core.sources import simple


@pytest.mark.parametrize(
    ("kind", "to"),
    [
        (pa.int8(), pa.int8()),
        (pa.timestamp("ms", "Europe/Berlin"), pa.timestamp("ms")),
        (pa.date64(), pa.date32()),
        (pa.dictionary(pa.int8(), pa.large_string()), pa.string()),
        (pa.list_(pa.int8()), pa.string()),
        (pa.binary(), pa.string()),
        (pa.time32("s"), pa.string()),
    ],
)
def test_simple_types(kind: pa.DataType, to: pa.DataType) -> None:
    assert simple.simple_type(kind) == to
    assert simple.simplified(pa.nulls(2, kind), to=to).type == to


def test_times_beyond_the_calendar() -> None:
    first, last = -62_135_596_800, 253_402_300_799
    assert not simple.beyond_calendar(pa.array([first, last, None], pa.timestamp("s")))
    assert simple.beyond_calendar(pa.array([first - 1], pa.timestamp("s")))
    assert simple.beyond_calendar(pa.array([last + 1], pa.timestamp("s", "UTC")))
    assert not simple.beyond_calendar(pa.array([2**62], pa.timestamp("ns")))
    assert not simple.beyond_calendar(pa.array([None], pa.timestamp("s")))
    assert not simple.beyond_calendar(pa.array([2**62]))
    days = pa.array([0, 86_400_000 * 10**7], pa.int64()).cast(pa.date64())
    assert simple.beyond_calendar(days)
    assert simple.simplified(days, to=pa.string()).to_pylist() == ["1970-01-01", "10000000"]
    assert simple.simplified(days.slice(0, 1), to=pa.date32()).type == pa.date32()


def test_sizes_count_what_a_dictionary_unfolds_to() -> None:
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000), pa.array(["x" * 100]))
    assert simple.size(texts) == 100_000
    assert simple.size(pa.DictionaryArray.from_arrays(pa.array([0] * 1_000), pa.array([1.0]))) == 9_000
    assert simple.size(pa.array([[1, 2], [3]])) == 24


def test_half_characters_are_written_as_escapes() -> None:
    assert simple.whole("a\ud800b") == "a\\ud800b"
