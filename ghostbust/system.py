"""What an operating system does in its own way: sessions of processes, cores, memory, starts.

Whatever else needs Linux or POSIX says so in one line where it is called (`need_linux`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from ghostbust.errors import UsageError


def need_linux(what: str) -> None:
    """Raises UsageError on another system; ``what`` can't work there."""
    if sys.platform != "linux":
        raise UsageError(f"{what} needs Linux; use a container or WSL there")


def usable_cores() -> int:
    """The processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kill_session(program: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Kills a program that was started with ``start_new_session``, and all that is left there.

    Windows has no sessions: the program alone is killed.
    """
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            program.kill()
        else:
            os.killpg(program.pid, signal.SIGKILL)


def in_session(pid: int, leader: int) -> bool:
    """Whether a process belongs to the session of ``leader``. Raises OSError; False on Windows."""
    return sys.platform != "win32" and os.getsid(pid) == leader


def start_of(pid: int) -> str | None:
    """When a process began, in the system's own count; None for one that ended, or a zombie.

    Process ids are used again: the number and the start together mean one process.
    """
    if sys.platform != "linux":
        import psutil

        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
        except psutil.Error:
            return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # proc(5): the second field, in parentheses, may hold anything; state is 3, starttime 22.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else fields[19]


def is_running(pid: int) -> bool:
    """Whether there is a process with the number, also another user's."""
    if sys.platform == "win32":  # where os.kill with 0 would send Ctrl-C
        import psutil

        return bool(psutil.pid_exists(pid))
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def peak_memory_bytes() -> int | None:
    """The most resident memory so far of this process, or of a child that has ended.

    None on Windows.
    """
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return unit * max(resource.getrusage(one).ru_maxrss for one in who)


def limit_memory(most_bytes: int) -> None:
    """Has allocations over ``most_bytes`` fail in this process; no limit on Windows."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    least = most_bytes if most == resource.RLIM_INFINITY else min(most_bytes, most)
    with suppress(ValueError, OSError):  # macOS takes no such limit
        resource.setrlimit(resource.RLIMIT_AS, (least, least))
