"""Runs one program inside the sandbox. Never imported: ``sandbox`` starts it as a script.

It has an interpreter of its own, and imports no more than it must, to start fast: not even
pathlib, which would double the time.

Standard input: a line with the address space in bytes, CPU seconds, bytes per file,
processes, and the lengths in bytes of the two texts that follow, the solution and its
check; behind them, up to the end, the token. Standard output: the token if the check
returned, else the name of the exception that ended the program. The token is read only
after the check returned; until then no variable of this interpreter holds it.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import types

TYPE_CHECKING = False  # as typing has it, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

CPU_EXIT = 97
"""exit status of a program that used up its CPU seconds"""
DENIED = (
    "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill", "os.link", "os.posix_spawn",
    "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system", "os.truncate",
    "shutil.", "signal.pthread_kill", "socket.", "subprocess.",
)  # fmt: skip
"""heads of audit events that no coding task needs and that could do harm by accident"""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def main() -> None:
    """Runs the program on standard input, reports on standard output, ends the process."""
    read, write, leave = os.read, os.write, os._exit  # the program may patch os
    job, report = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    *limits, solution_bytes, check_bytes = map(int, _read_line(job).split())
    solution = _read(job, solution_bytes)
    check = _read(job, check_bytes)
    _limit(*limits)
    sys.addaudithook(_guard(os.getcwd()))  # noqa: PTH109
    module = types.ModuleType("solution")
    sys.modules["solution"] = module  # dataclasses look their module up by name
    try:
        for text, name in ((solution, "<solution>"), (check, "<check>")):
            # dont_inherit: else the program would be compiled under this file's __future__
            exec(compile(text, name, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except BaseException as error:  # noqa: BLE001 - whatever ended it, SystemExit too, it failed
        write(report, type(error).__name__.encode())
    else:
        write(report, read(job, 64))
    leave(0)  # no exit handler or thread of the program runs on


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line


def _read(descriptor: int, size: int) -> str:
    text = b""
    while len(text) < size:
        text += os.read(descriptor, size - len(text))
    return text.decode()


def _limit(memory_bytes: int, cpu_s: int, file_bytes: int, processes: int) -> None:
    """Sets the resource limits, for this process and whatever it may start."""
    signal.signal(signal.SIGXCPU, lambda _number, _frame: os._exit(CPU_EXIT))
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu_s, cpu_s + 1),
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_FSIZE, file_bytes, file_bytes),
        (resource.RLIMIT_NPROC, processes, processes),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        allowed = resource.getrlimit(kind)[1]  # a limit that is lower already can't be raised
        most = sys.maxsize if allowed == resource.RLIM_INFINITY else allowed
        resource.setrlimit(kind, (min(soft, most), min(hard, most)))


def _guard(folder: str) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that denies writing outside ``folder``, processes, signals and sockets."""
    inside = (folder + os.sep, os.devnull)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event == "open":
            path, _mode, flags = args
            if not isinstance(path, str | bytes) or not isinstance(flags, int):
                return
            place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
            if flags & WRITING and not place.startswith(inside):
                raise PermissionError("the sandbox lets a program write in its own folder only")
        elif event.startswith(DENIED):
            raise PermissionError(f"the sandbox denies {event}")

    return hook


if __name__ == "__main__":
    main()
