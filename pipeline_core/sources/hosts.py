"""Who may be asked over HTTP? The hosts that are listed; and of addresses that are not public, those of the operator.

Neighbour: ``web`` asks. A source lists its own hosts (setting ``hosts``); a private, loopback or link-local
address must stand as ``host:port`` in the environment variable ``FEED_HOSTS`` too, which only whoever starts the app can
set. It refuses names that stand for several addresses of which one is not allowed.
"""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pipeline_core.errors import InvalidDefinition, Unreadable

OPERATORS_LIST = "FEED_HOSTS"
"""Environment variable: ``host:port`` of servers that are not public and may be asked all the same, with commas."""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PORTS = {"http": 80, "https": 443}

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to connect to: ``pinned`` is the address that was looked at, the rest says whom it stands for."""

    pinned: str
    host: str
    host_header: str


def resolved(host: str, port: int) -> list[str]:
    """Give every address that a name stands for (OSError where it has none)."""
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return sorted(found, key=lambda address: (":" in address, address))  # IPv4 first: it is reached from everywhere


def checked(url: str, *, allowed: str, name: str, resolve: Resolve = resolved) -> Address:
    """Look at an address before it is asked.

    Parameters
    ----------
    url : str
        http or https.
    allowed : str
        The source's own list: ``host`` or ``host:port``, with commas.
    name : str
        Of the source.
    resolve : callable
        Gives the addresses of a name.

    Returns
    -------
    Address

    Raises
    ------
    InvalidDefinition
        Its form is not allowed, its host is not listed, or one of its addresses is not public.
    Unreadable
        Its name has no address.
    """
    scheme, host, port = parts_of(url, name)
    if not _listed(host, port, allowed):
        raise InvalidDefinition(
            f"Source {name!r}: {host!r} is not among its hosts ({allowed or 'none are listed'}). List it in the setting"
            " hosts if it is meant."
        )
    try:
        addresses = resolve(host, port)
    except OSError as error:
        raise Unreadable(f"Source {name!r}: {host!r} has no address ({error}). Check the url, or run again.") from None
    trusted = f"{host}:{port}" in _list(os.environ.get(OPERATORS_LIST, ""))
    for address in addresses:
        if not trusted and not _public(address):
            raise InvalidDefinition(
                f"Source {name!r}: {host!r} stands for {address}, which is not a public address. Whoever starts the app"
                f" may allow it: {OPERATORS_LIST}={host}:{port} in its environment."
            )
    parts = urlsplit(url)
    bracketed = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
    shown = f"[{host}]" if ":" in host else host
    return Address(
        pinned=urlunsplit((scheme, f"{bracketed}:{port}", parts.path or "/", parts.query, "")),
        host=host,
        host_header=shown if port == _PORTS[scheme] else f"{shown}:{port}",
    )


def parts_of(url: str, name: str) -> tuple[str, str, int]:
    """Take an address apart.

    Parameters
    ----------
    url : str
        The address.
    name : str
        Of the source.

    Returns
    -------
    tuple of str, str and int
        Scheme, host, port.

    Raises
    ------
    InvalidDefinition
        Its form is not allowed; it is not repeated, as it may hold a secret.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").rstrip("."), parts.port
        personal = "@" in parts.netloc
    except ValueError:
        scheme, host, port, personal = "", "", None, False
    plain = re.fullmatch(r"[A-Za-z0-9._:-]{1,253}", host) is not None
    if scheme not in _PORTS or not plain or personal or re.search(r"[\x00-\x20\\]", url):
        raise InvalidDefinition(
            f"Source {name!r}: its url is not allowed; http:// or https://, a host and a path are. A password goes into the"
            " secret authorization."
        )
    return scheme, host, port or _PORTS[scheme]


def _list(said: str) -> set[str]:
    return {entry.strip().lower() for entry in said.split(",") if entry.strip()}


def _listed(host: str, port: int, allowed: str) -> bool:
    return not _list(allowed).isdisjoint({host, f"{host}:{port}"})


def _public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return found.is_global and not found.is_multicast
    hidden = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if found in _NAT64:
        hidden.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
    inner = [h for h in hidden if h is not None]
    if found.ipv4_mapped is not None:  # the notation of an IPv4 address, global or not as that is
        return inner[0].is_global and not inner[0].is_multicast
    return found.is_global and not found.is_multicast and all(h.is_global for h in inner)
