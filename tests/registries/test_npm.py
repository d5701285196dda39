"""What an npm answer says of a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.npm import NpmRegistry
from ghostbust.registries.npm_config import NpmEndpoints
from ghostbust.registries.transport import Client
from tests.registries.conftest import HASTE

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


Handle = Callable[[httpx.Request], httpx.Response]


async def look_up(
    handle: Handle,
    name: str = "x",
    *,
    known: Lookup | None = None,
    may_be_young: Callable[[str, datetime], bool] = lambda _name, _changed: False,
) -> Lookup:
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        registry = NpmRegistry(Client(http, HASTE), ENDPOINTS, may_be_young=may_be_young)
        return await registry.look_up(name, known)


def sends(content: object) -> Handle:
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


UNPUBLISHED = {"unpublished": {"time": "2020-03-04T05:06:07.000Z"}}


@pytest.mark.parametrize(
    ("content", "reason", "evidence"),
    [
        (document("1.0.0", "1.1.0"), "registered",
         "2 versions, latest 1.1.0, last changed 2025-03-04"),
        (document("0.0.1-security"), SuspectReason.SECURITY_HOLDING,
         "latest version 0.0.1-security"),
        (document("0.0.2-security.3"), SuspectReason.SECURITY_HOLDING, "0.0.2-security.3"),
        (document("1.0.0", "0.0.1-security", **{"dist-tags": None}),
         SuspectReason.SECURITY_HOLDING, "0.0.1-security"),
        (document("0.0.1-security", "1.0.0"), "registered", "latest 1.0.0"),
        (document(versions=None, time=UNPUBLISHED),
         SuspectReason.NO_RELEASES, "unpublished 2020-03-04"),
        (document(), SuspectReason.NO_RELEASES, "registered, without any version"),
    ],
)  # fmt: skip
async def test_verdicts(content: dict[str, Any], reason: str, evidence: str) -> None:
    lookup = await look_up(sends(content))
    verdict = Verdict.REAL if reason == "registered" else Verdict.SUSPECT
    assert (lookup.verdict, lookup.reason, lookup.source) == (verdict, reason, "live")
    assert evidence in lookup.evidence


@pytest.mark.parametrize("content", [{"error": "hello"}, document("1.0.0", name="y")])
async def test_another_document_is_no_answer(content: dict[str, Any]) -> None:
    with pytest.raises(RegistryError, match="document"):
        await look_up(sends(content))


class Npm:
    """A registry that holds the given full documents, and what it was asked."""

    def __init__(self, *documents: dict[str, Any]) -> None:
        self.documents = {document["name"]: document for document in documents}
        self.asked: list[tuple[str, bool]] = []
        """name, and whether the abbreviated document would do"""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.strip("/")
        short = "install-v1" in request.headers["Accept"]
        self.asked.append((name, short))
        if name not in self.documents:
            return httpx.Response(404, json={"error": "not found"})
        if request.headers.get("If-None-Match") == '"e"':
            return httpx.Response(304)
        told = self.documents[name]
        if short:
            told = {key: told[key] for key in told if key not in ("time", "maintainers")}
        return httpx.Response(200, json=told, headers={"ETag": '"e"'})


async def test_the_full_document_is_asked_for_suspects_only() -> None:
    gone = {"name": "gone", "time": UNPUBLISHED}
    npm = Npm(document("1.0.0"), gone)
    assert (await look_up(npm)).verdict is Verdict.REAL
    assert npm.asked == [("x", True)]
    assert (await look_up(npm, "gone")).reason == SuspectReason.NO_RELEASES
    assert npm.asked[1:] == [("gone", True), ("gone", False)]


async def test_the_age_is_asked_for_where_it_matters() -> None:
    time = {"created": "2019-05-06T07:08:09.000Z", "1.0.0": "2020-01-01T00:00:00.000Z"}
    npm = Npm(document("1.0.0", time=time))
    asked: list[tuple[str, datetime]] = []

    def may_be_young(name: str, changed: datetime) -> bool:
        asked.append((name, changed))
        return True

    lookup = await look_up(npm, may_be_young=may_be_young)
    assert asked == [("x", datetime(2025, 3, 4, 5, 6, 7, tzinfo=UTC))]
    assert lookup.verdict is Verdict.REAL
    assert lookup.first_released == datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert "first seen 2019-05-06" in lookup.evidence
    assert (await look_up(npm)).first_released is None


async def test_capitals_are_tried_as_written_and_then_in_lower_case() -> None:
    npm = Npm(document("1.0.0", name="React"), document("1.0.0", name="vue"))
    assert (await look_up(npm, "React")).verdict is Verdict.REAL
    assert npm.asked == [("React", True)]
    lookup = await look_up(npm, "Vue")
    assert npm.asked[1:] == [("Vue", True), ("vue", True)]
    assert (lookup.name, lookup.verdict, lookup.validator) == ("Vue", Verdict.REAL, "")
    assert lookup.evidence.startswith("Vue: 404; ")
    lookup = await look_up(npm, "Nope")
    assert (lookup.name, lookup.verdict) == ("Nope", Verdict.ABSENT)


async def test_an_unchanged_document_renews_what_it_said_before() -> None:
    npm = Npm(document("1.0.0"))
    first = await look_up(npm)
    old = replace(first, looked_up_at=first.looked_up_at - timedelta(days=9))
    assert await look_up(npm, known=old) == replace(first, looked_up_at=utc_now())


async def test_the_origin_of_a_name() -> None:
    people = [{"name": "squat", "email": "s@mail.test"}, "plain"]
    full = document("1.0.0", time={"created": "2026-05-06T07:08:09.000Z"}, maintainers=people)
    full["versions"]["1.0.0"] = {"_npmUser": {"name": "bot"}}
    async with httpx.AsyncClient(transport=httpx.MockTransport(Npm(full))) as http:
        origin = await NpmRegistry(Client(http, HASTE), ENDPOINTS).origin("x")
    assert origin.first_released == datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert origin.uploader == "squat <s@mail.test>, plain, published by bot"
    assert "1 versions" in origin.evidence


async def test_the_description_is_that_of_the_latest_version() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.raw_path.decode())
        told = {"name": "x", "description": "Draws\n charts."} if "two" not in asked[-1] else {}
        return httpx.Response(404 if "gone" in asked[-1] else 200, json=told)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        npm = NpmRegistry(Client(http, HASTE), ENDPOINTS)
        assert await npm.description("@acme/one") == "Draws charts."
        assert await npm.description("two") == ""
        assert await npm.description("gone") == ""
    assert asked[0].endswith("/@acme%2fone/latest")
