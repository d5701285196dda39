"""A dataset's file comes from a hub on the loopback, once; every failure is one line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ghostbust.errors import FetchError, UsageError
from ghostbust.models.load import hub_file

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
