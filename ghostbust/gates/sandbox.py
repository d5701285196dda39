"""Runs model-written programs, each in a fresh interpreter that can do little harm.

Layers that are always there: an interpreter of its own (``-s -P -S``: no site-packages,
no user site), an environment with nothing but a fixed hash seed in it, a session of its
own that is killed whole, resource limits, a wall-time limit, a private folder that is
removed, no input and no output, and an audit hook against accidents (``launcher``).
Where the system allows it, bubblewrap or ``unshare`` adds namespaces: no network, and
processes that die with the program. ``sandbox_layers`` says which of them are active.

What it doesn't do. It is no virtual machine: without bubblewrap a program can read
whatever this user can read, and an audit hook stops accidents, not attacks. Memory is
limited per process. And whether the tests passed is reported from inside the interpreter
that ran the program. Ending early, or printing, forges nothing, but code made for the
purpose can still: an object that compares equal to everything passes an honest test, and
a program may find the open file that the token is read from, or patch builtins that the
check uses. The gates compare two models that have no reason to try.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import IO

from ghostbust.errors import SandboxError
from ghostbust.gates.launcher import CPU_EXIT
from ghostbust.gates.namespaces import (
    BUBBLEWRAP,
    ENVIRONMENT,
    INTERPRETER,
    Namespaces,
    find_namespaces,
)

LAUNCHER = Path(__file__).with_name("launcher.py")
REPORT_BYTES = 256
CANARY_WALL_S = 0.5
"""wall time given to the canary that never ends"""
LAYERS = (
    "fresh interpreter", "empty environment", "own session", "resource limits", "wall time",
    "private folder", "audit hook",
)  # fmt: skip


class Outcome(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one program may use up."""

    wall_s: float = 10.0
    """from start to kill; generous, since a busy machine must not fail a right program"""
    cpu_s: int = 3
    """processor seconds, whole; ends endless loops at the same point on any machine"""
    memory_bytes: int = 1 << 30
    """address space"""
    file_bytes: int = 1 << 20
    """of any one file it writes"""
    processes: int = 1
    """processes and threads of this user at the same time; root is exempt from it"""


@dataclass(frozen=True, slots=True)
class Program:
    """A solution and the check that runs after it in the same module, compiled apart."""

    solution: str
    check: str


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of one program."""

    outcome: Outcome
    reason: str
    """exception type, exit status or limit that ended it; empty when it passed"""
    wall_s: float

    @property
    def passed(self) -> bool:
        """True if the check returned."""
        return self.outcome is Outcome.PASSED


CANARIES = (
    (Program("def f(x):\n    return x + 1\n", "assert f(1) == 2\n"), Outcome.PASSED),
    (Program("def f(x):\n    return x - 1\n", "assert f(1) == 2\n"), Outcome.FAILED),
    (Program("import os\nos._exit(0)\n", "assert True\n"), Outcome.FAILED),
    (Program("while True:\n    pass\n", "assert True\n"), Outcome.TIMED_OUT),
)
"""known programs with the outcome a working sandbox gives them"""


def run_programs(
    programs: Sequence[Program],
    *,
    limits: SandboxLimits,
    workers: int | None = None,
    namespaces: Namespaces | None = None,
) -> list[ProgramResult]:
    """Runs each program in the sandbox and returns its result, in the given order.

    ``workers`` run at a time (None: one per processor), behind ``namespaces`` (None: the
    strongest that work here). The canaries run along with every batch. Raises SandboxError
    if one of them doesn't end as it must, since then no result of the batch counts, and if
    programs can't be started at all.
    """
    around = find_namespaces() if namespaces is None else namespaces
    endless = replace(limits, wall_s=min(CANARY_WALL_S, limits.wall_s))
    jobs = [
        (program, endless if outcome is Outcome.TIMED_OUT else limits)
        for program, outcome in CANARIES
    ]
    jobs += [(program, limits) for program in programs]
    try:
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            results = list(pool.map(lambda job: _run(job[0], job[1], around), jobs))
    except OSError as error:
        raise SandboxError(
            f"the gate is broken, not the model: its sandbox can't start programs ({error}); is"
            f" there room in {tempfile.gettempdir()}?"
        ) from error
    _check_canaries(results[: len(CANARIES)])
    return results[len(CANARIES) :]


def sandbox_layers() -> tuple[str, ...]:
    """The layers that are active here; one that isn't stands there as ``missing: ...``."""
    by = find_namespaces().name
    optional = {
        f"no network ({by})": by != "",
        f"own process tree ({by})": by != "",
        f"read-only files ({by})": by == BUBBLEWRAP.name,
        "process limit": os.geteuid() != 0,  # the kernel exempts root
    }
    bare = {name: name.partition(" (")[0] for name in optional}
    return (*LAYERS, *(n if active else f"missing: {bare[n]}" for n, active in optional.items()))


def _run(program: Program, limits: SandboxLimits, namespaces: Namespaces) -> ProgramResult:
    """Runs one program and says how it ended.

    Input and output are nameless files, not pipes: nothing can block on them, and their
    size is limited. subprocess starts the child by vfork, so that it costs the same from a
    process that holds gigabytes of weights, and no code of this process runs in it.
    """
    token = secrets.token_hex(16)
    with (
        tempfile.TemporaryDirectory(prefix="ghostbust-run-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile() as job,
        tempfile.TemporaryFile() as report,
    ):
        _write_job(job, program, limits, token)
        started = time.monotonic()
        process = subprocess.Popen(
            [*namespaces.around(folder), *INTERPRETER, str(LAUNCHER)],
            stdin=job,
            stdout=report,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        in_time = _wait(process, limits.wall_s)
        wall_s = time.monotonic() - started
        report.seek(0)
        said = report.read(REPORT_BYTES).decode(errors="replace")
    if not in_time:
        return ProgramResult(Outcome.TIMED_OUT, f"wall time over {limits.wall_s:g} s", wall_s)
    if process.returncode == CPU_EXIT:
        return ProgramResult(Outcome.TIMED_OUT, f"processor time over {limits.cpu_s} s", wall_s)
    if secrets.compare_digest(said.encode(), token.encode()):
        return ProgramResult(Outcome.PASSED, "", wall_s)
    ended = f"ended before its check, with status {process.returncode}"
    return ProgramResult(Outcome.FAILED, said or ended, wall_s)


def _write_job(job: IO[bytes], program: Program, limits: SandboxLimits, token: str) -> None:
    """Writes what ``launcher`` reads, and rewinds."""
    # A model's text may hold lone surrogates, which have no encoding.
    solution = program.solution.encode(errors="replace")
    check = program.check.encode(errors="replace")
    header = (
        limits.memory_bytes, limits.cpu_s, limits.file_bytes, limits.processes,
        len(solution), len(check),
    )  # fmt: skip
    job.write(" ".join(map(str, header)).encode() + b"\n" + solution + check + token.encode())
    job.seek(0)


def _wait(process: subprocess.Popen[bytes], wall_s: float) -> bool:
    """Waits for the end, kills what is left of the session, and returns True if it came in time.

    A pidfd tells of the end without reaping, so the session's number can't have been
    given to another one when it is killed.
    """
    descriptor = os.pidfd_open(process.pid)
    try:
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        in_time = bool(poller.poll(wall_s * 1000))
    finally:
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return in_time


def _check_canaries(results: Sequence[ProgramResult]) -> None:
    for (program, expected), result in zip(CANARIES, results, strict=True):
        if result.outcome is not expected:
            raise SandboxError(
                f"the gate is broken, not the model: in its sandbox the known program"
                f" {program.solution!r} should have {expected} and {result.outcome}"
                f" ({result.reason or 'its check returned'}); if the machine is busy, try again"
            )
