"""Homes in each state of a round, made once by one real training and copied for each test."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from ghostbust.adapters import write_adapter, write_forgotten
from ghostbust.config import Config, override
from ghostbust.gates.tasks import CodingTask
from ghostbust.home import Home
from ghostbust.loop.build import training_settings
from ghostbust.loop.round import next_round
from ghostbust.loop.round_steps import RoundPlan
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Listener, Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.records import (
    Answer,
    Candidate,
    Context,
    Ecosystem,
    GateReport,
    GateResult,
    GateVerdict,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    SetSplit,
    Verdict,
    utc_now,
)
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.rounds import Round
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

SAMPLING: Final = SamplingSettings(max_new_tokens=8, seed=1)
HOLDOUT: Final = 12
SAMPLES: Final = 2
HELD_OUT: Final = 3 * HOLDOUT * SAMPLES
"""answers of one model to the held-out tasks"""
SEED: Final = 3

BENCHMARK: Final = (
    CodingTask(
        "t/0",
        'def one() -> int:\n    """Returns 1."""\n',
        "    return 1\n",
        "def check(candidate):\n    assert candidate() == 1\n",
        "one",
    ),
)

STOPS: Final[dict[str, tuple[str, int]]] = {
    "started": ("select", 0),
    "selected": ("train:", 0),
    "training": ("nowhere", 2),
    "trained": ("ask the candidate", 0),
    "measured": ("gate: volume", 0),
    "done": ("nowhere", 0),
}
"""where a Ctrl-C ends the round: in which stage, or at which step of the training"""


class Stops(Silence):
    """Ctrl-C when a stage begins, or at a step. It keeps what began, and in which state."""

    def __init__(self, at: str = "nowhere", step: int = 0, store: Store | None = None) -> None:
        self._at, self._step, self._store = at, step, store
        self.begun: list[str] = []
        self.states: dict[str, str] = {}
        self.steps: list[tuple[int, int]] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)
        if self._store is not None and (rounds := self._store.rounds.recent(1)):
            self.states[what.partition(":")[0]] = rounds[0].state
        if what.startswith(self._at):
            raise KeyboardInterrupt

    def step(self, number: int, of: int, loss: float) -> None:
        self.steps.append((number, of))
        if number == self._step:
            raise KeyboardInterrupt


class Heard(Silence):
    """Keeps what begins; ``at_step`` is called at each step of a training."""

    def __init__(self, at_step: Callable[[], None] = lambda: None) -> None:
        self._at_step = at_step
        self.begun: list[str] = []

    def begin(self, what: str) -> None:
        self.begun.append(what)

    def step(self, number: int, of: int, loss: float) -> None:
        self._at_step()

    def count(self, head: str) -> int:
        return sum(what.startswith(head) for what in self.begun)


def round_config(model: Path) -> Config:
    """A small round on the small model: no looks, and no coding tasks."""
    return override(
        Config(),
        model__name=str(model),
        model__device="cpu",
        registry__mode="snapshot",
        training__rank=2,
        training__members=1,
        training__alpha=4,
        training__max_answers=24,
        training__probes=0,
        gates__max_new_tokens=8,
        gates__humaneval_tasks=0,
        gates__samples=SAMPLES,
        gates__blocks=1,
        sampling__max_new_tokens=8,
        sampling__samples_per_prompt=1,
    )


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made by the first process of this test run that wants it."""
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            done.touch()
    return folder


@dataclass(frozen=True)
class Attempt:
    """One call of `next_round` while the homes were made."""

    begun: list[str]
    states: dict[str, str]
    """the newest round's state when each stage began"""
    steps: list[tuple[int, int]]
    state: str
    """of the round afterwards"""
    attempts: int
    runs: int


def make_homes(folder: Path, model: Path) -> None:
    """A home for each of STOPS, its round cut off there, and ``swept``, before any round."""
    shutil.copytree(model, folder / "model")
    config, home = round_config(folder / "model"), Home.open(folder / "home")
    with open_session(home, config, purpose="sweep") as session:
        watcher = Watcher(session.store, session.load_local(), session.judge, SAMPLING)
        watcher.tasks(seed_tasks()[:40], RunKind.SWEEP)
    shutil.copytree(home.path, folder / "swept")
    made = {}
    for name, (at, step) in STOPS.items():
        with open_session(home, config, purpose="round") as session:
            listener = Stops(at, step, session.store)
            with nullcontext() if name == "done" else pytest.raises(KeyboardInterrupt):
                next_round(session, HOLDOUT, SEED, listener, train_anyway=True)
            row, runs = newest(session), len(session.store.runs.recent())
        made[name] = Attempt(
            listener.begun, listener.states, listener.steps, row.state, row.attempts, runs
        )
        shutil.copytree(home.path, folder / name)
    told = {name: asdict(attempt) for name, attempt in made.items()}
    (folder / "attempts.json").write_text(json.dumps(told), "utf-8")


def attempts_of(folder: Path) -> dict[str, Attempt]:
    told = json.loads((folder / "attempts.json").read_text("utf-8"))
    return {name: Attempt(**one) for name, one in told.items()}


def copy_home(folder: Path, state: str, place: Path) -> Home:
    """The home in that state at another place, its adapters' paths adapted."""
    shutil.copytree(folder / state, place)
    home = Home.open(place)
    with closing(sqlite3.connect(home.database)) as db, db:
        db.execute(
            "UPDATE adapters SET path = replace(path, ?, ?)", (str(folder / "home"), str(place))
        )
    return home


def newest(session: Session) -> Round:
    return session.store.rounds.recent(1)[0]


def naming(
    name: str, verdict: Verdict, number: int = 0, *, model: str = "made-up",
    adapter: str | None = None, seed: int = 1, private: bool = False,
) -> Answer:  # fmt: skip
    """An answer to prompt ``number``, of a family of its own, that installs one package."""
    prompt = Prompt(
        f"do {number}", Context.CODE, Ecosystem.PYPI, f"family-{number}", private=private
    )
    text = f"pip install {name}"
    ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, 12, len(text), name)
    lookup = Lookup(Ecosystem.PYPI, name, verdict, "", "", "rule", utc_now())
    sample = Sample(prompt, text, model, adapter, seed, 0, 0.7, False, 5)
    return Answer(sample, (Judged(ref, lookup),))


def write_made_up(folder: Path, model: str = "made-up", *, forgotten: Sequence[str] = ()) -> Path:
    """A complete adapter folder that no model library could load."""

    def save(aside: Path) -> None:
        (aside / "adapter_config.json").write_text("{}", "utf-8")
        (aside / "adapter_model.safetensors").write_bytes(b"weights")
        if forgotten:
            write_forgotten(aside, forgotten)

    write_adapter(folder, model=model, facts={}, save=save)
    return folder


def report_of(name: str, *verdicts: GateVerdict) -> GateReport:
    """A gate report of the adapter, one gate a verdict."""
    results = (GateResult(f"gate-{n}", v, "", None, None, None, "") for n, v in enumerate(verdicts))
    return GateReport(name, tuple(results))


def add_gated(
    store: Store,
    home: Home,
    verdict: GateVerdict = GateVerdict.PASS,
    make: Callable[[Path, int], object] = lambda folder, _: write_made_up(folder),
) -> str:
    """The adapter of a new round that has its gate report; ``make`` fills the folder."""
    round_id = store.rounds.start(model="made-up", method="au", seed=0, settings={})
    path = home.adapters / f"round-{round_id:04d}-aa"
    make(path, round_id)
    store.rounds.add_sets(round_id, SetSplit((), (), ()))
    store.rounds.add_candidate(
        round_id, Candidate(path.name, path, "made-up", "au", 0, 1, 0.1, 1.0)
    )
    store.rounds.add_gate_report(round_id, report_of(path.name, verdict))
    return path.name


def let_pass(session: Session) -> str:
    """Has the done round's gate report say PASS, and nobody work on it; its adapter."""
    last = newest(session)
    assert last.adapter is not None
    report = report_of(last.adapter, GateVerdict.PASS)
    session.store.rounds.add_gate_report(last.id, report, last.after_run)
    session.store.rounds.resume(last.id)  # the process that made the home may be another one
    session.store.rounds.put_down(last.id)
    return last.adapter


def plan_of(session: Session, listener: Listener | None = None) -> RoundPlan:
    """Of a round that no other process can continue."""
    settings = replace(SAMPLING, seed=2)
    training = training_settings(session.config, 5)
    return RoundPlan(session, settings, training, listener or Silence(), BENCHMARK)
