"""What does an address answer that was not taken yet? One file, if it changed since the last one.

An address is a door into our own network for whoever may write it down: a name is resolved here, every address that it
stands for is looked at, and the connection is made to the one that was looked at, so that a name that changes its
mind in between gains nothing. Neighbours: ``feed`` is the shape, ``hosts`` says who may be asked. It refuses
addresses that are not public unless the operator listed them, redirects to another host, and answers that are too long.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.sources.feed import Delivery, Setup, noted
from pipeline_core.sources.hosts import Address, checked, parts_of

REQUIRED = ("url",)
OPTIONAL = ("hosts", "authorization")

_CHUNK_BYTES = 1 << 16
_REDIRECTS_MAX = 3
_ANSWER_S = 600.0
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def check(name: str, settings: Mapping[str, str]) -> None:
    """Look at what was set before it is kept.

    Parameters
    ----------
    name : str
        Of the source.
    settings : mapping of str to str
        Those that are no secret.

    Raises
    ------
    InvalidDefinition
        The address is not allowed, or has a query: that is where signatures and keys stand, and it would be kept in the
        clear.
    """
    url = settings.get("url")
    if url is None:
        return
    parts_of(url, name)
    if {"?", "#"} & set(url):
        raise InvalidDefinition(
            f"Source {name!r}: its url has a query or a fragment, which may hold a key, and settings are stored in the clear."
            " Put the whole address into an environment variable NAME, and say where it is: --secret url=env:NAME."
        )


class Web:
    """A file behind an address. Settings: ``url``, ``hosts`` (who may be asked), ``authorization`` (a secret header).

    Parameters
    ----------
    setup : Setup
        The settings.
    """

    def __init__(self, setup: Setup) -> None:
        self.notes: list[str] = []
        self._setup = setup
        self._url = setup.get("url")
        self._secret = self._url in setup.hidden

    def deliveries(self, cursor: str | None, *, folder: Path) -> Generator[Delivery]:
        """Hand over what the address answers, unless it says that nothing changed.

        Parameters
        ----------
        cursor : str or None
            What the server called the last answer (ETag, Last-Modified), and its hash.
        folder : Path
            Where to write.

        Yields
        ------
        Delivery

        Raises
        ------
        Unreadable
            The server does not answer, or what it answers is not allowed.
        InvalidDefinition
            The address may not be asked.
        """
        self.notes.clear()
        known = noted(cursor)
        path = folder / (re.sub(r"[^A-Za-z0-9._-]", "_", Path(urlsplit(self._url).path).name)[-100:] or "answer")
        try:
            place = self._asked(path, known)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            said = "" if self._secret else f": {self._setup.hide(error)}"  # a part of a secret is one too
            raise self._broken(f"{type(error).__name__}{said}") from None
        if place is None or place["sha256"] == known.get("sha256"):
            return
        yield Delivery(path=path, name=f"{self._setup.name}: {self._shown(self._url)}", cursor=json.dumps(place))

    def settled(self, cursor: str) -> None:
        """Do nothing: the server is not told."""

    def close(self) -> None:
        """Do nothing: a connection lives as long as its answer is read."""

    def _asked(self, path: Path, known: dict[str, Any]) -> dict[str, Any] | None:
        """Follow the address to its answer; None where it did not change."""
        url = self._url
        for _ in range(_REDIRECTS_MAX + 1):
            address = checked(url, allowed=self._setup.get("hosts"), name=self._setup.name)
            with (
                self._client() as client,
                client.stream(
                    "GET",
                    address.pinned,
                    headers=self._headers(address, known),
                    extensions={"sni_hostname": address.host},
                ) as answer,
            ):
                if answer.status_code == httpx.codes.NOT_MODIFIED:
                    return None
                if answer.has_redirect_location:
                    url = self._redirected(url, answer.headers["location"])
                    continue
                if answer.status_code != httpx.codes.OK:
                    raise self._broken(f"it answered {answer.status_code}")
                sha256 = self._kept(answer, path)
                named = {"etag": answer.headers.get("etag"), "modified": answer.headers.get("last-modified")}
                return {**{k: v for k, v in named.items() if v}, "sha256": sha256}
        raise self._broken(f"it redirected more than {_REDIRECTS_MAX} times")

    def _client(self) -> httpx.Client:
        # no proxy and no netrc of the environment: both would undo what was checked
        return httpx.Client(trust_env=False, follow_redirects=False, timeout=_TIMEOUT)

    def _headers(self, address: Address, known: dict[str, Any]) -> dict[str, str]:
        headers = {"Host": address.host_header, "Accept-Encoding": "identity"}
        asked = {"etag": "If-None-Match", "modified": "If-Modified-Since"}
        headers |= {header: str(known[key]) for key, header in asked.items() if known.get(key)}
        if self._setup.get("authorization"):
            headers["Authorization"] = self._setup.get("authorization")
        return headers

    def _redirected(self, url: str, location: str) -> str:
        target = urljoin(url, location)
        old, new = urlsplit(url), urlsplit(target)
        if (old.hostname, old.port) != (new.hostname, new.port) or (old.scheme, new.scheme) == ("https", "http"):
            raise self._broken(f"it redirects to {self._shown(target)}; only the same host and port are allowed")
        return target

    def _kept(self, answer: httpx.Response, path: Path) -> str:
        digest, size, until = hashlib.sha256(), 0, time.monotonic() + _ANSWER_S
        with path.open("wb") as file:
            for block in answer.iter_raw(_CHUNK_BYTES):
                size += len(block)
                if size > self._setup.bytes_max:
                    raise self._broken(
                        f"it is longer than {self._setup.bytes_max:,} bytes (upload_bytes_max in the policy)"
                    )
                if time.monotonic() > until:
                    raise self._broken(f"it took longer than {_ANSWER_S:g} s")
                digest.update(block)
                file.write(block)
        declared = answer.headers.get("content-length")
        if declared is not None and declared != str(size):
            raise self._broken(f"it ended after {size:,} of {declared} bytes")
        return digest.hexdigest()

    def _broken(self, why: str) -> Unreadable:
        return Unreadable(
            f"Source {self._setup.name!r}: {self._shown(self._url)}: {why}. Nothing was kept; run again later."
        )

    def _shown(self, url: str) -> str:
        """Give an address without what may be secret in it: person, query and fragment, or all of one that is a secret."""
        if self._secret:
            return "its secret url"
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
