"""The one door before screens, websockets and API: hosts, origins and the headers of every answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipeline_core.service.door import HEADERS, Door, is_loopback

OURS = "127.0.0.1:8501"


async def _inside(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"referrer-policy", b"same-origin")]})
    await send({"type": "http.response.body", "body": b"in"})


async def _socket(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "websocket.accept"})


def ask(host: str, origin: str | None = None, *, kind: str = "http", hosts: str = "") -> list[dict[str, Any]]:
    """Send one request to a door and give what it answers."""
    headers = [(b"host", host.encode("latin-1"))] + ([(b"origin", origin.encode("latin-1"))] if origin else [])
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # ruff: ignore[unused-async] ASGI calls it so
        sent.append(message)

    async def receive() -> dict[str, Any]:  # ruff: ignore[unused-async] ASGI calls it so
        return {"type": "http.request", "body": b""}

    door = Door(_socket if kind == "websocket" else _inside, hosts=frozenset(hosts.split()))
    scope = {"type": kind, "method": "GET", "path": "/", "headers": headers}
    asyncio.run(door(scope, receive, send))  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize(
    ("host", "origin", "hosts", "opened"),
    [
        (OURS, None, "", True),
        (OURS, f"http://{OURS}", "", True),
        ("LocalHost:8501", "http://localhost:8501", "", True),
        ("[::1]:8501", "http://[::1]:8501", "", True),
        (OURS, "http://evil.example", "", False),
        (OURS, "null", "", False),
        (OURS, "http://127.0.0.1:9999", "", False),
        (OURS, "http://localhost:8501", "", False),
        (OURS, "http://[", "", False),
        (OURS, f"http://evil.example/{OURS}", "", False),
        ("evil.example:8501", "http://evil.example:8501", "", False),
        ("evil.example:8501", None, "", False),
        ("2130706433", None, "", False),
        ("[", None, "", False),
        ("monitor.example", "https://monitor.example", "monitor.example", True),
        (OURS, "https://monitor.example", "monitor.example", True),
        ("monitor.example", "https://other.example", "monitor.example", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_who_may_ask(host: str, origin: str | None, hosts: str, opened: bool, kind: str) -> None:
    first = ask(host, origin, kind=kind, hosts=hosts)[0]
    if kind == "websocket":
        assert first == ({"type": "websocket.accept"} if opened else {"type": "websocket.close", "code": 1008})
    else:
        assert first["status"] == (200 if opened else 403)


def test_every_answer_says_that_nothing_is_from_elsewhere_and_leaves_what_a_page_said_itself() -> None:
    for start in (ask(OURS)[0], ask("evil.example")[0]):
        told = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        assert told["content-security-policy"] == HEADERS["Content-Security-Policy"]
        assert "frame-ancestors 'self'" in told["content-security-policy"]
        assert told["x-content-type-options"] == "nosniff"
    assert dict(ask(OURS)[0]["headers"])[b"referrer-policy"] == b"same-origin"


def test_what_is_neither_a_request_nor_a_websocket_passes() -> None:
    passed: list[str] = []

    async def inside(scope: Any, _receive: Any, _send: Any) -> None:  # ruff: ignore[unused-async] ASGI calls it so
        passed.append(scope["type"])

    asyncio.run(Door(inside)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan"]


@pytest.mark.parametrize(
    ("name", "said"), [("127.8.9.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)]
)
def test_loopback(name: str, said: bool) -> None:
    assert is_loopback(name) is said
