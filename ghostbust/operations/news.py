"""What is worth a notification: found in the store, on the disk, and in how jobs end.

What happened while no daemon ran is no news: it looks at what comes after its start.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.loop.companions import JobDone
from ghostbust.operations.notices import Notice, Notices
from ghostbust.operations.repeating import Repeating
from ghostbust.records import Promotion
from ghostbust.registries.names import purl
from ghostbust.sections import NotifySection
from ghostbust.shown import redact, visible
from ghostbust.store import Alarm, Round, RoundState, Store

LOOK_S: Final = 60.0
"""seconds from one look to the next; the end of a job has one at once"""
ROUNDS: Final = 20
"""newest rounds whose states are followed"""
RELIEF: Final = 1.1
"""free space must pass the limit by this factor before a shortage is news again"""


class News:
    """A companion that looks for news and has it sent."""

    def __init__(
        self,
        home: Home,
        settings: Callable[[], NotifySection],
        notices: Notices,
        shown: Callable[[str], str] = str,
        free_bytes: Callable[[Home], int] | None = None,
    ) -> None:
        """``settings``: those in force. ``shown`` takes out what mustn't be seen; ``free_bytes``
        tells of the disk, None looks at it.
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
                self._send(*_moved(move))
            for done in self._rejected(rounds):
                reason = self._clean(done.reason)
                about = {"round": done.id, "adapter": done.adapter, "reason": reason}
                self._send("gates-failed", f"round {done.id} was rejected: {reason}", about)
        self._alarm = max((alarm.id for alarm in alarms), default=0)
        self._moves = len(moves)
        self._rounds = {done.id: done.state for done in rounds}

    def _rejected(self, rounds: list[Round]) -> Iterator[Round]:
        """Those that are rejected and weren't at the last look, oldest first."""
        for done in reversed(rounds):
            before = self._rounds.get(done.id)
            if done.state is RoundState.REJECTED and before is not RoundState.REJECTED:
                yield done

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


def _moved(move: Promotion) -> tuple[str, str, dict[str, object]]:
    """Event, text and fields of a move of the pointer."""
    event = "rollback" if move.kind == "rollback" else "promotion"
    serves, before = move.adapter or "the base", move.previous or "the base"
    text = f"{serves} serves now instead of {before}: {move.reason}"
    return event, text, {"adapter": move.adapter, "previous": move.previous}
