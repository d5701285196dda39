"""Workers give their results in order, no line stalls them, and none outlives the main process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest

from ghostbust.errors import DataError
from ghostbust.loop.ingest.files import LogBlock, LogPlace
from ghostbust.loop.ingest.reading import Counted
from ghostbust.loop.ingest.workers import MEMORY_BYTES, InOrder, ReaderSettings, open_pool
from ghostbust.registries.judge import Mode

SETTINGS = ReaderSettings(Mode.SNAPSHOT, Path("nowhere"), None, None, 1 << 20)


def block(line: int, data: bytes = b'{"text": "pip install zz-quux-sensorlib"}\n') -> LogBlock:
    return LogBlock(data, 0, line, None, LogPlace(1, line, 0, "", ""))


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a worker import this module, whose readers it gets."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


@pytest.mark.parametrize("workers", [0, 1])
def test_results_come_in_order(workers: int) -> None:
    with open_pool(SETTINGS, workers) as submit:
        blocks: InOrder[int] = InOrder(submit, most=2)
        done = []
        for n in range(6):
            given = list(blocks.give(n, block(n)))
            assert len(given) == (n >= 2)
            done += given
        done += blocks.rest()
    assert [(tag, one.line, counted.found[0].line) for tag, one, counted in done] == [
        (n, n, n) for n in range(6)
    ]


def test_a_worker_that_was_killed_is_replaced_and_nothing_is_lost() -> None:
    with open_pool(SETTINGS, 1) as submit:
        assert submit(block(1)).result().completions == 1
        [child] = children(os.getpid())
        os.kill(child, signal.SIGKILL)
        counted = submit(block(7)).result()
    assert (counted.lines, counted.completions, counted.skipped.faulty) == (1, 1, 0)
    assert counted.found[0].line == 7


@dataclass(frozen=True)
class Poisoned:
    """Makes readers that some lines stall, in C code that no signal handler interrupts."""

    def reader(self) -> Poisoned:
        return self

    def read(self, block: LogBlock) -> Counted:
        for line in block.data.split(b"\n"):
            if line == b"spin":
                re.match(r"(a|aa)+$", "a" * 80 + "b")
            elif line == b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif line == b"eat":
                bytearray(MEMORY_BYTES)
        return Counted(sum(1 for line in block.data.split(b"\n") if line))


@pytest.mark.parametrize(
    ("poison", "why"),
    [
        ("spin", "a worker took more than 3 s"),
        ("die", "a worker ended (SIGKILL)"),
        ("eat", "a worker failed (MemoryError)"),
    ],
)
def test_only_the_line_that_stalls_its_reader_is_passed_over(poison: str, why: str) -> None:
    data = f"one\ntwo\n{poison}\nfour\n".encode()
    with open_pool(Poisoned(), 1, block_s=3, line_s=3) as submit:
        poisoned = submit(block(11, data))
        good = submit(block(21, b"more\n"))
        counted = poisoned.result()
        assert good.result().lines == 1
    assert counted.lines == 4
    assert counted.skipped.failed == [(13, why)]
    assert counted.skipped.first == (13, why)
    assert counted.skipped.faulty == 1


def test_whoever_waits_for_a_stalled_worker_can_leave_at_once() -> None:
    class LeaveError(Exception):
        pass

    def leave() -> None:
        raise LeaveError

    with pytest.raises(LeaveError), open_pool(Poisoned(), 1) as submit:
        list(InOrder[int](submit, 0, leave).give(0, block(1, b"spin\n")))
    assert not children(os.getpid())


def test_a_worker_that_cannot_begin_says_why(tmp_path: Path) -> None:
    broken = replace(SETTINGS, as_of=date(1999, 1, 1), data_dir=tmp_path)
    with open_pool(broken, 1) as submit, pytest.raises(DataError, match=r"can't begin: .*1999"):
        submit(block(1)).result()


def test_what_a_reader_raises_comes_out() -> None:
    def submit(_: LogBlock) -> Future[Counted]:
        future: Future[Counted] = Future()
        future.set_exception(DataError("no"))
        return future

    blocks: InOrder[int] = InOrder(submit, most=0)
    with pytest.raises(DataError, match="no"):
        list(blocks.give(0, block(1)))


SCRIPT = """
import sys, time
from tests.loop.test_ingest_pool import Poisoned, block
from ghostbust.loop.ingest.workers import open_pool
if __name__ == "__main__":
    with open_pool(Poisoned(), 1) as submit:
        submit(block(1)).result()
        {work}
        time.sleep(1)
        print("works", flush=True)
        time.sleep(60)
"""


@pytest.mark.parametrize("work", ["pass", "submit(block(2, b'spin'))"])
def test_a_worker_ends_when_the_main_process_is_killed(tmp_path: Path, work: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(work=work))
    root = str(Path(__file__).parents[2])
    main = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}
    )
    assert main.stdout is not None
    assert main.stdout.readline() == b"works\n"
    workers = children(main.pid)
    assert workers
    main.kill()
    main.communicate()
    for _ in range(200):
        if not any(map(_is_running, workers)):
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {workers}")


def children(parent: int) -> list[int]:
    """Worker processes of a process: those that were spawned, not the one that tracks them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent and b"spawn_main" in command:
            found.append(int(entry.name))
    return found


def _is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")
