"""Notifications: what is worth one, and how it reaches a webhook or a program.

`News` finds it in the store, on the disk and in how jobs end. What happened while no daemon ran is
no news: it looks for what comes after its start. `Notices` sends it in a thread of its own, so that
no job waits. A notice that can't be sent is one warning in the log, and dropped; for claimed names
there is also `ghostbust.loop.alarms`, which repeats an alarm until it reached somebody.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import queue
import shutil
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from standardwebhooks import Webhook

from ghostbust.errors import ConfigError, StoreError
from ghostbust.home import Home
from ghostbust.loop.alarms import post as post_to_webhook
from ghostbust.loop.alarms import run_program
from ghostbust.loop.signals import JobDone
from ghostbust.operations.repeating import Repeating
from ghostbust.records import utc_now
from ghostbust.registries.names import purl
from ghostbust.sections import NotifySection
from ghostbust.store.names import Alarm
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
from ghostbust.text import redact, visible

log = logging.getLogger(__name__)

ATTEMPTS: Final = 4
WAITING: Final = 100
"""notices in the queue; further ones are dropped"""
DRAIN_S: Final = 3.0
"""how long sending may go on when the daemon stops"""
LOOK_S: Final = 60.0
"""between two looks; the end of a job causes one at once"""
ROUNDS: Final = 20
"""newest rounds whose states are watched"""
RELIEF: Final = 1.1
"""free space must exceed the limit by this factor before a shortage is news again"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One piece of news."""

    event: str
    """one of ``notify.events``"""
    text: str
    """what happened, in one line for people"""
    about: Mapping[str, object] = field(default_factory=dict)
    """the same as JSON values, for programs"""
    at: datetime = field(default_factory=utc_now)
    id: str = field(default_factory=lambda: f"msg_{uuid.uuid4().hex}")
    """the same in every attempt to send it"""

    @property
    def document(self) -> dict[str, object]:
        """The document that is sent. Chat servers show the ``text`` of a webhook's body."""
        return {
            "id": self.id,
            "event": self.event,
            "at": self.at.isoformat(),
            "text": self.text,
            **self.about,
        }

    @property
    def body(self) -> bytes:
        """The document as JSON."""
        return json.dumps(self.document).encode()


class Notices:
    """Sends notices in order, in a thread of its own."""

    def __init__(
        self,
        settings: Callable[[], NotifySection],
        count: Callable[[str], None] = lambda _outcome: None,
        *,
        wait_s: float = 0.5,
    ) -> None:
        """``settings``: those in force. ``count`` gets ``sent``, ``failed`` or ``dropped``.
        ``wait_s``: before the second attempt; doubled each time.
        """
        self._settings = settings
        self._count = count
        self._wait_s = wait_s
        self._queue: queue.Queue[Notice | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Sends what is in the queue, for a few seconds at most."""
        if self._thread.ident is None:
            return
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            log.warning("notify: %d notices are dropped, as the daemon stops", WAITING)
            return
        self._thread.join(DRAIN_S)

    def send(self, notice: Notice) -> None:
        """Queues the notice, if the settings want its event. Never waits."""
        settings = self._settings()
        if notice.event not in settings.events or not (
            settings.webhook or settings.command or settings.apprise
        ):
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
            ways += [partial(tell, address, notice) for address in settings.apprise]
            for way in ways:
                self._try(notice, way)

    def _try(self, notice: Notice, way: Callable[[], str]) -> None:
        try:
            wrong = way()
        except Exception as exc:
            # A failed notification must not harm anything else.
            wrong = type(exc).__name__
            log.debug("notify", exc_info=True)
        if wrong:
            log.warning("notify: %s wasn't told: %s", notice.event, wrong)
        self._count("failed" if wrong else "sent")


def post(settings: NotifySection, notice: Notice, wait_s: float = 0.5) -> str:
    """Posts the notice, signed; returns what went wrong, or an empty text (`alarms.post`).

    Raises ConfigError for a secret that can't be used.
    """
    body = notice.body
    signed = signature(secret_of(settings), notice.id, utc_now(), body)
    return post_to_webhook(
        settings.webhook or "",
        body,
        timeout_s=settings.timeout_s,
        headers=signed,
        attempts=ATTEMPTS,
        wait_s=wait_s,
    )


def run(settings: NotifySection, notice: Notice) -> str:
    """Gives the notice to the program; returns what went wrong, or an empty text."""
    return run_program(settings.command, notice.body, timeout_s=settings.timeout_s)


def tell(address: str, notice: Notice) -> str:
    """Sends the notice's text to a service by apprise; what went wrong, or an empty text.

    One attempt, within apprise's own time limits. What is wrong is said by the kind of service
    only, since an address holds secrets.
    """
    for name in ("apprise", "urllib3"):  # they log addresses
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        from apprise import Apprise, NotifyFormat
    except ImportError:
        return "notify.apprise needs more libraries: pip install 'ghostbust[notices]'"
    sender = Apprise()
    if not sender.add(address):
        return "an address in notify.apprise is none that apprise knows"
    if not sender.notify(
        body=notice.text, title=f"ghostbust: {notice.event}", body_format=NotifyFormat.TEXT
    ):
        return f"the {address.partition(':')[0]} service of notify.apprise couldn't be reached"
    return ""


def signature(secret: bytes | None, number: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks (standardwebhooks.com); unsigned without a secret."""
    headers = {"webhook-id": number, "webhook-timestamp": str(int(at.timestamp()))}
    if secret is not None:
        headers["webhook-signature"] = Webhook(secret).sign(number, at, body.decode())
    return headers


def secret_of(settings: NotifySection) -> bytes | None:
    """The key of the signatures; None if the settings name no variable.

    ``whsec_`` and base64 is how Standard Webhooks writes it; any other text is the key itself.
    Raises ConfigError if the variable isn't set, or has no key or no base64 after ``whsec_``.
    """
    if settings.secret_env is None:
        return None
    value = os.environ.get(settings.secret_env, "").strip()
    if not value:
        raise ConfigError(f"notify.secret_env: ${settings.secret_env} isn't set")
    if not value.startswith("whsec_"):
        return value.encode()
    try:
        key = base64.b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error as exc:
        raise ConfigError(f"notify.secret_env: ${settings.secret_env} isn't base64") from exc
    if not key:  # anybody can sign with it
        raise ConfigError(f"notify.secret_env: ${settings.secret_env} has no key behind whsec_")
    return key


class News:
    """A companion that looks for news and sends it."""

    def __init__(
        self,
        home: Home,
        settings: Callable[[], NotifySection],
        notices: Notices,
        shown: Callable[[str], str] = str,
        free_bytes: Callable[[Home], int] | None = None,
    ) -> None:
        """``settings``: those in force. ``shown`` removes secrets and prompts. ``free_bytes``: of
        the home's disk; None asks the system.
        """
        self._home, self._settings, self._notices = home, settings, notices
        self._shown = shown
        self._free_bytes = free_bytes or (lambda place: shutil.disk_usage(place.path).free)
        self._failures: Counter[str] = Counter()
        self._low = False
        self._alarm: int | None = None
        self._moves = 0
        self._rounds: dict[int, RoundState] = {}
        self._looks = Repeating("notify", self.look, LOOK_S)

    def start(self) -> None:
        """Notes what is there already, and begins to look."""
        self._notices.start()
        self._looks.start()

    def stop(self) -> None:
        """A last look, and what waits is sent."""
        self._looks.stop()
        self._notices.stop()

    def job_done(self, done: JobDone) -> None:
        """Counts failures in a row, and has a look at what the job did."""
        if done.state == "failed":
            self._failures[done.name] += 1
        elif done.state == "ok":
            self._failures[done.name] = 0
        if done.state == "failed" and self._failures[done.name] == self._settings().failures:
            times = self._failures[done.name]
            self._send(
                "job-failing",
                f"{done.name} failed {times} times in a row: {done.reason}",
                {"job": done.name, "times": times, "reason": self._clean(done.reason)},
            )
        self._looks.nudge()

    def look(self) -> None:
        """Sends what is new since the last look; the first one only remembers."""
        self._look_at_disk()
        try:
            with Store.open(self._home.database, read_only=True) as store:
                self._look_at(store)
        except StoreError:
            if self._alarm is None:  # nothing is there yet, so that all of it will be news
                self._alarm = 0

    def _look_at(self, store: Store) -> None:
        first = self._alarm is None
        alarms = store.alarms.recent()
        moves = store.promotions.all()
        rounds = store.rounds.recent(ROUNDS)
        if not first:
            for alarm in reversed([a for a in alarms if a.id > (self._alarm or 0)]):
                self._send("claimed", *self._claimed(alarm))
            for move in reversed(moves[: len(moves) - self._moves]):
                event = "rollback" if move.kind == "rollback" else "promotion"
                serves, before = move.adapter or "the base", move.previous or "the base"
                text = f"{serves} serves now instead of {before}: {move.reason}"
                self._send(event, text, {"adapter": move.adapter, "previous": move.previous})
            for done in reversed(rounds):
                was = self._rounds.get(done.id)
                if done.state is not RoundState.REJECTED or was is RoundState.REJECTED:
                    continue
                reason = self._clean(done.reason)
                about = {"round": done.id, "adapter": done.adapter, "reason": reason}
                self._send("gates-failed", f"round {done.id} was rejected: {reason}", about)
        self._alarm = max((alarm.id for alarm in alarms), default=0)
        self._moves = len(moves)
        self._rounds = {done.id: done.state for done in rounds}

    def _look_at_disk(self) -> None:
        free, least = self._free_bytes(self._home), self._settings().free_bytes
        if free < least and not self._low:
            self._low = True
            text = f"{free / 1e9:.2f} GB are free where the home folder is"
            self._send("low-disk", text, {"free_bytes": free, "least_bytes": least})
        elif free > least * RELIEF:
            self._low = False

    def _claimed(self, alarm: Alarm) -> tuple[str, dict[str, object]]:
        reveal = self._settings().reveal
        name = alarm.name if reveal else redact(alarm.name)
        about: dict[str, object] = {
            "ecosystem": str(alarm.ecosystem),
            "name": visible(name),
            "purl": purl(alarm.ecosystem, alarm.name) if reveal else None,
            "claimed_at": alarm.at.isoformat(),
            "times_seen": alarm.times_seen,
        }
        return f"{alarm.ecosystem} {name} was invented and is registered now", about

    def _send(self, event: str, text: str, about: Mapping[str, object]) -> None:
        self._notices.send(Notice(event, self._clean(text), about))

    def _clean(self, text: str) -> str:
        """One harmless line."""
        return visible(self._shown(" ".join(text.split())))
