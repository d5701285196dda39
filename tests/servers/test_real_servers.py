"""Verdicts from real registries on the loopback: two kinds of PyPI's, and npm's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.interface import Registry
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints, NpmSettings
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.rules import AgeRule
from ghostbust.registries.transport import Client, Patience

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.conftest import NpmServer, PyPIServer

PATIENCE = Patience(attempts=3, initial_s=0.1, jitter_s=0)


@contextmanager
def asking(make: Callable[[Client], Registry], cutoff: date | None = None) -> Iterator[Judge]:
    """A live judge with the one registry, no snapshot and no cache."""
    client = Client(httpx.AsyncClient(trust_env=False, timeout=30, http2=True), PATIENCE)
    registry = make(client)
    live = LiveLookups({registry.ecosystem: registry}, on_close=client.http.aclose)
    age = None if cutoff is None else AgeRule(cutoff, {})
    with Judge(Mode.LIVE, snapshots={}, live=live, age=age) as judge:
        yield judge


def reasons(found: Mapping[str, Lookup]) -> dict[str, tuple[Verdict, str]]:
    return {name: (lookup.verdict, lookup.reason) for name, lookup in found.items()}


def test_pypiserver(pypi_server: PyPIServer) -> None:
    with asking(lambda client: PyPIRegistry(client, endpoint(pypi_server.url, "test"))) as judge:
        found = judge.names(Ecosystem.PYPI, ["zz-real-1", "ZZ_Real.2", "zz-absent", "os", "a b"])
        assert reasons(found) == {
            "zz-real-1": (Verdict.REAL, "registered"),
            "ZZ_Real.2": (Verdict.REAL, "registered"),
            "zz-absent": (Verdict.ABSENT, "not-registered"),
            "os": (Verdict.BUILTIN, "builtin"),
            "a b": (Verdict.ABSENT, "invalid-name"),
        }
        assert "active, 1 files" in found["zz-real-1"].evidence
        assert judge.origin(Ecosystem.PYPI, "zz-real-1").first_released is None, "HTML tells none"
        pypi_server.publish("zz-late")
        late = judge.names(Ecosystem.PYPI, ["zz-late"])["zz-late"]
        assert late.verdict is Verdict.REAL


def test_simple_repository_server(json_server: PyPIServer) -> None:
    """PEP 691: JSON, which tells when the files were published."""
    with asking(lambda client: PyPIRegistry(client, endpoint(json_server.url, "test"))) as judge:
        found = judge.names(Ecosystem.PYPI, ["zz-real-1", "ZZ_Real.2", "zz-absent"])
        assert reasons(found) == {
            "zz-real-1": (Verdict.REAL, "registered"),
            "ZZ_Real.2": (Verdict.REAL, "registered"),
            "zz-absent": (Verdict.ABSENT, "not-registered"),
        }
        first = judge.origin(Ecosystem.PYPI, "zz-real-1").first_released
        assert first is not None
        assert abs((utc_now() - first).total_seconds()) < 3600


def test_verdaccio(npm_server: NpmServer) -> None:
    at = NpmEndpoints(endpoint(npm_server.url, "test"))
    with asking(lambda client: NpmRegistry(client, at)) as judge:
        names = ["zz-real-1", "ZZ-Real-2", "zz-absent", "@scope/tool", "@scope/no", "zz-held", "fs"]
        found = judge.names(Ecosystem.NPM, names)
        assert reasons(found) == {
            "zz-real-1": (Verdict.REAL, "registered"),
            "ZZ-Real-2": (Verdict.REAL, "registered"),
            "zz-absent": (Verdict.ABSENT, "not-registered"),
            "@scope/tool": (Verdict.REAL, "registered"),
            "@scope/no": (Verdict.ABSENT, "not-registered"),
            "zz-held": (Verdict.SUSPECT, "security-holding"),
            "fs": (Verdict.BUILTIN, "builtin"),
        }
        assert found["zz-held"].first_released is not None
        origin = judge.origin(Ecosystem.NPM, "zz-real-1")
        assert origin.first_released is not None
        assert abs((utc_now() - origin.first_released).total_seconds()) < 3600


@pytest.mark.parametrize(
    ("cutoff", "expected"),
    [
        (date(2020, 1, 2), (Verdict.SUSPECT, "younger-than-model")),
        (date(2999, 1, 2), (Verdict.REAL, "registered")),
    ],
)
def test_the_age_of_a_package(
    json_server: PyPIServer, npm_server: NpmServer, cutoff: date, expected: tuple[Verdict, str]
) -> None:
    young = AgeRule(cutoff, {}).may_be_young
    at = NpmEndpoints(endpoint(npm_server.url, "test"))
    makes: tuple[Callable[[Client], Registry], ...] = (
        lambda client: PyPIRegistry(client, endpoint(json_server.url, "test")),
        lambda client: NpmRegistry(client, at, may_be_young=young),
    )
    for ecosystem, make in zip((Ecosystem.PYPI, Ecosystem.NPM), makes, strict=True):
        with asking(make, cutoff) as judge:
            lookup = judge.names(ecosystem, ["zz-real-1"])["zz-real-1"]
        assert (lookup.verdict, lookup.reason) == expected


def test_a_private_scope_needs_the_token_of_the_npmrc(
    npm_server: NpmServer, tmp_path: Path
) -> None:
    """Without it the registry refuses, which says nothing of the name."""
    host = npm_server.url.removeprefix("http:")
    lines = [f"registry={npm_server.url}/", f"@private:registry={npm_server.url}/"]
    found = {}
    for told in ([], [f"{host}/:_authToken={npm_server.token}"]):
        (tmp_path / ".npmrc").write_text("\n".join([*lines, *told]))
        at = NpmSettings(tmp_path / "none", {}, tmp_path).endpoints()
        with asking(lambda client, at=at: NpmRegistry(client, at)) as judge:  # type: ignore[misc]
            found[bool(told)] = judge.names(Ecosystem.NPM, ["@private/tool"])["@private/tool"]
    assert found[True].verdict is Verdict.REAL
    assert (found[False].verdict, found[False].reason) == (Verdict.UNKNOWN, "unreachable")
    assert npm_server.token not in found[True].evidence + found[False].evidence
