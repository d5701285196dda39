"""A whole round on a small model: its states, its candidate, and every way it can end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_forgotten
from ghostbust.errors import TrainingError
from ghostbust.loop.build import make_tasks
from ghostbust.loop.round import next_round, run_round
from ghostbust.loop.round_start import start_adapter
from ghostbust.loop.round_steps import choose_sets, train_answers
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher, recalled
from ghostbust.prompts import seed_tasks, split
from ghostbust.publishers.directory import publish, published
from ghostbust.records import GateVerdict, Prompt, Sample
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.unlearners.settings import Former
from tests.loop.conftest import InState
from tests.loop.rounds import (
    HELD_OUT,
    HOLDOUT,
    SAMPLES,
    SAMPLING,
    SEED,
    Heard,
    Stops,
    attempts_of,
    newest,
    plan_of,
)


def test_the_store_has_every_step_before_the_next_begins(round_homes: Path) -> None:
    attempts = attempts_of(round_homes).values()
    states = {what: state for attempt in attempts for what, state in attempt.states.items()}
    assert {what: state for what, state in states.items() if not what.startswith("go on")} | {
        "to come": None
    } == {
        "load " + str(round_homes / "model"): RoundState.TRAINED,
        "to come": None,
        "select what to unlearn and what to keep": RoundState.STARTED,
        "train": RoundState.SELECTED,
        "ask the candidate the held-out prompts": RoundState.TRAINED,
        "gate": RoundState.TRAINED,
    }


def test_a_round_whose_gates_do_not_pass_is_rejected_and_promotes_nothing(
    in_state: InState,
) -> None:
    session = in_state("done")
    done, report = newest(session), session.store.rounds.gate_report(1)
    assert done.state is RoundState.REJECTED
    assert done.reason == "hallucination FAIL"
    assert report is not None
    assert [r.reason.partition(",")[0] for r in report.results][-2:] == ["not run"] * 2
    assert done.verdict is report.verdict is not GateVerdict.PASS
    assert published(session.home.deployed) is None
    assert session.store.promotions.all() == []


def test_the_candidate_is_complete_and_says_what_made_it(in_state: InState) -> None:
    session = in_state("done")
    (row,) = session.store.rounds.adapters()
    candidate = row.candidate
    manifest = read_adapter(candidate.path)
    assert candidate.path.parent == session.home.adapters
    assert (manifest.name, manifest.model) == (candidate.name, session.config.model.name)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= set(manifest.files)
    assert (manifest.facts["round"], manifest.facts["settings"]["seed"]) == (1, SEED)
    assert manifest.facts["moved"] > 0
    assert manifest.facts["steps"] == candidate.steps
    assert newest(session).adapter == candidate.name


def test_before_and_after_answer_the_same_prompts(in_state: InState) -> None:
    session = in_state("done")
    done = newest(session)
    assert done.before_run is not None
    assert done.after_run is not None
    before, after = (recalled(session.store, run) for run in (done.before_run, done.after_run))
    asked = [[a.sample.prompt.id for a in watched.answers] for watched in (before, after)]
    assert asked[0] == asked[1]
    assert {a.sample.adapter for a in before.answers} == {None}
    assert {a.sample.adapter for a in after.answers} == {done.adapter}


def test_a_round_can_start_from_what_serves(in_state: InState) -> None:
    """The deployed adapter is what a round from the base made, though no gate let it through."""
    session = in_state("done", training__start="deployed")
    done = newest(session)
    assert done.adapter is not None
    assert done.before_run is not None
    deployed = session.home.adapters / done.adapter
    publish(session.home.deployed, deployed)
    plan = plan_of(session)
    former = start_adapter(session, plan.training)
    assert former == Former(deployed)
    serving = session.load_local((deployed.name, deployed))
    for one in (serving, LocalSampler(serving.loaded, "round-0000-zz")):
        watcher = Watcher(session.store, one, session.judge, SAMPLING)
        watcher.tasks(seed_tasks()[:40], RunKind.WATCH)
    answers = train_answers(session, former=former)
    sets = choose_sets(session.config, plan.training, answers, former=former)
    unlearnt, kept = ([a.sample.adapter for a in some] for some in (sets.forget, sets.retain))
    assert set(unlearnt) == {deployed.name}, "what it still invents"
    assert kept.count(None) > len(kept) / 2, "what the base says, others only where there is room"
    assert {answer.sample.adapter for answer in sets.base} == {None}
    before = recalled(session.store, done.before_run)
    outcome = run_round(replace(plan, former=former), before)
    facts = read_adapter(outcome.candidate.path).facts
    assert (
        (facts["round"], facts["start"]) == (outcome.round_id, deployed.name) == (2, done.adapter)
    )
    assert newest(session).settings["start"] == deployed.name
    forgotten = [read_forgotten(folder) for folder in (deployed, outcome.candidate.path)]
    assert forgotten[0] is not None
    assert forgotten[1] is not None
    assert forgotten[0] <= forgotten[1]


def test_a_round_without_answers_fails_with_the_reason(session: Session, before: Watched) -> None:
    with pytest.raises(TrainingError, match="nothing to unlearn"):
        run_round(plan_of(session), before)
    (failed,) = session.store.rounds.recent()
    assert failed.state is RoundState.FAILED
    assert failed.reason.startswith("nothing to unlearn: no train-side answer")
    assert list(session.home.adapters.iterdir()) == []


def test_an_interrupted_round_that_nobody_can_continue_fails_and_leaves_no_folder(
    in_state: InState,
) -> None:
    session = in_state("selected")
    run = newest(session).before_run
    assert run is not None
    with pytest.raises(KeyboardInterrupt):
        run_round(plan_of(session, Stops(step=1)), recalled(session.store, run))
    failed = newest(session)
    assert (failed.id, failed.state, failed.reason) == (2, RoundState.FAILED, "KeyboardInterrupt")
    assert list(session.home.adapters.iterdir()) == []


class StopsInBlock(Heard):
    """Ctrl-C at a gate after the second block of answers."""

    def begin(self, what: str) -> None:
        super().begin(what)
        if what == "gate: volume" and self.count("ask both again"):
            raise KeyboardInterrupt


def test_further_blocks_are_asked_of_both_and_never_twice(
    in_state: InState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no gate can tell, as at so small an alpha, every block is asked; then the tasks."""
    session = in_state("trained", gates__blocks=3, gates__alpha=1e-9)
    with pytest.raises(KeyboardInterrupt):
        next_round(session, HOLDOUT, SEED, StopsInBlock(), train_anyway=True)
    asked: list[tuple[str | None, int, int]] = []
    sample = LocalSampler.sample

    def noting(
        self: LocalSampler, prompts: Sequence[Prompt], settings: SamplingSettings
    ) -> Iterator[Sample]:
        asked.extend((self.adapter, settings.first_number, n) for n in [len(prompts)] if n)
        return sample(self, prompts, settings)

    monkeypatch.setattr(LocalSampler, "sample", noting)
    heard = Heard()
    outcome = next_round(session, HOLDOUT, SEED, heard, train_anyway=True)
    assert asked == [
        (None, 2 * SAMPLES, 3 * HOLDOUT),
        (outcome.candidate.name, 2 * SAMPLES, 3 * HOLDOUT),
    ], "of the first two blocks nothing again"
    assert heard.count("gate: volume") == 3
    done = newest(session)
    for run, watched in ((done.before_run, outcome.before), (done.after_run, outcome.after)):
        assert run == watched.run_id
        measured = session.store.runs.get(watched.run_id).measurement
        assert measured is not None
        numbers = Counter(answer.sample.number for answer in watched.answers)
        assert numbers == dict.fromkeys(range(3 * SAMPLES), 3 * HOLDOUT)
        assert measured.answers == len(session.store.answers.sampled_keys(run)) == 3 * HELD_OUT
    assert {r.details["block"] for r in outcome.report.results[:4] if r.details} == {"3 of 3"}


def test_the_next_round_draws_tasks_that_judged_none_before(in_state: InState) -> None:
    """As far as there are any; the report says how many did."""
    session = in_state("done")
    first = newest(session)
    assert first.after_run is not None
    judged = session.store.rounds.judged(session.config.model.name)
    asked = {a.sample.prompt.family for a in recalled(session.store, first.after_run).answers}
    assert judged == dict.fromkeys(asked, 1)
    _, pool = split(make_tasks(session.config), session.config.prompts.holdout_share)
    most = len(pool) - HOLDOUT + 2
    outcome = next_round(session, most, SEED, Heard(), train_anyway=True)
    families = {answer.sample.prompt.family for answer in outcome.before.answers}
    assert len(families & asked) == 2
    said = f"2 of the {most} prompt families judged earlier candidates"
    assert said in outcome.report.results[0].reason
