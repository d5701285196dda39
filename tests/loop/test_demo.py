"""The main job on a small model, start to end; on the real one it is a slow test of the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter
from ghostbust.config import Config, override
from ghostbust.home import Home
from ghostbust.loop.demo import FULL, DemoSize, run_demo
from ghostbust.loop.round import RoundOutcome
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Silence
from ghostbust.prompts import prompts_of, seed_tasks, side_of, split
from ghostbust.records import Context, GateVerdict, Side
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from tests.loop.rounds import round_config

SIZE = DemoSize(train_tasks=14, train_samples=1, holdout_tasks=11)

Demo = tuple[Home, RoundOutcome, RoundOutcome]


@pytest.fixture(scope="module")
def demo(talking_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A home, and what came of two demos there with the same seed."""
    folder = tmp_path_factory.mktemp("demo")
    config = override(round_config(talking_model_dir), gates__humaneval_tasks=1)
    home = Home.open(folder / "home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GHOSTBUST_CACHE", str(folder / "cache"))
        with open_session(home, config, purpose="demo") as session:
            return home, *(run_demo(session, 0, Silence(), SIZE) for _ in range(2))  # type: ignore[return-value]


def test_the_demo_does_every_step_and_tells_the_truth(demo: Demo) -> None:
    home, outcome, _ = demo
    before, after = outcome.before.measurement, outcome.after.measurement
    # A task whose code answer is empty isn't asked what that code needs.
    assert 2 * 11 * 2 < before.answers == after.answers <= 3 * 11 * 2
    assert before.refs > 0
    assert set(before.by_context) == set(Context)
    assert outcome.report.verdict is not GateVerdict.PASS  # one benchmark task is too few
    assert outcome.promotion is None
    assert read_adapter(outcome.candidate.path).name == outcome.candidate.name
    with Store.open(home.database) as store:
        runs = store.runs.recent()[-3:]
        assert [run.spec.kind for run in runs] == [RunKind.GATE, RunKind.DEMO, RunKind.DEMO]
        assert {run.status for run in runs} == {RunStatus.DONE}
        assert runs[2].measurement is not None
        assert 2 * 14 < runs[2].measurement.answers <= 3 * 14
        assert store.rounds.get(1).state is RoundState.REJECTED
        assert store.rounds.get(1).holdout == len(prompts_of(outcome.before.answers))


def test_the_two_sides_never_mix(demo: Demo) -> None:
    with Store.open(demo[0].database) as store:
        swept, measured, again = (
            {a.sample.prompt.family for a in store.answers.read(run_id=run_id)}
            for run_id in (1, 2, 3)
        )
    share = Config().prompts.holdout_share
    assert {side_of(family, share) for family in swept} == {Side.TRAIN}
    assert {side_of(family, share) for family in measured} == {Side.HOLDOUT}
    assert measured == again


def test_a_second_demo_is_a_round_of_its_own_with_the_same_numbers(demo: Demo) -> None:
    _, first, second = demo
    assert second.round_id == first.round_id + 1
    assert second.candidate.path != first.candidate.path
    one, other = (
        (
            outcome.before.measurement,
            outcome.after.measurement,
            outcome.candidate.steps,
            outcome.candidate.final_loss,
            [(result.verdict, result.candidate) for result in outcome.report.results],
        )
        for outcome in (first, second)
    )
    assert one == other


def test_the_full_size_fits_the_shipped_tasks() -> None:
    train, holdout = split(seed_tasks(), Config().prompts.holdout_share)
    assert len(train) >= FULL.train_tasks
    assert len(holdout) >= FULL.holdout_tasks


@pytest.mark.slow
def test_the_embedded_model_goes_the_whole_way(embedded_model_dir: Path, tmp_path: Path) -> None:
    """A cut-down demo on the real thing: it invents, an adapter is trained, nothing is hidden."""
    config = override(
        Config(),
        registry__mode="snapshot",
        model__device="cpu",
        sampling__max_new_tokens=32,
        training__max_answers=16,
        training__members=1,
        gates__humaneval_tasks=2,
        gates__max_new_tokens=32,
        gates__samples=2,
        gates__blocks=1,
    )
    size = DemoSize(train_tasks=8, train_samples=1, holdout_tasks=10)
    with open_session(Home.open(tmp_path), config, purpose="demo") as session:
        outcome = run_demo(session, 0, Silence(), size)
    before, after = outcome.before.measurement, outcome.after.measurement
    assert 0 < before.rate < 1
    assert before.real > 0
    assert before.answers == after.answers >= 20
    assert outcome.candidate.steps >= 1
    assert outcome.promotion is None
    by_gate = {result.gate: result for result in outcome.report.results}
    assert "too few tasks: 2, needs 100" in by_gate["coding"].reason
    manifest = read_adapter(outcome.candidate.path)
    assert manifest.facts["moved"] > 0
