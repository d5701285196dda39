"""Telling of claimed names: the webhook and the program of the settings.

The alarm is in the store before anybody is told, and stays untold there until it reached one of
them, so that a webhook that was down hears of it at the next recheck.
"""

from __future__ import annotations

import json
import logging
import subprocess

import httpx

from ghostbust.registries.names import purl
from ghostbust.registries.transport import USER_AGENT
from ghostbust.registries.trust import trusted
from ghostbust.sections import AlarmSection
from ghostbust.store import Alarm, Store

log = logging.getLogger(__name__)


def tell_alarms(store: Store, settings: AlarmSection) -> int:
    """Tells of every alarm that nobody has heard of; how many reached somebody.

    One that can't be told is a warning in the log, without the webhook's address, which may hold
    a secret.
    """
    if settings.webhook is None and not settings.command:
        return 0
    reached = 0
    for alarm in store.alarms.untold():
        if told := _tell(alarm, settings):
            store.alarms.mark_told(alarm.id, told)
            reached += 1
    return reached


def described(alarm: Alarm) -> dict[str, object]:
    """What is told of an alarm; JSON values only."""
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


def _tell(alarm: Alarm, settings: AlarmSection) -> list[str]:
    """Whom the alarm has reached."""
    told = []
    if settings.webhook is not None and _post(settings.webhook, alarm, settings.timeout_s):
        told.append("webhook")
    if settings.command and _run(settings.command, alarm, settings.timeout_s):
        told.append("command")
    return told


def _post(url: str, alarm: Alarm, timeout_s: float) -> bool:
    """True where the webhook took it."""
    try:
        response = httpx.post(
            url,
            json=described(alarm),
            headers={"User-Agent": USER_AGENT},
            timeout=timeout_s,
            verify=trusted(),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        log.warning("alarm: the webhook can't be reached (%s)", type(exc).__name__)
        return False
    if not response.is_success:
        log.warning("alarm: the webhook answered HTTP %d", response.status_code)
    return response.is_success


def _run(command: tuple[str, ...], alarm: Alarm, timeout_s: float) -> bool:
    """True where the program took it and ended with 0. No shell is involved."""
    try:
        done = subprocess.run(
            command,
            input=json.dumps(described(alarm)),
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        log.warning("alarm: the program %s failed (%s)", command[0], type(exc).__name__)
        return False
    if done.returncode:
        log.warning("alarm: the program %s ended with %d", command[0], done.returncode)
    return done.returncode == 0
