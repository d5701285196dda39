"""The listing of an index: complete, unchanged, or an error that says why."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import DataError, RegistryError
from ghostbust.registries.sync import Listing, Validators, fetch_listing
from ghostbust.registries.transport import MAX_FILE_BYTES, Patience, Progress, Unchanged

URL = "https://index.example.test/simple"
TYPE = "application/vnd.pypi.simple.v1+json"
HASTE = Patience(attempts=3, initial_s=0, longest_s=0, jitter_s=0)
Answer = Callable[[httpx.Request], httpx.Response]


def page(*names: object, version: str = "1.3") -> bytes:
    projects = [{"name": name, "_last-serial": 7} for name in names]
    return json.dumps({"meta": {"api-version": version}, "projects": projects}).encode()


def response(body: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=body, headers={"Content-Type": TYPE, **headers})


def silent(_done: int, _total: int | None) -> None:
    """Shows no progress."""


def fetch(
    answer: Answer | httpx.Response,
    folder: Path,
    *,
    known: Validators | None = None,
    progress: Progress = silent,
    max_bytes: int = MAX_FILE_BYTES,
) -> Listing | Unchanged:
    send = answer if callable(answer) else lambda _request: answer
    with httpx.Client(transport=httpx.MockTransport(send)) as client:
        return fetch_listing(
            client, URL, folder, known=known or Validators(), progress=progress, patience=HASTE,
            max_bytes=max_bytes,
        )  # fmt: skip


def test_a_listing(tmp_path: Path) -> None:
    body = page("pip", "Flask_Cors", "flask-cors", "zope.interface", "not a name", 7)
    got = fetch(response(body, ETag='"e"', **{"Last-Modified": "then"}), tmp_path)
    assert isinstance(got, Listing)
    assert got.names == {"pip", "flask-cors", "zope-interface"}
    assert got.skipped == 2
    assert got.validators == Validators('"e"', "then")
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_bytes_received(tmp_path: Path) -> None:
    body, received = page("pip"), []
    headers = {"Content-Type": TYPE, "Content-Length": str(len(body))}
    parts = iter([body[:9], body[9:]])

    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=parts, headers=headers)

    fetch(answer, tmp_path, progress=lambda done, total: received.append((done, total)))
    assert received == [(9, len(body)), (len(body), len(body))]


def test_what_is_asked(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"{URL}/"
        assert request.headers["Accept"] == TYPE
        assert request.headers["User-Agent"].startswith("ghostbust/")
        assert "If-None-Match" not in request.headers
        return response(page("pip"))

    assert isinstance(fetch(answer, tmp_path), Listing)


def test_an_unchanged_listing(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["If-None-Match"] == '"e"'
        assert request.headers["If-Modified-Since"] == "then"
        return httpx.Response(304)

    assert fetch(answer, tmp_path, known=Validators('"e"', "then")) == Unchanged()


def test_unchanged_without_having_asked_for_changes_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="HTTP 304"):
        fetch(httpx.Response(304), tmp_path)


def test_a_compressed_listing(tmp_path: Path) -> None:
    body = gzip.compress(page("pip"))
    got = fetch(response(body, **{"Content-Encoding": "gzip"}), tmp_path)
    assert isinstance(got, Listing)
    assert got.names == {"pip"}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(403), "HTTP 403"),
        (httpx.Response(503), "HTTP 503"),
        (httpx.Response(200, html="<a>pip</a>"), "no listing as JSON"),
        (response(page("pip")[:-9]), "cut or broken"),
        (response(b"[]"), "cut or broken"),
        (response(b'{"meta": {}, "projects": []}'), "cut or broken"),
        (response(b"\xff\xfe\x00"), "cut or broken"),
        (response(b'{"meta": {"api-version": "1.0"}, "projects": {}}'), "version 1"),
        (response(page("pip", version="2.0")), "version 1"),
        (response(page("requests")), "lacks 'pip'"),
    ],
)
def test_what_is_no_listing(tmp_path: Path, answer: httpx.Response, said: str) -> None:
    with pytest.raises(RegistryError, match=said):
        fetch(answer, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("trouble", [httpx.Response(503), httpx.ReadError("broke off")])
def test_it_asks_again(tmp_path: Path, trouble: httpx.Response | httpx.ReadError) -> None:
    answers: list[httpx.Response | httpx.ReadError] = [trouble, trouble, response(page("pip"))]

    def answer(_request: httpx.Request) -> httpx.Response:
        one = answers.pop(0)
        if isinstance(one, httpx.ReadError):
            raise one
        return one

    assert isinstance(fetch(answer, tmp_path), Listing)
    assert answers == []


def test_an_index_that_cannot_be_reached(tmp_path: Path) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(RegistryError, match="can't be reached"):
        fetch(answer, tmp_path)


def test_a_listing_without_end(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="larger than 10 bytes"):
        fetch(response(page("pip")), tmp_path, max_bytes=10)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="can't keep"):
        fetch(response(page("pip")), tmp_path / "missing")
