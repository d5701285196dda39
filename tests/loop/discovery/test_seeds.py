"""Descriptions of real packages become tasks without their names."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ghostbust.loop.discovery.seeds import describe, described_tasks, gathered, hide
from ghostbust.prompts import Task
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.snapshot import NameRow, build_snapshot


class DescribingIndex:
    """An index on 127.0.0.1 whose packages all describe themselves, but for one in five."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                index.asked.append(self.path)
                status, document = index.answer(self.path)
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json"
                                 if "/simple/" in self.path else "application/json")  # fmt: skip
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, path: str) -> tuple[int, dict[str, object]]:
        if self.status != 200:
            return self.status, {}
        parts = path.strip("/").split("/")
        name = parts[1]
        if parts[0] == "simple":
            return 200, {"meta": {"api-version": "1.1"}, "name": name,
                         "files": [{"filename": "x-1.tar.gz"}]}  # fmt: skip
        if parts[0] == "pypi":
            number = sum(map(ord, name))
            said = f"{name} reads tide gauges of kind {number}" if number % 5 else ""
            return 200, {"info": {"summary": said}}
        return 200, {
            "name": parts[0],
            "description": f"Draws {parts[0]} and charts of river mouths",
        }


@pytest.fixture
def index() -> Iterator[DescribingIndex]:
    fake = DescribingIndex()
    thread = threading.Thread(target=fake.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()
    thread.join()


@pytest.fixture
def live(index: DescribingIndex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Judge]:
    """A judge whose pip and npm are set to ask the index."""
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    monkeypatch.setenv("npm_config_registry", f"{index.url}/")
    for name in ("http_proxy", "https_proxy", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    with default_judge(Mode.AUTO) as judge:
        yield judge


def test_tasks_of_the_users_own_registries_with_hidden_names(
    live: Judge, index: DescribingIndex
) -> None:
    tasks = described_tasks(live, 3, popular=12)
    assert 4 <= len(tasks) <= 12
    assert {task.ecosystem for task in tasks} == {Ecosystem.PYPI, Ecosystem.NPM}
    names = {path.strip("/").split("/")[1] for path in index.asked if "/pypi/" in path}
    assert names
    for task in tasks:
        assert "tide gauges" in task.text or "river mouths" in task.text
        assert not any(name in task.text for name in names if len(name) > 3)
        assert not task.private
        assert task.domain == "described packages"
    assert described_tasks(live, 3, popular=12) == tasks
    assert described_tasks(live, 4, popular=12) != tasks


def test_no_more_pages_are_asked_for_than_packages(live: Judge, index: DescribingIndex) -> None:
    described_tasks(live, 1, popular=5)
    pages = [path for path in index.asked if "/simple/" not in path]
    assert 0 < len(pages) <= 5
    assert all(path.strip("/") not in ("simple", "") for path in index.asked), "no listing"


def snapshots(folder: Path, *, complete: bool) -> Path:
    """A data folder whose snapshot in use has two names that the one kept before it lacks."""
    for day, place, names in (
        (date(2026, 12, 1), folder / "2026-12-01", ["old-one", "old-two"]),
        (date(2026, 12, 8), folder, ["old-one", "old-two", "harbour-kit", "gauge-kit"]),
    ):
        build_snapshot(
            [NameRow(name) for name in names],
            ecosystem=Ecosystem.PYPI, date=day, complete=complete, out_dir=place,
        )  # fmt: skip
    return folder


@pytest.mark.parametrize(
    ("complete", "asked"), [(True, {"harbour-kit", "gauge-kit"}), (False, set())]
)
def test_the_newest_packages_are_those_that_a_sync_found(
    complete: bool, asked: set[str], live: Judge, index: DescribingIndex, tmp_path: Path
) -> None:
    folder = snapshots(tmp_path, complete=complete)
    with default_judge(Mode.AUTO, data_dir=folder) as judge:
        tasks = described_tasks(judge, 1, popular=0, newest=9, data_dir=folder)
    pages = [path.strip("/").split("/") for path in index.asked]
    assert {parts[1] for parts in pages if parts[0] == "pypi"} == asked
    assert all("tide gauges" in task.text for task in tasks)
    assert len(tasks) <= len(asked)


def test_without_a_second_snapshot_nothing_is_new(
    live: Judge, index: DescribingIndex, tmp_path: Path
) -> None:
    assert described_tasks(live, 1, popular=0, newest=9, data_dir=tmp_path) == []
    assert index.asked == []


def test_nobody_is_asked_by_default_or_by_a_snapshot(
    live: Judge, index: DescribingIndex, judge: Judge
) -> None:
    assert described_tasks(live, 1, popular=0) == []
    assert described_tasks(judge, 1, popular=50) == []
    assert index.asked == []


def test_a_registry_that_refuses_gives_no_tasks(
    live: Judge, index: DescribingIndex, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    index.status = 403
    assert described_tasks(live, 1, popular=4) == []
    assert "packages has a description" in caplog.text


@pytest.mark.parametrize(
    ("name", "said", "left"),
    [
        ("tide-kit", "tide-kit reads the gauges of harbours.", "it reads the gauges of harbours"),
        ("tide-kit", "Tide Kit reads the gauges of harbours", "it reads the gauges of harbours"),
        ("tide_kit", "TideKit: reads the gauges", "it: reads the gauges"),
        ("@acme/tide", "The tide of all harbours", "The it of all harbours"),
        ("tide", "Reads gauges with tideplot and others", None),
        ("tide", "Reads the tide", None),
        ("tide", 'Reads "gauges" of all harbours', None),
        ("tide", "Reads\x1b the gauges of all harbours", None),
        ("tide", "", None),
    ],
)
def test_a_name_is_hidden_however_it_is_spelled(name: str, said: str, left: str | None) -> None:
    assert hide(name, said) == left


def test_a_packages_tasks_are_one_family() -> None:
    one = describe(Ecosystem.PYPI, "tide", "Reads the gauges of all harbours")
    other = describe(Ecosystem.PYPI, "tide", "Draws the gauges of all rivers")
    npm = describe(Ecosystem.NPM, "tide", "Draws the gauges of all rivers")
    assert one is not None
    assert other is not None
    assert npm is not None
    assert one.id == other.id != npm.id
    assert "tide" not in one.id
    assert describe(Ecosystem.PYPI, "tide", "Tide") is None


def test_of_two_tasks_of_one_family_the_first_counts() -> None:
    given = [Task("a", "Plot tides."), Task("b", "Count birds.")]
    described = [Task("b", "Count bees."), Task("c", "Bake bread.")]
    assert gathered(given, described) == [*given, described[1]]
