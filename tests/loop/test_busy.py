"""A machine, a GPU or servers that have other things to do are left alone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from ghostbust.config import Config
from ghostbust.loop.daemon.table import busy_reason, load_per_core, machine_busy, use_of_gpu
from ghostbust.sections import BusySection, EndpointEntry, ModelSection


class _Server(BaseHTTPRequestHandler):
    """Answers with the status in its address."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def asking(*urls: str) -> Config:
    return Config(model=ModelSection(endpoints=tuple(EndpointEntry(url=url) for url in urls)))


def test_servers_are_busy_if_all_are(address: str) -> None:
    busy, free = f"{address}/503/v1", f"{address}/200/v1"
    assert busy_reason(asking(busy)) == f"{address.removeprefix('http://')} answers 503"
    assert busy_reason(asking(busy, f"{address}/429/v1")) is not None
    assert busy_reason(asking(busy, free)) is None
    assert busy_reason(asking(f"{address}/500/v1")) is None, "which is a fault, not a load"
    assert busy_reason(asking("http://127.0.0.1:9/v1")) is None, "nobody is there"


def test_a_machine_is_busy_from_the_settings_on() -> None:
    config = Config(busy=BusySection(load=1.5, gpu_percent=80))
    assert machine_busy(config, load=lambda: 1.4, gpu_percent=lambda: 79.0) is None
    assert machine_busy(config, load=lambda: 1.4, gpu_percent=lambda: None) is None
    loaded = busy_reason(config, load=lambda: 1.5, gpu_percent=lambda: None)
    assert loaded == "the load is 1.50 per core (busy.load is 1.5)"
    used = machine_busy(config, load=lambda: 0.0, gpu_percent=lambda: 80.0)
    assert used == "a GPU is used by 80 % (busy.gpu_percent is 80)"
    assert machine_busy(Config(), load=lambda: 99.0) is None
    assert load_per_core() >= 0


def test_without_nvml_no_gpu_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert use_of_gpu() is None


def test_the_most_used_gpu_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a stand-in for NVML, since there is no GPU where the tests run."""
    used = [10, 70]
    nvml = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlShutdown=lambda: None,
        nvmlDeviceGetCount=lambda: len(used),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUtilizationRates=lambda index: SimpleNamespace(gpu=used[index]),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    assert use_of_gpu() == 70
    used.clear()
    assert use_of_gpu() is None
