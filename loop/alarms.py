"""ALARMS: sends what is known of claimed names to the webhook and the program of the settings.

An alarm is in the store before it is sent, and stays unsent there until it reached one of the two.
So a webhook that was down gets it later: the daemon tries every few minutes.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Final

import stamina

from ghostbust import http
from ghostbust.files import for_users_program
from ghostbust.loop.leash import leashed
from ghostbust.registries.live import trusted
from ghostbust.registries.names import purl
from ghostbust.sections import AlarmSection
from ghostbust.store.names import Alarm
from ghostbust.store.store import Store
from ghostbust.system import kill_session

log = logging.getLogger(__name__)

_TELLING: Final = threading.Lock()
"""held by the thread of this process that sends, so that no alarm is sent twice"""
LONGEST_WAIT_S: Final = 10.0
"""between two attempts at a webhook"""


def tell_alarms(store: Store, settings: AlarmSection) -> int:
    """Sends every alarm that has reached nobody yet; how many reached somebody now.

    Each failure is a warning in the log, without the webhook's address, which may hold a secret.
    """
    if settings.webhook is None and not settings.command:
        return 0
    reached = 0
    with _TELLING:
        for alarm in store.alarms.untold():
            if reached_by := _send(alarm, settings):
                store.alarms.mark_told(alarm.id, reached_by)
                reached += 1
    return reached


def described(alarm: Alarm) -> dict[str, object]:
    """The document that is sent of an alarm; JSON values only."""
    first = alarm.first_released
    return {
        "event": "claimed",
        "ecosystem": str(alarm.ecosystem),
        "name": alarm.name,
        "purl": purl(alarm.ecosystem, alarm.name),
        "claimed_at": alarm.at.isoformat(),
        "first_released": None if first is None else first.isoformat(),
        "uploader": alarm.uploader,
        "evidence": alarm.evidence,
        "times_seen": alarm.times_seen,
    }


def _send(alarm: Alarm, settings: AlarmSection) -> list[str]:
    """Sends one alarm; which of ``webhook`` and ``command`` it has reached."""
    body = json.dumps(described(alarm)).encode()
    wrong: dict[str, str] = {}
    if settings.webhook is not None:
        wrong["webhook"] = post(settings.webhook, body, timeout_s=settings.timeout_s)
    if settings.command:
        wrong["command"] = run_program(settings.command, body, timeout_s=settings.timeout_s)
    for said in filter(None, wrong.values()):
        log.warning("alarm: %s", said)
    return [way for way, said in wrong.items() if not said]


def post(
    url: str,
    body: bytes,
    *,
    timeout_s: float,
    headers: Mapping[str, str] | None = None,
    attempts: int = 1,
    wait_s: float = 0.5,
) -> str:
    """Posts the document; what went wrong, without the address, which may hold a secret, or empty.

    It makes up to ``attempts`` where another one may help; ``wait_s`` is before the second attempt
    and doubles each time. ``timeout_s`` is for a whole attempt, up to the answer's status; the body
    isn't read. Raises ConfigError for certificates that can't be used.
    """
    sent = {"Content-Type": "application/json", "User-Agent": http.USER_AGENT, **(headers or {})}
    try:
        for attempt in stamina.retry_context(
            on=_again, attempts=attempts, timeout=None,
            wait_initial=wait_s, wait_max=LONGEST_WAIT_S, wait_jitter=wait_s,
        ):  # fmt: skip
            with attempt:
                answer = http.ask(
                    "POST", url, content=body, headers=sent, total_s=timeout_s, max_bytes=None,
                    verify=trusted(),
                )  # fmt: skip
                answer.raise_for_status()
    except http.StatusError as exc:
        return f"the webhook answered HTTP {exc.response.status_code}"
    except http.ERRORS as exc:
        return f"the webhook can't be reached ({type(exc).__name__})"
    return ""


def run_program(command: Sequence[str], body: bytes, *, timeout_s: float) -> str:
    """Gives the document to the program; what went wrong, else empty. No shell is involved.

    When this process ends or the time is up, the program's whole process group is killed.
    """
    if shutil.which(command[0]) is None:
        return f"the program {command[0]} failed (FileNotFoundError)"
    try:
        program = subprocess.Popen(
            leashed([*command]),
            stdin=subprocess.PIPE,
            env={**os.environ, **for_users_program()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        return f"the program {command[0]} failed ({type(exc).__name__})"
    with program:
        try:
            program.communicate(body, timeout_s)
        except (OSError, subprocess.TimeoutExpired) as exc:
            return f"the program {command[0]} failed ({type(exc).__name__})"
        finally:
            if program.poll() is None:
                kill_session(program)
    return f"the program {command[0]} ended with {program.returncode}" if program.returncode else ""


def _again(exc: Exception) -> bool:
    if isinstance(exc, http.StatusError):
        return http.may_pass(exc.response.status_code)
    return isinstance(exc, http.TransportError)
