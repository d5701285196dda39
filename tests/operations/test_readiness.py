"""What is ready, and why not; servers are asked aside, registries never."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.signals import JobDone
from ghostbust.operations.health import Readiness
from ghostbust.registries.transport import Outcome, RequestCounts
from ghostbust.sections import EndpointEntry, ModelSection, RegistrySection
from ghostbust.store.store import Store


class ModelServer:
    """Lists one model."""

    def __init__(self) -> None:
        self.status = 200
        self.asked = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked += 1
                body = json.dumps({"data": [{"id": "coder"}]}).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    made = ModelServer()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def config(*urls: str, mode: str = "snapshot") -> Config:
    servers = tuple(EndpointEntry(url=url) for url in urls)
    return Config(
        model=ModelSection(name="coder", endpoints=servers),
        registry=RegistrySection.model_validate({"mode": mode}),
    )


def test_all_is_ready(home: Home, server: ModelServer) -> None:
    Store.open(home.database).close()
    readiness = Readiness(home, lambda: config(server.url), RequestCounts())
    assert readiness.parts()["model"].seen is None
    readiness.look()
    asked = server.asked
    parts = readiness.parts()
    assert server.asked == asked, "whoever asks for readiness asks no server"
    assert [part.ready for part in parts.values()] == [True] * 3
    assert parts["model"].reason == "1 of 1 servers list coder"
    assert parts["model"].seen is not None


def test_a_server_that_is_away_and_one_of_several(home: Home, server: ModelServer) -> None:
    gone = "http://127.0.0.1:9/v1"
    one = Readiness(
        home, lambda: config(gone), RequestCounts(), lambda text: text.replace("9", "N")
    )
    one.look()
    part = one.parts()["model"]
    assert not part.ready
    assert "can't reach 127.0.0.1:N/v1/models" in part.reason
    several = Readiness(home, lambda: config(server.url, gone), RequestCounts())
    several.look()
    part = several.parts()["model"]
    assert part.ready
    assert part.reason.startswith("1 of 2 servers list coder; can't reach")


def test_a_model_that_runs_here(home: Home) -> None:
    readiness = Readiness(home, Config, RequestCounts())
    readiness.look()
    assert readiness.parts()["model"].ready


def test_a_database_that_isnt_there_or_is_broken(home: Home) -> None:
    readiness = Readiness(home, config, RequestCounts())
    assert "there is no database" in readiness.parts()["database"].reason
    home.database.write_bytes(b"no database at all, for sure, not one")
    part = readiness.parts()["database"]
    assert not part.ready
    assert "it isn't a database" in part.reason


def test_registries_as_they_were_last_heard(home: Home) -> None:
    heard = RequestCounts()
    readiness = Readiness(home, lambda: config(mode="live"), heard)
    assert readiness.parts()["registries"].reason == "not asked yet"
    heard.count(Outcome.UNANSWERED)
    part = readiness.parts()["registries"]
    assert (part.ready, part.seen) == (False, heard.last_failure)
    heard.count(Outcome.ANSWERED)
    assert readiness.parts()["registries"].ready


def test_a_failed_job_has_the_servers_looked_at(
    home: Home, server: ModelServer, until: Callable[..., None]
) -> None:
    readiness = Readiness(home, lambda: config(server.url), RequestCounts())
    readiness.start()
    until(lambda: readiness.parts()["model"].seen is not None)
    server.status = 500
    readiness.job_done(JobDone("watch", "ok", 1, ""))
    readiness.job_done(JobDone("watch", "failed", 1, "no answer"))
    until(lambda: not readiness.parts()["model"].ready)
    readiness.stop()
