"""What runs beside the daemon's jobs, and SIGHUP, which reads the settings again."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from types import FrameType
from typing import Any, Final

from ghostbust.config import Config
from ghostbust.errors import GhostbustError
from ghostbust.home import Home
from ghostbust.loop.signals import Companion, JobDone
from ghostbust.operations.health import HealthEndpoint, Readiness, read_listen
from ghostbust.operations.metrics import make_registry
from ghostbust.operations.notify import News, Notices
from ghostbust.operations.systemd import Pulse, ServiceManager
from ghostbust.registries.transport import REQUESTS
from ghostbust.sections import GuardSection, Section

log = logging.getLogger(__name__)

AT_START: Final = frozenset(
    {"daemon.listen", "prompts.files", *(f"guard.{key}" for key in GuardSection.model_fields)}
)
"""keys that are read only when the daemon starts"""


@dataclass(frozen=True)
class Beside:
    """What the companions get from the daemon."""

    home: Home
    config: Callable[[], Config]
    """the settings in force"""
    alive: Callable[[], bool]
    """whether the schedule runs"""
    stopping: threading.Event
    """set when the daemon stops"""
    manager: ServiceManager
    shown: Callable[[str], str]
    """removes secrets and prompts from a text"""


def companions(beside: Beside) -> list[Companion]:
    """Notifications, the HTTP endpoint if ``daemon.listen`` is set, and systemd's pulse.

    Raises ConfigError if ``daemon.listen`` can't be parsed.
    """
    registry, collector, counts = make_registry(beside.home, REQUESTS, beside.config)
    notices = Notices(lambda: beside.config().notify, counts.notice)
    news = News(beside.home, lambda: beside.config().notify, notices, beside.shown)
    pulse = Pulse(beside.manager, beside.alive, beside.stopping, beside.shown)
    listen = beside.config().daemon.listen
    if listen is None:
        return [news, pulse]
    readiness = Readiness(beside.home, beside.config, REQUESTS, beside.shown)
    endpoint = HealthEndpoint(
        read_listen(listen), alive=beside.alive, readiness=readiness, metrics=registry
    )
    collector.begin()
    return [counts, news, readiness, endpoint, pulse]


class Reload:
    """A companion that reads the settings again on SIGHUP. Bad settings are one line in the log.

    `start` it in the main thread.
    """

    def __init__(
        self,
        config: Config,
        read: Callable[[], Config],
        apply: Callable[[Config], None],
        manager: ServiceManager,
    ) -> None:
        """``config``: the settings at the start. ``read`` reads them again. ``apply`` puts new ones
        to use, or raises a GhostbustError.
        """
        self.config = config
        """the settings in force; replaced as a whole, so any thread may read it"""
        self._read, self._apply, self._manager = read, apply, manager
        # A signal handler can interrupt code that holds a lock, so it only puts something here.
        self._wanted: SimpleQueue[bool] = SimpleQueue()
        self._thread = Thread(target=self._work, name="reload", daemon=True)
        self._before: Callable[[int, FrameType | None], Any] | int | None = None

    def start(self) -> None:
        """Installs the handler of SIGHUP, which Windows doesn't have: restart the daemon there."""
        self._thread.start()
        if sys.platform != "win32":
            self._before = signal.signal(signal.SIGHUP, lambda *_: self._wanted.put(True))

    def stop(self) -> None:
        """Restores the former handler of SIGHUP."""
        if sys.platform != "win32":
            signal.signal(signal.SIGHUP, self._before)
        self._wanted.put(False)
        self._thread.join()

    def job_done(self, done: JobDone) -> None:
        """Nothing."""

    def reload(self) -> bool:
        """Reads the settings and puts them to use; False if the old ones stay."""
        try:
            new = self._read()
            changed = dict(_differences(self.config, new))
            if not changed:
                log.info("reload: nothing has changed")
                return True
            self._apply(new)
        except GhostbustError as exc:
            log.error("reload: %s; the settings in force stay", exc)
            return False
        log.info("reload: %s", "; ".join(changed.values()))
        for key in changed:
            if key in AT_START:
                log.warning("reload: %s is read at the start only: restart the daemon", key)
        self.config = new
        return True

    def _work(self) -> None:
        while self._wanted.get():
            self._manager.reloading()
            try:
                self.reload()
            except Exception as exc:
                log.error("reload: %s: %s; the settings in force stay", type(exc).__name__, exc)
                log.debug("reload", exc_info=True)
            self._manager.ready()


def _differences(old: Config, new: Config) -> Iterator[tuple[str, str]]:
    """Each ``section.key`` that differs, and that in words, in the order of the settings.

    Numbers and switches are shown with their values; texts, which may be secrets, without.
    """
    for section in Config.model_fields:
        before: Section = getattr(old, section)
        after: Section = getattr(new, section)
        for key in type(before).model_fields:
            was, is_ = getattr(before, key), getattr(after, key)
            if was != is_:
                plain = all(isinstance(value, bool | int | float) for value in (was, is_))
                name = f"{section}.{key}"
                yield name, f"{name} was {was}, is {is_}" if plain else f"{name} changed"
