"""A query is read on from the last value, in a real PostgreSQL, in SQLite, and over SQLAlchemy."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import InvalidDefinition, NotFound, Unreadable
from pipeline_core.sources.database import Database
from tests.core.sources.setups import setup, taken

ROWS = "(1, 'a', 1.5), (2, 'b', NULL), (2, 'c', 2.5), (3, 'O''Brien', 3.5)"


def ids(found: list[list[dict[str, Any]]]) -> list[list[int]]:
    return [[row["id"] for row in rows] for rows in found]


def run_postgres(dsn: str, *statements: str) -> None:
    from adbc_driver_postgresql import dbapi

    with closing(dbapi.connect(dsn)) as connection, closing(connection.cursor()) as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


@pytest.fixture
def sqlite(tmp_path: Path) -> tuple[str, Callable[[str], object]]:
    connection = sqlite3.connect(tmp_path / "shop.db", isolation_level=None)
    connection.execute("CREATE TABLE orders (id INTEGER, name TEXT, price REAL)")
    connection.execute(f"INSERT INTO orders VALUES {ROWS}")
    yield f"sqlite:///{tmp_path}/shop.db", connection.execute
    connection.close()


@pytest.fixture
def shop(postgres: str) -> tuple[str, Callable[[str], object]]:
    run_postgres(
        postgres,
        "DROP TABLE IF EXISTS orders",
        "CREATE TABLE orders (id bigint, name text, price numeric(9, 2))",
        f"INSERT INTO orders VALUES {ROWS}",
    )
    return postgres, lambda statement: run_postgres(postgres, statement)


@pytest.mark.parametrize("kind", ["sqlite", "shop", "sqlalchemy"])
def test_a_cursor_column_lets_the_next_run_go_on(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if kind == "sqlalchemy":
        pytest.importorskip("sqlalchemy")
    dsn, do = request.getfixturevalue("sqlite" if kind == "sqlalchemy" else kind)
    dsn = dsn.replace("sqlite:", "sqlite+pysqlite:") if kind == "sqlalchemy" else dsn
    source = setup(dsn=dsn, query="SELECT * FROM orders;", cursor="id", batch_rows=2)
    found, cursor, brought = taken(Database(source), tmp_path / "1")
    assert ids(found) == [[1, 2, 2], [3]]  # the two rows of id 2 are not torn apart
    assert found[0][0] == {"id": 1, "name": "a", "price": 1.5}
    assert found[1][0] == {"id": 3, "name": "O'Brien", "price": 3.5}
    assert [d.name for d in brought] == ["orders: id from the beginning to 2", "orders: id after 2 to 3"]
    assert taken(Database(source), tmp_path / "2", cursor)[0] == []
    do("INSERT INTO orders VALUES (9, 'z', 9), (NULL, 'lost', 0)")
    late = Database(source)
    assert ids(taken(late, tmp_path / "3", cursor)[0]) == [[9]]
    assert late.notes == ["Rows without a value in the cursor column 'id' are left out."]
    assert ids(taken(Database(source), tmp_path / "4", brought[0].cursor)[0]) == [[3, 9]]


@pytest.mark.parametrize("kind", ["sqlite", "shop"])
def test_without_a_cursor_column_the_whole_answer_is_one_file(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dsn, do = request.getfixturevalue(kind)
    source = setup(dsn=dsn, query="SELECT id FROM orders WHERE id < 3 ORDER BY id -- all of them", batch_rows=1)
    one = taken(Database(source), tmp_path / "1")
    two = taken(Database(source), tmp_path / "2", one[1])
    assert ids(one[0]) == ids(two[0]) == [[1, 2, 2]]
    same = [d.path.read_bytes() for d in (one[2][0], two[2][0])]
    assert same[0] == same[1]  # nothing changed: the same content, so the same batch
    do("INSERT INTO orders VALUES (0, 'new', 1)")
    assert ids(taken(Database(source), tmp_path / "3")[0]) == [[0, 1, 2, 2]]


@pytest.mark.parametrize("kind", ["sqlite", "shop"])
def test_reading_begins_where_it_was_told_to(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dsn, _ = request.getfixturevalue(kind)
    source = setup(dsn=dsn, query="SELECT * FROM orders WHERE name < 'd' AND id < 3", cursor="name", start="b")
    found, cursor, _ = taken(Database(source), tmp_path / "1")
    assert [row["name"] for row in found[0]] == ["c"]
    assert cursor == '{"after": "c"}'


def test_times_texts_and_hostile_values_are_cursors_too(shop: tuple[str, Any], tmp_path: Path) -> None:
    dsn, do = shop
    query = "SELECT id, timestamptz '2025-01-06 07:00:00.000001+00' + id * interval '1 day' AS at, name FROM orders"
    source = setup(dsn=dsn, query=query, cursor="at", batch_rows=1)
    found, cursor, brought = taken(Database(source), tmp_path / "1")
    assert ids(found) == [[1], [2, 2], [3]]
    assert cursor == '{"after": "2025-01-09T07:00:00.000001+00:00"}'
    assert ids(taken(Database(source), tmp_path / "2", brought[0].cursor)[0]) == [[2, 2], [3]]
    do("INSERT INTO orders VALUES (4, 'zz''; DROP TABLE orders; --', 0), (5, 'zzz', 0)")
    named = setup(dsn=dsn, query="SELECT id, name FROM orders", cursor="name", batch_rows=1)
    found, _, brought = taken(Database(named), tmp_path / "3")
    assert sorted(i for rows in found for i in ids([rows])[0]) == [1, 2, 2, 3, 4, 5]
    hostile = next(d.cursor for d in brought if "DROP" in d.cursor)
    assert ids(taken(Database(named), tmp_path / "4", hostile)[0]) == [[5]]


def test_an_exact_cursor_neither_loses_nor_repeats_rows(shop: tuple[str, Any], tmp_path: Path) -> None:
    dsn, do = shop
    do("DELETE FROM orders")
    do("ALTER TABLE orders ALTER COLUMN price TYPE numeric")
    do(
        "INSERT INTO orders VALUES (1, 'a', 0.1), (2, 'b', 9007199254740993.1), (3, 'c', 9007199254740993.2), (4, 'd', 'NaN')"
    )
    source = setup(dsn=dsn, query="SELECT * FROM orders", cursor="price", batch_rows=1)
    found, _, brought = taken(Database(source), tmp_path / "1")
    assert ids(found) == [[1], [2], [3], [4]]
    for number, delivery in enumerate(brought, start=1):
        later = taken(Database(source), tmp_path / f"after-{number}", delivery.cursor)[0]
        assert ids(later) == [[i] for i in range(number + 1, 5)]


def test_infinite_and_other_numbers_are_cursors_too(shop: tuple[str, Any], tmp_path: Path) -> None:
    query = "SELECT id, CASE WHEN id = 3 THEN 'infinity' ELSE id / 10.0::float8 END::float8 AS at FROM orders"
    source = setup(dsn=shop[0], query=query, cursor="at", batch_rows=1)
    found, cursor, brought = taken(Database(source), tmp_path / "1")
    assert ids(found) == [[1], [2, 2], [3]]
    assert taken(Database(source), tmp_path / "2", cursor)[0] == []
    assert ids(taken(Database(source), tmp_path / "3", brought[0].cursor)[0]) == [[2, 2], [3]]


def test_over_sqlalchemy_names_and_values_are_the_databases_own(
    sqlite: tuple[str, Callable[[str], object]], tmp_path: Path
) -> None:
    dsn, do = sqlite
    do("INSERT INTO orders VALUES (4, 'x\\'' OR 1=1 --', 0), (5, 'y :after', 0)")
    query = "SELECT id AS \"i:d\", name, ':after' AS said FROM orders WHERE name <> '::int'"
    source = setup(dsn=dsn.replace("sqlite:", "sqlite+pysqlite:"), query=query, cursor="name", batch_rows=1)
    found, _, brought = taken(Database(source), tmp_path / "1")
    assert [[row["i:d"] for row in rows] for rows in found] == [[3], [1], [2], [2], [4], [5]]
    assert found[0][0]["said"] == ":after"
    hostile = next(d.cursor for d in brought if "1=1" in d.cursor)
    assert [[row["i:d"] for row in rows] for rows in taken(Database(source), tmp_path / "2", hostile)[0]] == [[5]]


def test_over_sqlalchemy_nothing_is_written_and_only_tried_databases_are_asked(
    sqlite: tuple[str, Callable[[str], object]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn, do = sqlite
    writing = setup(dsn=dsn.replace("sqlite:", "sqlite+pysqlite:"), query="SELECT 1 AS one")
    monkeypatch.setattr(Database, "_statement", lambda *_: "DELETE FROM orders RETURNING id")
    with pytest.raises(Unreadable, match="readonly database"):
        taken(Database(writing), tmp_path / "1")
    assert len(list(do("SELECT * FROM orders"))) == 4
    import sqlalchemy
    from sqlalchemy.dialects import mysql

    class Other:
        dialect = mysql.dialect()

        def dispose(self) -> None: ...

    monkeypatch.setattr(sqlalchemy, "create_engine", lambda _: Other())
    with pytest.raises(InvalidDefinition, match="mysql is no database that was tried here"):
        taken(Database(setup(dsn="mysql://db/shop", query="SELECT 1")), tmp_path / "2")


def test_types_of_postgres_arrive_as_values(shop: tuple[str, Any], tmp_path: Path) -> None:
    query = """SELECT 1::smallint AS small, 12.25::numeric AS amount, 'NaN'::numeric AS nan, true AS yes, DATE '2025-01-06'
        AS day, '00000000-0000-0000-0000-000000000005'::uuid AS key, '{"a": 1}'::jsonb AS doc, '{1,2}'::int[] AS list,
        interval '1 day' AS span, NULL AS nothing, time '01:02' AS hour, 2.5::real AS real"""
    found, _, _ = taken(Database(setup(dsn=shop[0], query=query)), tmp_path / "1")
    row = found[0][0]
    assert (row["small"], row["amount"], row["yes"], row["nothing"], row["real"]) == (1, 12.25, True, None, 2.5)
    assert row["nan"] != row["nan"]
    assert (str(row["day"]), row["key"]) == ("2025-01-06", "00000000-0000-0000-0000-000000000005")
    assert (row["doc"], row["list"], row["hour"]) == ('{"a": 1}', [1, 2], "01:02:00")


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM orders",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT 1) AS a; DELETE FROM orders; --",
    ],
)
@pytest.mark.parametrize("kind", ["sqlite", "shop"])
def test_a_query_cannot_write(kind: str, query: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    dsn, _ = request.getfixturevalue(kind)
    # SQLite's driver runs the first statement only, and answers that
    refused = pytest.raises(Unreadable, match="the database says")
    with nullcontext() if kind == "sqlite" and query.endswith("--") else refused:
        taken(Database(setup(dsn=dsn, query=query)), tmp_path / "1")
    found, _, _ = taken(Database(setup(dsn=dsn, query="SELECT * FROM orders")), tmp_path / "2")
    assert len(found[0]) == 4


def test_what_goes_wrong_is_told_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    away = setup(dsn="postgresql://me:hunter2@127.0.0.1:1/shop", query="SELECT 1")
    with pytest.raises(Unreadable, match="the database says") as caught:
        taken(Database(away), tmp_path / "work")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    with pytest.raises(NotFound, match=r"there is no file .*none.db"):
        taken(Database(setup(dsn=f"sqlite:///{tmp_path}/none.db", query="SELECT 1")), tmp_path / "work")
    with pytest.raises(Unreadable, match="the database says"):
        taken(Database(setup(dsn="nonsense://x", query="SELECT 1")), tmp_path / "work")


def test_a_column_of_mixed_types_is_named(sqlite: tuple[str, Callable[[str], object]], tmp_path: Path) -> None:
    dsn, do = sqlite
    do(
        "CREATE TABLE mixed AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) SELECT i AS v FROM n"
    )
    do("INSERT INTO mixed VALUES ('x')")
    with pytest.raises(Unreadable, match="the database says"):
        taken(Database(setup(dsn=dsn, query="SELECT v FROM mixed")), tmp_path / "1")
    cast = setup(dsn=dsn, query="SELECT CAST(v AS TEXT) AS v FROM mixed")
    assert taken(Database(cast), tmp_path / "2")[0][0][-1] == {"v": "x"}
    found, _, _ = taken(
        Database(setup(dsn=dsn.replace("sqlite:", "sqlite+pysqlite:"), query="SELECT 1 AS v UNION ALL SELECT 'x'")),
        tmp_path / "3",
    )
    assert found == [[{"v": "1"}, {"v": "x"}]]  # where the types of one portion differ, all are texts


PULL = """
import re, sys
from pathlib import Path
def peak():
    # not ru_maxrss: that begins with what the process had that started this one
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
from pipeline_core.sources.database import Database
from tests.core.sources.setups import setup
query = "SELECT g AS id, g * 1.0::float8 AS a, repeat('x', 40) || g AS b FROM generate_series(1, " + sys.argv[2] + ") g"
source, seen = Database(setup(dsn=sys.argv[1], query=query, cursor="id", batch_rows=100_000)), 0
for delivery in source.deliveries(None, folder=Path(sys.argv[3])):
    seen += delivery.rows
    delivery.path.unlink()
print(seen, peak())
"""


def test_memory_does_not_grow_with_the_answer(shop: tuple[str, Any], tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    peaks = []
    for rows in (200_000, 1_500_000):
        command = [sys.executable, "-c", PULL, shop[0], str(rows), str(tmp_path)]
        said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split()
        assert int(said[0]) == rows
        peaks.append(int(said[1]))
    assert peaks[1] - peaks[0] < 50  # MB; the larger answer is 100 MB larger
    assert peaks[1] < 400
