"""The invented year: the same for everybody, quiet where it should be, and broken where it says so."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline_core.sources import demo
from pipeline_core.sources.demo import INCIDENTS, Delivery, Year


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
    assert all("defaulted" in d.table.column_names for d in weeks[:13])
    assert not any("defaulted" in d.table.column_names for d in weeks[13:])


def test_labels_come_thirty_to_sixty_days_later_and_the_last_weeks_have_none(year: Year) -> None:
    applied = {
        row_id: at.date()
        for d in weekly(year)[13:]
        for row_id, at in zip(d.table["application_id"].to_pylist(), d.table["applied_at"].to_pylist(), strict=True)
    }
    labelled: set[str] = set()
    assert [d.name for d in year.labels][::7] == ["lending-outcomes-2025-05.csv", "lending-outcomes-2025-12.csv"]
    for delivery in year.labels:
        month_end = delivery.arrives
        days = np.array([(month_end - applied[i]).days for i in delivery.table["application_id"].to_pylist()])
        assert days.min() >= 30
        assert days.max() <= 60 + 31
        labelled.update(delivery.table["application_id"].to_pylist())
    waiting = {at for row_id, at in applied.items() if row_id not in labelled}
    assert min(waiting) >= date(2025, 11, 1)
    assert all(row_id not in labelled for row_id, at in applied.items() if at > date(2025, 12, 2))


def test_between_one_in_seven_and_one_in_five_default(year: Year) -> None:
    history = pa.concat_tables([d.table.select(["defaulted"]) for d in weekly(year)[:13]])
    assert 0.14 < pc.mean(pc.equal(history["defaulted"], "yes")).as_py() < 0.20


def test_incidents_are_apart_and_dated() -> None:
    assert len(INCIDENTS) == 5
    for before, after in pairwise(INCIDENTS):
        assert before.last_day + timedelta(days=14) < after.first_day
    assert INCIDENTS[0].first_day >= demo.FIRST_DAY + timedelta(weeks=13)
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
    arrivals = [d.arrives for d in year.weeks]
    assert arrivals == sorted(arrivals)
    assert len(year.weeks) == 53
