"""What a Simple API answer says of a name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.transport import Client, Patience, endpoint

KIND = "application/vnd.pypi.simple.v1+json"
HASTE = Patience(attempts=2, initial_s=0, floor_s=0, jitter_s=0)


def page(**changes: Any) -> dict[str, Any]:
    """A Simple API page of a project with two files."""
    files = [
        {"filename": "x-2.tar.gz", "upload-time": "2024-05-06T07:08:09.1Z"},
        {"filename": "x-1.tar.gz", "upload-time": "2019-01-02T03:04:05.6Z"},
    ]
    return {"meta": {"api-version": "1.4"}, "name": "some-name", "files": files, **changes}


Handle = Callable[[httpx.Request], httpx.Response]


@asynccontextmanager
async def registry(handle: Handle) -> AsyncIterator[PyPIRegistry]:
    at = endpoint("https://me:s3cret@index.example.test/simple/", "test")
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        yield PyPIRegistry(Client(http, HASTE), at)


async def look_up(handle: Handle, name: str = "Some_Name", known: Lookup | None = None) -> Lookup:
    async with registry(handle) as index:
        return await index.look_up(name, known)


def sends(document: object) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(200, json=document, headers={"Content-Type": KIND})


async def test_real_with_the_day_it_was_first_seen() -> None:
    requests: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return sends(page())(request)

    lookup = await look_up(handle)
    assert (lookup.ecosystem, lookup.name) == (Ecosystem.PYPI, "some-name")
    assert (lookup.verdict, lookup.reason) == (Verdict.REAL, "registered")
    assert lookup.source == "live"
    assert "first seen 2019-01-02" in lookup.evidence
    assert "s3cret" not in lookup.evidence
    assert str(requests[0].url) == "https://index.example.test/simple/some-name/"
    assert requests[0].headers["Authorization"].startswith("Basic ")
    assert requests[0].headers["Accept"].startswith(f"{KIND}, ")
    assert lookup.first_released == datetime(2019, 1, 2, 3, 4, 5, 600_000, UTC)


async def test_absent() -> None:
    lookup = await look_up(lambda request: httpx.Response(404))
    assert (lookup.verdict, lookup.reason) == (Verdict.ABSENT, "not-registered")


async def test_no_releases() -> None:
    lookup = await look_up(sends(page(files=[])))
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, SuspectReason.NO_RELEASES)


@pytest.mark.parametrize("files", [[], page()["files"]])
async def test_quarantined(files: list[object]) -> None:
    document = page(files=files, **{"project-status": {"status": "quarantined"}})
    lookup = await look_up(sends(document))
    assert (lookup.verdict, lookup.reason) == (Verdict.SUSPECT, SuspectReason.QUARANTINED)


async def test_archived_and_deprecated_are_real() -> None:
    for status in ("archived", "deprecated"):
        lookup = await look_up(sends(page(**{"project-status": {"status": status}})))
        assert lookup.verdict is Verdict.REAL
        assert status in lookup.evidence


async def test_without_upload_times_the_day_is_left_out() -> None:
    lookup = await look_up(sends(page(files=[{"filename": "x-1.tar.gz"}])))
    assert lookup.verdict is Verdict.REAL
    assert "first seen" not in lookup.evidence


async def test_an_html_index() -> None:
    body = '<!DOCTYPE html><html><body><a href="../../f">some_name-1.0.tar.gz</a></body></html>'
    lookup = await look_up(lambda request: httpx.Response(200, html=body))
    assert (lookup.verdict, lookup.first_released) == (Verdict.REAL, None)
    assert "1 files" in lookup.evidence


async def test_a_page_that_is_none_is_no_answer() -> None:
    with pytest.raises(RegistryError, match="no Simple API page"):
        await look_up(sends({"message": "hello"}))
    with pytest.raises(RegistryError, match="neither a file of the project nor a version tag"):
        await look_up(lambda request: httpx.Response(200, html="<html>Please log in</html>"))


async def test_an_unchanged_page_renews_what_it_said_before() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.headers.get("If-None-Match") == '"e"':
            return httpx.Response(304)
        response = sends(page())(request)
        response.headers["ETag"] = '"e"'
        return response

    first = await look_up(handle)
    old = replace(first, looked_up_at=first.looked_up_at - timedelta(days=9))
    assert await look_up(handle, known=old) == replace(first, looked_up_at=utc_now())


async def test_the_origin_of_a_name() -> None:
    project = {
        "info": {"author": "A. Squatter", "author_email": "a@mail.test", "maintainer": None},
        "ownership": {"roles": [{"role": "Owner", "user": "squat"}], "organization": None},
    }

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/pypi/some-name/json":
            return httpx.Response(200, json=project)
        return sends(page())(request)

    async with registry(handle) as index:
        origin = await index.origin("Some_Name")
    assert origin.first_released == datetime(2019, 1, 2, 3, 4, 5, 600_000, UTC)
    assert origin.uploader == "A. Squatter, a@mail.test, Owner squat"
    assert "2 files" in origin.evidence


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(403)])
async def test_without_a_project_page_the_uploader_is_not_known(answer: httpx.Response) -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return answer if request.url.path.endswith("/json") else sends(page())(request)

    async with registry(handle) as index:
        origin = await index.origin("some-name")
    assert (origin.uploader, origin.first_released is None) == ("", False)


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


async def test_without_a_project_page_there_is_no_description() -> None:
    async with registry(lambda request: httpx.Response(404)) as index:
        assert await index.description("some-name") == ""
    async with registry(lambda request: httpx.Response(403)) as index:
        with pytest.raises(RegistryError):
            await index.description("some-name")
