"""A member of a pinned wheel from an index, and a file of a dataset from a hub, on the loopback."""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import httpx
import pytest
import stamina

from ghostbust.errors import FetchError, HomeError, UsageError
from ghostbust.models import fetch
from ghostbust.models.fetch import (
    ATTEMPTS,
    PinnedMember,
    download,
    fetch_member,
    hub_file,
    humaneval_tasks,
    installed_member,
    mapped_disk_errors,
)
from ghostbust.registries.endpoints import Endpoint

if TYPE_CHECKING:
    from tests.models.conftest import Index

NOWHERE = Endpoint("http://127.0.0.1:9/simple", "test")
"""nothing listens there; whoever asks it gets a FetchError"""


def fetched(index: Index, member: PinnedMember, folder: Path) -> Path:
    with httpx.Client(timeout=5) as client, stamina.set_testing(True, attempts=3):
        return fetch_member(
            member.wheel, member.suffix, folder / "model.bin", client=client, index_url=index.url
        )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_member_arrives_alone(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    path = fetched(index, pinned, tmp_path / "new" / "folder")
    assert path.read_bytes() == member_bytes
    assert names(path.parent) == ["model.bin"]
    assert "vnd.pypi.simple.v1+json" in index.seen[0][1]["Accept"]
    assert "made_up" not in sys.modules


def test_absolute_file_urls(index: Index, pinned: PinnedMember, tmp_path: Path) -> None:
    index.file_url = index.url.removesuffix("simple") + "files/elsewhere.whl"
    assert fetched(index, pinned, tmp_path).exists()


def test_an_index_that_knows_html_only(index: Index, pinned: PinnedMember, tmp_path: Path) -> None:
    index.page = f'<a href="{index.file_url}">{pinned.wheel.filename}</a>'
    assert fetched(index, pinned, tmp_path).exists()


def test_a_broken_transfer_goes_on_where_it_ended(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    index.cut_after_bytes = [50_000]
    assert fetched(index, pinned, tmp_path).read_bytes() == member_bytes
    assert index.transfers == [None, "bytes=50000-"]


def test_an_interrupted_download_goes_on_in_the_next_run(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    index.cut_after_bytes = [30_000, 20_000, 10_000]
    with pytest.raises(FetchError, match="broke off"):
        fetched(index, pinned, tmp_path)
    assert names(tmp_path) == [f"{pinned.wheel.filename}.part"]
    assert fetched(index, pinned, tmp_path).read_bytes() == member_bytes
    assert index.transfers[-1] == "bytes=60000-"
    assert names(tmp_path) == ["model.bin"]


def test_a_part_of_another_file_is_fetched_anew(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    (tmp_path / f"{pinned.wheel.filename}.part").write_bytes(b"x" * 1000)
    assert fetched(index, pinned, tmp_path).read_bytes() == member_bytes
    assert index.transfers == ["bytes=1000-", None]


def test_another_file_than_the_pinned_is_refused(
    index: Index, pinned: PinnedMember, tmp_path: Path
) -> None:
    index.body = index.body[:-1] + b"!"
    with pytest.raises(FetchError, match="isn't the pinned file") as caught:
        fetched(index, pinned, tmp_path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"page_status": 404}, "has no project made-up"),
        ({"page_status": 503}, "answered 503"),
        ({"page": "<p>no links here</p>"}, "no longer the file"),
        ({"file_status": 404}, "answered 404"),
        ({"file_url": "ftp://index.example.test/x.whl"}, "can't reach"),
    ],
)
def test_what_the_index_lacks_is_one_line(
    index: Index, pinned: PinnedMember, tmp_path: Path, change: dict[str, object], said: str
) -> None:
    for name, value in change.items():
        setattr(index, name, value)
    with pytest.raises(FetchError, match=said) as caught:
        fetched(index, pinned, tmp_path)
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_a_page_that_is_no_simple_api(pinned: PinnedMember, tmp_path: Path) -> None:
    page = httpx.Response(200, headers={"Content-Type": "application/json"}, content=b"{")
    transport = httpx.MockTransport(lambda _: page)
    with (
        httpx.Client(transport=transport) as client,
        pytest.raises(FetchError, match="no Simple API page"),
    ):
        fetch_member(
            pinned.wheel,
            pinned.suffix,
            tmp_path / "x",
            client=client,
            index_url="https://index.example.test/simple",
        )


def test_refused_connection_is_one_line_without_credentials(
    pinned: PinnedMember, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connecting is refused
        address = f"http://me:secret@127.0.0.1:{taken.getsockname()[1]}/simple"
        with httpx.Client() as client, pytest.raises(FetchError, match="can't reach") as caught:
            fetch_member(
                pinned.wheel, pinned.suffix, tmp_path / "x", client=client, index_url=address
            )
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made(index: Index, pinned: PinnedMember, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="can't write to"):
        fetched(index, pinned, tmp_path / "file")
    assert index.seen == []


def test_a_full_disk_while_extracting(
    index: Index, pinned: PinnedMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(HomeError, match="no space left"):
        fetched(index, pinned, tmp_path)
    assert names(tmp_path) == [f"{pinned.wheel.filename}.part"]


def test_a_suffix_that_no_member_has(index: Index, pinned: PinnedMember, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="0 members"):
        fetched(index, dataclasses.replace(pinned, suffix="absent.bin"), tmp_path)
    assert not (tmp_path / "model.bin").exists()


@pytest.fixture
def installed(
    pinned: PinnedMember, member_bytes: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The member's file in a distribution that is installed for this test."""
    site = tmp_path / "site"
    file = site / pinned.suffix
    file.parent.mkdir(parents=True)
    file.write_bytes(member_bytes)
    (site / "made_up" / "__init__.py").write_text("raise SystemExit('imported')\n")
    info = site / "made_up-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"made_up/__init__.py,,\n{pinned.suffix},,\n")
    monkeypatch.syspath_prepend(str(site))
    return file


def test_the_installed_member_is_found_without_importing(
    installed: Path, pinned: PinnedMember
) -> None:
    assert installed_member(pinned) == installed
    assert "made_up" not in sys.modules


def test_an_installed_member_that_differs_is_not_used(
    installed: Path, pinned: PinnedMember
) -> None:
    installed.write_bytes(b"another version")
    assert installed_member(pinned) is None
    assert installed_member(dataclasses.replace(pinned, suffix="absent")) is None


def test_the_pins_are_whole() -> None:
    for member in (fetch.SMOLLM2_GGUF, fetch.HUMANEVAL_JSONL):
        wheel = member.wheel
        assert len(bytes.fromhex(wheel.sha256)) == len(bytes.fromhex(member.sha256)) == 32
        assert wheel.filename.startswith(f"{wheel.project.replace('-', '_')}-{wheel.version}-")


def test_tasks_of_the_installed_benchmark(tmp_path: Path) -> None:
    path = humaneval_tasks(tmp_path, index=NOWHERE)
    assert path.name == "HumanEval.jsonl.gz"
    assert list(tmp_path.iterdir()) == []


def test_tasks_are_fetched_once(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    path = humaneval_tasks(tmp_path, index=Endpoint(index.url, "test"), source=pinned)
    assert path.read_bytes() == member_bytes
    assert humaneval_tasks(tmp_path, index=NOWHERE, source=pinned) == path
    path.write_bytes(b"damaged")
    with pytest.raises(FetchError):
        humaneval_tasks(tmp_path, index=NOWHERE, source=pinned)


def test_the_index_is_the_one_that_pip_asks(
    index: Index, pinned: PinnedMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//me:secret@"))
    assert humaneval_tasks(tmp_path, source=pinned).exists()
    assert all("Authorization" in headers for _path, headers in index.seen)
    assert len(index.seen) == 2


CONTENT = b'{"task_id": 1}\n'
PATH = "/datasets/someone/tasks/resolve/main/data/all.jsonl"


@dataclass
class Hub:
    """A hub that has one file, and what it was asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    status: int = 200


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            known = self.path == PATH and hub.status == 200
            hub.asked.append(f"{self.command} {self.path}")
            self.send_response(200 if known else max(hub.status, 404))
            self.send_header("Content-Length", str(len(CONTENT) if known else 0))
            self.send_header("ETag", '"' + "e" * 40 + '"')
            self.send_header("X-Repo-Commit", "c" * 40)
            if not known:
                self.send_header("X-Error-Code", "EntryNotFound" if hub.status == 200 else "")
            self.end_headers()
            if known and self.command == "GET":
                self.wfile.write(CONTENT)

        def do_GET(self) -> None:
            self.do_HEAD()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_is_fetched_once(hub: Hub, tmp_path: Path) -> None:
    for _ in range(2):
        path = hub_file("hub:someone/tasks/data/all.jsonl", endpoint=hub.url, cache_dir=tmp_path)
        assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path)
    assert [asked for asked in hub.asked if asked.startswith("GET")] == [f"GET {PATH}"]


def test_a_copy_serves_where_the_hub_cannot_be_asked(hub: Hub, tmp_path: Path) -> None:
    named = "hub:someone/tasks/data/all.jsonl"
    path = hub_file(named, endpoint=hub.url, cache_dir=tmp_path)
    hub.status = 503
    assert hub_file(named, endpoint=hub.url, cache_dir=tmp_path) == path


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("hub:someone/tasks/none.jsonl", "is none.jsonl a file of the dataset"),
        ("hub:someone/tasks", "should be hub:OWNER/NAME/FILE"),
        ("someone/tasks/all.jsonl", "should be hub:OWNER/NAME/FILE"),
        ("hub:some one/--/all.jsonl", "can't be the name of a dataset"),
    ],
)
def test_what_cannot_be_had_is_one_line(hub: Hub, tmp_path: Path, named: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        hub_file(named, endpoint=hub.url, cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_without_a_network_and_a_copy_it_is_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline by the client's own setting: else it would try for half a minute."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FetchError, match="can't reach the hub"):
        hub_file("hub:someone/tasks/data/all.jsonl", endpoint=hub.url, cache_dir=tmp_path)
    assert hub.asked == []


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
