"""When jobs are due, and when the machine or the servers are busy."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from ghostbust.config import Config
from ghostbust.loop.daemon.table import (
    Cron,
    Every,
    busy_reason,
    load_per_core,
    machine_busy,
    use_of_gpu,
)
from ghostbust.sections import BusySection, EndpointEntry, ModelSection

BERLIN = ZoneInfo("Europe/Berlin")


def fires(cron: str, begin: datetime, hours: int) -> list[str]:
    """When it comes, on the wall, with the offset from UTC."""
    trigger, previous, now, found = Cron(cron, BERLIN), None, begin, []
    while (at := trigger.get_next_fire_time(previous, now)) and at < begin + timedelta(hours=hours):
        found.append(f"{at.astimezone(BERLIN):%d %H:%M %z}")
        previous, now = at, at + timedelta(milliseconds=1)
        assert len(found) < 1000
    return found


AUTUMN = datetime(2026, 10, 24, 22, tzinfo=UTC)
"""midnight; the clock goes back from 3:00 to 2:00"""
SPRING = datetime(2027, 3, 27, 23, tzinfo=UTC)
"""midnight; the clock goes forward from 2:00 to 3:00"""


@pytest.mark.parametrize(
    ("cron", "begin", "hours", "expected"),
    [
        ("30 2 * * *", AUTUMN, 49, ["25 02:30 +0200", "26 02:30 +0100"]),
        ("30 2 * * *", SPRING, 47, ["28 03:30 +0200", "29 02:30 +0200"]),
        ("0 3 * * *", AUTUMN, 25, ["25 03:00 +0100"]),
        (
            "30 * * * *", AUTUMN + timedelta(hours=1), 4,
            ["25 01:30 +0200", "25 02:30 +0200", "25 02:30 +0100", "25 03:30 +0100"],
        ),
        ("30 1-3 * * *", SPRING, 6, ["28 01:30 +0100", "28 03:30 +0200"]),
        ("0 12 29 2 *", SPRING, 24 * 365, ["29 12:00 +0100"]),
    ],
)  # fmt: skip
def test_cron_where_the_clock_is_turned(
    cron: str, begin: datetime, hours: int, expected: list[str]
) -> None:
    assert fires(cron, begin, hours) == expected


def test_an_hourly_job_has_as_many_runs_as_the_day_has_hours() -> None:
    assert len(fires("15 * * * *", AUTUMN, 25)) == 25
    assert len(fires("15 * * * *", SPRING, 23)) == 23
    assert len(fires("*/10 * * * *", AUTUMN - timedelta(days=1), 24)) == 144


def test_what_was_passed_over_counts_once() -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    late = at + timedelta(hours=9, minutes=10)
    assert Every(3600).get_next_fire_time(at, late) == at + timedelta(hours=10)
    assert Every(3600).get_next_fire_time(at, at - timedelta(days=3)) == at + timedelta(hours=1)
    assert Cron("0 * * * *", ZoneInfo("UTC")).get_next_fire_time(at, late) == at.replace(hour=22)


def test_a_time_that_never_comes_is_none() -> None:
    assert Cron("0 0 30 2 *", BERLIN).get_next_fire_time(None, AUTUMN) is None


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


def test_a_key_that_no_header_may_have_is_left_to_the_job(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with a line end made the server seem away, one in Unicode ended the daemon's look."""
    monkeypatch.setenv("OPENAI_API_KEY", "k3y\n")
    assert busy_reason(asking(f"{address}/503/v1")) is not None
    monkeypatch.setenv("OPENAI_API_KEY", "schlüssel")
    assert busy_reason(asking(f"{address}/503/v1")) is None


def test_a_machine_is_busy_from_the_settings_on() -> None:
    config = Config(busy=BusySection(load=1.5, gpu_percent=80))
    assert machine_busy(config, load=lambda: 1.4, gpu_percent=lambda: 79.0) is None
    assert machine_busy(config, load=lambda: 1.4, gpu_percent=lambda: None) is None
    loaded = machine_busy(config, load=lambda: 1.5, gpu_percent=lambda: None)
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
