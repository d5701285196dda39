"""The daemon's jobs: what each does, when it is due, what it needs, and why it may have to wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

import psutil
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from ghostbust import http
from ghostbust.config import Config
from ghostbust.errors import HomeError, UsageError
from ghostbust.loop.budget import MINUTES, REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import asks_live
from ghostbust.loop.daemon import jobs
from ghostbust.loop.daemon.guard_job import look_at_guard
from ghostbust.loop.daemon.jobs import Workplace, round_if_due
from ghostbust.loop.daemon.watch_job import watch
from ghostbust.samplers.endpoint import base_url_of
from ghostbust.sections import JobEntry, ModelSection
from ghostbust.store.daemon import JobRow
from ghostbust.system import usable_cores
from ghostbust.times import QuietHours, seconds_of

WORK: Final = "work"
"""queue of the jobs that run a model or sync, and may take hours"""


@dataclass(frozen=True)
class Job:
    """One thing that the daemon does."""

    name: str
    work: Callable[[Workplace], str | None]
    """does it; returns what came of it, where a word on that is worth keeping"""
    every_s: Callable[[Config], float | None]
    """seconds from one run to the next if ``jobs`` has no entry for it; None: never"""
    needs: Callable[[Config], Mapping[str, float]] = lambda _: {}
    """what must be left of the day's budgets for a run to make sense"""
    runs_model: Callable[[Config], bool] = lambda _: False
    """whether it runs a model on this machine, which costs minutes of the day's budget"""
    asks_model: bool = False
    """whether it asks the deployed model, here or at its servers"""
    needs_room: bool = True
    """False if it may run on a full disk"""
    queue: str = WORK
    """jobs of one queue run one after the other; those of other queues don't wait for them"""

    def trigger(self, config: Config) -> BaseTrigger | None:
        """When it is due by the settings; None if it never is by itself."""
        entry: JobEntry | None = getattr(config.jobs, self.name)
        if entry is not None and entry.cron is not None:
            return Cron(entry.cron, ZoneInfo(config.jobs.time_zone))
        if entry is not None and entry.every is not None:
            seconds = seconds_of(entry.every)
        else:
            seconds = self.every_s(config)
        return None if seconds is None else Every(seconds)


def _runs_here(config: Config) -> bool:
    return not config.model.servers


def _needs_of_watch(config: Config) -> dict[str, float]:
    """At least one prompt's answers."""
    each = config.sampling.samples_per_prompt
    needs: dict[str, float] = {SAMPLES: each, TOKENS: each * config.sampling.max_new_tokens}
    if asks_live(config):
        needs[REQUESTS] = 1
    if _runs_here(config):
        needs[MINUTES] = 0
    return needs


def _needs_of_lookups(config: Config) -> dict[str, float]:
    return {REQUESTS: 1} if asks_live(config) else {}


INGEST_S: Final = 300.0
ROLLBACK_S: Final = 600.0
ALARMS_S: Final = 300.0
SELFCHECK_S: Final = 6 * 3600.0
RETENTION_S: Final = 24 * 3600.0
GUARD_S: Final = 60.0

JOBS: Final = (
    Job(
        "watch",
        watch,
        lambda c: c.daemon.watch_every_s,
        _needs_of_watch,
        _runs_here,
        asks_model=True,
    ),
    Job(
        "ingest",
        jobs.read_logs,
        lambda c: INGEST_S if c.ingest.paths else None,
        _needs_of_lookups,
        queue="ingest",
    ),
    Job(
        "rollback",
        jobs.roll_back_if_worse,
        lambda c: ROLLBACK_S if c.rollback.auto else None,
        needs_room=False,
        queue="rollback",
    ),
    Job(
        "round",
        round_if_due,
        lambda c: c.daemon.round_every_s,
        lambda _: {MINUTES: 0},
        lambda _: True,
    ),
    Job(
        "alarms",
        jobs.send_alarms,
        lambda c: ALARMS_S if c.alarm.webhook or c.alarm.command else None,
        queue="alarms",
    ),
    Job(
        "recheck",
        jobs.recheck_names,
        lambda c: c.daemon.recheck_every_s,
        _needs_of_lookups,
        queue="recheck",
    ),
    Job("sync", jobs.sync_names, lambda _: None, lambda _: {REQUESTS: 1}),
    Job(
        "retention",
        jobs.delete_old,
        lambda c: RETENTION_S if c.retention.answers_days or c.retention.lookups_days else None,
        needs_room=False,
    ),
    Job("selfcheck", jobs.selfcheck, lambda _: SELFCHECK_S, needs_room=False, queue="selfcheck"),
    Job(
        "guard",
        look_at_guard,
        lambda c: GUARD_S if c.guard.upstream else None,
        needs_room=False,
        queue="guard",
    ),
)
"""in the order in which those of a queue run if several are due at once"""
# Logs, which anybody may have written, have a queue of their own, and so has each urgent job.
QUEUES: Final = tuple(dict.fromkeys(job.queue for job in JOBS))


# When a job is due next. A time that has passed counts once, however many were missed: a machine
# that slept through ten runs makes up for one.

_MINUTE: Final = timedelta(minutes=1)
_INSTANT: Final = timedelta(microseconds=1)


class Every(BaseTrigger):  # type: ignore[misc]
    """Every so many seconds, counted from the run before."""

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first time after ``now`` that is whole intervals after ``previous``."""
        if previous is None:
            return now
        whole = max(0, floor((now - previous) / self._interval))
        return previous + self._interval * (whole + 1)


class Cron(BaseTrigger):  # type: ignore[misc]
    """By cron's five fields, on the wall clock of a time zone.

    APScheduler's own trigger fires without end in an hour that comes twice (3.11.3, 2026-11-28).
    So it gets the wall clock's time as if that were UTC, and this class does the rest. Where the
    clock is set forward, a time that is skipped comes as much later. Where it is set back, a time
    that comes twice counts once; only an hourly job runs in both hours.
    """

    def __init__(self, fields: str, zone: ZoneInfo) -> None:
        self._wall = CronTrigger.from_crontab(fields, timezone=UTC)
        self._zone = zone
        self._hourly = fields.split()[1].startswith("*")

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The first time after both; None if the fields match none, as on 30 February."""
        after = (now - _INSTANT if previous is None else max(previous, now)).astimezone(UTC)
        wall = after.astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        while (found := self._wall.get_next_fire_time(None, wall + _INSTANT)) is not None:
            wall = found
            # The first of two equal wall times; one inside a gap comes as much after the gap.
            at: datetime = wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
            if at > after:
                return self._in_second_hour(after, at) or at
        return None

    def _in_second_hour(self, after: datetime, before: datetime) -> datetime | None:
        """A time of an hourly job between the two, in an hour that comes a second time."""
        begin, end = (moment.astimezone(self._zone) for moment in (after, before))
        turned = begin.utcoffset() != end.utcoffset() or begin.fold
        if not self._hourly or not turned:
            return None
        moment = after.replace(second=0, microsecond=0) + _MINUTE
        while moment < before:
            local = moment.astimezone(self._zone)
            wall = local.replace(tzinfo=UTC, fold=0)
            if local.fold and self._wall.get_next_fire_time(None, wall) == wall:
                return moment
            moment += _MINUTE
        return None


# Whether the machine, its GPU or the model servers have other things to do.

ANSWER_S: Final = 10.0
"""in which a server lists its models, if the settings say nothing else"""


def busy_reason(config: Config) -> str | None:
    """Why no answers should be sampled now, in one line; None if nothing speaks against it."""
    if config.model.servers:
        return _servers_busy(config.model, config.busy.answer_s or ANSWER_S)
    return machine_busy(config)


def machine_busy(
    config: Config,
    *,
    load: Callable[[], float] | None = None,
    gpu_percent: Callable[[], float | None] | None = None,
) -> str | None:
    """Why no model should run on this machine now; None if nothing speaks against it.

    ``load`` and ``gpu_percent`` measure this machine; None: the system and NVML do.
    """
    if config.busy.load is not None:
        per_core = (load or load_per_core)()
        if per_core >= config.busy.load:
            return f"the load is {per_core:.2f} per core (busy.load is {config.busy.load:g})"
    if config.busy.gpu_percent is not None:
        used = (gpu_percent or use_of_gpu)()
        if used is not None and used >= config.busy.gpu_percent:
            return (
                f"a GPU is used by {used:.0f} % (busy.gpu_percent is {config.busy.gpu_percent:g})"
            )
    return None


def load_per_core() -> float:
    """The load average of the last minute, by the cores that this process may use."""
    return float(psutil.getloadavg()[0]) / usable_cores()  # psutil's is there on Windows too


def use_of_gpu() -> float | None:
    """The use of the most used GPU in percent; None without NVML or a GPU."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handles = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return max(
            (float(pynvml.nvmlDeviceGetUtilizationRates(one).gpu) for one in handles), default=None
        )
    except pynvml.NVMLError:
        return None
    finally:
        pynvml.nvmlShutdown()


def _servers_busy(model: ModelSection, answer_s: float) -> str | None:
    """Why all servers are busy; None if one isn't, or can't be reached at all.

    The job itself says better what is wrong with a server that can't be reached.
    """
    reasons = []
    try:
        headers = http.headers_with_key(model.api_key_env)
    except UsageError:
        return None
    for server in model.servers:
        url = base_url_of(server.url)
        host = url.netloc.decode()
        try:
            answer = http.ask(
                "GET", f"{url}/models", headers=headers, total_s=answer_s, max_bytes=None
            )
        except http.TimeoutException:
            reasons.append(f"{host} needs more than {answer_s:g} s to list its models")
        except http.Error:
            return None
        else:
            if answer.status_code not in http.OVERLOADED:
                return None
            reasons.append(f"{host} answers {answer.status_code}")
    return "; ".join(reasons)


# Why a job that is due doesn't begin now, and when to look again.

TROUBLE_S: Final = 60.0
"""until the next look if the disk is full or the database can't be used"""
LONGEST_BUSY_S: Final = 1800.0
FIRST_RETRY_S: Final = 300.0
LONGEST_RETRY_S: Final = 3600.0

Busy = Callable[[Config], str | None]


@dataclass(frozen=True, slots=True)
class Hold:
    """A job waits."""

    reason: str
    until: datetime | None
    """when to look again; None: when the job is next due"""


class Holds:
    """Finds what makes a job wait. Counts how often in a row the machine was busy."""

    def __init__(self, place: Workplace, busy: Busy | None = None) -> None:
        """``busy``: says why no model should be asked now; None: the machine and the servers do."""
        self._place, self._given = place, busy
        self._in_row = 0
        self.quiet = QuietHours.of(place.config.jobs.quiet, place.config.jobs.time_zone)

    def find(self, job: Job, row: JobRow, allowance: Allowance, *, asked: bool) -> Hold | None:
        """The first reason not to begin; None if there is none.

        ``asked``: by a person, who knows about the quiet hours, the pause and the load.
        """
        config, now = self._place.config, self._place.clock.now()
        if row.paused is not None and not asked:
            return Hold("it is paused", None)
        if self.quiet.holds(now) and not asked:
            end = self.quiet.end(now)
            return Hold(f"quiet hours until {end:%Y-%m-%d %H:%M} UTC", end)
        if job.needs_room:
            try:
                jobs.check_free_space(self._place.home, config.selfcheck.free_bytes)
            except HomeError as exc:
                return Hold(str(exc), now + timedelta(seconds=TROUBLE_S))
        lacking = allowance.lacking(job.needs(config))
        if lacking is not None:
            return Hold(f"{lacking}; goes on tomorrow", allowance.day_ends)
        return None if asked else self._busy(job, now)

    def _busy(self, job: Job, now: datetime) -> Hold | None:
        """The first wait is ``busy.wait_s``; each further one in a row is twice as long."""
        config = self._place.config
        if not job.asks_model and not job.runs_model(config):
            return None
        # A round trains on this machine, whatever the servers do.
        measure = self._given or (busy_reason if job.asks_model else machine_busy)
        reason = measure(config)
        if reason is None:
            self._in_row = 0
            return None
        wait_s = min(LONGEST_BUSY_S, config.busy.wait_s * 2.0**self._in_row)
        self._in_row += 1
        return Hold(f"busy: {reason}", now + timedelta(seconds=wait_s))


def retry_s(failures: int) -> float:
    """Seconds until a job that failed so often in a row is tried again, if it isn't due before."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 10))
