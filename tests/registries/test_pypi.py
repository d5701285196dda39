"""What a Simple API answer says of a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.pypi import PyPIRegistry
from ghostbust.registries.transport import Patience

KIND = "application/vnd.pypi.simple.v1+json"
HASTE = Patience(attempts=2, initial_s=0, floor_s=0, jitter_s=0)


def page(**changes: Any) -> dict[str, Any]:
    """A Simple API page of a project with two files."""
    files = [
        {"filename": "x-2.tar.gz", "upload-time": "2024-05-06T07:08:09.1Z"},
        {"filename": "x-1.tar.gz", "upload-time": "2019-01-02T03:04:05.6Z"},
    ]
    return {"meta": {"api-version": "1.4"}, "name": "x", "files": files, **changes}


async def look_up(
    handle: Callable[[httpx.Request], httpx.Response], name: str = "Some_Name"
) -> Lookup:
    at = endpoint("https://me:s3cret@index.example.test/simple/", "test")
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        return await PyPIRegistry(client, at, patience=HASTE).look_up(name)


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


@pytest.mark.parametrize(
    "document",
    [{}, {"meta": {}, "files": []}, page(meta={"api-version": "2.0"}), page(files=None),
     {"message": "hello"}],
)  # fmt: skip
async def test_another_document_is_no_answer(document: object) -> None:
    with pytest.raises(RegistryError, match="no Simple API page"):
        await look_up(sends(document))


async def test_an_index_that_offers_html_only_is_no_answer() -> None:
    with pytest.raises(RegistryError, match="text/html"):
        await look_up(lambda request: httpx.Response(200, html="<a>x-1.tar.gz</a>"))
