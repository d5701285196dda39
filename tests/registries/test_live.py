"""Live look-ups: cache, canary, failures; clients with the settings' proxies and certificates."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from http.server import HTTPServer
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import ConfigError, RegistryError, UnansweredError
from ghostbust.records import ASKED, PROMPTED, Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.live import (
    CANARIES,
    NEGATIVE_TTL,
    PASSES,
    POSITIVE_TTL,
    LiveLookups,
    close_clients,
    live_registries,
    open_asking_client,
    open_client,
    open_clients,
    trusted,
)
from tests.registries.conftest import Cache, QuietHandler, served

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def verdict(
    name: str, said: Verdict, *, age: timedelta = timedelta(0), source: str = "live"
) -> Lookup:
    reason = SuspectReason.QUARANTINED if said is Verdict.SUSPECT else said.lower()
    return Lookup(Ecosystem.PYPI, name, said, reason, "evidence", source, NOW - age)


class FakeRegistry:
    """A registry that knows the given names, fails for others, and notes what it was asked."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, *real: str) -> None:
        self.real = {*real}
        self.down: set[str] = set()
        self.asked: list[str] = []
        self.known: list[Lookup | None] = []
        self.error: type[RegistryError] = UnansweredError
        self.recovers = False
        """answers for a name that was down when it is asked for the second time"""

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        if self.recovers and name in self.asked:
            self.down.discard(name)
        self.asked.append(name)
        self.known.append(known)
        await asyncio.sleep(60 if name == "slow" else 0)
        if name in self.down:
            raise self.error(f"{name}: connection lost")
        return verdict(name, Verdict.REAL if name in self.real else Verdict.ABSENT)

    async def origin(self, name: str) -> Origin:
        return Origin(NOW, "somebody", f"asked for {name}")

    async def description(self, name: str) -> str:
        if name in self.down:
            raise self.error(f"{name}: connection lost")
        return f"What {name} does." if name in self.real else ""

    async def versions(self, name: str) -> Sequence[str]:
        if name in self.down:
            raise self.error(f"{name}: connection lost")
        if name == "slow":
            await asyncio.sleep(60)
        return ["1.0"]


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry("pip", "a", "b")


@pytest.fixture
def cache() -> Cache:
    return Cache()


@pytest.fixture
def live(registry: FakeRegistry, cache: Cache) -> Iterator[LiveLookups]:
    lookups = LiveLookups({Ecosystem.PYPI: registry}, cache=cache, now=lambda: NOW)
    yield lookups
    lookups.close()


def test_each_name_is_asked_once_and_kept(
    live: LiveLookups, registry: FakeRegistry, cache: Cache
) -> None:
    found = live.look_up(Ecosystem.PYPI, ["a", "b", "a"])
    assert [found[name].verdict for name in "ab"] == [Verdict.REAL] * 2
    assert live.look_up(Ecosystem.PYPI, ["a"])["a"] is cache.kept[Ecosystem.PYPI, "a"]
    assert sorted(registry.asked) == ["a", "b"]


@pytest.mark.parametrize(
    ("said", "ttl"),
    [(Verdict.REAL, POSITIVE_TTL), (Verdict.ABSENT, NEGATIVE_TTL), (Verdict.SUSPECT, NEGATIVE_TTL)],
)
def test_verdicts_are_kept_for_their_time_then_shown_to_the_registry(
    live: LiveLookups, registry: FakeRegistry, cache: Cache, said: Verdict, ttl: timedelta
) -> None:
    cache.put_lookup(verdict("a", said, age=ttl - timedelta(seconds=1)))
    assert live.look_up(Ecosystem.PYPI, ["a"])["a"].verdict is said
    assert registry.asked == []
    old = verdict("a", said, age=ttl)
    cache.put_lookup(old)
    live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert dict(zip(registry.asked, registry.known, strict=True)) == {"a": old, "b": None}


def test_only_live_verdicts_are_taken_from_the_cache(
    live: LiveLookups, registry: FakeRegistry, cache: Cache
) -> None:
    cache.put_lookup(verdict("a", Verdict.ABSENT, source="snapshot:2026-01-01"))
    cache.put_lookup(verdict("b", Verdict.UNKNOWN))
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert {lookup.verdict for lookup in found.values()} == {Verdict.REAL}
    assert len(registry.asked) == 2


@pytest.mark.parametrize(("error", "asked"), [(UnansweredError, 2), (RegistryError, 1)])
def test_a_failure_is_unknown_never_kept_and_asked_again_while_others_get_answers(
    live: LiveLookups, registry: FakeRegistry, cache: Cache, error: type[RegistryError], asked: int
) -> None:
    """Not a third time: nobody got an answer in the second. A definite refusal only once."""
    registry.down, registry.error = {"b"}, error
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert found["a"].verdict is Verdict.REAL
    assert (found["b"].verdict, found["b"].reason) == (Verdict.UNKNOWN, "unreachable")
    assert "connection lost" in found["b"].evidence
    assert set(cache.kept) == {(Ecosystem.PYPI, "a")}
    assert (registry.asked.count("a"), registry.asked.count("b")) == (1, asked)


def test_a_second_pass_may_get_the_answer(live: LiveLookups, registry: FakeRegistry) -> None:
    registry.down, registry.recovers = {"b"}, True
    found = live.look_up(Ecosystem.PYPI, ["a", "b"])
    assert {lookup.verdict for lookup in found.values()} == {Verdict.REAL}
    assert registry.asked.count("b") == 2 <= PASSES


def test_a_no_counts_only_from_a_registry_that_has_its_canary(
    live: LiveLookups, registry: FakeRegistry, cache: Cache
) -> None:
    registry.real = set()
    lookup = live.look_up(Ecosystem.PYPI, ["nope"])["nope"]
    assert (lookup.verdict, lookup.reason) == (Verdict.UNKNOWN, "unreachable")
    assert "'pip'" in lookup.evidence
    assert not cache.kept


def test_the_canary_is_asked_for_once(live: LiveLookups, registry: FakeRegistry) -> None:
    found = live.look_up(Ecosystem.PYPI, ["no1", "no2", "no3"])
    live.look_up(Ecosystem.PYPI, ["no4"])
    assert {lookup.verdict for lookup in found.values()} == {Verdict.ABSENT}
    assert registry.asked.count(CANARIES[Ecosystem.PYPI]) == 1


def test_origins_and_descriptions(live: LiveLookups, registry: FakeRegistry) -> None:
    assert live.origin(Ecosystem.PYPI, "a").uploader == "somebody"
    registry.down = {"b"}
    assert live.descriptions(Ecosystem.PYPI, ["a", "b", "nobody"]) == {"a": "What a does."}


def test_versions_of_those_that_answer_in_time(live: LiveLookups, registry: FakeRegistry) -> None:
    registry.down = {"b"}
    found = live.versions(Ecosystem.PYPI, ["a", "b", "slow"], limit_s=0.2)
    assert found == {"a": ["1.0"]}
    assert live.versions(Ecosystem.PYPI, [], limit_s=0.2) == {}


def test_what_is_not_answered_within_the_limit_is_unknown_and_the_rest_stays(
    registry: FakeRegistry, cache: Cache
) -> None:
    live = LiveLookups({Ecosystem.PYPI: registry}, cache=cache, limit_s=0.2)
    began = time.monotonic()
    found = live.look_up(Ecosystem.PYPI, ["a", "slow"])
    found |= live.look_up(Ecosystem.PYPI, ["b"])  # the limit is of all look-ups together
    assert live.versions(Ecosystem.PYPI, ["slow"], limit_s=9) == {}
    assert time.monotonic() - began < 1
    live.close()
    assert {name: (one.verdict, one.reason) for name, one in found.items()} == {
        "a": (Verdict.REAL, "real"), "slow": (Verdict.UNKNOWN, "unreachable"),
        "b": (Verdict.UNKNOWN, "unreachable"),
    }  # fmt: skip
    assert "more than 0.2 s" in found["slow"].evidence
    assert list(cache.kept) == [(Ecosystem.PYPI, "a")]


def test_an_ecosystem_that_was_not_set_up(live: LiveLookups) -> None:
    assert live.look_up(Ecosystem.NPM, ["react"])["react"].reason == "unreachable"
    with pytest.raises(RegistryError, match="no live npm registry"):
        live.origin(Ecosystem.NPM, "a")
    with pytest.raises(RegistryError, match="no live npm registry"):
        live.descriptions(Ecosystem.NPM, ["a"])


def test_closing_closes_what_it_was_given_once(registry: FakeRegistry) -> None:
    closed = []

    async def on_close() -> None:
        closed.append(True)

    live = LiveLookups({Ecosystem.PYPI: registry}, on_close=on_close)
    live.look_up(Ecosystem.PYPI, ["a"])
    live.close()
    live.close()
    assert closed == [True]


async def test_each_ecosystem_has_a_registry_and_a_host_one_queue() -> None:
    clients = open_clients()
    registries = live_registries(clients)
    await close_clients(clients)
    assert [registries[ecosystem].ecosystem for ecosystem in ASKED] == list(ASKED)
    assert all(client.http.is_closed for client in clients.values())
    pypi, npm = (
        clients[ecosystem].hosts.of("https://index.example.test") for ecosystem in PROMPTED
    )
    assert pypi is npm


@pytest.mark.online
def test_public_registries_answer() -> None:
    with default_judge(Mode.LIVE) as judge:
        pip = judge.names(Ecosystem.PYPI, ["pip"])["pip"]
        npm = judge.names(Ecosystem.NPM, ["npm"])["npm"]
    assert (pip.verdict, npm.verdict) == (Verdict.REAL, Verdict.REAL)
    assert "first seen" in pip.evidence


# Proxies and certificates

CA_VARIABLES = ("PIP_CERT", "npm_config_cafile", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")  # fmt: skip
AT = endpoint("http://index.example.test/simple", "test")


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the machine's settings."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (*CA_VARIABLES, "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


class Proxy(HTTPServer):
    """Answers everything itself, and notes what it was asked, and with which credentials."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.address = f"127.0.0.1:{self.server_port}"


class _Handler(QuietHandler):
    server: Proxy

    def do_GET(self) -> None:  # noqa: N802
        self.server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        super().do_GET()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with served(Proxy()) as server:
        yield server


async def get(ecosystem: Ecosystem, url: str) -> list[int]:
    """The statuses that both clients get; 0 where they can't connect."""
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
    """The program's own proxy comes before the environment's, and is for that program only."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv(variable, f"http://me:word@{proxy.address}")
    assert await get(ecosystem, "http://index.example.test/x") == [204, 204]
    assert proxy.asked == [("http://index.example.test/x", "Basic bWU6d29yZA==")] * 2
    if variable != "http_proxy":
        (other,) = set(PROMPTED) - {ecosystem}
        assert await get(other, "http://index.example.test/x") == [0, 0]


@pytest.mark.parametrize("variable", ["npm_config_noproxy", "NO_PROXY"])
async def test_hosts_that_are_asked_directly(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("npm_config_proxy", "http://127.0.0.1:9")
    assert await get(Ecosystem.NPM, f"http://{proxy.address}/x") == [0, 0]
    monkeypatch.setenv(variable, "example.test, 127.0.0.1")
    assert await get(Ecosystem.NPM, f"http://{proxy.address}/x") == [204, 204]


@pytest.mark.parametrize("address", ["ftp://me:word@127.0.0.1", "http://me:word@[::"])
def test_a_proxy_that_cannot_be_used_is_named_by_its_setting(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("PIP_PROXY", address)
    with pytest.raises(ConfigError) as caught:
        open_client(Ecosystem.PYPI, AT)
    assert str(caught.value) == "PIP_PROXY: the proxy's address can't be used"


def test_credentials_go_to_the_registry_only() -> None:
    index = endpoint("https://me:secret@index.example.test/simple", "test")
    with open_client(Ecosystem.PYPI, index) as client:
        for url, sent in [
            ("https://index.example.test/files/a", True),
            ("https://index.example.test:444/files/a", False),
            ("http://index.example.test/files/a", False),
            ("https://files.example.test/a", False),
        ]:
            request = next(client.auth.sync_auth_flow(httpx.Request("GET", url)))  # type: ignore[union-attr]
            assert ("Authorization" in request.headers) is sent


@pytest.mark.parametrize("variable", CA_VARIABLES)
async def test_every_setting_is_believed_by_both_clients(
    https_server: str, certificate: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert await get(Ecosystem.PYPI, https_server) == [0, 0]
    monkeypatch.setenv(variable, str(certificate))
    assert await get(Ecosystem.PYPI, https_server) == [204, 204]


@pytest.mark.parametrize("variable", CA_VARIABLES[:-1])
def test_a_setting_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    bundle = tmp_path / "bundle.pem"
    monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(ConfigError, match=r"bundle\.pem"):
        open_client(Ecosystem.PYPI, AT)
    bundle.write_bytes(b"no certificate")
    with pytest.raises(ConfigError, match="can't be read as certificates"):
        trusted()


@pytest.mark.parametrize("as_list", [False, True])
async def test_certificates_that_npms_settings_hold_are_believed(
    https_server: str, certificate: Path, tmp_path: Path, as_list: bool
) -> None:
    pem = certificate.read_text().strip().replace("\n", "\\n")
    lines = [f'ca[]="{pem}"', f'ca[]="{pem}"'] if as_list else [f'ca="{pem}"']
    (tmp_path / ".npmrc").write_text("\n".join(lines))
    assert await get(Ecosystem.NPM, https_server) == [204, 204]
    (tmp_path / ".npmrc").write_text("ca=null")
    assert await get(Ecosystem.NPM, https_server) == [0, 0]
    (tmp_path / ".npmrc").write_text("ca=no certificate")
    with pytest.raises(ConfigError, match="npm's 'ca'"):
        trusted()


def test_a_folder_of_certificates_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert trusted().verify_mode is ssl.CERT_REQUIRED
