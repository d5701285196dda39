"""The keys of ``ghostbust.toml`` about the daemon's jobs: when, how much, and what gives way."""

from __future__ import annotations

import re
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from ghostbust.quiet_hours import Window
from ghostbust.sections import Section

OFF: Final = "off"
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EVERY: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds_of(every: str) -> float | None:
    """The seconds of ``90s``, ``15m``, ``6h`` or ``1d``; None for ``off``. Raises ValueError."""
    if every == OFF:
        return None
    match = _EVERY.fullmatch(every.strip())
    seconds = 0.0 if match is None else float(match[1]) * _UNITS[match[2]]
    if not seconds:
        raise ValueError("should be a time such as 90s, 15m, 6h or 1d, or off")
    return seconds


class JobEntry(Section):
    """When a job runs: one of the two."""

    every: str | None = None
    """from one run to the next: `90s`, `15m`, `6h`, `1d`; `off`: never by itself"""
    cron: str | None = None
    """minute, hour, day of the month, month, day of the week, as cron has them"""

    @field_validator("every")
    @classmethod
    def _check_every(cls, every: str | None) -> str | None:
        if every is not None:
            seconds_of(every)
        return every

    @field_validator("cron")
    @classmethod
    def _check_cron(cls, cron: str | None) -> str | None:
        if cron is not None:
            from apscheduler.triggers.cron import CronTrigger

            try:
                CronTrigger.from_crontab(cron)
            except ValueError as exc:
                raise ValueError(f"should be five fields as cron has them ({exc})") from exc
        return cron

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.every is None) == (self.cron is None):
            raise ValueError("should have one of every and cron")
        return self


class JobsSection(Section):
    """When the daemon does what; what isn't here goes by the section `daemon`."""

    watch: JobEntry | None = None
    """none: every `daemon.watch_every_s`"""
    ingest: JobEntry | None = None
    """none: every 5 minutes, where `ingest.paths` names logs"""
    round: JobEntry | None = None
    """a look whether one is due; none: every `daemon.round_every_s`"""
    rollback: JobEntry | None = None
    """none: every 10 minutes, unless `rollback.auto` is off"""
    alarms: JobEntry | None = None
    """another try to tell of claimed names; none: every 5 minutes, if `alarm` names anybody"""
    recheck: JobEntry | None = None
    """none: every `daemon.recheck_every_s`"""
    sync: JobEntry | None = None
    """fetches PyPI's names as `ghostbust registry sync` does; none: never"""
    retention: JobEntry | None = None
    """none: once a day, where the section `retention` has a limit"""
    selfcheck: JobEntry | None = None
    """none: every 6 hours"""
    time_zone: str = "UTC"
    """of `cron`, `quiet` and the days of the budgets, such as `Europe/Berlin`"""
    quiet: tuple[str, ...] = ()
    """when no job works: `22:00-06:00`, `mon-fri 09:00-18:00`, `sat,sun 00:00-24:00`"""

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise ValueError("should be a time zone such as Europe/Berlin") from exc
        return name

    @field_validator("quiet")
    @classmethod
    def _check_quiet(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            Window.parse(window)
        return windows


class BudgetSection(Section):
    """How much the daemon's jobs may spend in a day. What is spent, restarts keep."""

    samples: int | None = Field(default=None, ge=0)
    """answers of watches, those of rewriting included, and of rounds; none: no limit"""
    tokens: int | None = Field(default=None, ge=0)
    """tokens of those answers; none: no limit"""
    registry_requests: int | None = Field(default=None, ge=0)
    """requests of all jobs to live registries, repeated ones included; none: no limit"""
    gpu_minutes: float | None = Field(default=None, ge=0)
    """minutes in which a model that runs here is asked or trained, GPU or not; none: no limit"""


class BusySection(Section):
    """When jobs give way to other work on the machine or at the model servers."""

    load: float | None = Field(default=None, gt=0)
    """load average of a minute per core from which no model is run here; none: any"""
    gpu_percent: float | None = Field(default=None, gt=0, le=100)
    """use of a GPU from which no model is run here, if NVML tells; none: any"""
    answer_s: float | None = Field(default=None, gt=0)
    """seconds in which a model server has to list its models, else it is busy; none: 10"""
    wait_s: float = Field(default=60, gt=0)
    """seconds until the next look, doubled each time up to half an hour"""


class RetentionSection(Section):
    """What is deleted after a while. Never what an adapter was trained on or judged by."""

    answers_days: float | None = Field(default=None, gt=0)
    """days after which an adapter's answers to watches go that invent nothing; none: never"""
    lookups_days: float | None = Field(default=None, gt=0)
    """days after which live verdicts on names go that weren't invented; none: never"""


class SelfcheckSection(Section):
    """What the daemon wants of its own house."""

    free_bytes: int = Field(default=500_000_000, ge=0)
    """free space of the home folder's disk under which no job begins"""
