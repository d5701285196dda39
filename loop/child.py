"""CHILD: a program beside this one, with a limit to its memory, that doesn't outlive it.

A round may run out of memory or meet a fault of a driver: it is a process of its own, so that
whoever started it goes on and can say why it ended. The limit is watched, not set: RLIMIT_AS counts
what CUDA and torch only reserve, which is a multiple of what they use.

Nothing is left behind: the kernel kills the program when its parent dies (`leash.py`), it has
a session of its own, which is ended as a whole, and all that it starts bears a mark by which
`sweep_children` finds what is left after all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from ghostbust.store.runs import is_alive, this_process

# --- leash
# LEASH: what keeps a process from outliving the one that started it, however that one ends.
#
# A worker calls `end_with` first of all. In front of any other program this file runs as one
# itself,
# by its path and without the package: it sets the leash and becomes the program, which keeps it.

_SET_DEATH_SIGNAL: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)"""


def leashed(command: list[str]) -> list[str]:
    """The command that becomes ``command`` on a leash to this process."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def end_with(parent: int) -> None:
    """Has the kernel kill this process when ``parent`` ends; kills it at once where that is over.

    The kernel means the thread that started this process: it has to live as long as this one may.
    Python code has no say in it, so it also ends a process that is busy in C. Does nothing on
    systems without prctl.
    """
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


GRACE_S: Final = 10.0
"""how long a program has to end after SIGTERM, before it is killed"""
POLL_S: Final = 0.5
"""from one look at its memory to the next"""
MARK: Final = "GHOSTBUST_CHILD"
"""the environment variable by which what a program starts is known: mark, and who started it"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int
    """its exit code; negative: the number of the signal that ended it"""
    last_line: str
    """the last that it said on standard error; may be empty"""
    over_bytes: int | None = None
    """what it used when it was ended for using too much; None where it wasn't"""
    out_of_memory: bool = False
    """True where the kernel killed something for memory meanwhile"""
    stopped: bool = False
    """True where it was told to end"""

    @property
    def why(self) -> str:
        """What ended it, in words."""
        if self.over_bytes is not None:
            return f"used {self.over_bytes / 1e9:.1f} GB of memory, which is over the limit"
        if self.stopped:
            return "was told to end"
        said = f": {self.last_line}" if self.last_line else ""
        if self.code < 0:
            name = signal.Signals(-self.code).name
            memory = ", since the machine ran out of memory" if self.out_of_memory else ""
            return f"was killed by {name}{memory}{said}"
        return f"ended with exit code {self.code}{said}"


@dataclass(frozen=True)
class Child:
    """A program to run, and what it may do."""

    command: Sequence[str]
    mark: str
    """what `sweep_children` finds it by, one for each home folder and purpose"""
    memory_bytes: int | None = None
    """what it and all that it starts may use together; None for no limit"""
    grace_s: float = GRACE_S
    limit_s: float | None = None
    """seconds after which it is told to end; None for no limit"""
    environment: Mapping[str, str] | None = None
    """variables beside this process's own"""

    def run(self, hear: Callable[[str], None], stopping: threading.Event) -> Ended:
        """Runs it to its end; ``hear`` gets what it says on standard error, line by line.

        It is told to end, and killed if it doesn't, when ``stopping`` is set, and when this call
        is left by an exception. Nothing that it started runs on afterwards.
        """
        before = _kernel_kills()
        program = subprocess.Popen(
            leashed([*self.command]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            env={**os.environ, **(self.environment or {}), MARK: f"{self.mark}|{this_process()}"},
        )
        lines = _Lines(hear)
        # In the context of this thread, so that its lines bear the same ids in the log.
        reading = threading.Thread(
            target=copy_context().run, args=[lines.read, program.stderr], daemon=True
        )
        reading.start()
        over, stopped = None, False
        try:
            over, stopped = self._watch(program, stopping)
        finally:
            self._end(program, politely=over is None)
        reading.join(POLL_S)  # no longer: what it left behind may hold the pipe
        killed = over is None and not stopped and _kernel_kills() > before
        return Ended(program.returncode, lines.last, over, killed, stopped)

    def _watch(
        self, program: subprocess.Popen[str], stopping: threading.Event
    ) -> tuple[int | None, bool]:
        """Waits for its end: how many bytes were too many, and whether it has to end."""
        started = time.monotonic()
        while program.poll() is None:
            if stopping.wait(POLL_S):
                return None, True
            if self.limit_s is not None and time.monotonic() - started > self.limit_s:
                return None, True
            if self.memory_bytes is not None:
                used = sum(map(_private_bytes, _family(program.pid)))
                if used > self.memory_bytes:
                    return used, False
        return None, False

    def _end(self, program: subprocess.Popen[str], *, politely: bool) -> None:
        """Ends the program and all that it started."""
        family = _family(program.pid)
        if politely and program.poll() is None:
            program.terminate()
            with suppress(subprocess.TimeoutExpired):
                program.wait(self.grace_s)
        for one in family:
            with suppress(psutil.Error):
                one.kill()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def sweep_children(mark: str) -> int:
    """Kills what bears the mark and whose starter is gone; how many there were."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [one for one, starter in _bearers(mark) if one.pid not in own and not is_alive(starter)]
    for one in found:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(found, timeout=GRACE_S)
    return len(found)


def marked(mark: str) -> list[psutil.Process]:
    """The processes of this machine, as far as they can be looked at, that bear the mark."""
    return [one for one, _ in _bearers(mark)]


def _bearers(mark: str) -> Iterator[tuple[psutil.Process, str]]:
    """Each with the process that had started it, or what it came from."""
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if one.status() == psutil.STATUS_ZOMBIE:
                continue
            borne, _, starter = one.environ().get(MARK, "").rpartition("|")
            if borne == mark:
                yield one, starter


def _family(pid: int) -> list[psutil.Process]:
    """The program, all below it, and all of its session, whoever they belong to by now."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        found = {one.pid: one for one in (leader, *leader.children(recursive=True))}
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(one.pid) == pid:
                found[one.pid] = one
    return list(found.values())


def _private_bytes(process: psutil.Process) -> int:
    """What it has in memory for itself: weights that are mapped from a file don't count."""
    with suppress(psutil.Error):
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    return 0


def _kernel_kills() -> int:
    """How often the kernel killed for memory in this control group; 0 where it can't be read."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
        group = next(line[3:] for line in lines if line.startswith("0::"))
        events = Path(f"/sys/fs/cgroup{group}/memory.events").read_text("utf-8")
        return int(dict(line.split() for line in events.splitlines())["oom_kill"])
    except (OSError, StopIteration, ValueError, KeyError):
        return 0


class _Lines:
    """Hands lines on, and remembers the last."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        self._hear = hear
        self.last = ""

    def read(self, stream: IO[str]) -> None:
        """Reads until the stream ends."""
        with stream:
            for line in stream:
                if said := line.strip():
                    self.last = said
                    self._hear(said)
