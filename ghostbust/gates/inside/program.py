"""Runs the solution and answers the judge's calls of its functions. Nothing here is trusted.

The solution runs in this interpreter and may change all of it. It holds two pipes to the judge, on
which it can send values for the judge to compare, and nothing else: neither the check nor the token
ever come here.
"""

from __future__ import annotations

import os
import resource
import sys

from ghostbust.gates.inside import confine, wire

TYPE_CHECKING = False  # as typing has it, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable

DENIED = (
    "os.chmod", "os.chown", "os.exec", "os.fork", "os.kill", "os.link", "os.mkdir",
    "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.spawn", "os.symlink", "os.system",
    "os.truncate", "shutil.", "signal.pthread_kill", "socket.", "subprocess.",
)  # fmt: skip
"""heads of audit events that no coding task needs and that could do harm by accident"""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
MOST_ITEMS = 100_000
"""of an iterator that is sent"""


def serve(solution: str, requests: int, answers: int) -> None:
    """Runs ``solution``, sends the names that it defines, then answers requests until they end."""
    module = type(sys)("solution")
    sys.modules["solution"] = module  # dataclasses look their module up by name
    kept: list[object] = []
    numbers: dict[int, int] = {}
    """id -> place in ``kept``, so that the same object keeps its number"""

    def other(value: object) -> object:
        if isinstance(value, type(sys)):
            return wire.ModuleName(value.__name__)
        if not isinstance(value, type) and hasattr(type(value), "__iter__"):
            return _items(value)
        number = numbers.setdefault(id(value), len(kept))
        if number == len(kept):
            kept.append(value)
        return wire.Remote(number)

    def answer(work: Callable[[], object]) -> None:
        try:
            data = wire.encode((True, work()), other)
            if len(data) > wire.MOST_BYTES:
                raise wire.WireError("too much")
        except BaseException as error:  # noqa: BLE001 - SystemExit too: the judge goes on
            texts = [text[:200] for text in error.args if isinstance(text, str)]
            data = wire.encode((False, type(error).__name__[:100], texts))
        wire.send(answers, data)

    def run() -> list[tuple[str, bool]]:
        # dont_inherit: else it would be compiled under this file's __future__
        exec(compile(solution, "<solution>", "exec", dont_inherit=True), module.__dict__)  # noqa: S102
        return [(name, callable(value)) for name, value in module.__dict__.items()]

    def build(described: wire.Instance) -> object:
        made = object.__new__(module.__dict__[described.name])
        vars(made).update(described.attributes)
        return made

    def fulfil() -> object:
        match wire.decode(wire.receive(requests), kept.__getitem__, build):
            case ("get", str(name)):
                return module.__dict__[name]
            case ("call", str(name), tuple(args), dict(kwargs)):
                return module.__dict__[name](*args, **kwargs)
            case ("call object", called, tuple(args), dict(kwargs)):
                return called(*args, **kwargs)  # type: ignore[operator]
            case ("attribute", owner, str(name)):
                return getattr(owner, name)
            case ("set attribute", owner, str(name), value):
                setattr(owner, name, value)
        return None

    wire.receive(requests)  # the judge has read its job, and nobody else can any more
    answer(run)
    while True:
        answer(fulfil)


def _items(values: object) -> list[object]:
    items: list[object] = []
    for item in values:  # type: ignore[attr-defined]
        items.append(item)
        if len(items) > MOST_ITEMS:
            raise wire.WireError(f"an iterator over more than {MOST_ITEMS:,} values")
    return items


def guard(folder: str) -> Callable[[str, tuple[object, ...]], None]:
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


def lock_up(judge: int, processes: int, readable: list[str], folder: str, calls: bytes) -> None:
    """Takes from this process what the program must not have, beside what the judge gave up."""
    confine.die_with_parent(judge)
    confine.lower(resource.RLIMIT_NPROC, processes, processes)
    # A second domain of Landlock, inside the judge's, so that the program can't look into the
    # judge. Only what both domains allow is allowed.
    confine.allow_files(["/"] if readable else [], "/")
    confine.filter_calls(calls)
    for name in [name for name in sys.modules if name.partition(".")[0] == "ghostbust"]:
        del sys.modules[name]
    sys.addaudithook(guard(folder))
