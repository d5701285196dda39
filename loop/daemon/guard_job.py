"""The guard beside the daemon: a look whether it is well, and a process that is kept running."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Sequence
from typing import Final

from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import DataError, EndpointError, UsageError
from ghostbust.home import Home
from ghostbust.loop.child import Child, sweep_children
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.signals import JobDone
from ghostbust.sections import GuardSection

log = logging.getLogger(__name__)

ANSWER_S: Final = 5.0
"""how long the guard has to say how it is"""
LOOK_S: Final = 0.2
"""between two tries while nobody listens"""
FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 60.0
"""before it is started again; twice as long each time, until it has worked for a minute"""
STEADY_S: Final = 60.0
_OWN_LINE: Final = re.compile(r"[-\d]+ [:,\d]+ ([A-Z]+) (?:guard: )?(.*)")
"""level and text of a line of the guard's log"""
END_S: Final = 20.0
"""how long the end of the process may take when the daemon stops"""


def look_at_guard(place: Workplace) -> str:
    """What the guard of the settings has done so far, in a few words. Raises as `ask_guard`."""
    said = ask_guard(place.config.guard, patience_s=ANSWER_S)
    log.info("guard: %s", said)
    return said


def ask_guard(section: GuardSection, *, patience_s: float = 0.0) -> str:
    """What the guard has done so far, in a few words.

    ``patience_s``: how long it is asked again where nobody listens. Raises EndpointError where
    nobody answers there, or no guard does, DataError where the guard can't read what the server
    answers.
    """
    where, url = f"the guard at {section.host}:{section.port}", f"{section.url}/guard/health"
    try:
        answer = _ask(url, patience_s)
        found = parse_json(answer.content)
        state, answers, inventions = found["state"], found["answers"], found["inventions"]
    except http.ERRORS as exc:
        raise EndpointError(http.failure(exc, where)) from exc
    except (DataError, KeyError, TypeError, ValueError) as exc:
        raise EndpointError(f"what answers at {section.host}:{section.port} is no guard") from exc
    if state != "ok":
        then = "takes them away" if state == "failing closed" else "lets them through"
        raise DataError(f"{where} can't read answers, and {then}")
    return f"invented names held back: {inventions:,}, in answers: {answers:,}"


def _ask(url: str, patience_s: float) -> http.Response:
    """Its answer, also where it is only just being started. Raises what httpx raises."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return http.ask("GET", url, total_s=ANSWER_S, headers={"User-Agent": http.USER_AGENT})
        except http.ConnectError:
            if time.monotonic() > deadline:
                raise
        time.sleep(LOOK_S)


class KeptGuard:
    """Keeps ``ghostbust guard serve`` running beside the daemon; a companion of it."""

    def __init__(self, home: Home, section: GuardSection, command: Sequence[str]) -> None:
        """``command``: the program. Raises UsageError where the settings name no server."""
        if section.upstream is None:
            raise UsageError("guard.daemon needs guard.upstream, the server to stand before")
        self._mark, self._command = f"{home.path}:guard", [*command]
        self._stopping = threading.Event()
        # It lives as long as the process: the leash ends what this thread has started with it.
        self._thread = threading.Thread(target=self._keep, name="guard", daemon=True)

    def start(self) -> None:
        """Starts it, once what a killed daemon may have left is gone."""
        sweep_children(self._mark)
        self._thread.start()

    def stop(self) -> None:
        """Ends it; answers under way have some seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(END_S)

    def job_done(self, done: JobDone) -> None:
        """Nothing."""

    def _keep(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            began = time.monotonic()
            child = Child(self._command, self._mark)
            ended = child.run(_log, self._stopping)
            if ended.stopped:
                return
            if time.monotonic() - began > STEADY_S:
                wait_s = FIRST_WAIT_S
            log.error("ALARM: the guard %s; started again in %g s", ended.why, wait_s)
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def _log(line: str) -> None:
    """Logs a line of the guard's own log as this process's, at its level."""
    found = _OWN_LINE.fullmatch(line)
    level = logging.getLevelNamesMapping().get(found[1], logging.INFO) if found else logging.INFO
    log.log(level, "guard: %s", found[2] if found else line)
