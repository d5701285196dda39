"""A program beside this one: what is said of its end, its memory, and that nothing outlives it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.loop.child import Child, ChildEnd, marked, sweep_children

NEVER = threading.Event()


def python(program: str, **options: object) -> Child:
    return Child([sys.executable, "-c", program], "test:child", **options)  # type: ignore[arg-type]


def run(program: str, **options: object) -> ChildEnd:
    return python(program, **options).run(lambda _: None, NEVER)


def gone(pid: int) -> bool:
    """Within five seconds."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_what_it_says_is_heard_and_its_code_told() -> None:
    heard: list[str] = []
    program = "import sys; print('a\\n\\nb', file=sys.stderr); sys.exit(4)"
    ended = python(program).run(heard.append, NEVER)
    assert heard == ["a", "b"]
    assert (ended.code, ended.why) == (4, "ended with exit code 4: b")
    assert run("").code == 0


def test_a_signal_is_told_by_name() -> None:
    ended = run("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert ended.why == "was killed by SIGSEGV"


def test_a_program_that_is_not_there_is_told() -> None:
    ended = Child(["/no/such/program"], "test:child").run(lambda _: None, NEVER)
    assert (
        ended.why == "ended with exit code 1: can't run /no/such/program: No such file or directory"
    )


def test_too_much_memory_ends_it_also_where_another_process_of_it_has_it() -> None:
    hoard = "hoard = bytearray(400_000_000); import time; time.sleep(60)"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hoard!r}])"
    for program in (hoard, inner):
        ended = run(program, memory_bytes=200_000_000)
        assert ended.over_bytes is not None
        assert ended.over_bytes > 200_000_000
        assert re.fullmatch(r"used 0\.[2-4] GB of memory, which is over the limit", ended.why)


def test_under_its_limit_it_is_left_alone() -> None:
    assert run("import time; time.sleep(1.2)", memory_bytes=500_000_000).code == 0


def test_it_ends_when_its_time_is_over() -> None:
    ended = run("import time; time.sleep(60)", limit_s=0.1)
    assert (ended.stopped, ended.why) == (True, "was told to end")


def test_nothing_that_it_started_outlives_it(tmp_path: Path) -> None:
    """Neither in its session nor in one of its own, once it is told to end."""
    said = tmp_path / "pids"
    program = (
        "import os, subprocess, sys, time; from pathlib import Path\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "a = subprocess.Popen(sleep); b = subprocess.Popen(sleep, start_new_session=True)\n"
        f"part = Path({str(said)!r} + '.part'); part.write_text(f'{{a.pid}} {{b.pid}}')\n"
        f"part.replace({str(said)!r}); time.sleep(60)"
    )
    stopping = threading.Event()

    def stop_when_ready() -> None:
        while not said.exists():
            time.sleep(0.02)
        stopping.set()

    threading.Thread(target=stop_when_ready).start()
    ended = python(program).run(lambda _: None, stopping)
    assert ended.stopped
    assert all(gone(int(pid)) for pid in said.read_text("utf-8").split())


PARENT = """
import sys, threading
from ghostbust.loop.child import Child
inner = "import os, sys, time; print(os.getpid(), file=sys.stderr, flush=True); time.sleep(60)"
middle = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
program = inner if sys.argv[1] == "alone" else middle
child = Child([sys.executable, "-c", program], sys.argv[2])
child.run(lambda line: print(line, flush=True), threading.Event())
"""


@pytest.fixture
def orphaned(tmp_path: Path) -> Callable[[str], int]:
    """The process id of what a parent, killed meanwhile, had started, directly or not."""

    def make(how: str) -> int:
        parent = subprocess.Popen(
            [sys.executable, "-c", PARENT, how, f"test:{tmp_path}"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        return pid

    return make


def test_it_dies_with_its_parent_however_that_dies(orphaned: Callable[[str], int]) -> None:
    assert gone(orphaned("alone"))


def test_what_is_left_all_the_same_is_found_by_its_mark(
    orphaned: Callable[[str], int], tmp_path: Path
) -> None:
    pid = orphaned("below")
    os.kill(pid, 0)
    # The one between them is killed with its parent, but isn't gone at once.
    deadline = time.monotonic() + 30
    while len(marked(f"test:{tmp_path}")) > 1 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert sweep_children(f"test:{tmp_path}/another") == 0
    assert sweep_children(f"test:{tmp_path}") == 1
    assert gone(pid)
    assert sweep_children(f"test:{tmp_path}") == 0


def test_a_sweep_spares_what_somebody_waits_for(tmp_path: Path) -> None:
    """Such as the daemon's round, where a person begins one by hand."""
    stopping, ready = threading.Event(), threading.Event()
    child = Child(
        [sys.executable, "-c", "import sys, time; print(1, file=sys.stderr); time.sleep(60)"],
        f"test:{tmp_path}",
    )
    ended: list[ChildEnd] = []
    waiting = threading.Thread(
        target=lambda: ended.append(child.run(lambda _: ready.set(), stopping))
    )
    waiting.start()
    assert ready.wait(30)
    assert [one.is_running() for one in marked(f"test:{tmp_path}")] == [True]
    assert sweep_children(f"test:{tmp_path}") == 0
    stopping.set()
    waiting.join()
    assert ended[0].stopped
    assert marked(f"test:{tmp_path}") == []
