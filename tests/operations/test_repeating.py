"""It is done at once, again, and on a nudge; an error of it is a line, not its end."""

from __future__ import annotations

import pytest

from ghostbust.operations.repeating import Repeating
from tests.operations.conftest import wait_for


def test_again_on_a_nudge_and_in_time_until_it_stops() -> None:
    done: list[int] = []
    Repeating("test", lambda: None, 1).stop()  # what never began
    again = Repeating("test", lambda: done.append(1), 3600)
    again.start()
    wait_for(lambda: len(done) == 1)
    again.nudge()
    wait_for(lambda: len(done) == 2)
    again.stop()
    assert done == [1, 1]


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
