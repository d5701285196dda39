"""A home, and a place to wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.home import Home
from ghostbust.operations.systemd import ServiceManager


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


class RecordingManager(ServiceManager):
    """A service manager that keeps the first line of each message instead of sending it."""

    def __init__(self, watchdog_s: float | None = None) -> None:
        super().__init__("/never", watchdog_s)
        self.sent: list[str] = []

    def _send(self, message: str) -> None:
        self.sent.append(message.partition("\n")[0])


def wait_for(condition: Callable[[], object], longest_s: float = 20) -> None:
    """Returns when it holds; fails where it doesn't in time."""
    limit = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.01)
