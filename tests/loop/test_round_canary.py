"""The whole way of a bad adapter that its gates let through: the canary at the server stops it.

And that of one that gets past the canary, too: its live figures take it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.loop.budget import Allowance
from ghostbust.loop.promote import look_after
from ghostbust.loop.publish import pointed
from ghostbust.loop.round import RoundOutcome, next_round
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence, SystemClock
from ghostbust.measure import measure
from ghostbust.publishers.directory import published
from ghostbust.records import Candidate, GateVerdict
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import Requests, RunKind, RunSpec, RunStatus
from tests.lab.model_server import ModelServer, Serving, serve
from tests.loop.rounds import report_of


@pytest.fixture(scope="module")
def server(talking_model_dir: Path) -> Iterator[ModelServer]:
    with serve(Serving(talking_model_dir, "base")) as server:
        yield server


@pytest.fixture
def config(talking_model_dir: Path, server: ModelServer) -> Config:
    return override(
        Config(),
        model__name=str(talking_model_dir),
        model__endpoint=server.url,
        model__endpoint_model="base",
        model__chat=False,
        registry__mode="snapshot",
        sampling__max_new_tokens=8,
        publish__kind="vllm",
        publish__replicas=(server.url,),
        canary__forget=8,
        canary__general=2,
        canary__rate=8.0,  # of eight prompts, whose rate is mostly luck
        canary__slower=100,  # how busy the machine is, is not what is tested
        canary__overlap=0.5,
    )


@dataclass
class Rounds:
    """Rounds that came as far as a gate report that says PASS, and were cut off there."""

    session: Session
    make_lora: Callable[..., Path]
    made: list[str] = field(default_factory=list)

    def go(self, size: float) -> RoundOutcome:
        """Goes on with a round whose adapter has second matrices of this size."""
        store, model = self.session.store, self.session.config.model.name
        runs = []
        for seed in (1, 2):
            run_id = store.runs.start(RunSpec(RunKind.GATE, model, None, seed))
            store.runs.finish(run_id, RunStatus.DONE, measure([], seed=0))
            runs.append(run_id)
        round_id = store.rounds.start(
            model=model, method="au", seed=1, settings={}, plan={"most_holdout": 1},
            before_run=runs[0],
        )  # fmt: skip
        name = f"round-{round_id:04d}-aa"
        path = self.make_lora(self.session.home.adapters / name, Path(model), size=size)
        store.rounds.add_candidate(round_id, Candidate(name, path, model, "au", 1, 1, 0.1, 1.0))
        store.rounds.add_gate_report(round_id, report_of(name, GateVerdict.PASS), runs[1])
        store.rounds.put_down(round_id)
        self.made.append(name)
        outcome = next_round(self.session, 1, 0, Silence(), train_anyway=True)
        assert outcome.candidate.name == name
        return outcome


@pytest.fixture
def rounds(session: Session, make_lora: Callable[..., Path]) -> Rounds:
    return Rounds(session, make_lora)


def test_a_bad_adapter_is_stopped_and_what_served_serves_on(
    rounds: Rounds, session: Session, server: ModelServer
) -> None:
    today = Allowance(session.store, session.config, SystemClock())
    rounds.session = replace(session, allowance=today)
    assert rounds.go(0.1).promotion is not None
    assert today.spent()["samples"] == 2 * (8 + 2), "what is asked at the server is noted"
    good = rounds.made[0]
    assert rounds.go(50.0).promotion is None
    bad = session.store.rounds.recent(1)[0]
    assert bad.state is RoundState.REJECTED
    assert f"canary of {rounds.made[1]} at" in bad.reason
    serving = published(session.home.deployed)
    assert serving is not None
    assert serving[0] == pointed(session.home.serving) == good
    assert set(server.serving.adapters) == {good}, "it is unloaded again"
    assert [canary.passed for canary in session.store.published.canaries()] == [False, True]
    assert [move.adapter for move in session.store.promotions.all()] == [good]
    server.unload(good)


def test_one_that_turns_bad_afterwards_is_taken_back_from_the_servers(
    rounds: Rounds, session: Session, server: ModelServer
) -> None:
    store, model = session.store, session.config.model.name
    for figures in (Requests(100, 0, 0.1), Requests(60, 40, 0.1)):
        assert rounds.go(0.1).promotion is not None
        run_id = store.runs.start(RunSpec(RunKind.WATCH, model, rounds.made[-1], 9))
        store.runs.finish(run_id, RunStatus.INTERRUPTED, None)
        store.runs.add_requests(run_id, figures)
    assert look_after(store, session.home, session.config) is None, "the server is well by now"
    server.serving.broken.add(rounds.made[1])
    move = look_after(store, session.home, session.config)
    server.serving.broken.clear()
    assert move is not None
    assert move.reason == "rolled back by itself: 40.0% of requests fail, 0.0% before"
    assert move.adapter == pointed(session.home.serving) == rounds.made[0]
    states = [round_.state for round_ in store.rounds.recent()]
    assert states == [RoundState.ROLLED_BACK, RoundState.PROMOTED]
