"""Who may be asked: listed hosts, at public addresses, as looked at and not as asked again."""

from __future__ import annotations

import socket

import pytest

from pipeline_core.errors import InvalidDefinition, Unreadable
from pipeline_core.sources import hosts


def ask(url: str, *addresses: str, allowed: str = "data.example.org") -> hosts.Address:
    return hosts.checked(url, allowed=allowed, name="orders", resolve=lambda _host, _port: list(addresses))


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    found = ask("https://data.example.org/a/b.csv?x=1#y", "93.184.216.34")
    assert found.pinned == "https://93.184.216.34:443/a/b.csv?x=1"
    assert (found.host, found.host_header) == ("data.example.org", "data.example.org")
    other = ask("http://DATA.example.org.:8080", "2606:2800::1", allowed="data.example.org:8080")
    assert other.pinned == "http://[2606:2800::1]:8080/"
    assert other.host_header == "data.example.org:8080"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.5", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"not a public address. .* FEED_HOSTS=data.example.org:80 "):
        ask("http://data.example.org/", address)
    with pytest.raises(InvalidDefinition, match="not a public address"):
        ask("http://data.example.org/", "93.184.216.34", address)  # one good address does not excuse a bad one


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_public_addresses_pass(address: str) -> None:
    assert ask("http://data.example.org/", address).host == "data.example.org"


def test_the_operator_may_allow_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_HOSTS", "other:80, data.example.org:8080")
    assert ask("http://data.example.org:8080/", "10.0.0.5").pinned == "http://10.0.0.5:8080/"
    with pytest.raises(InvalidDefinition, match="not a public address"):
        ask("http://data.example.org/", "10.0.0.5")  # another port


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "ftp://data.example.org/", "data.example.org/a", "http:///a", "http://[", "http://a b/",
        "http://me:pw@data.example.org/", "http://data.example.org:99999/", "http://data.example.org\\@evil/", "gopher://x",
        "http://data.example.org/\r\nHost: evil", "http://데이터.example.org/",
    ],
)  # fmt: skip
def test_other_forms_are_refused(url: str) -> None:
    with pytest.raises(InvalidDefinition, match="its url is not allowed") as caught:
        ask(url, "8.8.8.8")
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://evil.org/", "http://data.example.org.evil.org/", "http://8.8.8.8/", "http://2130706433/"]
)
def test_a_host_that_is_not_listed_is_refused(url: str) -> None:
    with pytest.raises(InvalidDefinition, match="is not among its hosts"):
        ask(url, "8.8.8.8")
    with pytest.raises(InvalidDefinition, match="none are listed"):
        ask(url, "8.8.8.8", allowed="")


def test_a_name_without_an_address_is_told() -> None:
    def fails(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Unreadable, match=r"'data.example.org' has no address"):
        hosts.checked("http://data.example.org/", allowed="data.example.org", name="o", resolve=fails)
    assert hosts.resolved("127.0.0.1", 80) == ["127.0.0.1"]
