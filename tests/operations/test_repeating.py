"""It is done at once, again, and on a nudge; an error of it is a line, not its end."""

from __future__ import annotations

import threading

import pytest

from ghostbust.operations.repeating import Repeating
from tests.operations.conftest import wait_for


def test_again_and_again_until_it_stops() -> None:
    done: list[int] = []
    again = Repeating("test", lambda: done.append(1), 0.01)
    again.start()
    wait_for(lambda: len(done) >= 3)
    again.stop()
    told = len(done)
    threading.Event().wait(0.05)
    assert len(done) == told


def test_a_nudge_comes_before_its_time() -> None:
    done: list[int] = []
    again = Repeating("test", lambda: done.append(1), 3600)
    again.start()
    wait_for(lambda: len(done) == 1)
    again.nudge()
    wait_for(lambda: len(done) == 2)
    again.stop()


def test_an_error_is_one_line_and_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    def act() -> None:
        tries.append(1)
        raise RuntimeError("no luck")

    again = Repeating("test", act, 0.01)
    again.start()
    wait_for(lambda: len(tries) >= 2)
    again.stop()
    assert "test: RuntimeError: no luck" in caplog.messages


def test_stopping_what_never_began() -> None:
    Repeating("test", lambda: None, 1).stop()
