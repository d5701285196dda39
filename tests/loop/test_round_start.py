"""What ends a round before it begins."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ghostbust.config import override
from ghostbust.errors import NotReadyError, PublishError, TrainingError
from ghostbust.loop.round import next_round
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import Watched
from ghostbust.publishers.directory import publish
from ghostbust.store.runs import RunKind
from tests.lab.model_server import Serving, serve
from tests.loop.conftest import InState
from tests.loop.rounds import BENCHMARK, HOLDOUT


def begin(session: Session, *, train_anyway: bool = True, holdout: int = HOLDOUT) -> None:
    next_round(session, holdout, 0, Silence(), train_anyway=train_anyway)


def test_where_nothing_is_logged_that_is_said_before_a_model_is_loaded(session: Session) -> None:
    nowhere = replace(session, config=override(session.config, model__name="no-such-model"))
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        begin(nowhere)
    assert session.store.rounds.recent() == []
    assert session.store.runs.recent() == []


def test_held_out_inventions_are_nothing_to_learn_from(session: Session, before: Watched) -> None:
    assert before.measurement.absent
    with pytest.raises(TrainingError, match="run `ghostbust sweep` first"):
        begin(session)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"publish__kind": "directory", "publish__replicas": ("/nowhere",)},
            "/nowhere isn't a folder",
        ),
        (
            {"gates__humaneval_tasks": 1},
            "likelihood and coding: too few tasks: [01], needs 100",
        ),
    ],
)
def test_what_cannot_pass_is_said_before_anything_is_asked(
    in_state: InState, changed: dict[str, Any], said: str
) -> None:
    session = in_state("swept", **changed)
    with pytest.raises((PublishError, NotReadyError), match=said):
        begin(session, train_anyway=False)
    assert session.store.rounds.recent() == []
    assert len(session.store.runs.recent()) == 1, "only the sweep"


def test_a_limit_that_no_server_tells_ends_a_round_before_it_asks_anything(
    in_state: InState, round_homes: Path
) -> None:
    with serve(Serving(round_homes / "model", "base", max_rank=1)) as server:
        session = in_state(
            "swept",
            model__endpoint_model="base",
            publish__kind="vllm",
            publish__replicas=(server.url,),
        )
        with pytest.raises(PublishError, match="LoRA rank 2 is greater than max_lora_rank 1"):
            begin(session)
    assert session.store.rounds.recent() == []
    assert len(session.store.runs.recent()) == 1, "only the sweep"
    assert not list(session.home.adapters.iterdir())


def test_a_start_of_another_shape_is_said_before_anything_is_asked(in_state: InState) -> None:
    session = in_state("done", training__start="deployed", training__rank=4)
    (row,) = session.store.rounds.adapters()
    publish(session.home.deployed, row.candidate.path)
    asked = len(session.store.runs.recent())
    with pytest.raises(TrainingError, match=r"has rank 2: set \[training\] to the same"):
        begin(session)
    assert len(session.store.runs.recent()) == asked


def test_what_the_bases_answers_rule_out_is_said_before_training_and_asked_once(
    in_state: InState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon tries such a round again and again."""
    session = in_state("swept")
    many = tuple(replace(BENCHMARK[0], task_id=f"t/{n}") for n in range(100))
    monkeypatch.setattr("ghostbust.loop.round_start.runnable_tasks", lambda *_: many)
    for _ in range(2):
        with pytest.raises(NotReadyError, match="hallucination, volume and faults: too few prompt"):
            begin(session, train_anyway=False, holdout=9)
    assert session.store.rounds.recent() == []
    assert [run.spec.kind for run in session.store.runs.recent()] == [RunKind.GATE, RunKind.SWEEP]
