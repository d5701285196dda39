"""Why a job that is due doesn't begin now, and when to look again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import floor
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from ghostbust import http
from ghostbust.config import Config
from ghostbust.errors import HomeError
from ghostbust.loop.budget import MINUTES, REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import asks_live
from ghostbust.loop.daemon.jobs import (
    Workplace,
    check_house,
    forget_old,
    lacking_room,
    look_again,
    read_logs,
    round_if_due,
    sync_names,
    take_back_if_worse,
    tell,
    watch,
)
from ghostbust.samplers.endpoint import base_url_of
from ghostbust.sections import JobEntry, ModelSection
from ghostbust.store.daemon import JobRow
from ghostbust.times import QuietHours, seconds_of

# --- times
# When a job is due next: each so many seconds, or by cron's five fields in a time zone.
#
# A time that is past when it is looked at counts once, however often it came meanwhile: a machine
# that slept through ten runs makes up for one.

_MINUTE: Final = timedelta(minutes=1)
_INSTANT: Final = timedelta(microseconds=1)


class Every(BaseTrigger):  # type: ignore[misc]
    """Each so many seconds, counted from the run before."""

    def __init__(self, seconds: float) -> None:
        self._interval = timedelta(seconds=seconds)

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The first time after ``now`` that is whole intervals behind ``previous``."""
        if previous is None:
            return now
        whole = max(0, floor((now - previous) / self._interval))
        return previous + self._interval * (whole + 1)


class Cron(BaseTrigger):  # type: ignore[misc]
    """By cron's five fields, on the wall clock of a time zone.

    APScheduler's own trigger fires without end in an hour that comes twice (3.11.3, 2026-11-28),
    so it is asked in UTC as if the wall's time were that, and the rest is done here. Where the
    clock goes forward, a time that is left out comes as much later. Where it goes back, a time
    that comes twice counts once; only a job of every hour runs in both.
    """

    def __init__(self, fields: str, zone: ZoneInfo) -> None:
        self._wall = CronTrigger.from_crontab(fields, timezone=UTC)
        self._zone = zone
        self._hourly = fields.split()[1].startswith("*")

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """The first time after both; None where the fields hold none, as on 30 February."""
        after = now - _INSTANT if previous is None else max(previous, now)
        return self._next(after.astimezone(UTC))

    def _next(self, after: datetime) -> datetime | None:
        wall = after.astimezone(self._zone).replace(tzinfo=UTC, fold=0)
        while True:
            found = self._wall.get_next_fire_time(None, wall + _INSTANT)
            if found is None:
                return None
            wall = found
            at = self._instant(found)
            if at > after:
                return self._in_second_hour(after, at) or at

    def _instant(self, wall: datetime) -> datetime:
        """When the wall's time is: the first of two, and as much behind a gap as it is in it."""
        return wall.replace(tzinfo=self._zone, fold=0).astimezone(UTC)

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


# --- job_table
# The daemon's jobs: what each does, when it runs if the settings don't say, what it needs.

WORK: Final = "work"
"""of jobs that take the home folder for themselves, and may take hours"""
INGEST_S: Final = 300.0
ROLLBACK_S: Final = 600.0
ALARMS_S: Final = 300.0
SELFCHECK_S: Final = 6 * 3600.0
RETENTION_S: Final = 24 * 3600.0


@dataclass(frozen=True)
class Job:
    """One thing that the daemon does."""

    name: str
    work: Callable[[Workplace], None]
    every_s: Callable[[Config], float | None]
    """seconds from one run to the next where the settings have no table for it; None: never"""
    needs: Callable[[Config], Mapping[str, float]] = lambda _: {}
    """what must be left of the day's budgets for a run to make sense"""
    runs_model: Callable[[Config], bool] = lambda _: False
    """whether a model runs on this machine for it, which costs minutes of the day's budget"""
    asks_model: bool = False
    """whether it asks the deployed model, here or at its servers"""
    needs_room: bool = True
    """False for what may run on a full disk"""
    queue: str = WORK
    """jobs of one queue work one after the other; those of others don't wait for them"""

    def trigger(self, config: Config) -> BaseTrigger | None:
        """When it is due by the settings; None where it never is by itself."""
        entry: JobEntry | None = getattr(config.jobs, self.name)
        if entry is not None and entry.cron is not None:
            return Cron(entry.cron, ZoneInfo(config.jobs.time_zone))
        given = entry is not None and entry.every is not None
        seconds = seconds_of(entry.every) if entry and entry.every else None
        seconds = seconds if given else self.every_s(config)
        return None if seconds is None else Every(seconds)


def _runs_here(config: Config) -> bool:
    return not config.model.servers


def _of_a_watch(config: Config) -> dict[str, float]:
    """One prompt's answers at least."""
    each = config.sampling.samples_per_prompt
    needs: dict[str, float] = {SAMPLES: each, TOKENS: each * config.sampling.max_new_tokens}
    if asks_live(config):
        needs[REQUESTS] = 1
    if _runs_here(config):
        needs[MINUTES] = 0
    return needs


def _of_asking(config: Config) -> dict[str, float]:
    return {REQUESTS: 1} if asks_live(config) else {}


JOBS: Final = (
    Job("watch", watch, lambda c: c.daemon.watch_every_s, _of_a_watch, _runs_here, asks_model=True),
    Job(
        "ingest",
        read_logs,
        lambda c: INGEST_S if c.ingest.paths else None,
        _of_asking,
        queue="ingest",
    ),
    Job(
        "rollback",
        take_back_if_worse,
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
        tell,
        lambda c: ALARMS_S if c.alarm.webhook or c.alarm.command else None,
        queue="alarms",
    ),
    Job("recheck", look_again, lambda c: c.daemon.recheck_every_s, _of_asking, queue="recheck"),
    Job("sync", sync_names, lambda _: None, lambda _: {REQUESTS: 1}),
    Job(
        "retention",
        forget_old,
        lambda c: RETENTION_S if c.retention.answers_days or c.retention.lookups_days else None,
        needs_room=False,
    ),
    Job("selfcheck", check_house, lambda _: SELFCHECK_S, needs_room=False, queue="selfcheck"),
)
"""in the order in which those of a queue work where several are due at once"""
QUEUES: Final = tuple(dict.fromkeys(job.queue for job in JOBS))
"""reading logs, which anybody may have written, and what mustn't wait have one each"""


# --- busy
# Whether the machine, its GPU or the model servers have other things to do.

ANSWER_S: Final = 10.0
"""in which a server lists its models, if the settings say nothing else"""

Load = Callable[[], float]
Percent = Callable[[], float | None]


def busy_reason(
    config: Config, *, load: Load | None = None, gpu_percent: Percent | None = None
) -> str | None:
    """Why no model should be asked or trained now, in one line; None where nothing says so.

    ``load`` and ``gpu_percent`` measure this machine; None: the system and NVML do.
    """
    if config.model.servers:
        return _servers_busy(config.model, config.busy.answer_s or ANSWER_S)
    return machine_busy(config, load=load, gpu_percent=gpu_percent)


def machine_busy(
    config: Config, *, load: Load | None = None, gpu_percent: Percent | None = None
) -> str | None:
    """Why no model should run on this machine now; None where nothing says so."""
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
    return os.getloadavg()[0] / len(os.sched_getaffinity(0))


def use_of_gpu() -> float | None:
    """The use of the most used GPU in percent; None where NVML, or a GPU, isn't there."""
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
    """Why all servers are busy; None where one isn't, and where one is simply not there.

    The job itself says better what is wrong with a server that can't be reached.
    """
    reasons = []
    key = os.environ.get(model.api_key_env, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for server in model.servers:
        url = base_url_of(server.url)
        try:
            answer = http.ask(
                "GET", f"{url}/models", headers=headers, total_s=answer_s, max_bytes=None
            )
        except http.TimeoutException:
            reasons.append(
                f"{url.netloc.decode()} needs more than {answer_s:g} s to list its models"
            )
        except http.Error:
            return None
        else:
            if answer.status_code not in http.OVERLOADED:
                return None
            reasons.append(f"{url.netloc.decode()} answers {answer.status_code}")
    return "; ".join(reasons)


# --- holds
# Why a job that is due doesn't begin now, and when to look again.

TROUBLE_S: Final = 60.0
"""until the next look where the disk is full or the database can't be used"""
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
    """What makes a job wait. Keeps in mind how often in a row it was busy here."""

    def __init__(self, place: Workplace, busy: Busy | None = None) -> None:
        """``busy``: says why no model should be asked now; None: the machine and the servers do."""
        self._place, self._given = place, busy
        self._in_row = 0
        self.quiet = QuietHours.of(place.config.jobs.quiet, place.config.jobs.time_zone)

    def find(self, job: Job, row: JobRow, allowance: Allowance, *, asked: bool) -> Hold | None:
        """The first reason not to begin; None where there is none.

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
                lacking_room(self._place.home, config.selfcheck.free_bytes)
            except HomeError as exc:
                return Hold(str(exc), now + timedelta(seconds=TROUBLE_S))
        lacking = allowance.lacking(job.needs(config))
        if lacking is not None:
            return Hold(f"{lacking}; goes on tomorrow", allowance.day_ends)
        return None if asked else self._busy(job, now)

    def _busy(self, job: Job, now: datetime) -> Hold | None:
        """Busy the first time: the settings' wait; each further time in a row twice as long."""
        config = self._place.config
        reason = None
        if self._given is not None and (job.asks_model or job.runs_model(config)):
            reason = self._given(config)
        elif job.asks_model:
            reason = busy_reason(config)
        elif job.runs_model(config):
            reason = machine_busy(config)
        if reason is None:
            self._in_row = 0 if job.asks_model or job.runs_model(config) else self._in_row
            return None
        wait_s = min(LONGEST_BUSY_S, config.busy.wait_s * 2.0**self._in_row)
        self._in_row += 1
        return Hold(f"busy: {reason}", now + timedelta(seconds=wait_s))


def retry_s(failures: int) -> float:
    """Seconds until a job that failed so often in a row is tried again, if it isn't due before."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 10))
