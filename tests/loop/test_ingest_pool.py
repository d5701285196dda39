"""Workers give their results in order, hold few blocks, and don't outlive the main process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from ghostbust.errors import DataError
from ghostbust.loop.ingest_pool import InOrder, ReaderSettings, open_pool
from ghostbust.loop.ingest_reading import Counted
from ghostbust.registries.judge import Mode
from ghostbust.traffic.blocks import Block, Place

SETTINGS = ReaderSettings(Mode.SNAPSHOT, Path("nowhere"), None, None, 1 << 20)


def block(line: int, data: bytes = b'{"text": "pip install zz-quux-sensorlib"}\n') -> Block:
    return Block(data, 0, line, None, Place(1, line, 0, "", ""))


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


def test_a_worker_that_dies_is_an_error_that_says_where() -> None:
    with open_pool(SETTINGS, 1) as submit:
        blocks: InOrder[int] = InOrder(submit, most=1)
        list(blocks.give(0, block(1)))
        list(blocks.rest())
        [child] = children(os.getpid())
        os.kill(child, signal.SIGKILL)
        with pytest.raises(DataError, match="lines 7 to 7"):
            _give_until_it_fails(blocks)


def _give_until_it_fails(blocks: InOrder[int]) -> None:
    for _ in range(50):
        list(blocks.give(1, block(7)))
        list(blocks.rest())
        time.sleep(0.05)


def test_what_a_reader_raises_comes_out() -> None:
    def submit(_: Block) -> Future[Counted]:
        future: Future[Counted] = Future()
        future.set_exception(DataError("no"))
        return future

    blocks: InOrder[int] = InOrder(submit, most=0)
    with pytest.raises(DataError, match="no"):
        list(blocks.give(0, block(1)))


SCRIPT = """
import sys, time
from tests.loop.test_ingest_pool import SETTINGS, block
from ghostbust.loop.ingest_pool import open_pool
if __name__ == "__main__":
    with open_pool(SETTINGS, 1) as submit:
        submit(block(1)).result()
        print("works", flush=True)
        time.sleep(60)
"""


def test_a_worker_ends_when_the_main_process_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
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
