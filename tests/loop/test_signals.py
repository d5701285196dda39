"""A job's sign to stop, a listener that does nothing, and the ids of log records."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from ghostbust.loop.signals import (
    StopSign,
    SystemClock,
    current_ids,
    log_ids,
)
from ghostbust.times import QuietHours
from tests.simulated import SimulatedClock

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)


def test_it_is_set_where_the_daemon_stops() -> None:
    stopping = threading.Event()
    sign = StopSign(stopping, SimulatedClock(AT))
    assert not sign.is_set()
    stopping.set()
    assert sign.is_set()
    assert sign.why == "the daemon stops"


def test_it_is_set_to_the_second_where_the_minutes_are_used_up() -> None:
    clock = SimulatedClock(AT)
    sign = StopSign(threading.Event(), clock, seconds=90)
    clock.jump(86400)
    assert not sign.is_set(), "no time went by"
    clock.sleep(89)
    assert not sign.is_set()
    clock.sleep(1)
    assert sign.why == "the day's budget of gpu_minutes is used up"


def test_it_is_set_where_it_gets_quiet() -> None:
    clock = SimulatedClock(AT)
    sign = StopSign(threading.Event(), clock, quiet=QuietHours.of(("12:30-13:00",), "UTC"))
    clock.sleep(1799)
    assert not sign.is_set()
    clock.sleep(1)
    assert sign.why == "quiet hours begin"


def test_waiting_ends_when_it_is_set_and_not_before_the_time_is_over() -> None:
    stopping = threading.Event()
    sign = StopSign(stopping, SystemClock())
    assert not sign.wait(0.01)
    threading.Timer(0.05, stopping.set).start()
    began = time.monotonic()
    assert sign.wait(600)
    assert time.monotonic() - began < 300
    assert not StopSign(threading.Event(), SystemClock(), seconds=60).wait(0)


def test_log_ids_nest_and_end_and_are_a_threads_own() -> None:
    seen: list[object] = []
    with log_ids(job="watch"):
        with log_ids(run=3):
            assert current_ids() == {"job": "watch", "run": 3}
        assert current_ids() == {"job": "watch"}
        other = threading.Thread(target=lambda: seen.append(dict(current_ids())))
        other.start()
        other.join()
    assert current_ids() == seen[0] == {}
