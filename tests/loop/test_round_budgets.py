"""What whole rounds on a small model take from the day's budgets: real store, real registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import BudgetError
from ghostbust.home import Home
from ghostbust.loop.budget import REQUESTS, SAMPLES, TOKENS, Allowance
from ghostbust.loop.build import make_tasks
from ghostbust.loop.round import next_round
from ghostbust.loop.round_resume import Ahead, needs_of_round
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence, SystemClock
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.records import Answer, Verdict
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState
from ghostbust.store.rows import RunKind
from ghostbust.store.store import Store
from ghostbust.unlearners.settings import most_looks
from tests.loop.package_index import PackageIndex
from tests.loop.rounds import BENCHMARK, SAMPLING

HOLDOUT = 12
HELD_OUT = 2 * HOLDOUT * 3
"""answers of base and candidate"""


class Listens(Silence):
    """Does something when a stage begins, and keeps what began."""

    def __init__(self, at: str = "nowhere", then: object = None) -> None:
        self._at, self._then = at, then
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)
        if what.startswith(self._at) and callable(self._then):
            self._then()

    @property
    def looked(self) -> int:
        """Answers of the looks, each of which says how many prompts it asks."""
        looks = (what for what in self.begun if what.startswith("measure the volume on"))
        return sum(int(what.split()[4]) for what in looks)


@pytest.fixture
def config(config: Config) -> Config:
    """No coding tasks, whose files may not be here; forty prompts for each look."""
    return override(config, gates__humaneval_tasks=0, training__probes=40)


@pytest.fixture
def swept_home(home: Home, config: Config, sampler: LocalSampler) -> Home:
    """A home with answers to learn from, in whose budgets nothing is noted."""
    with open_session(home, config, purpose="sweep") as session:
        watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
        watcher.tasks(seed_tasks()[:40], RunKind.SWEEP)
        assert sum(session.store.spending.of(today(session.store).day).values()) == 0
    return home


@pytest.fixture
def budgeted(
    swept_home: Home, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("ghostbust.unlearners.sets.PROBE_SHARE", 0.5)
    with open_session(swept_home, config, purpose="test", clock=SystemClock()) as session:
        yield session


def today(store: Store) -> Allowance:
    return Allowance(store, Config(), SystemClock())


def held_out(store: Store) -> list[Answer]:
    """All answers to held-out prompts."""
    runs = [run.id for run in store.runs.recent() if run.spec.kind is RunKind.GATE]
    return [answer for run_id in runs for answer in store.answers.read(run_id=run_id)]


def limited(session: Session, **limits: int) -> Session:
    """The session with these budgets of the day."""
    keys = {f"budget__{name}": limit for name, limit in limits.items()}
    config = override(session.config, **keys)
    return replace(
        session, config=config, allowance=Allowance(session.store, config, SystemClock())
    )


def most(session: Session) -> dict[str, float]:
    return needs_of_round(session.config, make_tasks(session.config), Ahead(HOLDOUT))


def test_a_round_notes_all_that_it_asks_and_no_more_than_was_reckoned(
    budgeted: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ghostbust.loop.round.runnable_tasks", lambda *_: BENCHMARK)
    session = replace(budgeted, config=override(budgeted.config, gates__humaneval_tasks=1))
    listener = Listens()
    next_round(session, HOLDOUT, 3, listener, train_anyway=True)
    spent, answers = today(session.store).spent(), held_out(session.store)
    assert len(answers) == HELD_OUT
    assert listener.looked > 0
    assert spent[SAMPLES] == HELD_OUT + listener.looked + 2, "two of a coding task"
    tokens = sum(answer.sample.tokens for answer in answers)
    assert tokens < spent[TOKENS] <= tokens + 8 * (listener.looked + 2)
    needs = most(session)
    assert spent[SAMPLES] <= needs[SAMPLES]
    assert spent[TOKENS] <= needs[TOKENS]


@pytest.mark.parametrize("method", ["au-heard", "au-repair", "npo"])
def test_a_training_that_looks_as_often_as_it_may_asks_what_was_reckoned(
    budgeted: Session, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """Every further look is worth it, in each of the members."""
    monkeypatch.setattr("ghostbust.unlearners.steer.WORTH", -2.0)
    config = override(budgeted.config, training__method=method, training__members=2)
    session = replace(budgeted, config=config)
    listener = Listens()
    next_round(session, HOLDOUT, 3, listener, train_anyway=True)
    looks = [what for what in listener.begun if what.startswith("measure the volume on")]
    of = most_looks(method, 2)
    assert [look.partition(": ")[2] for look in looks] == [
        f"look {number} of at most {of}" for number in range(1, of + 1)
    ]
    asked = {int(look.split()[4]) for look in looks}
    reckoned = most(session)[SAMPLES] - HELD_OUT
    assert today(session.store).spent()[SAMPLES] - HELD_OUT == listener.looked
    assert reckoned == of * 40
    assert all(37 < prompts <= 40 for prompts in asked), "whole families of three, of 40 at most"


@pytest.mark.parametrize("name", [SAMPLES, TOKENS])
def test_a_round_that_may_need_more_than_is_left_is_not_begun(budgeted: Session, name: str) -> None:
    need = int(most(budgeted)[name])
    short = limited(budgeted, **{name: need - 1})
    with pytest.raises(BudgetError, match=rf"the round needs up to {need:,} {name}, of which"):
        next_round(short, HOLDOUT, 3, Silence(), train_anyway=True)
    assert budgeted.store.rounds.recent() == []
    assert held_out(budgeted.store) == []
    assert today(budgeted.store).spent()[SAMPLES] == 0


def test_a_round_that_has_begun_is_finished_and_noted(budgeted: Session) -> None:
    """Where somebody else spends what it was to have."""
    session = limited(budgeted, samples=int(most(budgeted)[SAMPLES]))
    assert session.allowance is not None
    other = {SAMPLES: session.allowance.limits[SAMPLES]}
    listener = Listens("train:", lambda: today(budgeted.store).note(other))
    next_round(session, HOLDOUT, 3, listener, train_anyway=True)
    assert budgeted.store.rounds.get(1).state is RoundState.REJECTED
    spent = today(budgeted.store).spent()[SAMPLES]
    assert spent == other[SAMPLES] + HELD_OUT + listener.looked


def test_an_interrupted_round_goes_on_with_what_is_left_or_waits(budgeted: Session) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    need = int(most(budgeted)[SAMPLES])
    with pytest.raises(KeyboardInterrupt):
        next_round(
            limited(budgeted, samples=need),
            HOLDOUT,
            3,
            Listens("train:", interrupt),
            train_anyway=True,
        )
    half = HELD_OUT // 2
    assert today(budgeted.store).spent()[SAMPLES] == half, "of the base"
    with pytest.raises(BudgetError, match=f"needs up to {need - half} samples"):
        next_round(limited(budgeted, samples=need - 1), HOLDOUT, 3, Silence(), train_anyway=True)
    left = budgeted.store.rounds.get(1)
    assert (left.state, left.attempts) == (RoundState.SELECTED, 0), "it wasn't tried"
    listener = Listens()
    next_round(limited(budgeted, samples=need), HOLDOUT, 3, listener, train_anyway=True)
    assert today(budgeted.store).spent()[SAMPLES] == HELD_OUT + listener.looked


@pytest.mark.parametrize("limit", [2, 1000])
def test_requests_to_registries_stop_at_the_limit(
    swept_home: Home, config: Config, index: type[PackageIndex], limit: int, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What can't be asked is unknown, never absent. The model names a dozen packages."""
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    live = override(config, registry__mode="live", budget__registry_requests=limit)
    with open_session(swept_home, live, purpose="test", clock=SystemClock()) as session:
        next_round(session, HOLDOUT, 3, Silence(), train_anyway=True)
        spent = today(session.store).spent()[REQUESTS]
        assert session.store.rounds.get(1).state is RoundState.REJECTED
        answers = held_out(session.store)
    assert index.asked == spent <= limit
    found = {
        verdict: {name for answer in answers for name in answer.names(verdict)}
        for verdict in (Verdict.ABSENT, Verdict.UNKNOWN)
    }
    assert spent == 2 if limit == 2 else spent > 8
    assert bool(found[Verdict.UNKNOWN]) is (limit == 2)
    assert len(found[Verdict.ABSENT]) <= 2 if limit == 2 else len(found[Verdict.ABSENT]) > 8


PROGRAM = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import load_config
from ghostbust.home import Home
from ghostbust.loop.signals import SystemClock
from ghostbust.loop.signals import Silence
from ghostbust.loop.round import next_round
from ghostbust.loop.session import open_session

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
config = load_config(home.config, home)
with open_session(home, config, purpose="round", clock=SystemClock()) as session:
    next_round(session, 12, 3, Killed(), train_anyway=True)
"""

SETTINGS = """
[model]
name = {model}
device = "cpu"
[registry]
mode = "snapshot"
[sampling]
max_new_tokens = 8
samples_per_prompt = 1
batch_rows = 4
[training]
rank = 2
alpha = 4
max_answers = 24
probes = 0
[gates]
humaneval_tasks = 0
"""


def test_kills_lose_what_was_in_the_making_and_pay_nothing_twice(
    swept_home: Home, talking_model_dir: Path
) -> None:
    """While the base is asked, just behind a transaction of answers; then while it is trained."""
    told = SETTINGS.format(model=f'"{talking_model_dir}"')
    swept_home.config.write_text(told, "utf-8")

    def after(kill_at: str, code: int) -> tuple[int, float]:
        """Answers in the database and answers that are paid, when such a process has ended."""
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(swept_home.path), kill_at],
            env=os.environ, timeout=300, check=False,
        )  # fmt: skip
        assert ended.returncode == code
        with Store.open(swept_home.database) as store:
            return len(held_out(store)), today(store).spent()[SAMPLES]

    logged, paid = after("ask 12 held-out", -signal.SIGKILL)
    assert 0 < logged < HELD_OUT // 2
    assert paid == logged + 4, "which are computed at once"
    assert after("train", -signal.SIGKILL) == (HELD_OUT // 2, HELD_OUT // 2 + 4)
    assert after("nowhere", 0) == (HELD_OUT, HELD_OUT + 4)
    with Store.open(swept_home.database) as store:
        assert store.rounds.get(1).state is RoundState.REJECTED
