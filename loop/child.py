"""CHILD: a program beside this one, with a limit to its memory, that doesn't outlive it.

A round may run out of memory or crash in a driver. It is a process of its own, so the daemon
survives that and can say why it ended. The limit is watched, not set: RLIMIT_AS counts what CUDA
and torch only reserve, which is a multiple of what they use.

Nothing is left behind. The kernel kills the program when its parent dies (`leash`). It has a
session of its own, which is ended as a whole. All that it starts carries a mark in its environment,
by which `sweep_children` finds what is left after all.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import psutil

from ghostbust.loop.leash import leashed
from ghostbust.store.runs import is_alive, this_process
from ghostbust.system import in_session, kill_session

GRACE_S: Final = 10.0
"""how long a program may take to end after SIGTERM, before it is killed"""
POLL_S: Final = 0.5
"""between two measurements of its memory"""
MARK: Final = "GHOSTBUST_CHILD"
"""the environment variable that all processes of a program have: its mark, and who started it"""


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a program ended."""

    code: int
    """its exit code; negative: the number of the signal that ended it"""
    last_line: str
    """of standard error; may be empty"""
    over_bytes: int | None = None
    """its memory when it was ended for using too much; None where it wasn't"""
    out_of_memory: bool = False
    """True where the kernel killed a process for want of memory meanwhile"""
    stopped: bool = False
    """True where it ended because `run` was stopped"""

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
    """by which `sweep_children` finds it, one for each home folder and purpose"""
    memory_bytes: int | None = None
    """what it and all that it starts may use together; None for no limit"""
    grace_s: float = GRACE_S
    limit_s: float | None = None
    """seconds after which it gets SIGTERM; None for no limit"""
    environment: Mapping[str, str] | None = None
    """variables beside this process's own"""

    def run(self, on_line: Callable[[str], None], stopping: threading.Event) -> ChildEnd:
        """Runs it to its end; ``on_line`` gets each line of its standard error.

        It gets SIGTERM, and is killed if it doesn't end, when ``stopping`` is set or an exception
        leaves this call. Nothing that it started runs on afterwards.
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
        last_line = ""

        def read(stream: IO[str]) -> None:
            nonlocal last_line
            with stream:
                for line in stream:
                    if said := line.strip():
                        last_line = said
                        on_line(said)

        # In the context of this thread, so that its lines carry the same ids in the log.
        reading = threading.Thread(
            target=copy_context().run, args=[read, program.stderr], daemon=True
        )
        reading.start()
        over, stopped = None, False
        try:
            over, stopped = self._watch(program, stopping)
        finally:
            self._end(program, politely=over is None)
        reading.join(POLL_S)  # no longer: what it left behind may hold the pipe
        killed = over is None and not stopped and _kernel_kills() > before
        return ChildEnd(program.returncode, last_line, over, killed, stopped)

    def _watch(
        self, program: subprocess.Popen[str], stopping: threading.Event
    ) -> tuple[int | None, bool]:
        """Waits for its end. Returns how many bytes were too many, and whether it has to stop."""
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
        kill_session(program)
        program.wait()


def sweep_children(mark: str) -> int:
    """Kills the processes with the mark whose starter is gone; how many there were."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found = [
        one for one, starter in _with_mark(mark) if one.pid not in own and not is_alive(starter)
    ]
    for one in found:
        with suppress(psutil.Error):
            one.kill()
    psutil.wait_procs(found, timeout=GRACE_S)
    return len(found)


def marked(mark: str) -> list[psutil.Process]:
    """The processes of this machine that have the mark, as far as they can be read."""
    return [one for one, _ in _with_mark(mark)]


def _with_mark(mark: str) -> Iterator[tuple[psutil.Process, str]]:
    """Each, and the process that had started it or an ancestor of it."""
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if one.status() == psutil.STATUS_ZOMBIE:
                continue
            found, _, starter = one.environ().get(MARK, "").rpartition("|")
            if found == mark:
                yield one, starter


def _family(pid: int) -> list[psutil.Process]:
    """The program, its descendants, and its whole session, whoever their parent is by now."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.Error):
        leader = psutil.Process(pid)
        found = {one.pid: one for one in (leader, *leader.children(recursive=True))}
    for one in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if in_session(one.pid, pid):
                found[one.pid] = one
    return list(found.values())


def _private_bytes(process: psutil.Process) -> int:
    """The memory that it shares with nobody: weights that are mapped from a file don't count."""
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
