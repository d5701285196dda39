from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.errors import SandboxError
from ghostbust.gates.confinement import (
    BARE,
    ENVIRONMENT,
    INTERPRETER,
    Confinement,
    find_confinement,
)
from ghostbust.gates.layers import find_layers
from ghostbust.gates.sandbox import (
    Program,
    ProgramOutcome,
    ProgramResult,
    SandboxLimits,
    run_programs,
)

GENEROUS = SandboxLimits(wall_s=60)


@pytest.fixture(params=["bare", "strongest"])
def confinement(request: pytest.FixtureRequest) -> Confinement:
    """With and without what the system adds; both are the same where it adds nothing."""
    return BARE if request.param == "bare" else find_confinement()


def _run(
    solution: str, check: str = "", *, limits: SandboxLimits = GENEROUS, around: Confinement = BARE
) -> ProgramResult:
    (result,) = run_programs([Program(solution, check)], limits=limits, confinement=around)
    return result


def test_results_come_in_the_order_of_the_programs(confinement: Confinement) -> None:
    programs = [Program(f"x = {n}\n", "assert x % 2\n") for n in range(6)]
    results = run_programs(programs, limits=GENEROUS, workers=3, confinement=confinement)
    assert [result.passed for result in results] == [False, True] * 3
    assert {result.reason for result in results} == {"", "AssertionError"}


def test_no_program_no_result() -> None:
    assert run_programs([], limits=GENEROUS) == []


def test_what_compares_equal_to_everything_does_not_pass() -> None:
    solution = "class Yes:\n    def __eq__(self, other): return True\n\ndef f(): return Yes()\n"
    assert _run(solution, "assert f() == 1\n").reason == "AssertionError"


def test_of_the_program_nothing_is_taken_but_what_is_named() -> None:
    solution = "def poly(x): return 0\n\ndef zero(): return 5\n"
    program = Program(solution, "assert abs(poly(zero())) < 1e-4\n", ("zero",))
    own = replace(program, own="def poly(x): return x - 1\n")
    results = run_programs([program, own], limits=GENEROUS, confinement=BARE)
    assert [result.reason for result in results] == ["NameError", "AssertionError"]


def test_an_endless_loop_ends_by_its_processor_time(confinement: Confinement) -> None:
    result = _run(
        "while True:\n    pass\n", limits=SandboxLimits(wall_s=60, cpu_s=1), around=confinement
    )
    assert result.outcome is ProgramOutcome.TIMED_OUT
    assert "processor time" in result.reason


def test_waiting_ends_by_wall_time(confinement: Confinement) -> None:
    result = _run(
        "import time\ntime.sleep(100)\n", limits=SandboxLimits(wall_s=3), around=confinement
    )
    assert result.outcome is ProgramOutcome.TIMED_OUT
    assert "wall time over 3 s" in result.reason
    assert 3 <= result.wall_s < 30


DENIED = {
    "x = bytearray(2 << 30)\n": "MemoryError",
    "with open('big', 'wb') as f:\n    f.write(b'x' * (2 << 20))\n": "OSError",
    "import os\nos.fork()\n": "PermissionError",
    "import subprocess, sys\nsubprocess.run([sys.executable])\n": "PermissionError",
    "import socket\nsocket.socket()\n": "PermissionError",
    "import os\nos.kill(os.getppid(), 9)\n": "PermissionError",
    "import numpy\n": "ModuleNotFoundError",
    "def f(): return f()\nf()\n": "RecursionError",
}


def test_what_a_program_cannot_do() -> None:
    programs = [Program(solution, "") for solution in DENIED]
    results = run_programs(programs, limits=GENEROUS, confinement=BARE)
    assert not any(result.passed for result in results)
    reasons = {program.solution: r.reason for program, r in zip(programs, results, strict=True)}
    assert reasons == DENIED


def test_files_elsewhere_cannot_be_written_nor_where_that_is_held_read(
    tmp_path: Path, confinement: Confinement
) -> None:
    note = tmp_path / "note"
    note.write_text("secret")
    read = _run(f"x = open({str(note)!r}).read()\n", "assert x == 'secret'\n", around=confinement)
    assert read.passed is not find_layers(confinement)["no foreign files"]
    write = _run(f"open({str(note)!r}, 'w').write('x')\n", around=confinement)
    assert write.reason == "PermissionError"
    assert note.read_text() == "secret"


def test_a_program_sees_an_empty_world_of_its_own(confinement: Confinement) -> None:
    solution = (
        "import os, sys\n"
        "import statistics\n"
        "seen = (sorted(os.environ), sys.stdin.read(), os.listdir('.'), __name__)\n"
        "with open('mine', 'w') as f:\n    f.write('x')\n"
        "folder, made, path = os.getcwd(), os.listdir('.'), ' '.join(sys.path)\n"
    )
    check = (
        "environ, text, files, name = seen\n"
        "assert set(environ) <= {'PYTHONHASHSEED', 'PWD', 'LC_CTYPE'}, environ\n"
        "assert (text, files, name) == ('', [], 'solution')\n"
        "assert 'ghostbust-run-' in folder and made == ['mine']\n"
        "assert 'site-packages' not in path\n"
        "assert statistics.mean([1, 3]) == 2\n"
    )
    assert _run(solution, check, around=confinement).reason == ""


def test_private_folders_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert _run("open('f', 'w').close()\n").passed
    assert list(tmp_path.iterdir()) == []


def test_no_room_for_private_folders_breaks_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(SandboxError, match="the gate is broken, not the model"):
        run_programs([], limits=GENEROUS, confinement=BARE)


FULL = """\
import ctypes, sys, tempfile
from ghostbust.errors import SandboxError
from ghostbust.gates.confinement import BARE
from ghostbust.gates.sandbox import SandboxLimits, run_programs
place, room = sys.argv[1:]
libc = ctypes.CDLL(None)
assert libc.mount(b"tmpfs", place.encode(), b"tmpfs", 0, b"size=4m") == 0
tempfile.tempdir = place
with open(place + "/other", "wb", buffering=0) as file:
    file.write(bytes((4 << 20) - int(room)))
try:
    run_programs([], limits=SandboxLimits(wall_s=60), confinement=BARE)
except SandboxError as error:
    print(error)
"""
"""run with little room in the folder for temporary files"""


@pytest.mark.parametrize(
    ("room", "said"),
    [(0, "is there room in"), (2 << 20, "")],
    ids=["none", "enough"],
)
def test_a_full_disk_breaks_the_gate_with_one_line(tmp_path: Path, room: int, said: str) -> None:
    apart = ["unshare", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*apart, "true"], check=False).returncode:
        pytest.skip("no mount namespaces here")
    done = subprocess.run(
        [*apart, sys.executable, "-c", FULL, str(tmp_path), str(room)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert said in done.stdout
    assert done.stdout.count("\n") == (1 if said else 0)
    if said:
        assert done.stdout.startswith("the gate is broken, not the model: ")


SLEEPERS = """\
import sys, tempfile
from dataclasses import replace
from ghostbust.gates.confinement import BARE, find_confinement
from ghostbust.gates.confinement import NONE
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs
place, around = sys.argv[1:]
found = find_confinement()
tempfile.tempdir = place
run_programs(
    [Program("import time\\ntime.sleep(1000)\\n", "")] * 3,
    limits=SandboxLimits(wall_s=600),
    workers=7,
    confinement={
        "bare": BARE, "strongest": found, "no namespaces": replace(found, namespaces=NONE),
    }[around],
)
"""


def _below(pid: int) -> set[str]:
    """Processes that ``pid`` started, and those that they started: number and time of start."""
    children: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if about[0] != "Z":
            started = f"{folder.name} {about[19]}"
            children.setdefault(int(about[1]), []).append((int(folder.name), started))
    found: set[str] = set()
    todo = [pid]
    while todo:
        for child, started in children.get(todo.pop(), []):
            found.add(started)
            todo.append(child)
    return found


def _alive(processes: set[str]) -> set[str]:
    return processes & {started for one in (1, 2) for started in _below(one)}


@pytest.mark.parametrize("around", ["bare", "no namespaces", "strongest"])
def test_programs_end_with_a_gate_that_is_killed_and_the_next_one_tidies_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: str
) -> None:
    gate = subprocess.Popen([sys.executable, "-c", SLEEPERS, str(tmp_path), around])
    try:
        # the canaries have ended, and of each sleeper there are the judge and the program
        while len(list(tmp_path.iterdir())) != 3 or len(_below(gate.pid)) < 6:
            assert gate.poll() is None
            time.sleep(0.05)
        processes = _below(gate.pid)
        assert _alive(processes) == processes
    finally:
        gate.kill()
        gate.wait()
    deadline = time.monotonic() + 60  # a busy machine; the programs themselves would run for 600
    while _alive(processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _alive(processes) == set()
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run_programs([], limits=GENEROUS, confinement=BARE)
    assert list(tmp_path.iterdir()) == []


def test_sets_have_the_same_order_in_every_run() -> None:
    expected = subprocess.run(
        [*INTERPRETER, "-c", "print(list({'a', 'b', 'c', 'd', 'e'}))"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    check = f"assert repr(list({{'a', 'b', 'c', 'd', 'e'}})) == {expected.strip()!r}\n"
    results = run_programs([Program("", check)] * 3, limits=GENEROUS)
    order = "x = list({'a', 'b', 'c', 'd', 'e'})\n"
    results += run_programs(
        [Program(order, check.replace("list({'a', 'b', 'c', 'd', 'e'})", "x"))], limits=GENEROUS
    )
    assert [result.passed for result in results] == [True] * 4


def test_text_that_is_no_source_is_a_program_too() -> None:
    surrogate, null = run_programs(
        [Program("x = '\ud800'\n", "assert x == '?'\n"), Program("x = '\0'\n", "")],
        limits=GENEROUS,
    )
    assert surrogate.passed
    assert null.outcome is ProgramOutcome.FAILED


def _processes_named(name: str) -> list[str]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "comm").read_text().strip() == name:
                found.append(folder.name)
        except OSError:  # it ended meanwhile
            continue
    return found


def test_what_a_program_leaves_running_is_killed(confinement: Confinement) -> None:
    name = f"gb-{secrets.token_hex(5)}"
    solution = (
        "import ctypes, time\n"
        "libc = ctypes.CDLL(None)\n"
        "if libc.fork() == 0:\n"  # past the audit hook, as hostile code would
        f"    libc.prctl(15, b'{name}')\n"
        "    time.sleep(600)\n"
    )
    limits = SandboxLimits(wall_s=60, processes=100_000)
    assert _run(solution, "time.sleep(0.2)\n", limits=limits, around=confinement).passed
    deadline = time.monotonic() + 10
    while _processes_named(name) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _processes_named(name) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the kernel exempts root from the process limit")
def test_no_process_beyond_the_limit() -> None:
    fork = "import ctypes\nassert ctypes.CDLL(None).fork() == -1\n"
    assert _run(fork).passed


def test_a_canary_that_ends_wrongly_breaks_the_batch() -> None:
    with pytest.raises(SandboxError, match="the gate is broken, not the model"):
        run_programs([], limits=SandboxLimits(wall_s=0.001), confinement=BARE)
