"""A whole round on a small model: its states, its sets, its candidate, and every way it can end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.bench.model_server import serve
from ghostbust.bench.serving import Serving
from ghostbust.config import Config, override
from ghostbust.errors import (
    NotReadyError,
    PublishError,
    TrainingError,
)
from ghostbust.home import Home
from ghostbust.loop.build import training_settings
from ghostbust.loop.round import RoundOutcome, next_round, run_round
from ghostbust.loop.round_resume import round_start
from ghostbust.loop.round_steps import RoundPlan, select_sets
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, prompts_of
from ghostbust.publishers.directory import publish, published
from ghostbust.records import GateVerdict
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState
from ghostbust.store.rows import RunKind
from ghostbust.store.store import Store
from ghostbust.unlearners.settings import Former
from tests.loop.rounds import BENCHMARK, SAMPLING, plan_of


class Watches(Silence):
    """Notes the newest round's state whenever a stage begins, and can stop the training."""

    def __init__(self, store: Store, at_step: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._at_step = at_step
        self.begun: list[tuple[str, RoundState]] = []
        self.steps: list[tuple[int, int]] = []

    def begin(self, what: str) -> None:
        rounds = self._store.rounds.recent(1)
        if rounds:
            self.begun.append((what, rounds[0].state))

    def step(self, number: int, of: int, loss: float) -> None:
        self.steps.append((number, of))
        self._at_step()


def go(plan: RoundPlan, sampler: LocalSampler, before: Watched) -> RoundOutcome:
    return run_round(plan, sampler, before, prompts_of(before.answers))


def test_the_store_has_every_step_before_the_next_begins(
    session: Session, sampler: LocalSampler, swept: Watched, before: Watched,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("ghostbust.unlearners.sets.PROBE_SHARE", 0.5)
    listener = Watches(session.store)
    outcome = go(plan_of(session, listener), sampler, before)
    states = {what.partition(":")[0]: state for what, state in listener.begun}
    assert states == {
        "select what to unlearn and what to keep": RoundState.STARTED,
        "measure the volume on 45 train-side prompts": RoundState.SELECTED,
        "train": RoundState.SELECTED,
        "ask the candidate the held-out prompts": RoundState.TRAINED,
        "gate": RoundState.TRAINED,
    }
    assert listener.steps[-1] == (outcome.candidate.steps, outcome.candidate.steps)
    assert session.store.rounds.gate_report(outcome.round_id) == outcome.report
    assert session.store.rounds.get(outcome.round_id).adapter == outcome.candidate.name


def test_a_round_whose_gates_cannot_tell_is_rejected_and_promotes_nothing(
    session: Session, sampler: LocalSampler, swept: Watched, before: Watched
) -> None:
    outcome = go(plan_of(session), sampler, before)
    assert outcome.report.verdict is not GateVerdict.PASS
    assert outcome.promotion is None
    round_ = session.store.rounds.get(outcome.round_id)
    assert round_.state is RoundState.REJECTED
    assert "likelihood INCONCLUSIVE, coding INCONCLUSIVE" in round_.reason
    assert round_.verdict is outcome.report.verdict
    assert published(session.home.deployed) is None
    assert session.store.promotions.all() == []


def test_a_server_that_would_refuse_the_adapter_ends_a_round_before_it_begins(
    session: Session, swept: Watched
) -> None:
    limited = override(session.config, publish__kind="directory", publish__replicas=("/nowhere",))
    with pytest.raises(PublishError, match="/nowhere isn't a folder"):
        next_round(replace(session, config=limited), 4, 0, Silence(), train_anyway=True)
    assert session.store.rounds.recent() == []


def test_a_limit_that_no_server_tells_ends_a_round_before_it_asks_anything(
    session: Session, swept: Watched, talking_model_dir: Path
) -> None:
    runs, served = session.store.runs.recent(), Serving(talking_model_dir, "base", max_rank=1)
    with serve(served) as server:
        told = override(
            session.config,
            model__endpoint_model="base",
            publish__kind="vllm",
            publish__replicas=(server.url,),
        )
        with pytest.raises(PublishError, match="LoRA rank 2 is greater than max_lora_rank 1"):
            next_round(replace(session, config=told), 4, 0, Silence(), train_anyway=True)
    assert session.store.rounds.recent() == []
    assert session.store.runs.recent() == runs
    assert not list(session.home.adapters.iterdir())


def test_the_candidate_is_complete_and_says_what_made_it(
    session: Session, sampler: LocalSampler, swept: Watched, before: Watched
) -> None:
    outcome = go(plan_of(session), sampler, before)
    candidate = outcome.candidate
    manifest = read_adapter(candidate.path)
    assert candidate.path.parent == session.home.adapters
    assert (manifest.name, manifest.model) == (candidate.name, session.config.model.name)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= set(manifest.files)
    assert manifest.facts["round"] == outcome.round_id
    assert manifest.facts["settings"]["seed"] == 5
    assert manifest.facts["moved"] > 0
    row = session.store.rounds.adapter(candidate.name)
    assert row is not None
    assert row.candidate == candidate
    assert {a.sample.adapter for a in outcome.after.answers} == {candidate.name}


def test_before_and_after_answer_the_same_prompts(
    session: Session, sampler: LocalSampler, swept: Watched, before: Watched
) -> None:
    outcome = go(plan_of(session), sampler, before)
    asked = [[a.sample.prompt.id for a in w.answers] for w in (before, outcome.after)]
    assert asked[0] == asked[1]


@pytest.fixture
def deployed(session: Session, sampler: LocalSampler, swept: Watched, before: Watched) -> Path:
    """What a round from the base made, serving though no gate let it through."""
    candidate = go(plan_of(session), sampler, before).candidate
    publish(session.home.deployed, candidate.path)
    return candidate.path


def test_a_round_can_go_on_from_what_serves(
    session: Session, sampler: LocalSampler, tasks: list[Task], before: Watched, deployed: Path
) -> None:
    training = training_settings(session.config, 5)
    assert round_start(session, training) is None, "each round begins with the base by default"
    session = replace(session, config=override(session.config, training__start="deployed"))
    former = round_start(session, training)
    assert former == Former(deployed)
    serving = LocalSampler.load(
        sampler.model, session.cache_dir, adapter=deployed.name, adapter_path=deployed
    )
    for one in (serving, LocalSampler(serving.loaded, "round-0000-zz")):
        Watcher(session.store, one, session.judge, SAMPLING).tasks(tasks, RunKind.WATCH)
    plan = replace(plan_of(session), former=former)
    sets = select_sets(plan, sampler, [])
    unlearnt, kept = ([a.sample.adapter for a in some] for some in (sets.forget, sets.retain))
    assert set(unlearnt) == {deployed.name}, "what it still invents"
    assert kept.count(None) > len(kept) / 2, "what the base says, others only where there is room"
    assert {answer.sample.adapter for answer in sets.base} == {None}
    outcome = go(plan, sampler, before)
    facts = read_adapter(outcome.candidate.path).facts
    assert (facts["round"], facts["start"]) == (outcome.round_id, deployed.name)
    assert session.store.rounds.get(outcome.round_id).settings["start"] == deployed.name
    of_former = read_forgotten(deployed)
    of_candidate = read_forgotten(outcome.candidate.path)
    assert of_former is not None
    assert of_candidate is not None
    assert of_former <= of_candidate


def test_a_start_of_another_shape_is_told_before_anything_is_asked(
    session: Session, deployed: Path
) -> None:
    asked = len(session.store.runs.recent())
    config = override(session.config, training__start="deployed", training__rank=4)
    with pytest.raises(TrainingError, match=r"has rank 2: set \[training\] to the same"):
        next_round(replace(session, config=config), 10, 0, Silence(), train_anyway=True)
    assert len(session.store.runs.recent()) == asked


def test_a_round_without_answers_fails_with_the_reason(
    session: Session, sampler: LocalSampler, before: Watched
) -> None:
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        go(plan_of(session), sampler, before)
    (round_,) = session.store.rounds.recent()
    assert round_.state is RoundState.FAILED
    assert round_.reason.startswith("nothing to unlearn: no train-side answer")
    assert list(session.home.adapters.iterdir()) == []


def test_an_interrupted_training_fails_the_round_and_leaves_no_folder(
    session: Session, sampler: LocalSampler, swept: Watched, before: Watched
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(plan_of(session, Watches(session.store, interrupt)), sampler, before)
    (round_,) = session.store.rounds.recent()
    assert (round_.state, round_.reason) == (RoundState.FAILED, "KeyboardInterrupt"), "no plan"
    assert list(session.home.adapters.iterdir()) == []


def test_the_next_round_says_at_once_that_nothing_is_logged(session: Session) -> None:
    nowhere = replace(session, config=override(session.config, model__name="no-such-model"))
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        next_round(nowhere, 10, 0, Silence(), train_anyway=True)
    assert session.store.rounds.recent() == []
    assert session.store.runs.recent() == []


def test_held_out_inventions_are_nothing_to_learn_from(session: Session, before: Watched) -> None:
    assert before.measurement.absent
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        next_round(session, 10, 0, Silence(), train_anyway=True)


def test_what_cannot_pass_is_said_before_a_model_is_loaded(
    session: Session, swept: Watched
) -> None:
    config = override(session.config, gates__humaneval_tasks=1)
    with pytest.raises(NotReadyError, match="likelihood and coding: too few tasks: 1, needs 100"):
        next_round(replace(session, config=config), 12, 0, Silence())
    assert session.store.rounds.recent() == []
    assert len(session.store.runs.recent()) == 1, "only the sweep"


def test_what_the_bases_answers_rule_out_is_said_before_training_and_asked_once(
    session: Session, swept: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon tries such a round again and again."""
    many = tuple(replace(BENCHMARK[0], task_id=f"t/{n}") for n in range(100))
    monkeypatch.setattr("ghostbust.loop.round.runnable_tasks", lambda *_: many)
    for _ in range(2):
        with pytest.raises(NotReadyError, match="hallucination, volume and faults: too few prompt"):
            next_round(session, 9, 0, Silence())
    assert session.store.rounds.recent() == []
    assert [run.spec.kind for run in session.store.runs.recent()] == [RunKind.GATE, RunKind.SWEEP]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import Config, override
from ghostbust.home import Home
from ghostbust.loop.signals import Silence
from ghostbust.loop.round import next_round
from ghostbust.loop.session import open_session

class Killed(Silence):
    def step(self, number, of, loss):
        if sys.argv[3] == "kill" and number == 2:
            os.kill(os.getpid(), signal.SIGKILL)

config = override(
    Config(), model__name=sys.argv[2], registry__mode="snapshot", training__rank=2,
    training__max_answers=32, gates__humaneval_tasks=1, gates__max_new_tokens=8,
    sampling__max_new_tokens=8, sampling__samples_per_prompt=1,
)
with open_session(Home.open(Path(sys.argv[1])), config, purpose="round") as session:
    before, outcome = next_round(session, 12, 0, Silence() if sys.argv[3] == "go" else Killed(),
                                 train_anyway=True)
    print(outcome.round_id, outcome.candidate.path, before.measurement.answers)
"""


def test_after_a_kill_in_the_middle_the_round_is_gone_on_with(
    home: Home, sampler: LocalSampler, tasks: list[Task], config: Config
) -> None:
    with open_session(home, config, purpose="sweep") as session:
        watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
        watcher.tasks(tasks, RunKind.SWEEP)
    model = config.model.name

    def round_process(what: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, str(home.path), model, what],
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    assert round_process("kill").returncode == -signal.SIGKILL
    with Store.open(home.database) as store:
        assert store.rounds.get(1).state is RoundState.SELECTED
    ended = round_process("go")
    assert ended.returncode == 0, ended.stderr
    number, path, answers = ended.stdout.split()
    assert (number, int(answers)) == ("1", 36)
    assert read_adapter(Path(path)).facts["round"] == 1
    with Store.open(home.database) as store:
        (first,) = store.rounds.recent()
        assert first.state is RoundState.REJECTED
        # What it had measured of the base was not measured again.
        assert [run.spec.kind for run in store.runs.recent()] == ["gate", "gate", "sweep"]
        assert {run.status for run in store.runs.recent()} == {"done"}
