"""An answer is taken once, whole, and from nobody else than was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.sources.feed import Delivery
from pipeline_core.sources.web import Web, check
from tests.core.sources.setups import setup

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Generator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, code: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(code)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Delivery]]:
    def run(host: str, *, path: str = "/day.csv", cursor: str | None = None, **settings: str) -> list[Delivery]:
        monkeypatch.setenv("FEED_HOSTS", host)
        limits = {"bytes_max": 1_000} if settings.pop("small", None) else {}
        source = Web(setup(url=f"http://{host}{path}", hosts=settings.pop("hosts", "127.0.0.1"), **settings, **limits))
        return list(source.deliveries(cursor, folder=tmp_path))

    return run


@pytest.mark.parametrize(
    "url",
    [
        "http://[x/a", "ftp://shop/a", "https://hunter2@shop/a.csv", "https://shop/a.csv?sig=hunter2", "https://shop/a?key=hunter2",
        "https://shop/a.csv?X-Amz-Signature=hunter2", "https://shop/a.csv?access_token=hunter2", "https://shop/a#hunter2",
    ],
)  # fmt: skip
def test_an_address_that_may_hold_a_secret_is_not_kept_in_the_clear(url: str) -> None:
    with pytest.raises(InvalidDefinition) as refused:
        check("orders", {"url": url})
    assert "hunter2" not in str(refused.value)
    check("orders", {"url": "https://shop:8443/a/b.csv"})
    check("orders", {"hosts": "shop"})


def test_a_secret_address_is_named_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda handler: reply(handler, 200 if "good" in handler.path else 500, b"a\n1\n")) as host:
        monkeypatch.setenv("FEED_HOSTS", host)
        for path in ("good", "bad"):
            url = f"http://{host}/hunter2/{path}.csv?sig=hunter2"
            source = Web(replace(setup(url=url, hosts="127.0.0.1"), hidden=(url,)))
            if path == "good":
                (found,) = source.deliveries(None, folder=tmp_path)
                assert found.name == "orders: its secret url"
                continue
            with pytest.raises(Unreadable, match="'orders': its secret url: it answered 500") as failed:
                list(source.deliveries(None, folder=tmp_path))
            assert "hunter2" not in str(failed.value)


def test_an_answer_is_taken_once(ask: Callable[..., list[Delivery]]) -> None:
    asked = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(dict(handler.headers))
        if handler.headers.get("If-None-Match") == '"1"':
            return reply(handler, 304)
        return reply(handler, 200, b"a,b\n1,2\n", ETag='"1"', Last_Modified="Mon, 06 Jan 2025 00:00:00 GMT")

    with serving(answer) as host:
        (first,) = ask(host, path="/day.csv?key=1", authorization="Bearer hunter2")
        assert first.path.read_bytes() == b"a,b\n1,2\n"
        assert (first.path.name, first.name) == ("day.csv", f"orders: http://{host}/day.csv")
        assert ask(host, cursor=first.cursor) == []
    assert asked[0]["Host"] == host
    assert asked[0]["Authorization"] == "Bearer hunter2"
    assert asked[1]["If-Modified-Since"] == "Mon, 06 Jan 2025 00:00:00 GMT"


def test_a_server_that_names_no_versions_is_compared_by_content(ask: Callable[..., list[Delivery]]) -> None:
    body = [b"one"]
    with serving(lambda handler: reply(handler, 200, body[0])) as host:
        (first,) = ask(host)
        assert ask(host, cursor=first.cursor) == []
        body[0] = b"two"
        (second,) = ask(host, cursor=first.cursor)
        assert second.path.read_bytes() == b"two"


def test_redirects_stay_with_the_host(ask: Callable[..., list[Delivery]]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/there.csv":
            return reply(handler, 200, b"x")
        target = {"/away": "http://169.254.169.254/latest", "/file": "file:///etc/passwd", "/loop": "/loop"}
        return reply(handler, 302, Location=target.get(handler.path, "/there.csv"))

    with serving(answer) as host:
        (found,) = ask(host)
        assert found.path.read_bytes() == b"x"
        for path in ("/away", "/file"):
            with pytest.raises(Unreadable, match="only the same host and port are allowed"):
                ask(host, path=path)
        with pytest.raises(Unreadable, match="redirected more than 3 times"):
            ask(host, path="/loop")


def test_what_is_too_long_too_short_or_refused_is_not_taken(ask: Callable[..., list[Delivery]]) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/short":
            return reply(handler, 200, b"ab", Content_Length="99")
        if handler.path.startswith("/denied"):
            return reply(handler, 403, b"secret body")
        return reply(handler, 200, b"x" * 2_000)

    with serving(answer) as host:
        with pytest.raises(Unreadable, match=r"longer than 1,000 bytes \(upload_bytes_max"):
            ask(host, small="yes")
        with pytest.raises(Unreadable, match="Nothing was kept"):
            ask(host, path="/short")
        with pytest.raises(Unreadable, match="it answered 403") as caught:
            ask(host, path="/denied?token=hunter2")
        assert "secret body" not in str(caught.value)
        assert "hunter2" not in str(caught.value)


def test_loopback_is_not_asked_unless_the_operator_allowed_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEED_HOSTS", raising=False)
    asked = []
    with serving(lambda handler: asked.append(handler.path)) as host:
        source = Web(setup(url=f"http://{host}/", hosts="127.0.0.1"))
        with pytest.raises(InvalidDefinition, match="not a public address"):
            next(source.deliveries(None, folder=tmp_path))
    assert asked == []


def test_a_server_that_is_away_is_told(ask: Callable[..., list[Delivery]]) -> None:
    with pytest.raises(Unreadable, match="ConnectError"):
        ask("127.0.0.1:1")
