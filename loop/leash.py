"""LEASH: keeps a process from outliving the one that started it, however that one ends.

A worker calls `end_with` first of all. In front of any other program this file runs as one itself,
by its path, without the package and without installed libraries: it sets the leash and becomes the
program, which keeps it. So it imports the standard library only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_SET_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)"""


def leashed(command: list[str]) -> list[str]:
    """The command that becomes ``command`` on a leash to this process.

    On Windows it is ``command`` itself: a program can't become another one there.
    """
    if sys.platform == "win32":
        return command
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def end_with(parent: int) -> None:
    """Has the kernel kill this process when ``parent`` ends; kills it at once if that has happened.

    The kernel means the thread that started this process: it has to live as long as this one may.
    Python code has no say in it, so it also ends a process that is busy in C. Does nothing on
    systems without prctl, that is other than Linux.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def go_first() -> None:
    """Has the kernel end this process before its parent where the machine runs out of memory."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", "utf-8")


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    go_first()
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 (no shell is wanted)
    except OSError as exc:
        sys.exit(f"can't run {sys.argv[2]}: {exc.strerror}")
