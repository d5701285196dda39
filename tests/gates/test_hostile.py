"""Hostile programs: none succeeds, each is reported, and a right program passes after each.

The programs stand in ``hostile/*.toml``. ``needs`` names the layers of which one has to be
there for a program to be held at all: where none is, it isn't run, and its test says so.
A program succeeds if its check passes: ``done`` was set by what it did, or f() returned 1.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ghostbust.gates.confinement import BARE, NONE, Confinement, find_confinement
from ghostbust.gates.layers import LIBC, PROBES, find_layers
from ghostbust.gates.sandbox import (
    Program,
    ProgramOutcome,
    ProgramResult,
    SandboxLimits,
    run_programs,
)

CALL = """
def call(name, *args):
    result = getattr(libc, name)(*args)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result

done = False
"""
LIMITS = SandboxLimits(wall_s=4, cpu_s=1, memory_bytes=1 << 28)
"""long enough for a right program on a busy machine"""
RIGHT = Program("def f(): return 1\n", "assert f() == 1\n")
TOKENS = ("HF_TOKEN", "GHOSTBUST_API_KEY")
DAEMON = f"gb-{os.getpid()}"
"""the name of a process that mustn't be there afterwards"""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A program of ``hostile/*.toml``."""

    solution: str
    ends: list[str]
    """outcomes of which it may have any, by where and on what it runs"""
    needs: list[str]
    """layers of which one is enough to hold it; empty: it is always held"""
    check: str
    control: bool
    """whether it succeeds where nothing holds it, which is tried"""


def read_programs() -> dict[str, Hostile]:
    found: dict[str, Hostile] = {}
    for file in sorted(Path(__file__).with_name("hostile").glob("*.toml")):
        for name, row in tomllib.loads(file.read_text("utf-8")).items():
            assert name not in found
            check = row.pop("check", "assert done or f() == 1\n")
            control = row.pop("control", False)
            needs = row.pop("needs", [])
            found[name] = Hostile(check=check, needs=needs, control=control, **row)
    return found


PROGRAMS = read_programs()


def confinements() -> dict[str, Confinement]:
    found = find_confinement()
    return {
        "strongest": found,
        "without namespaces": replace(found, namespaces=NONE),
        "namespaces alone": replace(BARE, namespaces=found.namespaces),
        "limits alone": BARE,
    }


@dataclass(frozen=True, slots=True)
class World:
    """What is around the sandbox, for the programs to get at, and what became of them."""

    home: Path
    got: Callable[[], bool]
    """whether anything arrived at one of the sockets"""
    results: dict[str, ProgramResult]
    after: dict[str, ProgramResult]
    """the right program that ran after each"""
    held: dict[str, bool]
    shared: tuple[set[Path], set[Path]]
    """names in /dev/shm before and after"""


@pytest.fixture(
    params=[
        "strongest",
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(confinements())[1:]),
    ],
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """All programs that something holds, each followed by a right one, in turn."""
    around = confinements()[request.param]
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name in TOKENS:
            patch.setenv(name, "s3cret")
        private = tmp_path_factory.mktemp("private")
        patch.setattr(tempfile, "tempdir", str(private))
        home = tmp_path_factory.mktemp("home")
        sockets, places = _surroundings(stack, home)
        held = find_layers(around)
        run = {
            name: _program(hostile, places)
            for name, hostile in PROGRAMS.items()
            if not hostile.needs or any(held[layer] for layer in hostile.needs)
        }
        before = set(Path("/dev/shm").iterdir())
        programs = [one for program in run.values() for one in (program, RIGHT)]
        results = run_programs(programs, limits=LIMITS, workers=2, confinement=around)
        yield World(
            home=home,
            got=lambda: any(_got(one) for one in sockets),
            results=dict(zip(run, results[::2], strict=True)),
            after=dict(zip(run, results[1::2], strict=True)),
            held=held,
            shared=(before, set(Path("/dev/shm").iterdir())),
        )
        assert list(private.iterdir()) == [], "private folders are removed"


def _surroundings(stack: ExitStack, home: Path) -> tuple[list[socket.socket], dict[str, str]]:
    """Secrets in ``home`` and sockets that listen, and what stands for them in the programs."""
    (home / ".ssh").mkdir()
    for secret in (home / "secret", home / ".ssh" / "id_ed25519"):
        secret.write_text("s3cret")
    # a path of its own: the name of a unix socket has to be short
    short = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
    abstract_name = f"ghostbust-{secrets.token_hex(8)}"
    tcp = _socket(stack, socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0))
    udp = _socket(stack, socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))
    unix = _socket(stack, socket.AF_UNIX, socket.SOCK_STREAM, f"{short}/s")
    abstract = _socket(stack, socket.AF_UNIX, socket.SOCK_STREAM, f"\0{abstract_name}")
    return [tcp, udp, unix, abstract], {
        "port": str(tcp.getsockname()[1]), "udp": str(udp.getsockname()[1]),
        "unix": f"{short}/s", "abstract": abstract_name, "pid": str(os.getpid()), "daemon": DAEMON,
        "home": str(home), "secret": str(home / "secret"), "tokens": repr(TOKENS),
    }  # fmt: skip


def _program(hostile: Hostile, places: dict[str, str]) -> Program:
    solution = hostile.solution
    for name, place in places.items():
        solution = solution.replace("{" + name + "}", place)
    return Program(LIBC + CALL + solution, hostile.check)


def _socket(
    stack: ExitStack, family: int, kind: int, address: tuple[str, int] | str
) -> socket.socket:
    one = stack.enter_context(socket.socket(family, kind))
    one.bind(address)
    if kind == socket.SOCK_STREAM:
        one.listen()
    one.setblocking(False)
    return one


def _got(one: socket.socket) -> bool:
    try:
        if one.type == socket.SOCK_DGRAM:
            one.recv(1)
        else:
            one.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_hostile_programs_fail_and_are_reported(world: World, subtests: pytest.Subtests) -> None:
    """One item, since every process that runs a part of them would have to run all."""
    assert world.results
    there = ", ".join(layer for layer, holds in world.held.items() if holds) or "none"
    for name, hostile in PROGRAMS.items():
        with subtests.test(name):
            if name not in world.results:
                pytest.skip(
                    f"held by {' or '.join(hostile.needs)}; of the layers there are: {there}"
                )
            result = world.results[name]
            assert result.outcome is not ProgramOutcome.PASSED
            # on a busy machine what uses up memory or files may run out of time first
            used_up = {ProgramOutcome.OUT_OF_MEMORY, ProgramOutcome.OUT_OF_FILES}
            late = [ProgramOutcome.TIMED_OUT] if used_up & set(hostile.ends) else []
            assert result.outcome in {*hostile.ends, *late}, result
            assert re.fullmatch("[ -~]{1,200}", result.reason)
            assert world.after[name].passed, world.after[name]
    with subtests.test("nothing outside has changed"):
        files = {str(path.relative_to(world.home)) for path in world.home.rglob("*")}
        assert files == {"secret", ".ssh", ".ssh/id_ed25519"}
        assert (world.home / "secret").read_text() == "s3cret"
        assert world.shared[1] <= world.shared[0]
        assert not list(Path(tempfile.gettempdir()).glob("ghostbust-hostile*"))
    with subtests.test("nothing was sent"):
        assert not world.got()
    with subtests.test("nothing runs on"):
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it ended meanwhile
                assert (folder / "comm").read_text().strip() != DAEMON


@pytest.mark.slow
def test_programs_succeed_where_nothing_holds_them(tmp_path: Path) -> None:
    """Else that they fail would show nothing. Only those that do no harm."""
    held = find_layers(BARE)
    controls = {
        name: hostile
        for name, hostile in PROGRAMS.items()
        if hostile.control and not any(held[layer] for layer in hostile.needs)
    }
    with ExitStack() as stack:
        _sockets, places = _surroundings(stack, tmp_path)
        programs = [_program(hostile, places) for hostile in controls.values()]
        results = run_programs(programs, limits=LIMITS, confinement=BARE)
    failed = {name: one for name, one in zip(controls, results, strict=True) if not one.passed}
    assert failed == {}


def test_all_layers_that_programs_need_exist() -> None:
    assert len(PROGRAMS) >= 40
    assert sum(hostile.control for hostile in PROGRAMS.values()) >= 10
    assert {layer for hostile in PROGRAMS.values() for layer in hostile.needs} <= set(PROBES)
    assert {end for hostile in PROGRAMS.values() for end in hostile.ends} <= set(ProgramOutcome)
