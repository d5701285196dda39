"""Telling of claimed names: the webhook and the program of the settings.

The alarm is in the store before anybody is told, and stays untold there until it reached one of
them, so that a webhook that was down gets it later: the daemon tries every few minutes.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import Final

from ghostbust.loop.delivery import post, run
from ghostbust.registries.names import purl
from ghostbust.sections import AlarmSection
from ghostbust.store import Alarm, Store

log = logging.getLogger(__name__)

_TELLING: Final = threading.Lock()
"""held by the thread of this process that sends, so that no alarm is sent twice"""


def tell_alarms(store: Store, settings: AlarmSection) -> int:
    """Tells of every alarm that nobody has heard of; how many reached somebody.

    One that can't be told is a warning in the log, without the webhook's address, which may hold
    a secret.
    """
    if settings.webhook is None and not settings.command:
        return 0
    reached = 0
    with _TELLING:
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
    body, told = json.dumps(described(alarm)).encode(), []
    wrong: dict[str, str] = {}
    if settings.webhook is not None:
        wrong["webhook"] = post(settings.webhook, body, timeout_s=settings.timeout_s)
    if settings.command:
        wrong["command"] = run(settings.command, body, timeout_s=settings.timeout_s)
    for way, said in wrong.items():
        if said:
            log.warning("alarm: %s", said)
        else:
            told.append(way)
    return told
