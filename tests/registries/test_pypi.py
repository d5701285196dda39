"""What a Simple API answer says of a name, what counts as an answer, and several indexes as one."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ghostbust.errors import RegistryError, UnansweredError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.interface import Origin
from ghostbust.registries.pypi import (
    HTML_TYPES,
    JSON_TYPES,
    Indexes,
    ProjectPage,
    PyPIRegistry,
    aware_time,
    is_file_of,
    read_page,
)
from ghostbust.registries.transport import Client, NoAnswerError, Reply
from tests.registries.conftest import HASTE

KIND = JSON_TYPES[0]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
FIRST = datetime(2019, 1, 2, 3, 4, 5, 600_000, UTC)

Handle = Callable[[httpx.Request], httpx.Response]


def page(**changes: Any) -> dict[str, Any]:
    """A Simple API page of a project with two files."""
    files = [
        {"filename": "x-2.tar.gz", "upload-time": "2024-05-06T07:08:09.1Z"},
        {"filename": "x-1.tar.gz", "upload-time": "2019-01-02T03:04:05.6Z"},
    ]
    return {"meta": {"api-version": "1.4"}, "name": "some-name", "files": files, **changes}


@asynccontextmanager
async def registry(handle: Handle) -> AsyncIterator[PyPIRegistry]:
    at = endpoint("https://me:s3cret@index.example.test/simple/", "test")
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        yield PyPIRegistry(Client(http, HASTE), at)


async def look_up(handle: Handle, known: Lookup | None = None) -> Lookup:
    async with registry(handle) as index:
        return await index.look_up("Some_Name", known)


def sends(document: object, **headers: str) -> Handle:
    kind = {"Content-Type": KIND}
    return lambda request: httpx.Response(200, json=document, headers=kind | headers)


async def test_real_with_the_day_it_was_first_seen() -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return sends(page())(request)

    lookup = await look_up(handle)
    assert (lookup.ecosystem, lookup.name) == (Ecosystem.PYPI, "some-name")
    assert (lookup.verdict, lookup.reason) == (Verdict.REAL, "registered")
    assert (lookup.source, lookup.first_released) == ("live", FIRST)
    assert "first seen 2019-01-02" in lookup.evidence
    assert "s3cret" not in lookup.evidence
    assert str(requests[0].url) == "https://index.example.test/simple/some-name/"
    assert requests[0].headers["Authorization"].startswith("Basic ")
    assert requests[0].headers["Accept"].startswith(f"{KIND}, ")


@pytest.mark.parametrize(
    ("document", "verdict", "reason", "evidence"),
    [
        (None, Verdict.ABSENT, "not-registered", "404"),
        (page(files=[]), Verdict.SUSPECT, SuspectReason.NO_RELEASES, "without any file"),
        (page(files=[], **{"project-status": {"status": "quarantined"}}),
         Verdict.SUSPECT, SuspectReason.QUARANTINED, "quarantined"),
        (page(**{"project-status": {"status": "quarantined"}}),
         Verdict.SUSPECT, SuspectReason.QUARANTINED, "quarantined"),
        (page(**{"project-status": {"status": "archived"}}),
         Verdict.REAL, "registered", "archived, 2 files, first seen 2019-01-02"),
        (page(files=[{"filename": "x-1.tar.gz"}]), Verdict.REAL, "registered", "active, 1 files"),
    ],
)  # fmt: skip
async def test_verdicts(document: object, verdict: Verdict, reason: str, evidence: str) -> None:
    lookup = await look_up(sends(document) if document else lambda _: httpx.Response(404))
    assert (lookup.verdict, lookup.reason) == (verdict, reason)
    assert lookup.evidence.endswith(evidence)


async def test_html_and_what_is_no_answer() -> None:
    body = '<!DOCTYPE html><html><body><a href="../../f">some_name-1.0.tar.gz</a></body></html>'
    lookup = await look_up(lambda request: httpx.Response(200, html=body))
    assert (lookup.verdict, lookup.first_released) == (Verdict.REAL, None)
    with pytest.raises(RegistryError, match="no Simple API page"):
        await look_up(sends({"message": "hello"}))
    with pytest.raises(RegistryError, match="neither a file of the project nor a version tag"):
        await look_up(lambda request: httpx.Response(200, html="<html>Please log in</html>"))


async def test_an_unchanged_page_renews_what_it_said_before() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.headers.get("If-None-Match") == '"e"':
            return httpx.Response(304)
        return sends(page(), ETag='"e"')(request)

    first = await look_up(handle)
    old = replace(first, looked_up_at=first.looked_up_at - timedelta(days=9))
    assert await look_up(handle, known=old) == replace(first, looked_up_at=utc_now())


PROJECT = {
    "info": {"author": "A. Squatter", "author_email": "a@mail.test", "maintainer": None},
    "ownership": {"roles": [{"role": "Owner", "user": "squat"}], "organization": None},
}


@pytest.mark.parametrize(
    ("answer", "uploader"),
    [
        (httpx.Response(200, json=PROJECT), "A. Squatter, a@mail.test, Owner squat"),
        (httpx.Response(404), ""),
        (httpx.Response(403), ""),
    ],
)
async def test_the_origin_of_a_name(answer: httpx.Response, uploader: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return answer if request.url.path == "/pypi/some-name/json" else sends(page())(request)

    async with registry(handle) as index:
        origin = await index.origin("Some_Name")
    assert (origin.first_released, origin.uploader) == (FIRST, uploader)
    assert "2 files" in origin.evidence


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({"summary": " Reads\n tide gauges. "}, "Reads tide gauges."),
        ({"summary": None}, ""),
        ({}, ""),
        (None, ""),
    ],
)
async def test_the_description_is_the_project_pages_summary(info: object, said: str) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/pypi/some-name/json"
        return httpx.Response(200, json={"info": info})

    async with registry(handle) as index:
        assert await index.description("Some_Name") == said
    async with registry(lambda request: httpx.Response(404)) as index:
        assert await index.description("some-name") == "", "there is no such page"
    async with registry(lambda request: httpx.Response(403)) as index:
        with pytest.raises(RegistryError):
            await index.description("some-name")


# Several indexes


class Index:
    """An index that has one name, or that can't be asked."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, label: str, has: str = "", verdict: Verdict = Verdict.REAL) -> None:
        self.label, self.has, self.verdict = label, has, verdict
        self.asked: list[tuple[str, Lookup | None]] = []

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        self.asked.append((name, known))
        if self.label == "down":
            raise UnansweredError("down: can't be reached")
        verdict = self.verdict if name == self.has else Verdict.ABSENT
        return Lookup(
            Ecosystem.PYPI, name, verdict, "any", f"{self.label}: {verdict}", "live", NOW,
            validator=f"of {self.label}",
        )  # fmt: skip

    async def origin(self, name: str) -> Origin:
        return Origin(None, "", f"{name} at {self.label}")

    async def description(self, name: str) -> str:
        return f"{name} at {self.label}"

    async def versions(self, name: str) -> Sequence[str]:
        return [self.label]


async def test_the_first_that_has_the_name_decides_and_the_others_arent_asked() -> None:
    main, one, two = Index("main", "a"), Index("one", "b"), Index("two", "b")
    indexes = Indexes(main, one, two)
    found = await indexes.look_up("a")
    assert (found.verdict, found.evidence, found.validator) == (
        Verdict.REAL, "main: REAL", "of main",
    )  # fmt: skip
    assert one.asked == []
    found = await indexes.look_up("b")
    assert (found.verdict, found.evidence) == (Verdict.REAL, "one: REAL")
    assert two.asked == []
    suspect = Index("main", "a", Verdict.SUSPECT)
    assert (await Indexes(suspect, Index("one", "a")).look_up("a")).verdict is Verdict.SUSPECT


async def test_absent_takes_all_of_them() -> None:
    found = await Indexes(Index("main"), Index("one"), Index("two")).look_up("a")
    assert found.verdict is Verdict.ABSENT
    assert found.evidence == "main: ABSENT; one: ABSENT; two: ABSENT"


async def test_one_that_cannot_be_asked_leaves_no_absent() -> None:
    with pytest.raises(UnansweredError, match="down"):
        await Indexes(Index("main"), Index("down"), Index("two")).look_up("a")
    found = await Indexes(Index("main"), Index("down"), Index("two", "a")).look_up("a")
    assert found.verdict is Verdict.REAL
    extra = Index("one", "a")
    with pytest.raises(RegistryError):
        await Indexes(Index("down"), extra).look_up("a")
    assert extra.asked == []


async def test_validators_are_the_main_indexs_only() -> None:
    main, extra = Index("main"), Index("one", "b")
    found = await Indexes(main, extra).look_up("b")
    assert found.validator == ""
    await Indexes(main, extra).look_up("b", found)
    assert (main.asked[-1], extra.asked[-1]) == (("b", found), ("b", None))


@pytest.mark.parametrize(("name", "holder"), [("b", "one"), ("c", "main")])
async def test_origin_and_description_are_those_of_the_index_that_has_it(
    name: str, holder: str
) -> None:
    indexes = Indexes(Index("main", "a"), Index("one", "b"))
    assert (await indexes.origin(name)).evidence == f"{name} at {holder}"
    assert await indexes.description(name) == f"{name} at {holder}"


# What counts as a project's page

VERSION_TAG = '<meta name="pypi:repository-version" content="1.0">'
PLACE = "https://index.example.test/simple/x/"


def html(body: str, head: str = "") -> Reply:
    text = f"<!DOCTYPE html>\n<html><head>{head}</head><body>{body}</body></html>\n"
    return Reply(True, PLACE, "text/html", text.encode())


def document(changes: dict[str, object], kind: str = KIND) -> Reply:
    fields = {"meta": {"api-version": "1.4"}, "name": "x", "files": [], **changes}
    return Reply(True, PLACE, kind, json.dumps(fields).encode())


def test_json() -> None:
    files = [{"filename": "x-1.tar.gz", "upload-time": "2019-01-02T03:04:05.6Z"}, {}, 3]
    status = {"status": "some-new-status"}
    read = read_page("x", document({"files": files, "project-status": status}))
    assert read == ProjectPage(3, "some-new-status", FIRST, None)
    assert read_page("x", document({}, JSON_TYPES[1])) == ProjectPage(0, "active", None, [])


@pytest.mark.parametrize(
    "changes",
    [{"meta": None}, {"meta": {}}, {"meta": {"api-version": "2.0"}}, {"files": None},
     {"name": "y"}, {"name": None}],
)  # fmt: skip
def test_json_of_something_else(changes: dict[str, object]) -> None:
    with pytest.raises(NoAnswerError):
        read_page("x", document(changes))


def test_html_needs_a_file_of_the_project_or_a_known_version_and_may_have_a_status() -> None:
    names = ("x-1.0.tar.gz", "x-1.0-py3-none-any.whl", "y-1.0.tar.gz", "LICENSE")
    links = "".join(f'<a href="/f/{name}#sha256=00">{name}</a>' for name in names)
    assert read_page("x", html(links)) == ProjectPage(2, "active", None, None)
    with pytest.raises(NoAnswerError, match="version tag"):
        read_page("x", html("<h1>Links for x</h1>"))
    assert read_page("x", html("", VERSION_TAG)) == ProjectPage(0, "active", None, [])
    with pytest.raises(NoAnswerError, match="version 1"):
        read_page("x", html("", VERSION_TAG.replace("1.0", "2.0")))
    tags = VERSION_TAG + '<meta name="pypi:project-status" content="quarantined">'
    assert read_page("x", html("", tags)).status == "quarantined"


@pytest.mark.parametrize("kind", HTML_TYPES)
def test_html_that_is_cut(kind: str) -> None:
    whole = replace(html('<a href="/f">x-1.0.tar.gz</a>'), kind=kind)
    assert read_page("x", whole).files == 1
    for end in range(0, len(whole.body) - 2, 7):
        with pytest.raises(NoAnswerError):
            read_page("x", replace(whole, body=whole.body[:end]))


@pytest.mark.parametrize(
    ("filename", "theirs"),
    [
        ("zope.interface-5.0.tar.gz", True),
        ("zope_interface-5.0-cp39-cp39-win32.whl", True),
        ("zope.interface-5.0-py2.7-win-amd64.egg", True),
        ("zope.interface-5.0.win32-py2.7.exe", True),
        ("zope.interface-some.version.tar.bz2", True),
        ("zope.interface_extra-1.0.tar.gz", False),
        ("zope.interfaces-1.0.tar.gz", False),
        ("zope.interface", False),
        ("zope.interface.html", False),
        ("", False),
    ],
)
def test_whose_file_it_is(filename: str, theirs: bool) -> None:
    assert is_file_of("zope-interface", filename) is theirs


def test_times() -> None:
    assert aware_time("2020-01-02T03:04:05Z") == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert aware_time("2020-01-02T03:04:05") == datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert [aware_time(text) for text in ("yesterday", "", None, 3)] == [None] * 4
