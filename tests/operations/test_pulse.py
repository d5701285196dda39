"""READY once the schedule goes on, WATCHDOG as long as it does."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ghostbust.loop.signals import JobDone
from ghostbust.operations.systemd import Pulse, ServiceManager


class Heard(ServiceManager):
    """A manager that keeps what it is told."""

    def __init__(self, watchdog_s: float | None = 0.06) -> None:
        super().__init__("/never", watchdog_s)
        self.told: list[str] = []

    def _send(self, message: str) -> None:
        self.told.append(message)


def test_ready_watchdog_status_stopping(until: Callable[..., None]) -> None:
    heard, stopping, alive = Heard(), threading.Event(), threading.Event()
    pulse = Pulse(heard, alive.is_set, stopping, lambda text: text.replace("s3cret", "***"))
    pulse.start()
    assert "READY=1" not in heard.told, "the schedule hasn't begun"
    alive.set()
    until(lambda: heard.told.count("WATCHDOG=1") >= 2)
    assert heard.told.count("READY=1") == 1
    pulse.job_done(JobDone("watch", "failed", 3.2, "401 for s3cret"))
    assert "STATUS=watch failed, 3 s: 401 for ***" in heard.told
    stopping.set()
    alive.clear()
    until(lambda: "STOPPING=1" in heard.told)
    beats = heard.told.count("WATCHDOG=1")
    until(lambda: heard.told.count("WATCHDOG=1") > beats, 5)
    pulse.stop()
    assert heard.told.count("STOPPING=1") == 1


def test_a_schedule_that_has_died_is_silent(
    until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    heard, alive = Heard(), threading.Event()
    alive.set()
    pulse = Pulse(heard, alive.is_set, threading.Event())
    pulse.start()
    until(lambda: "WATCHDOG=1" in heard.told)
    alive.clear()
    until(lambda: "the schedule has died" in caplog.text)
    beats = heard.told.count("WATCHDOG=1")
    pulse.stop()
    assert heard.told.count("WATCHDOG=1") == beats


def test_nobody_listens_nothing_runs() -> None:
    pulse = Pulse(ServiceManager(None), lambda: True, threading.Event())
    before = threading.active_count()
    pulse.start()
    assert threading.active_count() == before
    pulse.stop()
