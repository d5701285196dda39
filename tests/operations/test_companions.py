"""What runs beside the jobs, by the settings."""

from __future__ import annotations

import threading

import pytest

from ghostbust.config import Config
from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.operations.companions import Beside, companions
from ghostbust.operations.health import HealthEndpoint
from ghostbust.operations.systemd import ServiceManager
from ghostbust.sections import DaemonSection


def beside(home: Home, listen: str | None) -> Beside:
    config = Config(daemon=DaemonSection(listen=listen))
    return Beside(home, lambda: config, lambda: True, threading.Event(), ServiceManager(None), str)


def test_nobody_listens_unless_the_settings_say_so(home: Home) -> None:
    assert not any(isinstance(one, HealthEndpoint) for one in companions(beside(home, None)))


def test_all_of_them_start_and_stop(home: Home) -> None:
    before = set(threading.enumerate())
    all_of_them = companions(beside(home, "127.0.0.1:0"))
    for one in all_of_them:
        one.start()
    (endpoint,) = [one for one in all_of_them if isinstance(one, HealthEndpoint)]
    assert endpoint.port
    for one in reversed(all_of_them):
        one.stop()
    assert set(threading.enumerate()) <= before  # others' threads may end meanwhile


def test_a_place_that_is_none(home: Home) -> None:
    with pytest.raises(ConfigError, match=r"daemon\.listen"):
        companions(beside(home, "nowhere"))
