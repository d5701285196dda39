"""Worker processes that read blocks: in order, killed where they hang, ended with their parent."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from ghostbust.errors import DataError
from ghostbust.home import Home
from ghostbust.loop.ingest.files import LogBlock, LogPlace
from ghostbust.loop.ingest.reading import Counted
from ghostbust.loop.ingest.workers import MEMORY_BYTES, InOrder, ReaderSettings, Submit, open_pool
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Mode
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.servers.webhook import Hook


SETTINGS = ReaderSettings(Mode.SNAPSHOT, Path("nowhere"), None, None, 1 << 20)


def block(line: int, data: bytes = b'{"text": "pip install zz-quux-sensorlib"}\n') -> LogBlock:
    return LogBlock(data, 0, line, None, LogPlace(1, line, 0, "", ""))


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a worker import this module, whose readers it gets."""
    monkeypatch.syspath_prepend(Path(__file__).parents[3])


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
        child.kill()
        counted = submit(block(7)).result()
    assert (counted.lines, counted.completions, counted.skipped.faulty) == (1, 1, 0)
    assert counted.found[0].line == 7


@dataclass(frozen=True)
class Poisoned:
    """Makes readers that some lines stall, in C code that no signal handler interrupts."""

    def reader(self) -> Callable[[LogBlock], Counted]:
        return self.read

    def read(self, block: LogBlock) -> Counted:
        for line in block.data.split(b"\n"):
            if line == b"spin":
                re.match(r"(a|aa)+$", "a" * 80 + "b")
            elif line == b"die":
                os.kill(os.getpid(), signal.SIGKILL)
            elif line == b"eat":
                bytearray(MEMORY_BYTES)
        return Counted(sum(1 for line in block.data.split(b"\n") if line))


def test_only_the_lines_that_stall_or_kill_their_reader_are_passed_over() -> None:
    data = b"one\nspin\ntwo\ndie\neat\nthree\n"
    with open_pool(Poisoned(), 1, block_s=2, line_s=2) as submit:
        poisoned = submit(block(11, data))
        good = submit(block(21, b"more\n"))
        counted = poisoned.result()
        assert good.result().lines == 1
    assert counted.lines == 6
    failed = [
        (12, "a worker took more than 2 s"),
        (14, "a worker ended (SIGKILL)"),
        (15, "a worker failed (MemoryError)"),
    ]
    assert (counted.skipped.failed, counted.skipped.first) == (failed, failed[0])
    assert counted.skipped.faulty == 3


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
from tests.loop.ingest.test_workers import Poisoned, block
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
    root = str(Path(__file__).parents[3])
    main = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}
    )
    assert main.stdout is not None
    assert main.stdout.readline() == b"works\n"
    workers = children(main.pid)
    assert workers
    main.kill()
    main.wait()
    main.stdout.close()  # not read to its end, which a worker that lives on would keep open
    _, left = psutil.wait_procs(workers, timeout=10)
    assert [worker for worker in left if not ended(worker)] == []


def children(parent: int) -> list[psutil.Process]:
    """Worker processes of a process: those that were spawned, not the one that tracks them."""
    found = psutil.Process(parent).children()
    return [child for child in found if not ended(child) and "spawn_main" in str(child.cmdline())]


def ended(process: psutil.Process) -> bool:
    """True also where nobody has waited for it yet."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


POISONS = ("SPIN", "FILL", "DIE", "SPIN", "FAIL")
"""in turn: busy in C for ever, too much memory, a crash in C, an error in Python"""
DAEMON = """
if __name__ == "__main__":  # and nothing above it, which every worker would do again
    import logging, sys, threading
    from dataclasses import replace
    from functools import partial
    from pathlib import Path
    from ghostbust.cli.daemon import serve
    from ghostbust.config import load_config
    from ghostbust.home import Home
    from ghostbust.loop.daemon.run import Daemon
    from ghostbust.loop.daemon.jobs import read_logs
    from ghostbust.loop.daemon.table import JOBS
    from ghostbust.loop.daemon.jobs import Workplace
    from tests.loop.ingest.test_workers import harmed

    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel("CRITICAL")
    home = Home.open(Path(sys.argv[1]))
    config = load_config(home.config, home)
    place = Workplace(home, config, [], None, [], threading.Event())
    read = partial(read_logs, open_readers=harmed)
    jobs = [replace(job, work=read) if job.name == "ingest" else job for job in JOBS]
    serve(Daemon(place, jobs=jobs))
"""
DAEMON_SETTINGS = """
[registry]
mode = "snapshot"
[ingest]
paths = ["app.log"]
workers = 2
[jobs]
watch.every = "off"
round.every = "off"
ingest.every = "1s"
selfcheck.every = "1s"
rollback.every = "1s"
alarms.every = "1s"
[selfcheck]
free_bytes = 0
[alarm]
webhook = "{hook}"
"""


@dataclass(frozen=True)
class Harmed:
    """Makes the daemon's own reader, but for what poison does to it."""

    settings: ReaderSettings

    def reader(self) -> Callable[[LogBlock], Counted]:
        return partial(_read_harmed, self.settings.reader())


def _read_harmed(read: Callable[[LogBlock], Counted], block: LogBlock) -> Counted:
    data = block.data
    if b"SPIN" in data:
        re.match(r"(a|a)*b", "a" * 60)
    elif b"FILL" in data:
        bytearray(1 << 40)
    elif b"DIE" in data:
        os.abort()
    elif b"FAIL" in data:
        raise ValueError("no such thing")
    return read(block)


def harmed(settings: ReaderSettings, workers: int) -> AbstractContextManager[Submit]:
    """The daemon's own workers, with less patience: a test has no minutes."""
    return open_pool(Harmed(settings), workers, block_s=5, line_s=2)


def write_log(path: Path, lines: int, poisoned: int) -> set[int]:
    """Every so many lines a poisoned one; the numbers of those."""
    step = lines // poisoned
    bad = set(range(step // 2, lines, step))
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, lines + 1):
            text = f"```bash\npip install requests{f' zz-{number}' if number % 50 == 7 else ''}"
            if number in bad:
                text = POISONS[number // step % len(POISONS)]
            prompt = f"Task {number}. {'Be exact. ' * 90}"
            file.write(json.dumps({"prompt": prompt, "completion": text}) + "\n")
    return bad


class Running:
    """A daemon in a process of its own."""

    def __init__(self, home: Home, said: Path) -> None:
        self._home, self._said = home, said

    @contextmanager
    def until(self, reached: Callable[[], bool], number: signal.Signals) -> Iterator[None]:
        """Runs it until then, then sends the signal; nothing may be left of it."""
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
        script = self._home.path / "daemon.py"
        script.write_text(DAEMON)
        with self._said.open("ab") as said:
            command = [sys.executable, str(script), str(self._home.path)]
            daemon = subprocess.Popen(command, env=env, stdout=said, stderr=said)
        try:
            while not reached():
                assert daemon.poll() is None, self._said.read_text()
                time.sleep(0.1)
            yield
            family = psutil.Process(daemon.pid).children(recursive=True)
        finally:
            daemon.send_signal(number)
            code = daemon.wait(60)
        assert code == (0 if number is signal.SIGTERM else -number), self._said.read_text()
        _, left = psutil.wait_procs(family, timeout=20)
        assert left == []


@pytest.mark.parametrize(
    ("lines", "poisoned"),
    [
        pytest.param(1_000, 10, marks=pytest.mark.slow),
        pytest.param(100_000, 1_000, marks=pytest.mark.soak),
    ],
)
def test_all_good_lines_count_and_nothing_waits_for_the_others(
    home: Home, tmp_path: Path, hook: Hook, lines: int, poisoned: int
) -> None:
    bad = write_log(home.path / "app.log", lines, poisoned)
    home.config.write_text(DAEMON_SETTINGS.format(hook=hook.url))
    running = Running(home, tmp_path / "said.txt")
    with Store.open(home.database) as store:

        def given_up() -> set[int]:
            said = (tmp_path / "said.txt").read_text()
            return {int(line) for line in re.findall(r"skipped \S+, line (\d+): ", said)}

        def counted() -> int:
            runs = [run.id for run in store.runs.recent()]
            return sum(c.answers for run in runs for c in store.traffic.tally(run).values())

        def reads() -> bool:
            return store.jobs.get("ingest").works

        with running.until(lambda: bool(counted()), signal.SIGKILL):
            assert reads()
        begun = datetime.now(UTC)
        ghost = store.ledger.hallucinations()[0]
        store.ledger.mark_claimed(
            Ecosystem.PYPI, ghost.name, begun, first_released=begun, uploader="", evidence=""
        )
        with running.until(lambda: bool(hook.got) and reads(), signal.SIGTERM):
            started = store.jobs.get("selfcheck").started
            assert started is not None
            assert started > begun, "the selfcheck runs while the log is read"
            assert len(given_up()) < poisoned
        with running.until(lambda: counted() == lines - poisoned, signal.SIGTERM):
            pass
        assert given_up() == bad
        assert counted() == lines - poisoned
        assert [got["name"] for got in hook.got] == [ghost.name]
        invented = sum(number % 50 == 7 and number not in bad for number in range(1, lines + 1))
        assert len(store.ledger.hallucinations(limit=lines)) == invented
