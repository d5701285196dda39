"""What an npm answer says of a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.transport import Patience

HASTE = Patience(attempts=2, initial_s=0, floor_s=0, jitter_s=0)
ENDPOINTS = NpmEndpoints(
    endpoint("https://npm.example.test/", "test"),
    {"@own": endpoint("https://own.example.test/npm/", "test", authorization="Bearer t")},
)


def document(*versions: str, **changes: Any) -> dict[str, Any]:
    """An abbreviated package document."""
    return {
        "name": "x",
        "modified": "2025-03-04T05:06:07.000Z",
        "dist-tags": {"latest": versions[-1]} if versions else {},
        "versions": {version: {} for version in versions},
        **changes,
    }


async def look_up(handle: Callable[[httpx.Request], httpx.Response], name: str = "x") -> Lookup:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        return await NpmRegistry(client, ENDPOINTS, patience=HASTE).look_up(name)


def sends(content: object) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(200, json=content)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("JSONStream", "https://npm.example.test/JSONStream"),
        ("@scope/name", "https://npm.example.test/@scope%2fname"),
        ("@own/name", "https://own.example.test/npm/@own%2fname"),
    ],
)
async def test_where_and_how_it_asks(name: str, url: str) -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(404)

    lookup = await look_up(handle, name)
    assert (lookup.ecosystem, lookup.name) == (Ecosystem.NPM, name)
    assert (lookup.verdict, lookup.reason) == (Verdict.ABSENT, "not-registered")
    assert str(requests[0].url).lower() == url.lower()
    assert "vnd.npm.install-v1+json" in requests[0].headers["Accept"]
    assert ("Authorization" in requests[0].headers) is name.startswith("@own/")


async def test_real() -> None:
    lookup = await look_up(sends(document("1.0.0", "1.1.0")))
    assert (lookup.verdict, lookup.reason, lookup.source) == (Verdict.REAL, "registered", "live")
    assert "latest 1.1.0, last changed 2025-03-04" in lookup.evidence


@pytest.mark.parametrize("version", ["0.0.1-security", "0.0.2-security.3"])
async def test_security_holding(version: str) -> None:
    lookup = await look_up(sends(document(version)))
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, SuspectReason.SECURITY_HOLDING)


async def test_a_hold_without_tags_and_an_old_hold_that_was_left() -> None:
    untagged = document("1.0.0", "0.0.1-security", **{"dist-tags": None})
    assert (await look_up(sends(untagged))).reason == SuspectReason.SECURITY_HOLDING
    left = document("0.0.1-security", "1.0.0")
    assert (await look_up(sends(left))).verdict is Verdict.REAL


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": None, "time": {"unpublished": {"time": "2020-01-01T00:00:00.000Z"}}},
        {"versions": {}},
    ],
)
async def test_no_releases(changes: dict[str, Any]) -> None:
    lookup = await look_up(sends(document(**changes)))
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, SuspectReason.NO_RELEASES)
    assert ("unpublished" in lookup.evidence) is ("time" in changes)


async def test_another_document_is_no_answer() -> None:
    with pytest.raises(RegistryError, match="no npm package document"):
        await look_up(sends({"error": "hello"}))
