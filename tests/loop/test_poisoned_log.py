"""A daemon over a log with lines that harm who reads them: all others count, nothing waits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from ghostbust.home import Home
from ghostbust.loop.ingest.files import LogBlock
from ghostbust.loop.ingest.reading import BlockReader, Counted
from ghostbust.loop.ingest.workers import ReaderSettings, Submit, open_pool
from ghostbust.records import Ecosystem
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.servers.webhook import Hook

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
    from tests.loop.test_poisoned_log import harmed

    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("apscheduler").setLevel("CRITICAL")
    home = Home.open(Path(sys.argv[1]))
    config = load_config(home.config, home)
    place = Workplace(home, config, [], None, [], threading.Event())
    read = partial(read_logs, open_readers=harmed)
    jobs = [replace(job, work=read) if job.name == "ingest" else job for job in JOBS]
    serve(Daemon(place, jobs=jobs))
"""
SETTINGS = """
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

    def reader(self) -> HarmedReader:
        return HarmedReader(self.settings.reader())


class HarmedReader:
    """The daemon's own reader, but for what poison does to it."""

    def __init__(self, reader: BlockReader) -> None:
        self._reader = reader

    def read(self, block: LogBlock) -> Counted:
        data = block.data
        if b"SPIN" in data:
            re.match(r"(a|a)*b", "a" * 60)
        elif b"FILL" in data:
            bytearray(1 << 40)
        elif b"DIE" in data:
            os.abort()
        elif b"FAIL" in data:
            raise ValueError("no such thing")
        return self._reader.read(block)


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
        env = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
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
    home.config.write_text(SETTINGS.format(hook=hook.url))
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
