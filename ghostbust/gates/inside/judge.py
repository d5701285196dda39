"""Judges one program: runs its check here, while the program runs in a process of its own.

The check is the benchmark's; the program is a model's. Where the check calls a function of the
program, the call goes over a pipe, and what comes back is plain data: numbers, texts and
collections of this interpreter's own types. So a program can't touch the check, the values that it
compares with, or the token that reports that it returned; it can only answer.

Names that the check uses are its own, builtins, the task's own code (which runs here, too), or
modules of the standard library, imported here. Only what the task asks for is the program's.

Standard input: a line of integers, the ``HEADER`` below, then the texts whose lengths it ends with;
behind them, up to the end, the token. It is emptied before the program starts. Standard output: the
token if the check returned, else a word for what happened and, behind a blank, the reason. Standard
error: a descriptor that becomes readable when the gate has ended.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # see confine
import builtins
import os
import select
import sys
import time

from ghostbust.gates.inside import confine, program, wire

TYPE_CHECKING = False  # as typing has it, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType

LIMITS = (
    "memory_bytes", "cpu_s", "wall_ms", "file_bytes", "processes", "folder_bytes", "folder_files",
)  # fmt: skip
HEADER = (*LIMITS, "mounts")
"""the limits, in this order, and 1 in a mount namespace of its own, else 0; behind them the lengths
in bytes of the solution, the tested names, the readable paths, the judge's filter, the program's
filter, the task's own code, and the check"""
FAILED, DENIED, MEMORY, PROCESSOR, FILES = "failed", "denied", "memory", "processor", "files"
"""what a report begins with if it isn't the token"""
WATCH_EVERY_S = 0.01
"""between two checks of the private folder, the clock and the gate, whatever the program does"""
END_S = 0.2
"""given to a program that closed its pipes to end by itself"""
LATE_S = 2.0
"""after the wall time, for a gate that should have ended both processes by then and didn't"""
ENDED = os.WEXITED | os.WNOHANG | os.WNOWAIT
"""options of waitid that ask whether a process ended, without reaping it"""
SOLUTION = "solution"
"""the module of the program, and of the check and the task's own code"""


class ProgramEnded(BaseException):
    """The program's process has ended; how, in a report's words.

    No Exception, since a check may catch those. A check that catches this, too, doesn't pass:
    ``Calls.ended`` keeps it.
    """

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word, self.reason = word, reason


class Raised(Exception):  # noqa: N818 - stands for any exception
    """The program's function raised what this interpreter has no class for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class RemoteProxy(wire.Remote):
    """An object of the program's own class: attributes and calls go to it, comparisons don't.

    Two are equal if they are the same, since a program's ``__eq__`` might say yes to all.
    """

    if TYPE_CHECKING:
        ask: Callable[..., object]

    def __init__(self, number: int, ask: Callable[..., object]) -> None:
        super().__init__(number)
        object.__setattr__(self, "ask", ask)

    def __getattr__(self, name: str) -> object:
        return self.ask("attribute", self, name)

    def __setattr__(self, name: str, value: object) -> None:
        self.ask("set attribute", self, name, value)

    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.ask("call object", self, args, kwargs)


class Calls:
    """Calls functions of the program in its process."""

    def __init__(self, pid: int, requests: int, answers: int, limits: dict[str, int]) -> None:
        self.pid, self.requests, self.answers, self.limits = pid, requests, answers, limits
        self.remotes: dict[int, RemoteProxy] = {}
        self.own: dict[str, object] = {}
        """the namespace of the check; the program has its classes, too"""
        self.ended: ProgramEnded | None = None
        """how the program ended; None until a request finds that it has"""
        self.reaped = False
        self.over = False
        """True once its files took more room than they may"""

    def watch(self, gate: int) -> None:
        """From now on a timer ends the program for its files, its time, or the gate's end.

        ``gate`` is a descriptor that becomes readable when the gate has ended.
        """
        deadline = time.monotonic() + self.limits["wall_ms"] / 1000 + LATE_S

        def check(_number: int, _frame: object) -> None:
            if select.select([gate], [], [], 0)[0] or time.monotonic() > deadline:
                self._kill()
                os._exit(1)
            try:
                if not self.over and not self._fits():
                    self.over = True
                    self._kill()  # whoever waits for its answer finds that it ended
            finally:
                _signal.setitimer(_signal.ITIMER_REAL, WATCH_EVERY_S)  # anew: no two overlap

        _signal.signal(_signal.SIGALRM, check)
        _signal.setitimer(_signal.ITIMER_REAL, WATCH_EVERY_S)

    def answer(self) -> object:
        """The value of the next answer. Raises what the program raised, or Ended."""
        try:
            answer = wire.decode(wire.receive(self.answers), self._remote)
        except EOFError:
            raise self.end() from None
        except wire.WireError:
            raise self.end("WireError") from None
        match answer:
            case (True, value):
                return value
            case (False, str(name), list(texts)):
                raise _exception(name, [text for text in texts if isinstance(text, str)])
        raise self.end("WireError")

    def ask(self, *request: object) -> object:
        """The answer to a request, one of those that ``program.serve`` fulfils."""
        if self.ended is not None:
            raise self.ended
        try:
            wire.send(self.requests, wire.encode(request, self._instance))
        except BrokenPipeError:
            raise self.end() from None
        return self.answer()

    def function(self, name: str) -> Callable[..., object]:
        """A function that calls the program's function ``name``."""

        def call(*args: object, **kwargs: object) -> object:
            return self.ask("call", name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def finish(self) -> ProgramEnded | None:
        """How the program ended before its check did; None if it didn't, and kept its limits."""
        self.over = self.over or not self._fits()
        if self.over or self._has_ended():
            return self.end()
        return self.ended

    def end(self, why: str = "") -> ProgramEnded:
        """Kills the program, and keeps how it ended: by itself, or here because of ``why``."""
        if self.ended is None:
            ended = ProgramEnded(FAILED, why) if why else self._status()
            self._kill()
            self.ended = ended
        return self.ended

    def _remote(self, number: int) -> RemoteProxy:
        return self.remotes.setdefault(number, RemoteProxy(number, self.ask))

    def _instance(self, value: object) -> wire.Instance | None:
        """An object of one of the task's own classes as the program can make it anew."""
        kind = type(value)
        if kind.__module__ != SOLUTION or self.own.get(kind.__name__) is not kind:
            return None
        return wire.Instance(kind.__name__, vars(value))

    def _kill(self) -> None:
        if not self.reaped:  # else another process may have its number by now
            os.kill(self.pid, _signal.SIGKILL)

    def _has_ended(self) -> bool:
        return self.reaped or os.waitid(os.P_PID, self.pid, ENDED) is not None

    def _fits(self) -> bool:
        return _fits(self.limits["folder_bytes"], self.limits["folder_files"])

    def _status(self) -> ProgramEnded:
        """How the program ended by itself, or that it only closed its pipes."""
        deadline = time.monotonic() + END_S
        while not self._has_ended() and not self.over:
            if time.monotonic() > deadline:
                return ProgramEnded(FAILED, "stopped answering its check")
            time.sleep(0.002)
        if self.over:
            return ProgramEnded(FILES, "its files took more room than it has")
        self.reaped = True
        _pid, status, usage = os.wait4(self.pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if -code == _signal.SIGXCPU or usage.ru_utime + usage.ru_stime >= self.limits["cpu_s"]:
            return ProgramEnded(PROCESSOR, "")
        if -code == _signal.SIGKILL:
            return ProgramEnded(MEMORY, "killed, as the system does when memory runs out")
        return ProgramEnded(FAILED, f"ended before its check, with status {code}")


def main() -> None:
    """Judges the program on standard input, reports on standard output, ends the process."""
    confine.hide()
    job, report, gate = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    numbers = list(map(int, _read_line(job).split()))
    limits, lengths = dict(zip(HEADER, numbers, strict=False)), numbers[len(HEADER) :]
    solution, names, paths, *filters = (_read(job, size) for size in lengths[:-2])
    readable, folder = paths.decode().splitlines(), os.getcwd()  # noqa: PTH109
    if limits["mounts"]:
        confine.bound_folder(folder, limits["folder_bytes"], limits["folder_files"])
    confine.limit(limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"])
    confine.give_up_privileges()
    confine.allow_files(readable, folder)
    calls = _start(limits, solution.decode(), readable, filters[1])
    own, check = (_read(job, size).decode() for size in lengths[-2:])
    token = _read(job, None)
    # Whoever else has the job open, or could open it, finds nothing there from now on.
    os.ftruncate(job, 0)
    os.close(job)
    confine.filter_calls(filters[0])
    _signal.signal(_signal.SIGXCPU, lambda _number, _frame: _leave(report, PROCESSOR.encode()))
    calls.watch(gate)
    wire.send(calls.requests, b"")  # the program waits for this before it starts
    said = _judge(calls, own, check, names.decode().split())
    _leave(report, said.encode(errors="replace") or token)


def _start(limits: dict[str, int], solution: str, readable: list[str], filtered: bytes) -> Calls:
    """Starts the program's process, which holds nothing but two pipes to this one."""
    (theirs_in, requests), (answers, theirs_out) = os.pipe(), os.pipe()
    judge = os.getpid()
    pid = os.fork()
    if pid:
        os.close(theirs_in)
        os.close(theirs_out)
        return Calls(pid, requests, answers, limits)
    try:
        os.dup2(theirs_in, 3)  # over the job, whose check and token it must not read
        os.dup2(theirs_out, 4)  # over the report
        os.closerange(5, 64)
        folder = os.getcwd()  # noqa: PTH109
        program.lock_up(judge, limits["processes"], readable, folder, filtered)
        program.serve(solution, 3, 4)
    finally:
        os._exit(1)  # no exit code or thread of the program runs on


def _judge(calls: Calls, own: str, check: str, tested: list[str]) -> str:
    """The report; empty if the check returned, the program is still there and kept its limits."""
    said = ""
    try:
        module = type(sys)(SOLUTION)
        sys.modules[SOLUTION] = module  # dataclasses look their module up by name
        calls.own = module.__dict__
        code = compile(check, "<check>", "exec", dont_inherit=True)
        _bring(calls, own, _used_names(code), tested)
        exec(code, calls.own)  # noqa: S102
    except ProgramEnded as ended:
        said = f"{ended.word} {ended.reason}"
    except Raised as raised:
        said = f"{FAILED} {raised.name}"
    except BaseException as error:  # noqa: BLE001 - whatever ended the check, it failed
        words: dict[type, str] = {PermissionError: DENIED, MemoryError: MEMORY}
        said = f"{words.get(type(error), FAILED)} {type(error).__name__}"
    end = calls.finish()
    return said if end is None else f"{end.word} {end.reason}"


def _bring(calls: Calls, own: str, used: set[str], tested: list[str]) -> None:
    """Puts what the check uses and doesn't define itself into its namespace.

    That is the task's ``own`` code, where it is used; modules of the standard library that the
    program imported; and of the program the ``tested`` names, or, where there are none, all that is
    left. A program can't replace a builtin that the check uses, except the function that it is
    asked to write: one of MBPP's is called ``sum``.
    """
    defined = calls.answer()
    if not isinstance(defined, list):
        raise calls.end("WireError")
    code = compile(own, "<task>", "exec", dont_inherit=True)
    if not used.isdisjoint(code.co_names):
        exec(code, calls.own)  # noqa: S102
    for entry in defined:
        match entry:
            case (str(name), bool(is_callable)) if name in used:
                if name not in tested:
                    if name in calls.own or hasattr(builtins, name):
                        continue
                    if name in sys.stdlib_module_names:
                        calls.own[name] = __import__(name)
                        continue
                    if tested:
                        continue
                found = calls.function(name) if is_callable else calls.ask("get", name)
                calls.own[name] = found


def _used_names(code: CodeType) -> set[str]:
    """Every name that ``code``, or code within it, may look up; attributes, too."""
    names = {name for name in code.co_names if not name.startswith("__")}
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            names |= _used_names(constant)
    return names


def _exception(name: str, texts: list[str]) -> Exception:
    """What the program raised, or `Raised` where this interpreter has no such exception."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(*texts)
        except TypeError:  # it wants other arguments, as UnicodeDecodeError does
            pass
    return Raised(name)


def _fits(most_bytes: int, most_files: int) -> bool:
    """Whether what is below the working folder keeps to the limits."""
    size = files = 0
    folders = ["."]
    try:
        while folders:
            for entry in _entries(folders.pop()):
                files += 1
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:  # removed meanwhile
                    continue
                size += max(about.st_blocks * 512, about.st_size)
                if files > most_files or size > most_bytes:
                    return False
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
    except OSError:  # a path too long, a folder it closed: nothing that a right program does
        return False
    return True


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder, even if it was locked."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:  # removed meanwhile
        return []
    except PermissionError:
        os.chmod(folder, 0o700)  # noqa: PTH101 - pathlib isn't imported here
        with os.scandir(folder) as entries:
            return list(entries)


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(descriptor, 1)
    return line


def _read(descriptor: int, size: int | None) -> bytes:
    """So many bytes; None for all up to the end."""
    parts = b""
    while size is None or len(parts) < size:
        part = os.read(descriptor, 1 << 16 if size is None else size - len(parts))
        if not part:
            break
        parts += part
    return parts


def _leave(report: int, said: bytes) -> None:
    os.write(report, said[:200])
    os._exit(0)
