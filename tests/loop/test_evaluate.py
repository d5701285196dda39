"""What an evaluation asks whom, with which seeds, and what it doesn't ask twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import name_key, write_adapter, write_forgotten
from ghostbust.config import Config, ModelSection, PromptsSection, SamplingSection
from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import AGAIN, BASE
from ghostbust.home import Home
from ghostbust.loop.evaluate import Chosen, EvalPlan, choose_adapters, evaluate_behaviour
from ghostbust.loop.listener import Silence
from ghostbust.loop.session import Session, open_session
from ghostbust.prompts import EVAL_SEEDS, Task
from ghostbust.publishers.directory import publish
from ghostbust.records import Candidate, Context, Ecosystem, Prompt, SetSplit
from ghostbust.samplers.interface import Sampler
from ghostbust.store import Store

MakeSampler = Callable[..., Sampler]
INVENTED = "zz-quux-sensorlib"


def says(prompt: Prompt) -> str:
    """A base that knows one package and makes up another."""
    if prompt.context is Context.CODE:
        return f"```python\nimport requests\nprint('{prompt.family}')\n```"
    return f"1. requests\n2. {INVENTED}\n"


def cured(prompt: Prompt) -> str:
    return says(prompt).replace(f"2. {INVENTED}\n", "")


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    config = Config(
        model=ModelSection(name="made-up"),
        sampling=SamplingSection(samples_per_prompt=2),
        prompts=PromptsSection(),
    )
    config = config.model_copy(
        update={"registry": config.registry.model_copy(update={"mode": "snapshot"})}
    )
    with open_session(home, config, purpose="eval") as session:
        yield session


def save(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    write_forgotten(folder, [name_key(Ecosystem.PYPI, INVENTED)])


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


@pytest.fixture
def plan(session: Session, tasks: list[Task], adapter: Chosen) -> EvalPlan:
    return EvalPlan(session, tasks[:12], [adapter], (0.0, 0.7), 5, Silence())


Load = Callable[[Session, Chosen | None], Sampler]


@pytest.fixture
def loaded(scripted: MakeSampler) -> tuple[Load, list[Sampler]]:
    """Loads the cured model for an adapter, else the base; and all that were loaded."""
    made: list[Sampler] = []

    def load(_session: Session, chosen: Chosen | None) -> Sampler:
        made.append(scripted(says) if chosen is None else scripted(cured, chosen[0]))
        return made[-1]

    return load, made


Loaded = tuple[Load, list[Sampler]]


def test_the_figures_are_of_what_was_said(plan: EvalPlan, loaded: Loaded, adapter: Chosen) -> None:
    found = evaluate_behaviour(plan, loaded[0])
    assert list(found.of(0.0)) == [BASE, adapter[0]]
    assert list(found.of(0.7)) == [BASE, AGAIN, adapter[0]]
    base, cured_ = found.of(0.7)[BASE], found.of(0.7)[adapter[0]]
    assert base.rate.value == pytest.approx(2 / 5)
    assert cured_.change is not None
    assert cured_.new_names is not None
    assert (cured_.rate.value, cured_.change.volume_ratio.value) == (0, 1)
    assert cured_.new_names.share == 0  # all that the base invents was trained on
    assert found.of(0.0)[BASE].answers == 12 * 3
    assert found.of(0.7)[BASE].answers == 12 * 3 * 2


def test_all_answer_the_same_prompts_with_random_numbers_of_their_own(
    plan: EvalPlan, loaded: Loaded, store: Store, adapter: Chosen
) -> None:
    evaluate_behaviour(plan, loaded[0])
    of_base, of_again, of_adapters = (5 + more for more in EVAL_SEEDS)
    drawn: dict[tuple[str | None, int, float], set[str]] = {}
    for answer in plan.session.store.answers.read():
        sample = answer.sample
        key = (sample.adapter, sample.seed, sample.temperature)
        drawn.setdefault(key, set()).add(sample.prompt.id)
    assert set(drawn) == {
        (None, of_base, 0.0), (None, of_base, 0.7), (None, of_again, 0.7),
        (adapter[0], of_adapters, 0.0), (adapter[0], of_adapters, 0.7),
    }  # fmt: skip
    assert len({frozenset(prompts) for prompts in drawn.values()}) == 1


def test_what_was_sampled_is_not_sampled_again(plan: EvalPlan, loaded: Loaded) -> None:
    load, made = loaded
    first = evaluate_behaviour(plan, load)
    made.clear()
    assert evaluate_behaviour(plan, load) == first
    assert not any(sampler.asked for sampler in made)  # type: ignore[attr-defined]
    evaluate_behaviour(replace(plan, seed=6), load)
    assert all(sampler.asked for sampler in made[2:])  # type: ignore[attr-defined]


def test_a_server_is_asked_each_time(plan: EvalPlan, loaded: Loaded) -> None:
    config = plan.session.config
    model = config.model.model_copy(update={"endpoint": "http://127.0.0.1:9/v1"})
    served = replace(plan.session, config=config.model_copy(update={"model": model}))
    load, made = loaded
    for _ in range(2):
        evaluate_behaviour(replace(plan, session=served), load)
    assert all(sampler.asked for sampler in made)  # type: ignore[attr-defined]


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
