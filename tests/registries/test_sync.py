"""A newer snapshot from what an index lists, or the old one and an error that says why."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import DataError, RegistryError
from ghostbust.records import SuspectReason
from ghostbust.registries.snapshot import NameRow, Snapshot
from ghostbust.registries.sync import (
    MAX_FILE_BYTES,
    Listing,
    Progress,
    Synced,
    attempts,
    check_status,
    fetch_listing,
    passing_file,
    save,
    sync_pypi,
)
from ghostbust.registries.transport import NoAnswerError
from tests.registries.conftest import HASTE, snapshot_of

URL = "https://index.example.test/simple"
TYPE = "application/vnd.pypi.simple.v1+json"
TODAY = date(2026, 2, 3)
ROWS = [NameRow("pip", 1), NameRow("sklearn", 2, SuspectReason.DECOY, "scikit-learn")]
ROWS += [NameRow(f"plain-{number}") for number in range(10)]
NAMES = [row.name for row in ROWS]

Answer = Callable[[httpx.Request], httpx.Response]


def page(*names: object, version: str = "1.3") -> bytes:
    projects = [{"name": name, "_last-serial": 7} for name in names]
    return json.dumps({"meta": {"api-version": version}, "projects": projects}).encode()


def response(body: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(200, content=body, headers={"Content-Type": TYPE, **headers})


def silent(_done: int, _total: int | None) -> None:
    """Shows no progress."""


# The new snapshot


class Index:
    """An index that lists ``names`` and answers 304 to a request with its ETag."""

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.asked_if: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        known = request.headers.get("If-None-Match")
        self.asked_if.append(known)
        if known == '"e"':
            return httpx.Response(304)
        return response(page(*self.names), ETag='"e"')


def sync(index: Index, folder: Path, url: str = URL) -> Synced:
    with httpx.Client(transport=httpx.MockTransport(index)) as client:
        return sync_pypi(client, url, folder, today=TODAY, progress=silent, patience=HASTE)


def test_a_newer_snapshot(tmp_path: Path) -> None:
    snapshot_of(tmp_path, ROWS)
    done = sync(Index([*NAMES[:-1], "Brand_New"]), tmp_path)
    assert (done.changed, done.added, done.vanished, done.skipped) == (True, 1, 1, 0)
    made = Snapshot.load(tmp_path / "registry-pypi.json")
    made.verify()
    assert (made.date, made.complete, len(made)) == (TODAY, True, len(NAMES))
    assert "brand-new" in made
    assert NAMES[-1] not in made
    assert made.popular(9) == ["pip"], "ranks and suspects are carried over"
    assert (made.look_up("sklearn").reason, made.manifest.suspects) == ("decoy", 1)
    assert "scikit-learn" in made.look_up("sklearn").evidence


def test_an_unchanged_index(tmp_path: Path) -> None:
    snapshot_of(tmp_path, ROWS)
    index = Index(NAMES)
    first = sync(index, tmp_path)
    second = sync(index, tmp_path)
    assert index.asked_if == [None, '"e"']
    assert not second.changed
    assert second.snapshot.manifest == first.snapshot.manifest


NOTE = "registry-pypi.sync.json"


@pytest.mark.parametrize(
    ("url", "change"),
    [
        ("https://other.example.test/simple", lambda _: None),
        (URL, lambda folder: snapshot_of(folder, ROWS[:-1])),
        (URL, lambda folder: (folder / NOTE).write_text("")),
        (URL, lambda folder: (folder / NOTE).write_text("[]")),
        (URL, lambda folder: (folder / NOTE).write_text("{}")),
        (URL, lambda folder: (folder / NOTE).write_text('{"url": 1')),
    ],
)
def test_where_the_last_sync_says_nothing_all_is_fetched(
    tmp_path: Path, url: str, change: Callable[[Path], object]
) -> None:
    snapshot_of(tmp_path, ROWS)
    index = Index(NAMES)
    sync(index, tmp_path)
    change(tmp_path)
    assert sync(index, tmp_path, url).changed
    assert index.asked_if == [None, None]


def test_a_listing_that_is_far_too_short_changes_nothing(tmp_path: Path) -> None:
    before = snapshot_of(tmp_path, ROWS)
    with pytest.raises(RegistryError, match="3 names"):
        sync(Index(NAMES[:3]), tmp_path)
    after = Snapshot.load(tmp_path / "registry-pypi.json")
    after.verify()
    assert after.manifest == before.manifest
    with pytest.raises(RegistryError, match="886,323"):
        sync(Index(NAMES), tmp_path / "new")  # starts from the shipped one
    snapshot_of(tmp_path, ROWS, complete=False)
    assert len(sync(Index(NAMES[:3]), tmp_path).snapshot) == 3, "which sets no least number"
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="can't be made"):
        sync(Index(NAMES), tmp_path / "file" / "registry")


# The listing


def fetch(
    answer: Answer | httpx.Response,
    folder: Path,
    *,
    known: Mapping[str, str] | None = None,
    progress: Progress = silent,
    max_bytes: int = MAX_FILE_BYTES,
) -> Listing | None:
    send = answer if callable(answer) else lambda _request: answer
    with httpx.Client(transport=httpx.MockTransport(send)) as client:
        return fetch_listing(
            client, URL, folder, known=known or {}, progress=progress, patience=HASTE,
            max_bytes=max_bytes,
        )  # fmt: skip


def test_a_listing_and_how_it_is_asked(tmp_path: Path) -> None:
    body = page("pip", "Flask_Cors", "flask-cors", "zope.interface", "not a name", 7)

    def answer(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == f"{URL}/"
        assert request.headers["Accept"] == TYPE
        assert request.headers["User-Agent"].startswith("ghostbust/")
        assert "If-None-Match" not in request.headers
        packed = {"Content-Encoding": "gzip", "Last-Modified": "then"}
        return response(gzip.compress(body), ETag='"e"', **packed)

    assert fetch(answer, tmp_path) == Listing(
        frozenset({"pip", "flask-cors", "zope-interface"}),
        2,
        {"etag": '"e"', "last_modified": "then"},
    )
    assert list(tmp_path.iterdir()) == []


def test_an_unchanged_listing(tmp_path: Path) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["If-None-Match"] == '"e"'
        assert request.headers["If-Modified-Since"] == "then"
        return httpx.Response(304)

    assert fetch(answer, tmp_path, known={"etag": '"e"', "last_modified": "then"}) is None
    with pytest.raises(RegistryError, match="HTTP 304"):
        fetch(httpx.Response(304), tmp_path)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(403), "HTTP 403"),
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


def test_a_listing_without_end_and_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="larger than 10 bytes"):
        fetch(response(page("pip")), tmp_path, max_bytes=10)
    with pytest.raises(DataError, match="can't keep"):
        fetch(response(page("pip")), tmp_path / "missing")


# One large answer


Seen = list[tuple[int, int | None]]


def download(
    answer: Answer, folder: Path, *, max_bytes: int = 99, seen: Seen | None = None
) -> bytes:
    """What the file holds when it can be read."""
    received: Seen = [] if seen is None else seen
    with (
        httpx.Client(transport=httpx.MockTransport(answer)) as client,
        passing_file(folder, URL, "list") as file,
    ):
        for attempt in attempts(HASTE):
            with attempt, client.stream("GET", URL) as response:
                check_status(URL, response, "pip's")
                save(
                    URL, response, file, max_bytes=max_bytes,
                    progress=lambda done, total: received.append((done, total)),
                )  # fmt: skip
        return file.read()


def test_what_an_attempt_left_is_replaced_by_the_next(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"a long beginning"
        raise httpx.ReadError("broke off")

    bodies = [broken(), iter([b"new", b"er"])]
    assert download(lambda _: httpx.Response(200, content=bodies.pop(0)), tmp_path) == b"newer"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("headers", "total"), [({"Content-Length": "5"}, 5), ({}, None)])
def test_progress_counts_the_bytes_and_may_know_the_total(
    tmp_path: Path, headers: dict[str, str], total: int | None
) -> None:
    seen: Seen = []
    answer = httpx.Response(200, content=iter([b"new", b"er"]), headers=headers)
    download(lambda _: answer, tmp_path, seen=seen)
    assert seen == [(3, total), (5, total)]


@pytest.mark.parametrize(
    ("status", "asked", "said"),
    [
        (503, 3, r"no usable list \(HTTP 503\)"),
        (429, 3, r"no usable list \(HTTP 429\)"),
        (404, 1, "HTTP 404; check the address in pip's configuration"),
    ],
)
def test_statuses(tmp_path: Path, status: int, asked: int, said: str) -> None:
    requests = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status)

    with pytest.raises(RegistryError, match=said):
        download(answer, tmp_path)
    assert len(requests) == asked


@pytest.mark.parametrize(
    ("raised", "error", "said"),
    [
        (NoAnswerError("cut"), RegistryError, "no usable list"),
        (httpx.ConnectError("refused"), RegistryError, "can't be reached.*ConnectError"),
        (OSError(28, "No space left"), DataError, "can't keep the list.*No space left"),
    ],
)
def test_errors_are_mapped_where_they_leave(
    tmp_path: Path, raised: Exception, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said), passing_file(tmp_path, URL, "list"):
        raise raised
