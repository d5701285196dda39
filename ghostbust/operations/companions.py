"""What runs beside the daemon's jobs, put together from the settings."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.companions import Companion
from ghostbust.operations.endpoint import Endpoint, read_listen
from ghostbust.operations.metrics import make_registry
from ghostbust.operations.news import News
from ghostbust.operations.notices import Notices
from ghostbust.operations.pulse import Pulse
from ghostbust.operations.readiness import Readiness
from ghostbust.operations.service_manager import ServiceManager
from ghostbust.registries.heard import HEARD


@dataclass(frozen=True)
class Beside:
    """What the companions know of the daemon."""

    home: Home
    config: Callable[[], Config]
    """the settings in force"""
    alive: Callable[[], bool]
    """whether the schedule goes on"""
    stopping: threading.Event
    """set when the daemon stops"""
    manager: ServiceManager
    shown: Callable[[str], str]
    """takes out of a text what mustn't be seen"""


def companions(beside: Beside) -> list[Companion]:
    """The notifications, the HTTP endpoint where the settings want one, and systemd's pulse.

    Raises ConfigError where ``daemon.listen`` names no place.
    """
    registry, collector, counts = make_registry(beside.home, HEARD, beside.config)
    notices = Notices(lambda: beside.config().notify, counts.notice)
    news = News(beside.home, lambda: beside.config().notify, notices, beside.shown)
    pulse = Pulse(beside.manager, beside.alive, beside.stopping, beside.shown)
    listen = beside.config().daemon.listen
    if listen is None:
        return [news, pulse]
    readiness = Readiness(beside.home, beside.config, HEARD, beside.shown)
    endpoint = Endpoint(
        read_listen(listen), alive=beside.alive, readiness=readiness, metrics=registry
    )
    collector.begin()
    return [counts, news, readiness, endpoint, pulse]
