"""The daemon's jobs: what each does, when it runs if the settings don't say, what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger

from ghostbust.config import Config
from ghostbust.job_sections import JobEntry, seconds_of
from ghostbust.loop.allowance import MINUTES, REQUESTS, SAMPLES, TOKENS
from ghostbust.loop.ingest_job import read_logs
from ghostbust.loop.jobs import Workplace, look_again, take_back_if_worse, tell, watch
from ghostbust.loop.parts import asks_live
from ghostbust.loop.retention import forget_old
from ghostbust.loop.round_job import round_if_due
from ghostbust.loop.selfcheck import check_house
from ghostbust.loop.sync_job import sync_names
from ghostbust.loop.times import Cron, Every

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
