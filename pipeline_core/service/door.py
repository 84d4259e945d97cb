"""Who may ask this process at all? One door before screens, websockets and HTTP API alike.

There is no login, so the door keeps out what comes through a person's own browser: pages of another origin, and names
that somebody else's name server points at this machine (DNS rebinding). What it answers, it sends with headers that
keep a page from loading from, sending to, or being framed by anything but this app.
"""

from __future__ import annotations

import ipaddress
import os
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    # inline styles and scripts, blobs and evaluation are how Streamlit and its charts are built; nothing is from elsewhere
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; worker-src 'self' blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

POLICY_VIOLATION = 1008


class Door:
    """Pure ASGI middleware: only our own host names, no page of another origin.

    Parameters
    ----------
    app : ASGI application
        What is behind the door.
    hosts : frozenset of str
        Host names that are allowed beside loopback.
    """

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str] = frozenset()) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or websocket through, or answer it with 403 and the reason."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(headers)
        if refusal is None:
            await self._app(scope, receive, send_with_headers)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        body = {"error": "Refused", "message": refusal}
        await JSONResponse(body, status_code=HTTPStatus.FORBIDDEN)(scope, receive, send_with_headers)

    def _refusal(self, headers: dict[str, str]) -> str | None:
        host = headers.get("host", "")
        name = host_name(host)
        if name is None or not (is_loopback(name) or name in self._hosts):
            return f"Requests for the host {host!r} are not answered; loopback is, and what PIPELINE_HOSTS names."
        origin = headers.get("origin")
        place = None if origin is None else origin.partition("://")[2].lower()
        # a proxy may ask for us under a name of its own
        if place is None or place == host.lower() or host_name(place) in self._hosts:
            return None
        return f"Requests from pages of {origin!r} are not answered; only the app's own pages may ask."


def host_name(host: str) -> str | None:
    """Give the name in a Host header without its port, or None where it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_loopback(name: str) -> bool:
    """Say whether a host name means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def allowed_hosts() -> frozenset[str]:
    """Give the further host names that ``$PIPELINE_HOSTS`` names, separated by commas."""
    return frozenset(name.strip().lower() for name in os.environ.get("PIPELINE_HOSTS", "").split(",") if name.strip())
