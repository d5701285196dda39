"""The daemon's process as others see it: which one it is, since when it works, how it is ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ghostbust.errors import BusyError, UsageError
from ghostbust.home import Home

END_S: Final = 45.0
"""how long `end` waits: the daemon ends within 30 s, and what runs beside it a little later"""
LOOK_S: Final = 0.2
"""between two looks whether it has ended"""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a home folder's daemon lock."""

    pid: int | None
    """in its own container; None where it has only just begun"""
    purpose: str
    """``daemon``, or ``jobs`` for one that runs a job in its place"""
    since: datetime
    """when it took the lock, UTC"""


def find_holder(home: Home) -> Holder | None:
    """Who holds the daemon lock; None where nobody does. Raises HomeError as `Home.holder`."""
    text = home.holder(home.daemon_lock)
    if text is None:
        return None
    pid, _, purpose = text.partition(" ")
    since = datetime.fromtimestamp(home.daemon_lock.stat().st_mtime, UTC)
    return Holder(int(pid) if pid.isdecimal() else None, purpose, since)


def end(home: Home, holder: Holder, *, wait_s: float = END_S) -> None:
    """Ends the daemon in order, and waits until it has ended.

    Raises UsageError for a process that is no daemon or none of this machine, and for one that
    belongs to somebody else; BusyError if it still works after ``wait_s``.
    """
    pid = holder.pid
    if pid is None or holder.purpose != "daemon":
        what = "has only just begun" if pid is None else f"runs one of the jobs, process {pid}"
        raise UsageError(f"what holds {home.path} {what}; wait for it, or end it where it runs")
    if sys.platform == "win32":
        raise UsageError(f"end process {pid} by Ctrl-C where it runs: Windows knows no other way")
    if not _has_open(pid, home.daemon_lock):
        raise UsageError(
            f"the daemon is process {pid} of another container or machine; stop it there"
        )
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as exc:
        raise UsageError(f"process {pid} belongs to another user; stop it as that user") from exc
    deadline = time.monotonic() + wait_s
    while (now := find_holder(home)) is not None and now.pid == pid:
        if time.monotonic() >= deadline:
            raise BusyError(
                f"process {pid} was asked to end and still works after {wait_s:.0f} s; wait, or"
                f" kill -9 {pid}: the next start goes on where it was"
            )
        time.sleep(LOOK_S)


def _has_open(pid: int, file: Path) -> bool:
    """Whether the process has the file open; True where the system doesn't say.

    A process of another container has a number there that may be somebody else's here.
    """
    if not Path("/proc/self/fd").is_dir():
        return True
    try:
        return any(one.exists() and one.samefile(file) for one in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False
    except PermissionError:  # another user's: sending the signal says so
        return True
