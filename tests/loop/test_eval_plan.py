"""Which adapters an evaluation takes, how it loads them, and how it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import write_adapter
from ghostbust.config import Config, override
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.evaluate import (
    Chosen,
    EvalPlan,
    ask_again,
    ask_prompts,
    choose_adapters,
    load_beside,
    load_local,
    load_sampler,
)
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.prompts import EVAL_SEEDS, Task, first_prompts
from ghostbust.publishers.directory import publish
from ghostbust.records import Candidate, Prompt, SetSplit
from ghostbust.samplers.interface import Sampler

MakeSampler = Callable[..., Sampler]


def save(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    config = override(Config(), model__name="made-up", registry__mode="snapshot")
    with open_session(home, config, purpose="eval") as session:
        yield session


@pytest.fixture
def adapter(session: Session) -> Chosen:
    """An adapter that a round made."""
    round_id = session.store.rounds.start(model="made-up", method="au", seed=0, settings={})
    path = session.home.adapters / "round-0001-aa"
    write_adapter(path, model="made-up", facts={}, save=save)
    session.store.rounds.add_sets(round_id, SetSplit((), (), ()))
    session.store.rounds.add_candidate(
        round_id, Candidate(path.name, path, "made-up", "au", 0, 1, 0.1, 1.0)
    )
    return path.name, path


def test_adapters_are_chosen_by_name_folder_or_what_serves(
    session: Session, adapter: Chosen, tmp_path: Path
) -> None:
    assert choose_adapters(session, ["deployed"]) == []
    assert choose_adapters(session, [adapter[0]]) == [adapter]
    assert choose_adapters(session, [str(adapter[1])]) == [adapter]
    publish(session.home.deployed, adapter[1])
    assert choose_adapters(session, ["deployed", adapter[0]]) == [adapter]
    with pytest.raises(UsageError, match="there is no adapter 'nobody'"):
        choose_adapters(session, ["nobody"])
    with pytest.raises(UsageError, match="the base is always compared"):
        choose_adapters(session, ["base"])


def test_another_programs_folder_is_named_for_its_weights(session: Session, tmp_path: Path) -> None:
    names = []
    for number, weights in enumerate((b"one", b"other", b"one")):
        folder = tmp_path / str(number) / "mine"
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text("{}", "utf-8")
        (folder / "adapter_model.safetensors").write_bytes(weights)
        ((name, _),) = choose_adapters(session, [str(folder)])
        names.append(name)
    assert names[0].startswith("mine-")
    assert names[0] == names[2] != names[1]


@pytest.mark.parametrize("load", [load_sampler, load_local, load_beside])
def test_an_adapter_of_another_model_is_refused_before_a_model_is_loaded(
    load: Callable[[Session, Chosen], object], session: Session, adapter: Chosen
) -> None:
    other = override(session.config, model__name="another")
    with pytest.raises(UsageError, match="belongs to the model 'made-up', not to 'another'"):
        load(replace(session, config=other), adapter)


@pytest.mark.parametrize(
    ("name", "side"), [(None, 0), ("base, int8", 0), ("round-1", 2), ("round-1, int8", 2)]
)
def test_a_changed_model_draws_its_sides_random_numbers(
    name: str | None, side: int, session: Session, tasks: list[Task], scripted: MakeSampler
) -> None:
    plan = EvalPlan(session, tasks, [], (0.5, 0.0), 7, Silence())
    answers = ask_again(plan, scripted(lambda _: "1. requests", name), list(first_prompts(tasks)))
    assert {answer.sample.seed for answer in answers} == {7 + EVAL_SEEDS[side]}
    assert {answer.sample.temperature for answer in answers} == {0.5}
    assert {answer.sample.adapter for answer in answers} == {name}


def test_no_prompts_have_no_answers(
    session: Session, tasks: list[Task], scripted: MakeSampler
) -> None:
    plan = EvalPlan(session, tasks, [], (0.0,), 0, Silence())
    nobody: list[Prompt] = []
    assert ask_prompts(plan, scripted(str), nobody, 0.0, 0) == ()
