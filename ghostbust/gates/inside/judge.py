"""Judges one program: runs its check here, while the program runs in a process of its own.

The check is the benchmark's; the program is a model's. Where the check calls a function of
the program, the call goes over a pipe, and what comes back is plain data: numbers, texts and
collections of this interpreter's own types. So a program can't touch the check, what it
compares with, or the token that says that it returned; it can only answer.

Standard input: a line of integers, the ``HEADER`` below, then the texts whose lengths it
ends with; behind them, up to the end, the token. Standard output: the token if the check
returned, else a word for what happened and, behind a blank, the reason.
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

HEADER = ("memory_bytes", "cpu_s", "file_bytes", "processes", "folder_bytes", "folder_files")
"""the limits, in this order; behind them the lengths in bytes of the solution, the tested names,
the readable paths, the judge's filter, the program's filter, and the check"""
FAILED, DENIED, MEMORY, PROCESSOR, FILES = "failed", "denied", "memory", "processor", "files"
"""what a report begins with if it isn't the token"""
LOOK_EVERY_MS = 50
"""between two looks at the private folder while the program is busy"""
END_S = 0.2
"""given to a program that closed its pipes to end by itself"""


class Ended(Exception):  # noqa: N818 - no error: a way to end
    """The program's process is gone; how it ended, as a report has it."""

    def __init__(self, word: str, reason: str) -> None:
        super().__init__(reason)
        self.word, self.reason = word, reason


class Raised(Exception):  # noqa: N818 - stands for any exception
    """The program's function raised what this interpreter has no class for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Remote(wire.Remote):
    """An object of the program's own class: attributes and calls go to it, comparisons don't.

    Whether two are equal is said here, by identity, since a program's ``__eq__`` might say
    yes to all.
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
        self.poll = select.poll()
        self.poll.register(answers, select.POLLIN)
        self.remotes: dict[int, Remote] = {}

    def answer(self) -> object:
        """The value of the next answer. Raises what the program raised, or Ended."""
        try:
            data = wire.receive(self.answers, self._wait)
        except EOFError:
            raise self._ended() from None
        match wire.decode(data, self._remote):
            case (True, value):
                return value
            case (False, str(name), list(said)):
                raise _exception(name, wire.names_of(said))
        raise wire.WireError("no answer")

    def ask(self, *request: object) -> object:
        """The answer to a request, one of those that ``program.serve`` fulfils."""
        try:
            wire.send(self.requests, wire.encode(request))
        except BrokenPipeError:
            raise self._ended() from None
        return self.answer()

    def function(self, name: str) -> Callable[..., object]:
        """A function that calls the program's function ``name``."""

        def call(*args: object, **kwargs: object) -> object:
            return self.ask("call", name, args, kwargs)

        call.__name__ = call.__qualname__ = name
        return call

    def _remote(self, number: int) -> Remote:
        return self.remotes.setdefault(number, Remote(number, self.ask))

    def _wait(self) -> None:
        while not self.poll.poll(LOOK_EVERY_MS):
            if not _fits(self.limits["folder_bytes"], self.limits["folder_files"]):
                os.kill(self.pid, _signal.SIGKILL)
                raise Ended(FILES, "its files took more room than it has")

    def _ended(self) -> Ended:
        """How the program ended; one that only closed its pipes is killed."""
        deadline = time.monotonic() + END_S
        found, status, usage = os.wait4(self.pid, os.WNOHANG)
        while not found and time.monotonic() < deadline:
            time.sleep(0.002)
            found, status, usage = os.wait4(self.pid, os.WNOHANG)
        if not found:
            os.kill(self.pid, _signal.SIGKILL)
            return Ended(FAILED, "stopped to answer its check")
        code = os.waitstatus_to_exitcode(status)
        if -code == _signal.SIGXCPU or usage.ru_utime + usage.ru_stime >= self.limits["cpu_s"]:
            return Ended(PROCESSOR, "")
        if -code == _signal.SIGKILL:
            return Ended(MEMORY, "killed, as the system does when memory runs out")
        return Ended(FAILED, f"ended before its check, with status {code}")


def main() -> None:
    """Judges the program on standard input, reports on standard output, ends the process."""
    job, report = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    numbers = list(map(int, _read_line(job).split()))
    limits, lengths = dict(zip(HEADER, numbers, strict=False)), numbers[len(HEADER) :]
    solution, names, paths, *filters = (_read(job, size) for size in lengths[:-1])
    readable = paths.decode().splitlines()
    confine.limit(limits["cpu_s"], limits["memory_bytes"], limits["file_bytes"])
    confine.give_up_privileges()
    confine.allow_files(readable, os.getcwd())  # noqa: PTH109
    calls = _start(limits, solution.decode(), readable, filters[1])
    confine.filter_calls(filters[0])
    _signal.signal(_signal.SIGXCPU, lambda _number, _frame: _leave(report, PROCESSOR.encode()))
    said = _judge(calls, _read(job, lengths[-1]).decode(), names.decode().split())
    _leave(report, said.encode(errors="replace") if said else _read(job, None))


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


def _judge(calls: Calls, check: str, tested: list[str]) -> str:
    """Empty if the check returned, else the report."""
    try:
        namespace: dict[str, object] = {"__name__": "solution"}
        code = compile(check, "<check>", "exec", dont_inherit=True)
        _bring(namespace, calls, _used_names(code), tested)
        exec(code, namespace)  # noqa: S102
    except Ended as ended:
        return f"{ended.word} {ended.reason}"
    except Raised as raised:
        return f"{FAILED} {raised.name}"
    except BaseException as error:  # noqa: BLE001 - whatever ended the check, it failed
        words: dict[type, str] = {PermissionError: DENIED, MemoryError: MEMORY}
        word = words.get(type(error), FAILED)
        return f"{word} {type(error).__name__}"
    return ""


def _bring(namespace: dict[str, object], calls: Calls, used: set[str], tested: list[str]) -> None:
    """Puts what the check uses of the program into ``namespace``.

    A program can't replace a builtin that the check uses, but for the functions it is asked
    to write: one of MBPP's is called ``sum``.
    """
    defined = calls.answer()
    if not isinstance(defined, list):
        raise wire.WireError("no list of names")
    for entry in defined:
        match entry:
            case (str(name), bool(is_callable)) if name in used and (
                name in tested or not hasattr(builtins, name)
            ):
                if is_callable:
                    namespace[name] = calls.function(name)
                    continue
                value = calls.ask("get", name)
                if isinstance(value, wire.ModuleName):
                    value = _module(value.name)
                namespace[name] = value


def _module(name: str) -> object:
    if name not in sys.stdlib_module_names:
        raise wire.WireError("a module that isn't Python's")
    return __import__(name)


def _used_names(code: CodeType) -> set[str]:
    """Every name that ``code``, or code within it, may look up; attributes, too."""
    names = {name for name in code.co_names if not name.startswith("__")}
    for constant in code.co_consts:
        if isinstance(constant, type(code)):
            names |= _used_names(constant)
    return names


def _exception(name: str, said: list[str]) -> Exception:
    """What the program raised, as far as this interpreter has such an exception."""
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(*said)
        except TypeError:  # it wants other arguments, as UnicodeDecodeError does
            pass
    return Raised(name)


def _fits(most_bytes: int, most_files: int) -> bool:
    """Whether what is below the working folder keeps to the limits."""
    size = files = 0
    folders = ["."]
    try:
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if files > most_files or size > most_bytes:
                        return False
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
    except OSError:  # a path too long, a folder it closed: nothing that a right program does
        return False
    return True


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
