"""The three pages over real HTTP."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from ghostbust.config import Config
from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.operations.health import HealthEndpoint, Readiness, is_loopback, read_listen
from ghostbust.registries.transport import RequestCounts
from ghostbust.sections import RegistrySection
from ghostbust.store.store import Store

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
    head = get("/healthz", "HEAD")
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0


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
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost")] == [True] * 3
    assert [is_loopback(host) for host in ("0.0.0.0", "10.0.0.5", "myhost")] == [False] * 3
