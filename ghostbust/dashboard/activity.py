"""What works now, and what happened last: the log that the store itself is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from ghostbust.errors import HomeError
from ghostbust.home import Home
from ghostbust.records import utc_now
from ghostbust.shown import redact
from ghostbust.store import JobRow, Store

EVENTS: Final = 200
"""events listed, the newest"""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    at: datetime
    what: str
    """a word: ``run``, ``round``, ``promotion``, ``alarm``, ``review``, ``canary``"""
    text: str
    """not yet made visible"""


@dataclass(frozen=True, slots=True)
class Activity:
    """Who works in the home folder, what is under way, what came of the last things."""

    holders: tuple[str, ...]
    """who holds which lock of the home folder, such as ``lock: process 71 (watch)``"""
    jobs: tuple[JobRow, ...]
    """the daemon's, by name"""
    spent: tuple[tuple[str, float], ...]
    """of each budget today, by its name"""
    events: tuple[Event, ...]
    """newest first"""


def read_activity(store: Store, home: Home | None, *, reveal: bool, zone: tzinfo = UTC) -> Activity:
    """What happened, from all tables that have a time. Names are redacted unless revealed.

    ``zone``: where the day of the budgets begins at midnight.
    """
    events = sorted(_events(store, reveal=reveal), key=lambda event: event.at, reverse=True)
    return Activity(
        holders=() if home is None else tuple(_holders(home)),
        jobs=tuple(store.jobs.all().values()),
        spent=tuple(sorted(store.spending.of(utc_now().astimezone(zone).date()).items())),
        events=tuple(events[:EVENTS]),
    )


def _holders(home: Home) -> Iterator[str]:
    for lock in home.locks:
        try:
            holder = home.holder(lock)
        except HomeError as exc:  # another user's
            yield f"{lock.name}: {exc}"
            continue
        if holder is not None:
            pid, _, purpose = holder.partition(" ")
            yield f"{lock.name}: process {pid} ({purpose or 'starting'})"


def _events(store: Store, *, reveal: bool) -> Iterator[Event]:
    for run in store.runs.recent(EVENTS):
        who = run.spec.adapter or "base"
        measured = run.measurement
        rate = "" if measured is None else f", rate {measured.rate:.3f}, {measured.answers} answers"
        at = run.finished or run.started
        yield Event(at, "run", f"{run.id} {run.spec.kind} of {who}: {run.status}{rate}")
    for one in store.rounds.recent(EVENTS):
        why = f": {one.reason}" if one.reason else ""
        yield Event(one.updated, "round", f"{one.id} {one.state}{why}")
    for move in store.promotions.all()[:EVENTS]:
        serves = f"{move.adapter or 'the base'} serves"
        yield Event(move.at, move.kind, f"{serves}, before it {move.previous or 'the base'}"
                    f": {move.reason}")  # fmt: skip
    for alarm in store.alarms.recent(EVENTS):
        name = alarm.name if reveal else redact(alarm.name)
        told = f", told: {' '.join(alarm.told)}" if alarm.told else ", nobody told"
        yield Event(alarm.at, "alarm", f"{name} ({alarm.ecosystem}) is registered now{told}")
    for review in store.reviews.recent(EVENTS):
        name = review.name if reveal else redact(review.name)
        yield Event(review.at, "review", f"{review.decision} {name}: {review.reason}")
    for canary in store.published.canaries(limit=EVENTS):
        passed = "passed" if canary.passed else "failed"
        yield Event(canary.at, "canary", f"{canary.adapter} {passed} at {canary.replica}:"
                    f" {canary.reason}")  # fmt: skip


def job_state(job: JobRow) -> str:
    """What the job does now, in a word or three."""
    if job.works:
        return "works"
    if job.was_killed:
        return "was killed"
    if job.paused is not None:
        return "paused"
    if job.requested is not None:
        return "asked for"
    if not job.failures:
        return "waits"
    return "failed once" if job.failures == 1 else f"failed {job.failures} times"
