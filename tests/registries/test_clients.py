"""Clients reach the loopback through the proxies, and by the certificates, of the settings."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import ConfigError
from ghostbust.records import ASKED, Ecosystem
from ghostbust.registries.clients import open_asking_client, open_client, trusted
from ghostbust.registries.transport import endpoint

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
AT = endpoint("http://index.example.test/simple", "test")


class Proxy(HTTPServer):
    """Answers everything itself, and notes what it was asked, and with which credentials."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.address = f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Proxy

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the machine's settings."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


async def get(ecosystem: Ecosystem, url: str) -> list[int]:
    """What both clients are answered; 0 where they can't connect."""
    got = []
    async with open_asking_client(ecosystem, trusted()) as asking:
        try:
            got.append((await asking.get(url)).status_code)
        except httpx.ConnectError:
            got.append(0)
    with open_client(ecosystem, AT) as client:
        try:
            got.append(client.get(url).status_code)
        except httpx.ConnectError:
            got.append(0)
    return got


@pytest.mark.parametrize(
    ("ecosystem", "variable"),
    [
        (Ecosystem.PYPI, "http_proxy"),
        (Ecosystem.NPM, "http_proxy"),
        (Ecosystem.PYPI, "PIP_PROXY"),
        (Ecosystem.NPM, "npm_config_proxy"),
        (Ecosystem.NPM, "npm_config_https_proxy"),
    ],
)
async def test_proxies(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, ecosystem: Ecosystem, variable: str
) -> None:
    monkeypatch.setenv(variable, f"http://me:word@{proxy.address}")
    assert await get(ecosystem, "http://index.example.test/x") == [204, 204]
    assert proxy.asked == [("http://index.example.test/x", "Basic bWU6d29yZA==")] * 2


@pytest.mark.parametrize(
    ("ecosystem", "variable"), [(Ecosystem.PYPI, "PIP_PROXY"), (Ecosystem.NPM, "npm_config_proxy")]
)
async def test_the_programs_own_proxy_comes_before_the_environments(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, ecosystem: Ecosystem, variable: str
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert await get(ecosystem, "http://index.example.test/x") == [0, 0]
    monkeypatch.setenv(variable, f"http://{proxy.address}")
    assert await get(ecosystem, "http://index.example.test/x") == [204, 204]
    (other,) = set(ASKED) - {ecosystem}
    assert await get(other, "http://index.example.test/x") == [0, 0]


async def test_hosts_that_are_asked_directly(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_proxy", "http://127.0.0.1:9")
    assert await get(Ecosystem.NPM, f"http://{proxy.address}/x") == [0, 0]
    for variable in ("npm_config_noproxy", "NO_PROXY"):
        monkeypatch.setenv(variable, "example.test, 127.0.0.1")
        assert await get(Ecosystem.NPM, f"http://{proxy.address}/x") == [204, 204]
        monkeypatch.delenv(variable)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT"])
async def test_both_clients_believe_the_same_certificates(
    https_server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert await get(Ecosystem.PYPI, https_server) == [0, 0]
    monkeypatch.setenv(variable, str(certificate))
    assert await get(Ecosystem.PYPI, https_server) == [204, 204]


@pytest.mark.parametrize("address", ["ftp://me:word@127.0.0.1", "http://me:word@[::"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PIP_PROXY", address)
    with pytest.raises(ConfigError) as caught:
        open_client(Ecosystem.PYPI, AT)
    assert str(caught.value) == "PIP_PROXY: the proxy's address can't be used"


def test_unreadable_certificates_are_a_config_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "absent.pem"))
    with pytest.raises(ConfigError, match="REQUESTS_CA_BUNDLE"):
        open_client(Ecosystem.PYPI, AT)


def test_credentials_go_to_the_registry_only() -> None:
    index = endpoint("https://me:secret@index.example.test/simple", "test")
    with open_client(Ecosystem.PYPI, index) as client:
        for url, sent in [
            ("https://index.example.test/files/a", True),
            ("https://index.example.test:444/files/a", False),
            ("https://files.example.test/a", False),
        ]:
            request = next(client.auth.sync_auth_flow(httpx.Request("GET", url)))  # type: ignore[union-attr]
            assert ("Authorization" in request.headers) is sent
