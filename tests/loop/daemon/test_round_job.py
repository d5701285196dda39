"""When a round begins, what its process may do to the daemon, and what is logged of its end."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import override
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.build import make_tasks
from ghostbust.loop.daemon.jobs import Stopped, Workplace, round_due, round_if_due
from ghostbust.loop.daemon.runner import JobRunner
from ghostbust.loop.daemon.watch_job import watch
from ghostbust.loop.round_needs import Ahead, needs_of_round
from ghostbust.measure import Key, NameCounts
from ghostbust.records import Context, Prompt, Verdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec
from ghostbust.store.store import Store
from ghostbust.store.traffic import LoggedAnswer, LoggedPart
from tests.loop.daemon.conftest import CONFIG
from tests.loop.rounds import naming
from tests.simulated import SimulatedClock

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

Python = Callable[[str], Workplace]


@pytest.fixture
def python(place: Workplace, store: Store) -> Python:
    """Makes a workplace with enough inventions, whose round is a program in Python."""
    watch(place)
    return lambda program: replace(
        place, round_command=[sys.executable, "-c", program], child_grace_s=0.2
    )


def test_no_round_begins_before_enough_is_logged(
    place: Workplace, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    round_if_due(place)
    assert "round: 0 new inventions, begins at 5" in caplog.text


ROUND = """
import sys
from pathlib import Path
from ghostbust.store.rounds import RoundState
from ghostbust.store.store import Store
with Store.open(Path({path!r})) as store:
    number = store.rounds.start(model="m", method="au", seed=int(sys.argv[2]), settings={{}})
    store.rounds.set_state(number, RoundState.{state}, "because")
print("it trains", file=sys.stderr)
"""


def test_a_round_is_a_process_whose_outcome_is_logged(
    python: Python, home: Home, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    place = python(ROUND.format(path=str(home.database), state="REJECTED"))
    round_if_due(place)
    (done,) = store.rounds.recent()
    assert (done.id, done.seed, done.state) == (1, 1, RoundState.REJECTED)
    assert "round: it trains" in caplog.text
    assert "round: 1 rejected: None, because" in caplog.text
    round_if_due(place)
    assert len(store.rounds.recent()) == 1, "what it was begun for is used up"


def test_a_failed_round_does_not_use_its_inventions_up(
    python: Python, home: Home, store: Store
) -> None:
    place = python(ROUND.format(path=str(home.database), state="FAILED"))
    round_if_due(place)
    round_if_due(place)
    assert [done.seed for done in store.rounds.recent()] == [2, 1]


def test_a_round_may_take_the_home_while_the_daemon_runs(
    python: Python, home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    program = (
        "import sys; from pathlib import Path; from ghostbust.home import Home\n"
        f"with Home.open(Path({str(home.path)!r})).exclusive('round'):\n"
        "    print('held', file=sys.stderr)\n"
        "sys.exit(3)"
    )
    caplog.set_level(logging.INFO)
    with home.exclusive("daemon", home.daemon_lock):
        round_if_due(python(program))
    assert "round: held" in caplog.text
    assert "round: 1 ended with exit code 3: held; tried again later" in caplog.text


@pytest.mark.parametrize("deaf", [False, True])
def test_a_round_ends_with_the_daemon_even_if_it_is_deaf(
    python: Python, home: Home, deaf: bool
) -> None:
    ready = home.path / "ready"
    place = python(
        "import os, signal, time; from pathlib import Path\n"
        f"{deaf} and signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"Path({str(ready)!r}).write_text(str(os.getpid())); time.sleep(60)"
    )

    def stop_when_ready() -> None:
        while not (ready.exists() and ready.read_text()):
            place.stopping.wait(0.02)
        place.stopping.set()

    threading.Thread(target=stop_when_ready).start()
    with pytest.raises(Stopped):
        round_if_due(place)
    assert not Path(f"/proc/{ready.read_text()}").exists()


def limited(place: Workplace, **daemon: object) -> Workplace:
    changed = {f"daemon__{key}": value for key, value in daemon.items()}
    return replace(place, config=override(CONFIG, **changed))


def test_what_kills_a_round_is_told_and_the_daemon_goes_on(
    python: Python, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    round_if_due(
        python(
            "import os, signal, sys; print('CUDA error', file=sys.stderr, flush=True);"
            "os.kill(os.getpid(), signal.SIGSEGV)"
        )
    )
    assert "round: 1 was killed by SIGSEGV: CUDA error; tried again later" in caplog.text
    assert store.rounds.recent() == []


def test_a_round_that_uses_too_much_memory_is_ended_with_its_reason_in_the_store(
    python: Python, home: Home, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    program = ROUND.format(path=str(home.database), state="SELECTED").replace(
        "settings={}", 'settings={}, plan={"most_holdout": 4}'
    )
    place = python(program + "hoard = bytearray(500_000_000); import time; time.sleep(60)")
    round_if_due(limited(place, child_memory_gb=0.2, round_min_new=5))
    (left,) = store.rounds.recent()
    assert left.state is RoundState.SELECTED, "it can be gone on with"
    assert left.reason.endswith("GB of memory, which is over the limit")
    assert "round: 1 used 0." in caplog.text


def test_an_interrupted_round_is_gone_on_with_whatever_is_new(
    python: Python, home: Home, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    round_id = store.rounds.start(
        model="made-up", method="au", seed=7, settings={}, plan={"most_holdout": 4}
    )
    store.rounds.put_down(round_id)
    assert store.rounds.interrupted("made-up") == store.rounds.get(round_id)
    assert store.rounds.interrupted("another") is None
    place = limited(python("import sys; print(sys.argv[2], file=sys.stderr)"), round_min_new=10**6)
    round_if_due(place)
    assert "round: 1 was interrupted while started: goes on" in caplog.text
    assert "round: 1\n" in caplog.text.replace("  ", " ")


def test_a_round_that_may_need_more_than_the_day_has_waits_with_the_reason(
    python: Python, home: Home, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """The process isn't even started, and the next look sees to it again."""
    caplog.set_level(logging.INFO)
    place = python(ROUND.format(path=str(home.database), state="REJECTED"))
    clock = SimulatedClock(datetime(2050, 1, 1, tzinfo=UTC))
    needs = needs_of_round(CONFIG, make_tasks(CONFIG), Ahead(60))
    enough = {f"budget__{name}": int(needs[name]) for name in ("samples", "tokens")}
    place = replace(place, clock=clock, config=override(CONFIG, **enough))
    Allowance(store, place.config, clock).note({"samples": 1})
    runner = JobRunner(place, busy=lambda _: None)
    assert runner.run("round").again is None, "when it is next due"
    told = store.jobs.get("round")
    need = f"{needs['samples']:,.0f}"
    lacking = "the day's budget of samples has"
    assert (told.outcome, told.failures) == ("skipped", 0)
    assert told.reason.startswith(f"round 1 waits: {lacking}")
    assert told.reason.endswith(f"and up to {need} may be needed")
    assert store.rounds.recent() == []
    assert f"round: 1 waits: {lacking}" in caplog.text
    clock.sleep(24 * 3600)
    runner.run("round")
    assert store.jobs.get("round").outcome == "ok"
    assert [done.seed for done in store.rounds.recent()] == [1]


def test_names_of_logs_count(place: Workplace, store: Store) -> None:
    """They are in the ledger as those of watches are, though no answer of theirs ever trains."""
    assert not round_due(store, place).begins
    run_id = store.runs.start(RunSpec(RunKind.INGEST, "made-up", None, 0))
    for number in range(5):
        answer = naming(f"zz-logged-{number}", Verdict.ABSENT, number, seed=number, private=True)
        counted = {Key("made-up", None, Context.CODE, number): NameCounts(answers=1, absent=1)}
        part = LoggedPart(run_id, counted, [LoggedAnswer(answer, number, None)])
        store.traffic.add([part], None)
    due = round_due(store, place)
    assert (due.begins, due.why) == (True, "1 begins on 5 new inventions")


def test_a_rate_that_is_surely_too_high_is_enough_once_a_watch(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    few = limited(place, round_min_new=10**6)
    watch(few)
    assert not round_due(store, few).begins, "not asked for"
    low = store.runs.rates()[0].ci95[0]
    assert 0 < low < 1, "few families say nothing for sure, though all that they name is invented"
    strict = limited(place, round_min_new=10**6, round_min_rate=low * 0.9)
    due = round_due(store, strict)
    assert (due.begins, due.why) == (True, f"1 begins at a rate of at least {low:.3f}")
    round_id = store.rounds.start(model="made-up", method="au", seed=1, settings={})
    store.rounds.set_state(round_id, RoundState.REJECTED)
    assert not round_due(store, strict).begins, "this watch has counted"


def test_the_lower_end_counts_not_the_rate(
    place: Workplace, store: Store, scripted: MakeSampler
) -> None:
    def say(prompt: Prompt) -> str:
        real = "requests" if int(prompt.id, 16) % 2 else f"zz-ghost-{prompt.id}"
        return f"```bash\npip install {real}\n```"

    watch(replace(place, open_sampler=lambda _: scripted(say)))
    rate, (low, _) = store.runs.rates()[0].rate, store.runs.rates()[0].ci95
    between = limited(place, round_min_new=10**6, round_min_rate=(low + rate) / 2)
    assert not round_due(store, between).begins
    assert round_due(store, limited(place, round_min_new=10**6, round_min_rate=low * 0.9)).begins
