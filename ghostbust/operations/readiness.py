"""Whether the daemon's work can go on: the database, the model, the registries, as last seen.

Model servers are asked for their list of models every LOOK_S seconds, never when somebody asks
whether all is ready; registries aren't asked at all: what they said to the jobs counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import GhostbustError, StoreError
from ghostbust.home import Home
from ghostbust.loop.companions import JobDone
from ghostbust.loop.parts import make_endpoint
from ghostbust.operations.repeating import Repeating
from ghostbust.records import utc_now
from ghostbust.registries.heard import Heard
from ghostbust.store import Store

LOOK_S: Final = 60.0
"""seconds from one look at the model servers to the next"""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the daemon needs."""

    ready: bool
    reason: str
    """what was seen, in one line"""
    seen: datetime | None
    """when; None where it was never looked at"""


class Readiness:
    """A companion that looks at the model servers; `parts` is for any thread."""

    def __init__(
        self,
        home: Home,
        config: Callable[[], Config],
        heard: Heard,
        shown: Callable[[str], str] = str,
    ) -> None:
        """``config``: the settings in force. ``shown`` takes out what mustn't be seen."""
        self._home, self._config, self._heard, self._shown = home, config, heard, shown
        self._lock = threading.Lock()
        self._model = Part(True, "not looked at yet", None)
        self._looks = Repeating("readiness", self.look, LOOK_S)

    def start(self) -> None:
        """Begins to look."""
        self._looks.start()

    def stop(self) -> None:
        """Looks no more."""
        self._looks.stop()

    def job_done(self, done: JobDone) -> None:
        """Has the servers looked at where a job failed."""
        if done.state == "failed":
            self._looks.nudge()

    def look(self) -> None:
        """Asks the model servers, if there are any, for their models."""
        config = self._config()
        if not config.model.servers:
            part = Part(True, f"{config.model.name} runs in the daemon's own process", utc_now())
        else:
            part = self._ask(config)
        with self._lock:
            self._model = part

    def parts(self) -> dict[str, Part]:
        """What was seen last, by name. Only the database is looked at now."""
        with self._lock:
            model = self._model
        return {"database": self._database(), "model": model, "registries": self._registries()}

    def _ask(self, config: Config) -> Part:
        try:
            sampler = make_endpoint(config, None)
            sampler.check()
        except GhostbustError as exc:
            return Part(False, self._shown(str(exc)), utc_now())
        away = [state.said for state in sampler.health if state.in_row]
        servers = len(config.model.servers)
        said = f"{servers - len(away)} of {servers} servers list {config.model.served_as}"
        return Part(True, self._shown("; ".join([said, *away])), utc_now())

    def _database(self) -> Part:
        try:
            with Store.open(self._home.database, read_only=True) as store:
                store.growth.marks()
        except StoreError as exc:
            return Part(False, self._shown(str(exc)), utc_now())
        return Part(True, "it can be read", utc_now())

    def _registries(self) -> Part:
        registry = self._config().registry
        if registry.mode == "snapshot" or registry.as_of is not None:
            return Part(True, "a snapshot is asked, which is always there", utc_now())
        answer, failure = self._heard.last_answer, self._heard.last_failure
        if answer is None and failure is None:
            return Part(True, "not asked yet", None)
        if failure is not None and (answer is None or failure > answer):
            said = "the last request got no usable answer"
            return Part(False, said, failure)
        return Part(True, "the last request was answered", answer)
