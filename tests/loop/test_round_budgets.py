"""What whole rounds on a small model take from the day's budgets: real store, real registry."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter
from ghostbust.config import Config
from ghostbust.errors import BudgetError
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import make_tasks
from ghostbust.loop.round import next_round
from ghostbust.loop.round_needs import Ahead, needs_of_round
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence, SystemClock
from ghostbust.records import Answer, Verdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from ghostbust.unlearners.settings import most_looks
from tests.loop.conftest import InState
from tests.loop.package_index import PackageIndex
from tests.loop.rounds import BENCHMARK, HELD_OUT, HOLDOUT, SEED, copy_home, newest


class Listens(Silence):
    """Does something when a stage begins, and keeps what began."""

    def __init__(self, at: str = "nowhere", then: Callable[[], object] = lambda: None) -> None:
        self._at, self._then = at, then
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)
        if what.startswith(self._at):
            self._then()


def go(session: Session, listener: Listens | None = None) -> None:
    next_round(session, HOLDOUT, SEED, listener or Listens(), train_anyway=True)


def today(store: Store) -> Allowance:
    return Allowance(store, Config(), SystemClock())


def held_out(store: Store) -> list[Answer]:
    """All answers to held-out prompts."""
    runs = [run.id for run in store.runs.recent() if run.spec.kind is RunKind.GATE]
    return [answer for run_id in runs for answer in store.answers.read(run_id=run_id)]


def most(session: Session, ahead: Ahead) -> dict[str, float]:
    return needs_of_round(session.config, make_tasks(session.config), ahead)


CANDIDATE = Ahead(HOLDOUT, base=False, training=False)
"""what a trained round has before it"""


@pytest.mark.parametrize(
    ("method", "members"), [("au-heard", 2), pytest.param("au-repair", 1, marks=pytest.mark.slow)]
)
def test_a_round_notes_all_that_it_asks_and_no_more_than_was_reckoned(
    in_state: InState, monkeypatch: pytest.MonkeyPatch, method: str, members: int
) -> None:
    """Of looks, as many as it may take: every further one is worth it, in each of the members."""
    monkeypatch.setattr("ghostbust.loop.round_start.runnable_tasks", lambda *_: BENCHMARK)
    monkeypatch.setattr("ghostbust.unlearners.sets.PROBE_SHARE", 0.5)
    monkeypatch.setattr("ghostbust.unlearners.steer.WORTH", -2.0)
    session = in_state(
        "swept",
        clock=SystemClock(),
        gates__humaneval_tasks=1,
        training__probes=40,
        training__method=method,
        training__members=members,
        gates__alpha=1e-9,  # so that no gate fails, which would spare the coding task
    )
    listener = Listens()
    go(session, listener)
    looks = [what for what in listener.begun if what.startswith("measure the volume on")]
    of = most_looks(method, members)
    assert [look.partition(": ")[2] for look in looks] == [
        f"look {number} of at most {of}" for number in range(1, of + 1)
    ]
    asked = [int(look.split()[4]) for look in looks]
    assert all(37 < prompts <= 40 for prompts in asked), "whole families of three, of 40 at most"
    spent, answers = today(session.store).spent(), held_out(session.store)
    assert len(answers) == 2 * HELD_OUT
    assert spent[SAMPLES] == 2 * HELD_OUT + sum(asked) + 2, "two of a coding task"
    tokens = sum(answer.sample.tokens for answer in answers)
    assert tokens < spent[TOKENS] <= tokens + 8 * (sum(asked) + 2)
    needs = most(session, Ahead(HOLDOUT))
    assert needs[SAMPLES] == 2 * HELD_OUT + of * 40 + 2
    assert spent[SAMPLES] <= needs[SAMPLES]
    assert spent[TOKENS] <= needs[TOKENS]


@pytest.mark.parametrize("name", [SAMPLES, TOKENS])
def test_a_round_that_may_need_more_than_the_day_has_is_not_begun(
    in_state: InState, name: str
) -> None:
    session = in_state("swept", clock=SystemClock(), **{f"budget__{name}": 50})
    need = f"{most(session, Ahead(HOLDOUT))[name]:,.0f}"
    said = f"the day's budget of {name} is 50, and up to {need} may be needed"
    with pytest.raises(BudgetError, match=said):
        go(session)
    assert session.store.rounds.recent() == []
    assert held_out(session.store) == []
    assert today(session.store).spent()[SAMPLES] == 0


def test_a_round_that_has_begun_is_finished_and_noted(in_state: InState) -> None:
    """Where somebody else spends what it was to have."""
    session = in_state("trained", clock=SystemClock(), budget__samples=HELD_OUT)
    go(session, Listens("ask the candidate", lambda: today(session.store).note({SAMPLES: 100})))
    assert newest(session).state is RoundState.REJECTED
    assert today(session.store).spent()[SAMPLES] == 100 + HELD_OUT


def test_an_interrupted_round_is_continued_with_what_is_left_or_waits(in_state: InState) -> None:
    session = in_state("trained", clock=SystemClock(), budget__samples=HELD_OUT + 5)
    assert most(session, CANDIDATE)[SAMPLES] == HELD_OUT
    today(session.store).note({SAMPLES: 6})
    said = f"samples has {HELD_OUT - 1} left of {HELD_OUT + 5}, and up to {HELD_OUT} may be needed"
    with pytest.raises(BudgetError, match=said):
        go(session)
    left = newest(session)
    assert (left.state, left.attempts) == (RoundState.TRAINED, 0), "it wasn't tried"
    today(session.store).give_back(today(session.store).day, {SAMPLES: 1})
    go(session)
    assert today(session.store).spent()[SAMPLES] == 5 + HELD_OUT


@pytest.mark.parametrize("limit", [2, 1000])
def test_requests_to_registries_stop_at_the_limit(
    in_state: InState, index: type[PackageIndex], limit: int
) -> None:
    """What can't be asked is unknown, never absent. The model names a dozen packages."""
    session = in_state(
        "trained", clock=SystemClock(), registry__mode="live", budget__registry_requests=limit
    )
    go(session)
    spent = today(session.store).spent()[REQUESTS]
    assert newest(session).state is RoundState.REJECTED
    after = newest(session).after_run
    answers = list(session.store.answers.read(run_id=after))
    assert index.asked == spent <= limit
    found = {
        verdict: {name for answer in answers for name in answer.names(verdict)}
        for verdict in (Verdict.ABSENT, Verdict.UNKNOWN)
    }
    assert spent == 2 if limit == 2 else spent > 6
    assert bool(found[Verdict.UNKNOWN]) is (limit == 2)
    assert len(found[Verdict.ABSENT]) <= 2 if limit == 2 else len(found[Verdict.ABSENT]) > 6


PROGRAM = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import override
from ghostbust.home import Home
from ghostbust.loop.signals import SystemClock
from ghostbust.loop.signals import Silence
from ghostbust.loop.round import next_round
from ghostbust.loop.session import open_session
from tests.loop.rounds import HOLDOUT, SEED, round_config

where = sys.argv[2]

class Killed(Silence):
    stage = ""
    def begin(self, what):
        self.stage = what
    def step(self, number, of, loss):
        if where == "train" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    def advance(self, done, total):
        if self.stage.startswith(where):
            os.kill(os.getpid(), signal.SIGKILL)

home = Home.open(Path(sys.argv[1]))
config = override(round_config(Path(sys.argv[3])), sampling__batch_rows=4)
with open_session(home, config, purpose="round", clock=SystemClock()) as session:
    next_round(session, HOLDOUT, SEED, Killed(), train_anyway=True)
"""


def test_kills_lose_what_was_under_way_and_pay_nothing_twice(
    round_homes: Path, tmp_path: Path
) -> None:
    """While the base is asked, just behind a transaction of answers; then while it is trained."""
    home = copy_home(round_homes, "swept", tmp_path / "home")

    def after(kill_at: str, code: int) -> tuple[int, float]:
        """Answers in the database and answers that are paid, when such a process has ended."""
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(home.path), kill_at, str(round_homes / "model")],
            cwd=Path(__file__).parents[2], timeout=300, check=False,
        )  # fmt: skip
        assert ended.returncode == code
        with Store.open(home.database) as store:
            return len(held_out(store)), today(store).spent()[SAMPLES]

    logged, paid = after("ask 12 held-out", -signal.SIGKILL)
    assert 0 < logged < HELD_OUT
    assert paid == logged + 4, "which are computed at once"
    assert after("train", -signal.SIGKILL) == (HELD_OUT, HELD_OUT + 4)
    with Store.open(home.database) as store:
        assert store.rounds.get(1).state is RoundState.SELECTED
    assert after("nowhere", 0) == (2 * HELD_OUT, 2 * HELD_OUT + 4)
    with Store.open(home.database) as store:
        (first,) = store.rounds.recent()
        assert first.state is RoundState.REJECTED
        (row,) = store.rounds.adapters()
        assert read_adapter(row.candidate.path).facts["round"] == 1
        # What it had measured of the base was not measured again.
        assert [run.spec.kind for run in store.runs.recent()] == ["gate", "gate", "sweep"]
        assert {run.status for run in store.runs.recent()} == {"done"}
