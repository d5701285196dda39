"""One file over HTTP: whole, resumed, restarted, or one clear error."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import stamina

from ghostbust.errors import FetchError, HomeError
from ghostbust.models.fetch import ATTEMPTS, download, mapped_disk_errors

BODY = bytes(range(256)) * 8
URL = httpx.URL("https://index.example.test/files/thing.whl")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


def serving(handler: httpx._transports.mock.SyncHandler) -> httpx.Client:
    return httpx.Client(transport=httpx.MockTransport(handler))


def test_writes_the_body_and_tells_the_progress(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    with serving(lambda _: httpx.Response(200, content=BODY)) as client:
        download(URL, tmp_path / "part", client=client, progress=lambda *step: told.append(step))
    assert (tmp_path / "part").read_bytes() == BODY
    assert told[0] == ("download", 0, len(BODY))
    assert told[-1] == ("download", len(BODY), len(BODY))


def test_asks_only_for_the_rest_of_a_part(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(BODY[:100])

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Range"] == "bytes=100-"
        span = {"Content-Range": f"bytes 100-{len(BODY) - 1}/{len(BODY)}"}
        return httpx.Response(206, content=BODY[100:], headers=span)

    with serving(answer) as client:
        download(URL, tmp_path / "part", client=client)
    assert (tmp_path / "part").read_bytes() == BODY


@pytest.mark.parametrize("status", [200, 206])
def test_starts_again_where_the_server_sends_another_range(tmp_path: Path, status: int) -> None:
    (tmp_path / "part").write_bytes(b"x" * 100)
    span = {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"} if status == 206 else {}
    with serving(lambda _: httpx.Response(status, content=BODY, headers=span)) as client:
        download(URL, tmp_path / "part", client=client)
    assert (tmp_path / "part").read_bytes() == BODY


def test_a_whole_part_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(BODY)
    whole = httpx.Response(416, headers={"Content-Range": f"bytes */{len(BODY)}"})
    with serving(lambda _: whole) as client:
        download(URL, tmp_path / "part", client=client)
    assert (tmp_path / "part").read_bytes() == BODY


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(BODY + b"more")

    def answer(request: httpx.Request) -> httpx.Response:
        if "Range" in request.headers:
            return httpx.Response(416, headers={"Content-Range": f"bytes */{len(BODY)}"})
        return httpx.Response(200, content=BODY)

    with serving(answer) as client:
        download(URL, tmp_path / "part", client=client)
    assert (tmp_path / "part").read_bytes() == BODY


def test_gives_up_after_some_broken_transfers_and_keeps_the_part(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(BODY[:100])
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadError("gone", request=request)

    with serving(answer) as client, pytest.raises(FetchError, match="broke off; run it again"):
        download(URL, tmp_path / "part", client=client)
    assert len(asked) == ATTEMPTS
    assert (tmp_path / "part").read_bytes() == BODY[:100]


def test_no_network_is_not_tried_again(tmp_path: Path) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ConnectError("no route", request=request)

    with serving(answer) as client, pytest.raises(FetchError, match="can't reach") as caught:
        download(URL, tmp_path / "part", client=client)
    assert len(asked) == 1
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_and_leaves_no_part(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.symlink_to("/dev/full")
    with (
        serving(lambda _: httpx.Response(200, content=BODY)) as client,
        pytest.raises(HomeError, match="no space left in"),
    ):
        download(URL, part, client=client)
    assert not part.is_symlink()


def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="Read-only file system"), mapped_disk_errors(tmp_path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
