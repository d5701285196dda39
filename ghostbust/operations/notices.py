"""News, and how it reaches somebody: a webhook, a program. Sent aside, so that no job waits.

What can't be sent is one warning in the log and gone: claimed names have `ghostbust.loop.alarms`
besides, which tells until somebody has heard. A webhook's body is signed as Standard Webhooks
(standardwebhooks.com) has it, so that receivers need no code of ours to check it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import os
import queue
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from ghostbust.errors import ConfigError
from ghostbust.loop import delivery
from ghostbust.records import utc_now
from ghostbust.sections import NotifySection

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
WAITING: Final = 100
"""notices that may wait to be sent; further ones are dropped"""
DRAIN_S: Final = 3.0
"""how long what waits has when the daemon stops"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news."""

    event: str
    """one of ``notify.events``"""
    text: str
    """what happened, in one line for people"""
    about: Mapping[str, object] = field(default_factory=dict)
    """the same for programs; JSON values only"""
    at: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    """the same in every attempt to send it"""

    @property
    def document(self) -> dict[str, object]:
        """What is sent. ``text`` is what chat servers show of a webhook's body."""
        return {
            "id": self.id,
            "event": self.event,
            "at": self.at.isoformat(),
            "text": self.text,
            **self.about,
        }

    @property
    def body(self) -> bytes:
        """The same as JSON."""
        return json.dumps(self.document).encode()


class Notices:
    """Sends notices in a thread of its own, in their order."""

    def __init__(
        self,
        settings: Callable[[], NotifySection],
        count: Callable[[str], None] = lambda _outcome: None,
        *,
        wait_s: float = 0.5,
    ) -> None:
        """``settings``: those in force. ``count`` is told ``sent``, ``failed`` or ``dropped``.
        ``wait_s``: before the second attempt; doubled each time.
        """
        self._settings = settings
        self._count = count
        self._wait_s = wait_s
        self._queue: queue.Queue[Notice | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)

    def start(self) -> None:
        """Begins to send."""
        self._thread.start()

    def stop(self) -> None:
        """Sends what waits, for a few seconds at most."""
        if self._thread.ident is None:
            return
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.warning("notify: %d notices are dropped, as the daemon stops", WAITING)
            return
        self._thread.join(DRAIN_S)

    def send(self, notice: Notice) -> None:
        """Has it sent soon, if the settings want news of its kind. Never waits."""
        settings = self._settings()
        if notice.event not in settings.events or not (settings.webhook or settings.command):
            return
        try:
            self._queue.put_nowait(notice)
        except queue.Full:
            self._count("dropped")
            log.warning("notify: %s is dropped, since %d others wait", notice.event, WAITING)

    def _work(self) -> None:
        while (notice := self._queue.get()) is not None:
            settings = self._settings()
            ways: list[Callable[[], str]] = []
            if settings.webhook:
                ways.append(partial(post, settings, notice, self._wait_s))
            if settings.command:
                ways.append(partial(run, settings, notice))
            for way in ways:
                self._try(notice, way)

    def _try(self, notice: Notice, way: Callable[[], str]) -> None:
        try:
            wrong = way()
        except Exception as exc:
            # A notification that fails, however it does, harms nothing but itself.
            wrong = type(exc).__name__
            log.debug("notify", exc_info=True)
        if wrong:
            log.warning("notify: %s wasn't told: %s", notice.event, wrong)
        self._count("failed" if wrong else "sent")


def post(settings: NotifySection, notice: Notice, wait_s: float = 0.5) -> str:
    """Posts the notice, signed; what went wrong, else empty (`delivery.post`).

    Raises ConfigError for a secret that can't be used.
    """
    body = notice.body
    signed = signature(secret_of(settings), notice.id, utc_now(), body)
    return delivery.post(
        settings.webhook or "",
        body,
        timeout_s=settings.timeout_s,
        headers=signed,
        attempts=ATTEMPTS,
        wait_s=wait_s,
    )


def run(settings: NotifySection, notice: Notice) -> str:
    """Gives the notice to the program; what went wrong, else empty."""
    return delivery.run(settings.command, notice.body, timeout_s=settings.timeout_s)


def signature(secret: bytes | None, number: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows who sent it and when; without a secret unsigned."""
    sent = str(int(at.timestamp()))
    headers = {"webhook-id": number, "webhook-timestamp": sent}
    if secret is not None:
        signed = b".".join((number.encode(), sent.encode(), body))
        digest = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        headers["webhook-signature"] = f"v1,{digest}"
    return headers


def secret_of(settings: NotifySection) -> bytes | None:
    """The key of the signatures; None where the settings name no variable.

    ``whsec_`` and base64 is how Standard Webhooks writes it; any other text is the key itself.
    Raises ConfigError where the variable isn't set or holds no base64 behind ``whsec_``.
    """
    if settings.secret_env is None:
        return None
    value = os.environ.get(settings.secret_env, "").strip()
    if not value:
        raise ConfigError(f"notify.secret_env: ${settings.secret_env} isn't set")
    if not value.startswith("whsec_"):
        return value.encode()
    try:
        return base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error as exc:
        raise ConfigError(f"notify.secret_env: ${settings.secret_env} isn't base64") from exc
