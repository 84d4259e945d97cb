"""The invented year: the same for everybody, quiet where it should be, and broken where it says so."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.sources import demo
from pipeline_core.sources.demo import INCIDENTS, STARTS, Delivery, Year


@pytest.fixture(scope="module")
def year() -> Year:
    return demo.year()


def weekly(year: Year) -> list[Delivery]:
    return sorted((d for d in year.weeks if not d.broken), key=lambda d: d.table["applied_at"][0].as_py())


def share_of_nulls(table: pa.Table, column: str) -> float:
    return table[column].null_count / table.num_rows


def gap(left: pa.Table, right: pa.Table, column: str) -> float:
    a, b = (np.sort(t[column].drop_null().to_numpy()) for t in (left, right))
    at = np.concatenate([a, b])
    return float(np.max(np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b))))


def test_the_same_seed_makes_the_same_year() -> None:
    one, two, other = demo.year(week_rows=50), demo.year(week_rows=50), demo.year(week_rows=50, seed=1)
    assert all(a.table.equals(b.table) for a, b in zip(one.weeks + one.labels, two.weeks + two.labels, strict=True))
    assert not one.weeks[0].table.equals(other.weeks[0].table)


def test_a_year_of_weeks_with_about_sixty_thousand_rows(year: Year) -> None:
    weeks = weekly(year)
    assert len(weeks) == 52
    assert 59_000 < sum(d.table.num_rows for d in weeks) < 61_000
    first, last = weeks[0].table["applied_at"], weeks[-1].table["applied_at"]
    assert first[0].as_py().date() == date(2025, 1, 6)
    assert last[-1].as_py().date() == date(2026, 1, 4)
    ids = pa.chunked_array([chunk for d in weeks for chunk in d.table["application_id"].chunks])
    assert pc.count_distinct(ids).as_py() == len(ids)


def test_history_brings_its_outcome_and_the_rest_waits_for_it(year: Year) -> None:
    weeks = weekly(year)
    known = [d.table["defaulted"].is_valid().to_numpy().mean() for d in weeks[:6]]
    assert known[:2] == [1.0, 1.0]
    assert known == sorted(known, reverse=True)
    assert 0 < known[-1] < 0.2
    assert not any("defaulted" in d.table.column_names for d in weeks[6:])


def test_labels_come_thirty_to_sixty_days_later_and_the_last_weeks_have_none(year: Year) -> None:
    applied = {
        row_id: at.replace(tzinfo=UTC)
        for d in weekly(year)
        for row_id, at in zip(d.table["application_id"].to_pylist(), d.table["applied_at"].to_pylist(), strict=True)
    }
    known: list[str] = []
    for d in weekly(year)[:6]:
        known += d.table.filter(pc.is_valid(d.table["defaulted"]))["application_id"].to_pylist()
    assert all(STARTS - applied[i] >= timedelta(days=30) for i in known)
    names = [d.name for d in year.labels]
    assert (len(names), names[0], names[-1]) == (
        42,
        "lending-outcomes-2025-03-24.csv",
        "lending-outcomes-2026-01-05.csv",
    )
    for delivery in year.labels:
        ids = delivery.table["application_id"].to_pylist()
        days = np.array([(delivery.arrives - applied[i]) / timedelta(days=1) for i in ids])
        assert days.min() >= 30
        assert days.max() <= 60
        known += ids
    assert len(known) == len(set(known))
    waiting = set(applied) - set(known)
    assert min(applied[i] for i in waiting) >= datetime(2025, 11, 10, tzinfo=UTC)
    assert not any(applied[i] > datetime(2025, 12, 6, tzinfo=UTC) for i in known)


def test_between_one_in_seven_and_one_in_five_default(year: Year) -> None:
    history = pa.concat_tables([d.table.select(["defaulted"]) for d in (*weekly(year)[:4], *year.labels[:6])])
    assert 0.14 < pc.mean(pc.equal(history["defaulted"], "yes")).as_py() < 0.20


def test_incidents_are_apart_and_dated() -> None:
    assert len(INCIDENTS) == 5
    for before, after in pairwise(INCIDENTS):
        assert before.last_day + timedelta(days=14) < after.first_day
    assert INCIDENTS[0].first_day == date(2025, 4, 21)
    assert INCIDENTS[-1].last_day == date(2026, 1, 4)


@pytest.mark.parametrize(
    ("weeks", "column", "smallest"),
    [(demo.DEVICE_WEEKS, "device_age_days", 0.5), (demo.DEBT_WEEKS, "debt_to_income", 0.18)],
)
def test_a_shift_is_there_in_its_weeks(year: Year, weeks: tuple[int, int], column: str, smallest: float) -> None:
    files = weekly(year)
    base = pa.concat_tables([d.table.select([column]) for d in files[:11]])
    for week, delivery in enumerate(files):
        moved = gap(base, delivery.table, column)
        assert moved > smallest if weeks[0] <= week <= weeks[1] else moved < 0.10, (week, moved)


def test_null_becomes_zero_in_its_weeks_only(year: Year) -> None:
    for week, delivery in enumerate(weekly(year)):
        zeros = pc.sum(pc.equal(delivery.table["income"], 0)).as_py()
        if demo.NULL_WEEKS[0] <= week <= demo.NULL_WEEKS[1]:
            assert share_of_nulls(delivery.table, "income") == 0
            assert 0.08 < zeros / delivery.table.num_rows < 0.15
        else:
            assert 0.08 < share_of_nulls(delivery.table, "income") < 0.15
            assert zeros == 0


def test_one_file_comes_broken_and_is_sent_again_whole(year: Year) -> None:
    broken = [d for d in year.weeks if d.broken]
    assert [d.name for d in broken] == ["lending-2025-06-23.csv"]
    assert broken[0].table.schema.field("income").type == pa.string()
    again = next(d for d in year.weeks if d.name == "lending-2025-06-23-again.csv")
    assert again.arrives > broken[0].arrives
    assert again.table.drop_columns(["income"]).equals(broken[0].table.drop_columns(["income"]))
    assert pa.types.is_floating(again.table.schema.field("income").type)


def test_files_arrive_in_order(year: Year) -> None:
    for files in (year.weeks, year.labels):
        arrivals = [d.arrives for d in files]
        assert arrivals == sorted(set(arrivals))
    assert len(year.weeks) == 53


def test_files_arrive_on_the_monday_after_their_week(year: Year) -> None:
    assert [d.arrives for d in year.weeks[:10]] == [STARTS + timedelta(minutes=2 * week) for week in range(10)]
    for week, delivery in enumerate(weekly(year)[10:], start=11):
        late = 1 if delivery.name.endswith("-again.csv") else 0
        assert delivery.arrives.date() == demo.FIRST_DAY + timedelta(weeks=week + late)
    assert {d.arrives.weekday() for d in year.labels} == {0}
