"""A whole round on a small model: its states, its sets, its candidate, and every way it can end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.config import Config, override
from ghostbust.errors import (
    CanaryError,
    EndpointError,
    GhostbustError,
    PublishError,
    TrainingError,
)
from ghostbust.gates import CodingTask
from ghostbust.home import Home
from ghostbust.loop.listener import Silence
from ghostbust.loop.parts import training_settings
from ghostbust.loop.round import RoundOutcome, next_round, run_round
from ghostbust.loop.round_steps import RoundPlan, select_sets, settle_round, train_answers
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.unfinished import round_start
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import Task, prompts_of, side_of, split
from ghostbust.publishers.directory import publish, published
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict, Side
from ghostbust.reserved import suite_family
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store import RoundState, RunKind, Store
from ghostbust.unlearners.former import Former

SAMPLING = SamplingSettings(max_new_tokens=8, seed=1)
BENCHMARK = (
    CodingTask(
        "t/0",
        'def one() -> int:\n    """Returns 1."""\n',
        "    return 1\n",
        "def check(candidate):\n    assert candidate() == 1\n",
        "one",
    ),
)


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


@pytest.fixture(scope="module")
def sampler(talking_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalSampler:
    return LocalSampler.load(str(talking_model_dir), tmp_path_factory.mktemp("cache"))


@pytest.fixture
def config(talking_model_dir: Path) -> Config:
    return override(
        Config(),
        model__name=str(talking_model_dir),
        model__device="cpu",
        registry__mode="snapshot",
        training__rank=2,
        training__alpha=4,
        training__max_answers=24,
        gates__max_new_tokens=8,
        gates__humaneval_tasks=1,
        sampling__max_new_tokens=8,
        sampling__samples_per_prompt=1,
    )


@pytest.fixture
def session(
    home: Home, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    with open_session(home, config, purpose="test") as session:
        yield session


@pytest.fixture
def swept(session: Session, sampler: LocalSampler, tasks: list[Task]) -> Watched:
    """Both sides of the split were asked and logged."""
    watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
    return watcher.tasks(tasks, RunKind.SWEEP)


@pytest.fixture
def before(session: Session, sampler: LocalSampler, tasks: list[Task]) -> Watched:
    """The base on the held-out tasks."""
    _, holdout = split(tasks, session.config.prompts.holdout_share)
    settings = replace(SAMPLING, seed=2)
    return Watcher(session.store, sampler, session.judge, settings).tasks(holdout, RunKind.GATE)


def plan_of(session: Session, listener: Silence | None = None) -> RoundPlan:
    settings = replace(SAMPLING, seed=2)
    training = training_settings(session.config, 5)
    return RoundPlan(session, settings, training, BENCHMARK, listener or Silence())


def go(plan: RoundPlan, sampler: LocalSampler, before: Watched) -> RoundOutcome:
    return run_round(plan, sampler, before, prompts_of(before.answers))


def report(name: str, *verdicts: GateVerdict) -> GateReport:
    results = (GateResult(f"gate-{n}", v, "", None, None, None, "") for n, v in enumerate(verdicts))
    return GateReport(name, tuple(results))


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
        "measure the volume on 44 train-side prompts": RoundState.SELECTED,
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


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (CanaryError("canary of it at gpu: it stammers"), RoundState.REJECTED),
        (PublishError("gpu doesn't take it"), RoundState.WAITING),
        (EndpointError("can't reach gpu"), RoundState.WAITING),
    ],
)
def test_what_cannot_be_published_does_not_serve(
    error: GhostbustError, state: RoundState, session: Session, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("ghostbust.loop.promote.bring_up", fails)
    rounds = session.store.rounds
    round_id = rounds.start(model="m", method="au", seed=0, settings={})
    candidate = Candidate("round-aa", tmp_path / "round-aa", "m", "au", 0, 1, 0.1, 1.0)
    rounds.add_candidate(round_id, candidate)
    result = GateResult("volume", GateVerdict.PASS, "", None, None, None, "")
    report = GateReport(candidate.name, (result,))
    assert settle_round(plan_of(session), round_id, candidate, report) is None
    round_ = rounds.get(round_id)
    assert (round_.state, str(error) in round_.reason) == (state, True)
    assert published(session.home.deployed) is None


def test_a_server_that_would_refuse_the_adapter_ends_a_round_before_it_begins(
    session: Session, swept: Watched
) -> None:
    limited = override(session.config, publish__kind="directory", publish__replicas=("/nowhere",))
    with pytest.raises(PublishError, match="/nowhere isn't a folder"):
        next_round(replace(session, config=limited), 4, 0, Silence())
    assert session.store.rounds.recent() == []


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


def test_no_held_out_family_is_in_the_sets(
    session: Session, sampler: LocalSampler, swept: Watched, tasks: list[Task]
) -> None:
    """Neither one that this round measures with, nor one that another round may."""
    share = session.config.prompts.holdout_share
    _, holdout = split(tasks, share)
    logged = {answer.sample.prompt.family for answer in swept.answers}
    assert len({task.id for task in holdout} & logged) >= 4
    measured = [holdout[0].prompt(answer.sample.prompt.context) for answer in swept.answers[:1]]
    sets = select_sets(plan_of(session), sampler, measured)
    families = {a.sample.prompt.family for a in (*sets.forget, *sets.retain)}
    assert families
    assert {side_of(family, share) for family in families} == {Side.TRAIN}
    assert all(answer.invented for answer in sets.forget)
    assert not any(answer.invented for answer in sets.retain)


def test_answers_to_an_external_suite_are_logged_and_never_train(
    session: Session, sampler: LocalSampler, tasks: list[Task]
) -> None:
    train, _ = split(tasks, session.config.prompts.holdout_share)
    suite = [replace(task, id=suite_family("garak", task.id)) for task in train]
    watcher = Watcher(session.store, sampler, session.judge, SAMPLING)
    watched = watcher.tasks(suite, RunKind.SWEEP)
    assert watched.measurement.absent
    assert list(train_answers(session, sampler.model)) == []
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        select_sets(plan_of(session), sampler, [])


def test_a_round_can_be_told_to_learn_from_one_run(
    session: Session, sampler: LocalSampler, swept: Watched, tasks: list[Task]
) -> None:
    again = Watcher(session.store, sampler, session.judge, replace(SAMPLING, seed=9))
    train, _ = split(tasks, session.config.prompts.holdout_share)
    run = again.tasks(train[:10], RunKind.SWEEP)
    plan = replace(plan_of(session), train_run=run.run_id)
    sets = select_sets(plan, sampler, [])
    assert {a.sample.seed for a in (*sets.forget, *sets.retain)} == {9}
    everything = list(train_answers(session, sampler.model))
    assert {answer.sample.seed for answer in everything} == {1, 9}
    assert list(train_answers(session, "another-model")) == []


@pytest.fixture
def candidate(session: Session) -> tuple[int, Candidate]:
    """A round that has come to its gates, with a complete adapter."""
    from ghostbust.adapters import write_adapter

    rounds = session.store.rounds
    round_id = rounds.start(model="m", method="au", seed=0, settings={})
    path = session.home.adapters / "round-0001-aa"

    def save(folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}", "utf-8")

    write_adapter(path, model="m", facts={}, save=save)
    made = Candidate(path.name, path, "m", "au", 0, 1, 0.1, 1.0)
    rounds.add_candidate(round_id, made)
    return round_id, made


def test_what_passes_every_gate_is_promoted(
    session: Session, candidate: tuple[int, Candidate]
) -> None:
    round_id, made = candidate
    good = report(made.name, GateVerdict.PASS, GateVerdict.PASS)
    promotion = settle_round(plan_of(session), round_id, made, good)
    assert promotion is not None
    assert published(session.home.deployed) == (made.name, made.path)
    assert session.store.rounds.get(round_id).state is RoundState.PROMOTED


def test_in_review_mode_a_person_has_the_last_word(
    session: Session, candidate: tuple[int, Candidate]
) -> None:
    round_id, made = candidate
    reviewed = replace(session, config=override(session.config, daemon__promote="review"))
    good = report(made.name, GateVerdict.PASS)
    assert settle_round(plan_of(reviewed), round_id, made, good) is None
    assert session.store.rounds.get(round_id).state is RoundState.WAITING
    assert published(session.home.deployed) is None


@pytest.mark.parametrize("other", [GateVerdict.FAIL, GateVerdict.INCONCLUSIVE])
def test_one_gate_that_does_not_pass_is_enough(
    session: Session, candidate: tuple[int, Candidate], other: GateVerdict
) -> None:
    round_id, made = candidate
    mixed = report(made.name, GateVerdict.PASS, other)
    assert settle_round(plan_of(session), round_id, made, mixed) is None
    round_ = session.store.rounds.get(round_id)
    assert (round_.state, round_.reason) == (RoundState.REJECTED, f"gate-1 {other}")
    assert published(session.home.deployed) is None


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
    learnt = [answer.sample.adapter for answer in (*sets.forget, *sets.retain)]
    assert set(learnt) <= {None, deployed.name}
    assert learnt.count(deployed.name) > learnt.count(None)
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
        next_round(replace(session, config=config), 10, 0, Silence())
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
        next_round(nowhere, 10, 0, Silence())
    assert session.store.rounds.recent() == []
    assert session.store.runs.recent() == []


def test_held_out_inventions_are_nothing_to_learn_from(session: Session, before: Watched) -> None:
    assert before.measurement.absent
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        next_round(session, 10, 0, Silence())


PROGRAM = """
import os, signal, sys
from pathlib import Path
from ghostbust.config import Config, override
from ghostbust.home import Home
from ghostbust.loop.listener import Silence
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
    before, outcome = next_round(session, 12, 0, Silence() if sys.argv[3] == "go" else Killed())
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
