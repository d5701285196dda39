"""The three pages over HTTP, and whether the daemon is ready."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ghostbust.config import Config
from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.loop.signals import JobDone
from ghostbust.operations.health import HealthEndpoint, Readiness, is_loopback, read_listen
from ghostbust.registries.transport import Outcome, RequestCounts
from ghostbust.sections import EndpointEntry, ModelSection, RegistrySection
from ghostbust.store.store import Store
from tests.operations.conftest import wait_for

Alive = list[bool]


@pytest.fixture
def alive() -> Alive:
    """Whether the schedule goes on, as a test wants it."""
    return [True]


@pytest.fixture
def get(home: Home, alive: Alive) -> Iterator[Callable[..., httpx.Response]]:
    """Asks the endpoint for a path."""
    settings = Config(registry=RegistrySection(mode="snapshot"))
    registry = CollectorRegistry()
    Counter("ghostbust_tries", "Tries.", registry=registry).inc()
    endpoint = HealthEndpoint(
        ("127.0.0.1", 0),
        alive=lambda: alive[0],
        readiness=Readiness(home, lambda: settings, RequestCounts()),
        metrics=registry,
    )
    endpoint.start()
    with httpx.Client(trust_env=False, base_url=f"http://127.0.0.1:{endpoint.port}") as client:
        yield lambda path, method="GET", **more: client.request(method, path, **more)
    endpoint.stop()


def test_health(get: Callable[..., httpx.Response], alive: Alive) -> None:
    well = get("/healthz")
    assert well.status_code == 200
    assert well.json()["scheduler"] == "alive"
    alive[0] = False
    ill = get("/healthz?x=1")
    assert (ill.status_code, ill.json()["ok"], ill.json()["process"]) == (503, False, "alive")


def test_readiness_with_reasons(
    get: Callable[..., httpx.Response], alive: Alive, home: Home
) -> None:
    told = get("/readyz")
    assert told.status_code == 503
    assert told.json()["parts"]["database"]["ready"] is False
    Store.open(home.database).close()
    told = get("/readyz")
    assert (told.status_code, told.json()["ready"]) == (200, True)
    assert set(told.json()["parts"]) == {"database", "model", "registries"}
    alive[0] = False
    assert get("/readyz").status_code == 503


def test_metrics_in_both_formats(get: Callable[..., httpx.Response]) -> None:
    plain = get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert "ghostbust_tries_total 1.0" in plain.text
    newer = get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert newer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/other"])
def test_every_page_is_kept_nowhere_and_names_no_version(
    get: Callable[..., httpx.Response], path: str
) -> None:
    page = get(path)
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers.get_list("Server") == ["ghostbust"]
    head = get(path, "HEAD")
    assert (head.status_code, head.content) == (page.status_code, b"")
    assert int(head.headers["Content-Length"]) > 0


def test_anything_else_is_nothing(get: Callable[..., httpx.Response]) -> None:
    assert get("/").status_code == 404
    assert get("/../../etc/passwd").status_code == 404
    assert get("/healthz", "POST").status_code == 501


def test_a_port_that_is_taken_is_one_line(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        endpoint = HealthEndpoint(
            ("127.0.0.1", port), alive=lambda: True,
            readiness=Readiness(home, Config, RequestCounts()), metrics=CollectorRegistry(),
        )  # fmt: skip
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            endpoint.start()
        endpoint.stop()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:9468", ("127.0.0.1", 9468)),
        (":9468", ("127.0.0.1", 9468)),
        ("[::1]:9468", ("::1", 9468)),
        ("localhost:0", ("localhost", 0)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
    ],
)
def test_places(text: str, place: tuple[str, int]) -> None:
    assert read_listen(text) == place


@pytest.mark.parametrize("text", ["9468", "host:", "host:x", "host:70000", "", "host:-1"])
def test_no_places(text: str) -> None:
    with pytest.raises(ConfigError, match=r"daemon\.listen: should be HOST:PORT"):
        read_listen(text)


def test_who_can_reach_it() -> None:
    hosts = ("127.0.0.1", "::1", "localhost", "0.0.0.0", "10.0.0.5", "myhost")
    assert [host for host in hosts if is_loopback(host)] == ["127.0.0.1", "::1", "localhost"]


class ModelServer(ThreadingHTTPServer):
    """Lists one model."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ModelHandler)
        self.status = 200
        self.asked = 0
        self.url = f"http://127.0.0.1:{self.server_port}/v1"


class ModelHandler(BaseHTTPRequestHandler):
    server: ModelServer

    def do_GET(self) -> None:
        self.server.asked += 1
        body = json.dumps({"data": [{"id": "coder"}]}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
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


def test_a_database_that_isnt_there_or_is_broken(home: Home) -> None:
    readiness = Readiness(home, Config, RequestCounts())
    readiness.look()
    assert readiness.parts()["model"].ready, "a model in this process"
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


def test_a_failed_job_has_the_servers_looked_at(home: Home, server: ModelServer) -> None:
    readiness = Readiness(home, lambda: config(server.url), RequestCounts())
    readiness.start()
    wait_for(lambda: readiness.parts()["model"].seen is not None)
    server.status = 500
    readiness.job_done(JobDone("watch", "ok", 1, ""))
    readiness.job_done(JobDone("watch", "failed", 1, "no answer"))
    wait_for(lambda: not readiness.parts()["model"].ready)
    readiness.stop()
