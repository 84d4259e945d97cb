"""A Redis stream goes on behind the last entry that was kept, whatever Redis believes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline_core.errors import Unreadable
from pipeline_core.sources.feed import Setup
from pipeline_core.sources.messages import UNREADABLE_COLUMN
from pipeline_core.sources.redis import Redis
from tests.core.sources.setups import setup, taken


@pytest.fixture
def client(redis_url: str) -> Generator[Any]:
    import redis

    with closing(redis.from_url(redis_url)) as opened:
        yield opened


@pytest.fixture
def stream() -> str:
    return f"orders-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def plain(redis_url: str, stream: str) -> Setup:
    return setup(url=redis_url, stream=stream, batch_rows=3)


def put(client: Any, stream: str, *numbers: int) -> list[bytes]:
    return [client.xadd(stream, {"id": str(n), "name": f"n{n}"}) for n in numbers]


def ids(found: list[list[dict[str, Any]]]) -> list[list[int]]:
    return [[int(row["id"]) for row in rows] for rows in found]


def test_batches_by_count_and_on_from_the_last_one(client: Any, stream: str, plain: Setup, tmp_path: Path) -> None:
    put(client, stream, *range(7))
    found, cursor, brought = taken(Redis(plain), tmp_path)
    assert ids(found) == [[0, 1, 2], [3, 4, 5], [6]]
    assert found[0][0] == {"id": "0", "name": "n0"}
    assert [d.rows for d in brought] == [3, 3, 1]
    assert taken(Redis(plain), tmp_path, cursor)[0] == []
    put(client, stream, 7)
    assert ids(taken(Redis(plain), tmp_path, cursor)[0]) == [[7]]


def test_what_was_handed_over_and_not_kept_comes_again(client: Any, stream: str, plain: Setup, tmp_path: Path) -> None:
    put(client, stream, *range(7))
    killed = Redis(plain)
    deliveries = killed.deliveries(None, folder=tmp_path)
    first = next(deliveries)
    next(deliveries)  # both handed over, the first one kept, and no word to Redis about either
    killed.close()
    found, _, _ = taken(Redis(plain), tmp_path, first.cursor)
    assert ids(found) == [[3, 4, 5], [6]]


def test_another_home_with_the_same_name_takes_nothing_away(
    client: Any, stream: str, plain: Setup, tmp_path: Path
) -> None:
    put(client, stream, *range(4))
    _, cursor, _ = taken(Redis(plain), tmp_path)
    assert ids(taken(Redis(plain), tmp_path)[0]) == [[0, 1, 2], [3]]
    put(client, stream, 4)
    taken(Redis(plain), tmp_path)
    assert ids(taken(Redis(plain), tmp_path, cursor)[0]) == [[4]]


def test_a_run_after_a_kill_tells_redis_what_the_killed_one_could_not(
    client: Any, stream: str, plain: Setup, tmp_path: Path
) -> None:
    put(client, stream, 1, 2)
    killed = Redis(plain)
    (delivery,) = killed.deliveries(None, folder=tmp_path)
    killed.close()
    assert taken(Redis(plain), tmp_path, delivery.cursor)[0] == []
    assert client.xinfo_groups(stream)[0]["lag"] == 0


def test_redis_shows_how_far_we_are_and_need_not_hear_it(
    client: Any, stream: str, plain: Setup, tmp_path: Path
) -> None:
    put(client, stream, *range(7))
    _, _, brought = taken(Redis(plain), tmp_path, most=2)
    (group,) = client.xinfo_groups(stream)
    assert (group["name"], group["lag"], group["pending"]) == (b"pipeline-orders", 1, 0)
    client.xgroup_destroy(stream, "pipeline-orders")
    source = Redis(plain)
    source._grouped = True  # it was there when we last looked
    found, _, _ = taken(source, tmp_path, brought[0].cursor)
    assert ids(found) == [[3, 4, 5], [6]]
    assert "the store did" in source.notes[0]


def test_entries_trimmed_before_they_were_read_are_told(
    client: Any, stream: str, redis_url: str, plain: Setup, tmp_path: Path
) -> None:
    put(client, stream, *range(3))
    _, cursor, _ = taken(Redis(plain), tmp_path)
    put(client, stream, *range(3, 9))
    client.xtrim(stream, maxlen=2, approximate=False)
    with pytest.raises(Unreadable, match=r"4 entries behind .* were deleted before they were read. Nothing was read"):
        taken(Redis(plain), tmp_path, cursor)
    going_on = Redis(setup(url=redis_url, stream=stream, gaps="go_on"))
    found, cursor, _ = taken(going_on, tmp_path, cursor)
    assert ids(found) == [[7, 8]]
    assert "4 entries behind" in going_on.notes[0]
    client.xtrim(stream, maxlen=0, approximate=False)  # what was read may go
    assert taken(Redis(plain), tmp_path, cursor)[0] == []
    put(client, stream, 9)
    assert ids(taken(Redis(plain), tmp_path, cursor)[0]) == [[9]]


def test_entries_deleted_from_the_middle_are_told_once_all_is_read(
    client: Any, stream: str, plain: Setup, tmp_path: Path
) -> None:
    entries = put(client, stream, *range(6))
    client.xdel(stream, entries[4])
    found, cursor, _ = taken(Redis(plain), tmp_path)
    assert ids(found) == [[0, 1, 2], [3, 5]]
    again = Redis(plain)
    assert taken(again, tmp_path, cursor)[0] == []
    assert again.notes == []  # what was deleted before the first run was never ours to read
    (late,) = put(client, stream, 6)
    put(client, stream, 7)
    client.xdel(stream, late)
    _, cursor, _ = taken(Redis(plain), tmp_path, cursor)
    again = Redis(plain)
    assert taken(again, tmp_path, cursor)[0] == []
    assert again.notes[0].startswith("1 entries up to ")


def test_a_stream_that_was_made_anew_is_told(
    client: Any, stream: str, redis_url: str, plain: Setup, tmp_path: Path
) -> None:
    client.xadd(stream, {"id": "1"}, id="9999999999999-0")
    _, cursor, _ = taken(Redis(plain), tmp_path)
    client.delete(stream)
    with pytest.raises(Unreadable, match="it is gone; 9999999999999-0 is the last entry kept"):
        taken(Redis(plain), tmp_path, cursor)
    put(client, stream, 2)
    with pytest.raises(Unreadable, match="it was made anew"):
        taken(Redis(plain), tmp_path, cursor)
    going_on = Redis(setup(url=redis_url, stream=stream, gaps="go_on"))
    assert ids(taken(going_on, tmp_path, cursor)[0]) == [[2]]


def test_a_field_may_hold_an_object(client: Any, stream: str, redis_url: str, tmp_path: Path) -> None:
    client.xadd(stream, {"doc": json.dumps({"id": 1, "deep": {"a": [1]}}), "other": "x"})
    client.xadd(stream, {"other": "y"})
    client.xadd(stream, {"doc": b"\xff"})
    source = Redis(setup(url=redis_url, stream=stream, field="doc"))
    found, _, _ = taken(source, tmp_path)
    assert found == [[{"id": 1, "deep": {"a": [1]}}, {UNREADABLE_COLUMN: ""}, {UNREADABLE_COLUMN: "\\xff"}]]
    assert source.notes[0].startswith("2 entries up to ")


def test_a_server_that_is_away_and_a_wrong_key_are_told_without_the_password(
    client: Any, stream: str, redis_url: str, tmp_path: Path
) -> None:
    with pytest.raises(Unreadable, match="Redis says") as caught:
        taken(Redis(setup(url="redis://:hunter2@127.0.0.1:1/0", stream="x")), tmp_path)
    assert "hunter2" not in str(caught.value)
    client.set(stream, "no stream")
    with pytest.raises(Unreadable, match="WRONGTYPE"):
        taken(Redis(setup(url=redis_url, stream=stream)), tmp_path)
    with pytest.raises(Unreadable, match="Redis says"):
        Redis(setup(url="http://x", stream="x"))
