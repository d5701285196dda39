"""The gate's process is hidden while programs run, also from one that really looks for its check.

As an ordinary user's: without capabilities, which keep any other process of root away.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading

import pytest

from ghostbust.gates.sandbox import PR_GET_DUMPABLE, PR_SET_DUMPABLE, hidden

LIBC = ctypes.CDLL(None)
GATE = '''\
import ctypes, os, secrets
from ghostbust.gates.confinement import Confinement
from ghostbust.gates.inside import confine
from ghostbust.gates.confinement import NONE
from ghostbust.gates.sandbox import Program, SandboxLimits, run_programs
from ghostbust.gates.confinement import call_filter

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


def test_it_is_put_back_afterwards() -> None:
    before = _dumpable()
    with hidden():
        assert _dumpable() == 0
    assert _dumpable() == before


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
        raise error
    assert _dumpable() == 1
