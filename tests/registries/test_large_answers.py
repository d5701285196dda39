"""A large answer passes through a file: whole, asked for again, or an error that says why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import DataError, RegistryError
from ghostbust.registries.transport import (
    Patience,
    TryAgainError,
    attempts,
    check_status,
    passing_file,
    save,
)

URL = "https://index.example.test/all"
HASTE = Patience(attempts=3, initial_s=0, longest_s=0, jitter_s=0)
Seen = list[tuple[int, int | None]]


def fetch(
    answer: Callable[[httpx.Request], httpx.Response],
    folder: Path,
    *,
    max_bytes: int = 99,
    seen: Seen | None = None,
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
    assert fetch(lambda _: httpx.Response(200, content=bodies.pop(0)), tmp_path) == b"newer"
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_bytes_and_knows_the_total_if_told(tmp_path: Path) -> None:
    for headers, total in (({"Content-Length": "5"}, 5), ({}, None)):
        seen: Seen = []
        parts = iter([b"new", b"er"])
        answer = httpx.Response(200, content=parts, headers=headers)
        fetch(lambda _, answer=answer: answer, tmp_path, seen=seen)  # type: ignore[misc]
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
        fetch(answer, tmp_path)
    assert len(requests) == asked


def test_an_answer_without_end_is_refused_at_once(tmp_path: Path) -> None:
    bodies = [b"0123456789"]
    with pytest.raises(RegistryError, match="larger than 9 bytes"):
        fetch(lambda _: httpx.Response(200, content=bodies.pop()), tmp_path, max_bytes=9)


def test_errors_are_mapped_where_they_leave(tmp_path: Path) -> None:
    with pytest.raises(RegistryError, match="no usable list"), passing_file(tmp_path, URL, "list"):
        raise TryAgainError("cut")
    with pytest.raises(RegistryError, match="ConnectError"), passing_file(tmp_path, URL, "list"):
        raise httpx.ConnectError("refused")
    with (
        pytest.raises(DataError, match="can't keep the list"),
        passing_file(tmp_path / "none", URL, "list"),
    ):
        pass
