"""Evaluations: which adapters, who answers what with which seed, and what is asked twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.adapters import name_key
from ghostbust.config import Config, override
from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import AGAIN, BASE, Group
from ghostbust.evaluation.suites import FORMS, SECOND_STEP
from ghostbust.gates.tasks import CodingTask
from ghostbust.home import Home
from ghostbust.loop.build import Chosen
from ghostbust.loop.evaluate import (
    REORDERED,
    EvalPlan,
    ask_again,
    ask_prompts,
    choose_adapters,
    evaluate_behaviour,
    evaluate_locality,
    evaluate_persistence,
    evaluate_suites,
    evaluate_utility,
    load_beside,
    load_sampler,
)
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.prompts import EVAL_SEEDS, Task, first_prompts
from ghostbust.publishers.directory import publish
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.interface import Sampler
from ghostbust.store.store import Store
from tests.loop.rounds import add_gated, write_made_up

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
    config = override(
        Config(),
        model__name="made-up",
        sampling__samples_per_prompt=2,
        registry__mode="snapshot",
    )
    with open_session(home, config, purpose="eval") as session:
        yield session


@pytest.fixture
def adapter(session: Session) -> Chosen:
    """An adapter that a round made."""

    def make(folder: Path, _: int) -> None:
        write_made_up(folder, forgotten=[name_key(Ecosystem.PYPI, INVENTED)])

    name = add_gated(session.store, session.home, make=make)
    return name, session.home.adapters / name


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
    assert (cured_.rate.value, cured_.change.supported.value) == (0, 1)
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


# The other sections, with real weights: a tiny model and an adapter that another program made.


@pytest.fixture(scope="module")
def foreign(talking_model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Chosen:
    """An adapter of random weights."""
    import torch
    from peft import LoraConfig, get_peft_model

    from ghostbust.models.load import load_model, peft_warnings_silenced

    loaded = load_model(str(talking_model_dir), talking_model_dir, device="cpu")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("adapters") / "own"
    with peft_warnings_silenced():
        config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
        get_peft_model(loaded.model, config).save_pretrained(str(folder))
    return "own", folder


@pytest.fixture
def talking(
    session: Session, tasks: list[Task], talking_model_dir: Path, foreign: Chosen
) -> EvalPlan:
    """A plan for the small model: six tasks, two of them for persistence, coding and a suite."""
    config = override(
        session.config,
        model__name=str(talking_model_dir),
        model__device="cpu",
        sampling__max_new_tokens=6,
        gates__max_new_tokens=6,
    )
    coding = tuple(
        CodingTask(f"Made/{n}", f"def f{n}(x):", f"\n    return x + {n}\n", f"f{n}(1)", "")
        for n in range(4)
    )
    prompts = [replace(task.prompt(Context.HELPS), domain="abc"[n % 3])
               for n, task in enumerate(tasks[:9])]  # fmt: skip
    return EvalPlan(
        replace(session, config=config), tasks[:6], [foreign], (0.0,), 5, Silence(),
        few=tasks[:2], coding=coding, suites={"made": prompts},
    )  # fmt: skip


def test_utility_has_the_base_against_itself_and_each_adapter(talking: EvalPlan) -> None:
    itself, adapted = evaluate_utility(talking)
    assert (itself.base, itself.candidate, adapted.candidate) == (BASE, REORDERED, "own")
    assert itself.pooled.tasks == adapted.pooled.tasks == 4
    nothing, moved = (abs(one.pooled.change_percent) for one in (itself, adapted))
    assert nothing < moved / 3
    assert itself.pooled.log_likelihood_before == adapted.pooled.log_likelihood_before


def test_locality_is_measured_on_the_bases_own_answers(talking: EvalPlan) -> None:
    found = evaluate_locality(talking)
    assert list(found) == ["own"]
    assert [shift.group for shift in found["own"]] == list(Group)
    assert all(shift.kl > 0 for shift in found["own"])
    (run,) = talking.session.store.runs.recent()
    assert run.spec.adapter is None
    assert run.measurement is not None
    assert found["own"][0].texts <= run.measurement.answers


def test_persistence_changes_and_stresses_base_and_adapter(talking: EvalPlan) -> None:
    found = evaluate_persistence(talking)["own"]
    assert [row.variant for row in found] == [
        "as it is", "kept apart", "Q8_0", "Q4_1", "Q4_0", "fine-tuned",
        *FORMS, SECOND_STEP,
    ]  # fmt: skip
    assert {row.base.answers for row in found[:6]} == {2 * 3}
    assert found[0].base == found[1].base
    assert "both choose the same token at" in found[1].note
    assert "matrices" in found[2].note
    names = {run.spec.adapter for run in talking.session.store.runs.recent()}
    assert {None, "own", "own, kept apart", "base, Q8_0", "own, fine-tuned"} <= names
    again = evaluate_persistence(replace(talking, adapters=[]))
    assert again == {}


def test_a_suite_has_rows_for_its_parts_and_is_asked_once(talking: EvalPlan) -> None:
    found = evaluate_suites(talking)["made"]["own"]
    assert [row.variant for row in found] == ["all prompts", "a", "b", "c"]
    assert [row.base.answers for row in found] == [9, 3, 3, 3]
    runs = talking.session.store.runs.recent()
    assert {run.spec.adapter for run in runs} == {None, "own"}
    assert evaluate_suites(talking)["made"]["own"] == found
    assert talking.session.store.runs.recent() == runs


def test_without_an_adapter_a_suite_is_of_the_base(talking: EvalPlan) -> None:
    found = evaluate_suites(replace(talking, adapters=[]))
    (rows,) = found["made"].values()
    assert rows[0].base == rows[0].adapted


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


@pytest.mark.parametrize("load", [load_sampler, Session.load_local, load_beside])
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
