"""Programs end as they should, and leave nothing behind: no file, no process, no way in."""

from __future__ import annotations

import ctypes
import marshal
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.errors import SandboxError
from ghostbust.gates.confinement import (
    BARE,
    Confinement,
    find_confinement,
)
from ghostbust.gates.inside import judge
from ghostbust.gates.layers import find_layers
from ghostbust.gates.sandbox import (
    MODULES,
    PR_GET_DUMPABLE,
    PR_SET_DUMPABLE,
    PREFIX,
    Program,
    ProgramOutcome,
    ProgramResult,
    SandboxLimits,
    bundle,
    hidden,
    private_folder,
    remove_stale_folders,
    run_programs,
)

GENEROUS = SandboxLimits(wall_s=60)


def commands() -> set[str]:
    """The names of all processes."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            found.add((folder / "comm").read_text().strip())
    return found


@pytest.fixture(params=["strongest", pytest.param("bare", marks=pytest.mark.slow)])
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
from ghostbust.gates.confinement import BARE, NONE, find_confinement
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
        with suppress(OSError):  # it ended meanwhile
            about = (folder / "stat").read_text().rpartition(")")[2].split()
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


@pytest.mark.parametrize(
    "around",
    [
        "strongest",
        pytest.param("no namespaces", marks=pytest.mark.slow),
        pytest.param("bare", marks=pytest.mark.slow),
    ],
)
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


def test_sets_have_the_same_order_in_every_run_and_process() -> None:
    order = "list({'a', 'b', 'c', 'd', 'e'})"
    program = Program(f"x = {order}\n", f"assert x == {order}\n")
    results = run_programs([program] * 3, limits=GENEROUS)
    assert [result.passed for result in results] == [True] * 3


def test_text_that_is_no_source_is_a_program_too() -> None:
    surrogate, null = run_programs(
        [Program("x = '\ud800'\n", "assert x == '?'\n"), Program("x = '\0'\n", "")],
        limits=GENEROUS,
    )
    assert surrogate.passed
    assert null.outcome is ProgramOutcome.FAILED


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
    while name in commands() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert name not in commands()


@pytest.mark.skipif(os.geteuid() == 0, reason="the kernel exempts root from the process limit")
def test_no_process_beyond_the_limit() -> None:
    fork = "import ctypes\nassert ctypes.CDLL(None).fork() == -1\n"
    assert _run(fork).passed


def test_a_canary_that_ends_wrongly_breaks_the_batch() -> None:
    with pytest.raises(SandboxError, match="the gate is broken, not the model"):
        run_programs([], limits=SandboxLimits(wall_s=0.001), confinement=BARE)


def test_every_module_is_in_it_behind_its_length() -> None:
    data = bundle()
    assert int.from_bytes(data[:8], "little") == len(data) - 8
    names = [name for name, _ in marshal.loads(data[8:])]
    modules = [f"ghostbust.gates.inside.{name}" for name in MODULES]
    assert names == ["ghostbust", "ghostbust.gates", "ghostbust.gates.inside", *modules]
    files = {path.stem for path in Path(judge.__file__).parent.glob("*.py")}
    assert files == {"__init__", *MODULES}


# Private folders


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_deeper_than_python_recurses_is_removed(place: Path) -> None:
    before = os.open(".", os.O_RDONLY)
    with private_folder() as folder:
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        os.chdir(folder)
        for _ in range(1_500):
            Path("d").mkdir()
            os.chdir("d")
        Path("file").write_text("x")
        os.fchdir(before)
    os.close(before)
    assert list(place.iterdir()) == []


def test_a_folder_without_permissions_and_with_links_out_is_removed(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("x")
    with private_folder() as folder:
        Path(folder, "out").symlink_to(outside)
        Path(folder, "locked").mkdir()
        Path(folder, "locked", "file").write_text("x")
        Path(folder, "locked").chmod(0)
        Path(folder).chmod(0)
    assert list(place.iterdir()) == []
    assert (outside / "kept").read_text() == "x"


def test_stale_folders_are_removed_and_those_in_use_are_not(place: Path) -> None:
    stale, locked = place / f"{PREFIX}stale", place / f"{PREFIX}locked"
    for folder in (stale, locked):
        folder.mkdir()
        (folder / "file").write_text("x")
    locked.chmod(0)
    with private_folder() as used:
        remove_stale_folders()
        assert list(place.iterdir()) == [Path(used)]


def test_what_is_no_folder_of_a_program_stays(
    place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "kept").write_text("x")
    (place / f"{PREFIX}link").symlink_to(outside)
    (place / f"{PREFIX}file").write_text("x")
    (place / "other").mkdir()
    remove_stale_folders()
    assert len(list(place.iterdir())) == 3
    assert (outside / "kept").read_text() == "x"


def test_a_folder_that_is_just_made_is_not_taken_for_a_stale_one(place: Path) -> None:
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            remove_stale_folders()

    other = threading.Thread(target=remove)
    other.start()
    try:
        for _ in range(100):
            with private_folder() as folder:
                Path(folder, "file").write_text("x")
    finally:
        stop.set()
        other.join()
    assert list(place.iterdir()) == []


# The gate's process, hidden while programs run: as an ordinary user's, without capabilities, which
# keep any other process of root away

LIBC = ctypes.CDLL(None)
GATE = '''\
import ctypes, os, secrets
from ghostbust.gates.confinement import NONE, Confinement, call_filter
from ghostbust.gates.inside import confine
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs

confine.give_up_privileges()
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # others can look into it, as into any process
SOLUTION = """
import os, re, stat
libc = __import__("ctypes").CDLL(None)

def looked_into(one):
    for n in range(64):
        opened = libc.open(b"/proc/%d/fd/%d" % (one, n), 0o4000)
        if opened >= 0 and stat.S_ISREG(os.fstat(opened).st_mode):
            yield os.pread(opened, 1 << 22, 0)
    maps = libc.open(b"/proc/%d/maps" % one, 0)
    memory = libc.open(b"/proc/%d/mem" % one, 0)
    if min(maps, memory) < 0:
        return
    with open(maps) as lines:
        for line in lines:
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if " rw" in line and last - first < 1 << 26:
                try:
                    yield os.pread(memory, last - first, first)
                except OSError:
                    pass

def f():
    for one in (os.getppid(), GATE):
        for text in looked_into(one):
            found = re.search(rb"ghost-([0-9a-f]{32})", text)
            if found:
                return found[1].decode()
""".replace("GATE", str(os.getpid()))
wanted = secrets.token_hex(16)
check = f"assert 'ghost-' + str(f()) == 'ghost-{wanted}'"
around = Confinement(NONE, (), call_filter(judge=True), call_filter())
limits = SandboxLimits(wall_s=60, cpu_s=30)
(result,) = run_programs([Program(SOLUTION, check)], limits=limits, confinement=around)
print(result.outcome, result.reason)
'''


def _dumpable() -> int:
    return int(LIBC.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))


def test_a_program_that_looks_into_its_gate_and_judge_finds_no_check() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GATE], capture_output=True, text=True, check=False, timeout=200
    )
    assert (done.stdout, done.stderr) == ("failed AssertionError\n", "")


def test_of_batches_that_overlap_the_last_puts_it_back() -> None:
    assert _dumpable() == 1
    first, second = threading.Event(), threading.Event()

    def batch() -> None:
        with hidden():
            first.set()
            second.wait()

    other = threading.Thread(target=batch)
    with hidden():
        other.start()
        first.wait()
    assert _dumpable() == 0, "the other one still runs"
    second.set()
    other.join()
    assert _dumpable() == 1


def test_a_process_that_was_hidden_before_stays_so() -> None:
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        with hidden():
            pass
        assert _dumpable() == 0
    finally:
        LIBC.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_is_put_back_after_an_error(error: type[BaseException]) -> None:
    with pytest.raises(error), hidden():
        raise error if _dumpable() == 0 else AssertionError("not hidden")
    assert _dumpable() == 1
