"""A real daemon, killed while its round works, and started again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ghostbust.home import Home
from ghostbust.loop.child import marked
from ghostbust.loop.fault_checks import breaches_at_once, breaches_of_round, count_answers
from ghostbust.loop.fault_points import Fault, Point
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store

PATIENCE_S: Final = 240.0
"""how long a daemon may take to get somewhere"""
GONE_S: Final = 5.0
"""how long what a killed daemon had started may live on"""


def kill_daemon(home: Home, replica: Path, said: Path, seed: int) -> Fault:
    """Kills a real daemon while its round works, and starts it again."""
    began, draw = time.monotonic(), random.Random(seed)  # noqa: S311
    state = draw.choice([RoundState.STARTED, RoundState.SELECTED, RoundState.TRAINED])
    logged, mark = count_answers(home), f"{home.path}:round"
    with _daemon(home, said):
        came = _wait_for(home, lambda found: found not in (None, *_before(state)))
        time.sleep(draw.uniform(0, 0.5))
        started = [child.pid for child in marked(mark)]
    found = list(breaches_at_once(home, replica))
    if not _gone(mark):
        found.append("its round outlived it")
    with _daemon(home, said) as again:
        ended = _wait_for(home, lambda now: now is not None and not now.is_open)
        again.terminate()
        if again.wait(60):
            found.append(f"the daemon ended with {again.returncode} when it was told to stop")
    if not came or not ended:
        found.append(f"the round didn't come to {'its end' if came else state}")
    found += breaches_of_round(home, replica, logged, RoundState.REJECTED)
    if not _gone(mark):
        found.append("a process was left behind")
    point = Point("daemon", f"round while {state}", 1)
    return Fault(point, bool(started), tuple(found), time.monotonic() - began)


@contextmanager
def _daemon(home: Home, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon, killed at the end if it still lives."""
    with said.open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "ghostbust", "daemon", "--home", str(home.path),
             "--config", str(home.config)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def _wait_for(home: Home, reached: Callable[[RoundState | None], bool]) -> bool:
    """Whether the newest round's state gets there; None is no round."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        with Store.open(home.database, read_only=True) as store:
            newest = next(iter(store.rounds.recent(1)), None)
        if reached(None if newest is None else newest.state):
            return True
        time.sleep(0.05)
    return False


def _before(state: RoundState) -> tuple[RoundState, ...]:
    """The states that come before this one."""
    order = (RoundState.STARTED, RoundState.SELECTED, RoundState.TRAINED)
    return order[: order.index(state)]


def _gone(mark: str) -> bool:
    """Whether nothing of the mark lives on, soon."""
    limit = time.monotonic() + GONE_S
    while time.monotonic() < limit:
        if not marked(mark):
            return True
        time.sleep(0.1)
    return False
