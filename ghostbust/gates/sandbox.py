"""Runs model-written programs, each in a process of its own that can do little harm.

For every program an interpreter is started (``launcher``), which forks: one process judges,
one runs the program, and only plain data passes between them (``inside``). Around both are
the layers of ``confinement``; ``layers`` says which of them hold here, by trying. Results
come from the judge, through a pipe that the program's process doesn't have open.

What it doesn't do. It is no virtual machine: a hole in the kernel is a hole in it. And a
verdict says that the program's answers satisfy the check, no more.
docs/reference/sandbox.md has the threat model.
"""

from __future__ import annotations

import contextlib
import ctypes
import marshal
import os
import secrets
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from itertools import count
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from ghostbust.errors import SandboxError
from ghostbust.gates.confinement import (
    ENVIRONMENT,
    INTERPRETER,
    LAUNCHER,
    Confinement,
    find_confinement,
)
from ghostbust.gates.inside import judge

INSIDE = Path(__file__).with_name("inside")
EMPTY = ("ghostbust", "ghostbust.gates", "ghostbust.gates.inside")
"""packages that hold nothing else there, so that no more of ghostbust is loaded"""
MODULES = ("wire", "confine", "program", "judge")
"""each after those it imports"""
PREFIX = "ghostbust-run-"
"""of the names of private folders"""
REPORT_BYTES = 256
CANARY_WALL_S = 0.5
"""wall time given to the canary that never ends"""
PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4


class ProgramOutcome(StrEnum):
    """How a program ended."""

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_FILES = "out of room for files"
    DENIED = "denied"
    """it was refused what the sandbox forbids, and raised that"""


OUTCOMES = {
    judge.FAILED: ProgramOutcome.FAILED,
    judge.DENIED: ProgramOutcome.DENIED,
    judge.MEMORY: ProgramOutcome.OUT_OF_MEMORY,
    judge.PROCESSOR: ProgramOutcome.TIMED_OUT,
    judge.FILES: ProgramOutcome.OUT_OF_FILES,
}


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one program may use up."""

    wall_s: float = 10.0
    """from start to kill; generous, since a busy machine must not fail a right program"""
    cpu_s: int = 3
    """processor seconds, whole; ends endless loops at the same point on any machine"""
    memory_bytes: int = 1 << 30
    """address space, of the program and of its judge"""
    file_bytes: int = 1 << 20
    """of any one file it writes"""
    folder_bytes: int = 8 << 20
    """of all files it writes; checked 100 times a second, so that it may exceed it for a while, and
    where there are namespaces limited by a file system of twice this size"""
    folder_files: int = 64
    """files it makes; limited in the same way"""
    processes: int = 1
    """processes and threads of this user at the same time, for what starts more; root is exempt
    from it, and where system calls are filtered there is no second process or thread at all"""

    @property
    def wall_ms(self) -> int:
        """``wall_s`` in whole milliseconds."""
        return int(self.wall_s * 1000)


@dataclass(frozen=True, slots=True)
class Program:
    """A solution, and the check that calls its functions from another process."""

    solution: str
    check: str
    tested: tuple[str, ...] = ()
    """names that the check takes from the solution, even where a builtin has the same name. Without
    any, it takes whatever it uses and neither it, ``own`` nor Python defines"""
    own: str = ""
    """the task's own code, which stands in the solution, too: where the check uses it, it runs
    beside the check, and not as the solution may have changed it"""


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """What became of one program."""

    outcome: ProgramOutcome
    reason: str
    """exception type, exit status or limit that ended it, printable ASCII; empty when it passed"""
    wall_s: float

    @property
    def passed(self) -> bool:
        """True if the check returned."""
        return self.outcome is ProgramOutcome.PASSED


CANARIES = (
    (
        Program(
            "with open('f', 'w') as file:\n    file.write('x' * 4096)\n\n"
            "def f(x):\n    return x + 1\n",
            "assert f(1) == 2\n",
        ),
        ProgramOutcome.PASSED,
    ),
    (Program("def f(x):\n    return x - 1\n", "assert f(1) == 2\n"), ProgramOutcome.FAILED),
    (Program("import os\nos._exit(0)\n", "assert True\n"), ProgramOutcome.FAILED),
    (Program("while True:\n    pass\n", "assert True\n"), ProgramOutcome.TIMED_OUT),
)
"""known programs with the outcome a working sandbox gives them"""


def run_programs(
    programs: Sequence[Program],
    *,
    limits: SandboxLimits,
    workers: int | None = None,
    confinement: Confinement | None = None,
) -> list[ProgramResult]:
    """Runs each program in the sandbox and returns its result, in the given order.

    ``workers`` run at a time (None: one per processor), behind ``confinement`` (None: the
    strongest that works here). The canaries run along with every batch. Raises SandboxError
    if one of them doesn't end as it must, since then no result of the batch counts, and if
    programs can't be started at all.
    """
    around = find_confinement() if confinement is None else confinement
    endless = replace(limits, wall_s=min(CANARY_WALL_S, limits.wall_s))
    jobs = [
        (program, endless if outcome is ProgramOutcome.TIMED_OUT else limits)
        for program, outcome in CANARIES
    ]
    jobs += [(program, limits) for program in programs]
    try:
        remove_stale_folders()
        with contextlib.ExitStack() as stack:
            stack.enter_context(hidden())
            gate = os.pidfd_open(os.getpid())  # readable once this process has ended
            stack.callback(os.close, gate)
            pool = stack.enter_context(ThreadPoolExecutor(workers or os.cpu_count()))
            results = list(pool.map(lambda job: _run(job[0], job[1], around, gate), jobs))
    except OSError as error:
        raise SandboxError(
            f"the gate is broken, not the model: its sandbox can't start programs ({error}); is"
            f" there room in {tempfile.gettempdir()}?"
        ) from error
    for (canary, expected), result in zip(CANARIES, results, strict=False):
        if result.outcome is not expected:
            raise SandboxError(
                f"the gate is broken, not the model: in its sandbox the known program"
                f" {canary.solution!r} should have {expected} and {result.outcome}"
                f" ({result.reason or 'its check returned'}); if the machine is busy, try again"
            )
    return results[len(CANARIES) :]


def _run(program: Program, limits: SandboxLimits, around: Confinement, gate: int) -> ProgramResult:
    """Runs one program and returns how it ended.

    Input is a nameless file, which the judge empties once it has read it. The report is shorter
    than any pipe, so that neither side blocks. Standard error is the descriptor of the ``gate``:
    the judge sees there when the gate ends, since then nobody else would end the program.
    subprocess starts the child by vfork, so that it costs the same from a process that holds
    gigabytes of weights, and no code of this process runs in it.
    """
    token = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(private_folder())
        job = stack.enter_context(tempfile.TemporaryFile())
        report, theirs = os.pipe()
        stack.callback(os.close, report)
        stack.callback(os.close, theirs)
        os.set_blocking(report, False)
        _write_job(job, program, limits, around, token)
        started = time.monotonic()
        process = subprocess.Popen(
            [
                *around.namespaces.around(folder, 2 * limits.folder_bytes),
                *INTERPRETER,
                str(LAUNCHER),
            ],
            stdin=job,
            stdout=theirs,
            stderr=gate,
            cwd=folder,
            env=ENVIRONMENT,
            start_new_session=True,
        )
        in_time = _wait(process, limits.wall_s)
        wall_s = time.monotonic() - started
        try:
            said = os.read(report, REPORT_BYTES)
        except BlockingIOError:  # the judge ended before it wrote
            said = b""
    if not in_time:
        late = f"wall time over {limits.wall_s:g} s"
        return ProgramResult(ProgramOutcome.TIMED_OUT, late, wall_s)
    if secrets.compare_digest(said, token.encode()):
        return ProgramResult(ProgramOutcome.PASSED, "", wall_s)
    # A program can choose the name of the exception that it raises: no terminal or log may take
    # that for more than text.
    text = said.decode("ascii", errors="replace")
    printable = "".join(char if " " <= char <= "~" else "?" for char in text)
    word, _, reason = printable.partition(" ")
    if word == judge.PROCESSOR:
        reason = f"processor time over {limits.cpu_s} s"
    ended = f"ended before its check, with status {process.returncode}"
    return ProgramResult(OUTCOMES.get(word, ProgramOutcome.FAILED), reason or ended, wall_s)


def _write_job(
    job: IO[bytes], program: Program, limits: SandboxLimits, around: Confinement, token: str
) -> None:
    """Writes what ``launcher`` and then ``inside.judge`` read, and rewinds."""
    # A model's text may hold lone surrogates, which have no encoding.
    parts = [
        program.solution.encode(errors="replace"),
        " ".join(program.tested).encode(),
        "\n".join(around.readable).encode(),
        around.judge_calls,
        around.program_calls,
        program.own.encode(errors="replace"),
        program.check.encode(errors="replace"),
    ]
    header = [getattr(limits, name) for name in judge.LIMITS]
    header += [int(around.namespaces.mounts), *(len(part) for part in parts)]
    job.write(bundle())
    job.write(b" ".join(b"%d" % number for number in header) + b"\n")
    job.write(b"".join(parts) + token.encode())
    job.seek(0)


def _wait(process: subprocess.Popen[bytes], wall_s: float) -> bool:
    """Waits for the end, kills what is left of the session, and returns True if it came in time.

    A pidfd shows the end without reaping, so the session's number can't belong to another one
    when it is killed.
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


# The private folder of one program. Its owner holds a lock on it, which the kernel gives back
# however the owner ends: a folder that can be locked is one whose gate was killed.


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """The path of a new folder that only this user can enter; it is removed afterwards.

    What can't be removed stays, as a temporary file may: it is no reason to lose a result.
    """
    while True:
        path = tempfile.mkdtemp(prefix=PREFIX)  # mode 0700
        # Before it is locked another gate may take it for a stale one, and remove it.
        with contextlib.suppress(FileNotFoundError):
            lock = _lock_folder(Path(path))
            if Path(path).exists():
                break
            os.close(lock)
    try:
        yield path
    finally:
        _remove(Path(path))
        os.close(lock)


def remove_stale_folders() -> None:
    """Removes the private folders of this user whose owner has ended."""
    with os.scandir(tempfile.gettempdir()) as entries:
        found = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for folder in found:
        with contextlib.suppress(OSError):  # in use, or removed by another gate meanwhile
            about = folder.lstat()
            if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
                continue
            folder.chmod(0o700)  # else one that its program locked couldn't be opened
            lock = _lock_folder(folder, blocking=False)
            try:
                _remove(folder)
            finally:
                os.close(lock)


def _lock_folder(folder: Path, *, blocking: bool = True) -> int:
    """A descriptor that holds the folder's lock. Raises OSError where it can't be had."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if not lock_descriptor(lock, blocking=blocking):
            raise BlockingIOError(f"{folder} is in use")
    except OSError:
        os.close(lock)
        raise
    return lock


def _remove(folder: Path) -> None:
    """Removes a folder, also one without permissions, or deeper than Python recurses."""
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        # Folders within folders are moved up before anything looks into them, so that no path
        # gets long.
        numbers = count()
        with contextlib.suppress(OSError):
            while folders := _empty(folder):
                for inner in folders:
                    for deeper in _empty(inner):
                        deeper.rename(folder / f"{PREFIX}{next(numbers)}")
                    inner.rmdir()
            folder.rmdir()


def _empty(folder: Path) -> list[Path]:
    """Removes all that is no folder from ``folder``; returns the folders in it."""
    folder.chmod(0o700)
    folders = []
    with os.scandir(folder) as entries:
        for entry in list(entries):
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                Path(entry.path).unlink()
    return folders


# This process, hidden while programs run. A program runs as the same user, and where neither
# Landlock nor namespaces prevent it, the kernel lets one process of a user read the memory and the
# open files of another: the checks of all programs, and what they compare with.

_libc = ctypes.CDLL(None)
_lock = threading.Lock()
_hiding: list[int] = []
"""the state that each running batch found; the first one's is restored at the end"""


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """Meanwhile no other process of this user can look into this one, nor can a debugger.

    Batches may overlap, in threads: the last one restores what was before the first.
    """
    with _lock:
        _hiding.append(_libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
        _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        with _lock:
            before = _hiding.pop(0) if len(_hiding) == 1 else _hiding.pop()
            if not _hiding:
                _libc.prctl(PR_SET_DUMPABLE, before, 0, 0, 0)


@cache
def bundle() -> bytes:
    """Names and code of the modules, packages first, behind their length in 8 bytes.

    For the interpreter that runs this, which is the one that ``launcher`` is started in.
    """
    sources = dict.fromkeys(EMPTY, "")
    for name in MODULES:
        sources[f"{EMPTY[-1]}.{name}"] = (INSIDE / f"{name}.py").read_text("utf-8")
    code = [
        (name, compile(source, name, "exec", dont_inherit=True)) for name, source in sources.items()
    ]
    data = marshal.dumps(code)
    return len(data).to_bytes(8, "little") + data
