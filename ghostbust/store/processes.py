"""Which process works on a run, told apart from a later one with the same number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NOBODY: Final = ""
"""the process of what no process works on"""


def this_process() -> str:
    """``pid:start`` of this process; ``start`` is empty where the system has no /proc."""
    pid = os.getpid()
    return f"{pid}:{_start(pid) or ''}"


def is_alive(process: str) -> bool:
    """True while the process of `this_process` runs. Sees its own machine and container only."""
    if process == NOBODY:
        return False
    pid_text, _, start = process.partition(":")
    pid = int(pid_text)
    if start:
        return _start(pid) == start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # there, and another user's
    return True


def _start(pid: int) -> str | None:
    """When the process began, in clock ticks since boot; None where it is gone, or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # proc(5): the second field, in parentheses, may hold anything; state is 3, starttime 22.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]
