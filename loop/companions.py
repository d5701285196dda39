"""What runs beside the daemon's jobs: told when it starts and stops, and of every job's end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ghostbust.store import JobOutcome

JobState = JobOutcome


@dataclass(frozen=True, slots=True)
class JobDone:
    """One run of a job, once it is over."""

    name: str
    """`watch`, `round`, …"""
    state: JobState
    """`skipped`: it didn't begin; `stopped`: it was told to end, and goes on another time"""
    seconds: float
    """how long it worked"""
    reason: str
    """why it failed, was skipped or stopped, in one line; empty where it is ok"""


class Companion(Protocol):
    """Something that lives as long as the daemon does, and never delays it for long."""

    def start(self) -> None:
        """Called before the schedule begins; what it raises keeps the daemon from starting."""

    def stop(self) -> None:
        """Called when the schedule has ended, or where a later companion failed to start."""

    def job_done(self, done: JobDone) -> None:
        """Called at the end of each run of a job, in the thread of the jobs."""
