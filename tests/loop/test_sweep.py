"""A sweep asks one side of the tasks; a name's prompts are asked again within a budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop import sweep
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.loop.sweep import ask_again, choose_again, run_sweep
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import Task, side_of
from ghostbust.records import Context, Ecosystem, Prompt, Side
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.sections import RegistrySection, SamplingSection
from ghostbust.store.names import NameOrder, Repeats
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, Say


def test_the_asked_side_and_no_other_is_sampled(talking_model_dir: Path, home: Home) -> None:
    config = Config(
        model={"name": str(talking_model_dir), "device": "cpu"},
        sampling={"samples_per_prompt": 1, "max_new_tokens": 4},
        registry={"mode": "snapshot"},
    )
    found = run_sweep(home, config, Silence(), limit=3, side="holdout")
    families = {answer.sample.prompt.family for answer in found.answers}
    share = config.prompts.holdout_share
    assert len(families) == 3
    assert {side_of(family, share) for family in families} == {Side.HOLDOUT}


def test_a_side_without_tasks_is_one_line(home: Home, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.txt"
    tasks.write_text("", "utf-8")
    config = Config(prompts={"files": (tasks,), "holdout_share": 0.5})
    with pytest.raises(UsageError):
        run_sweep(home, config, Silence(), side="holdout")


CONFIG = Config(registry=RegistrySection(mode="snapshot"))
GREEDY = CONFIG.model_copy(update={"sampling": SamplingSection(temperature=0)})
ASK: dict[str, Any] = {
    "names": 20, "order": NameOrder.TIMES_SEEN, "samples": 10, "budget": 200, "adapter": "base",
    "seed": None,
}  # fmt: skip


def log(store: Store, judge: Judge, sampler: object, prompts: list[Prompt], samples: int) -> None:
    settings = SamplingSettings(samples_per_prompt=samples, seed=1)
    Watcher(store, sampler, judge, settings).prompts(prompts, RunKind.SWEEP)  # type: ignore[arg-type]


def says(*names: str) -> Say:
    """Names these, a line each, in every answer."""
    return lambda prompt: "\n".join(f"```bash\npip install {name}\n```" for name in names)


def alternating(name: str) -> Say:
    """Names it in every second answer."""
    asked = [0]

    def say(_: Prompt) -> str:
        asked[0] += 1
        return f"```bash\npip install {name}\n```" if asked[0] % 2 else "nothing"

    return say


def test_a_names_best_prompt_is_asked_and_shared(
    store: Store, judge: Judge, tasks: list[Task], scripted: MakeSampler
) -> None:
    first, second = (task.prompt(Context.CODE) for task in tasks[:2])
    log(store, judge, scripted(says("zz-ghost-one", "zz-ghost-two")), [first], 3)
    log(store, judge, scripted(says("zz-ghost-one")), [second], 2)
    names = store.ledger.hallucinations()
    prompts, taken, _ = choose_again(store, [], names, most_prompts=5)
    assert prompts == [first]
    assert [name.name for name in taken] == ["zz-ghost-one", "zz-ghost-two"]


def test_the_budget_holds_and_a_prompt_that_is_asked_anyway_costs_nothing(
    store: Store, judge: Judge, tasks: list[Task], scripted: MakeSampler
) -> None:
    for task, said in zip(tasks, (("zz-a", "zz-c"), ("zz-b",)), strict=False):
        log(store, judge, scripted(says(*said)), [task.prompt(Context.CODE)], 2)
    named = {one.name: one for one in store.ledger.hallucinations()}
    three = [named["zz-a"], named["zz-b"], named["zz-c"]]
    prompts, taken, _ = choose_again(store, [], three, most_prompts=1)
    assert [name.name for name in taken] == ["zz-a", "zz-c"]
    assert len(prompts) == 1


def test_a_private_prompt_is_asked_only_where_its_task_is_at_hand(
    store: Store, judge: Judge, scripted: MakeSampler
) -> None:
    own = Task("own", "Count the salaries above the median.", private=True)
    log(store, judge, scripted(says("zz-ghost")), [own.prompt(Context.CODE)], 1)
    names = store.ledger.hallucinations()
    assert choose_again(store, [], names, most_prompts=5) == ([], [], 1)
    assert choose_again(store, [own], names, most_prompts=5)[0] == [own.prompt(Context.CODE)]


@pytest.fixture
def session(
    home: Home, store: Store, judge: Judge, tasks: list[Task], scripted: MakeSampler
) -> Session:
    """A session in whose store one name was logged, by one answer."""
    log(store, judge, scripted(says("zz-ghost")), [tasks[0].prompt(Context.CODE)], 1)
    return Session(home, CONFIG, store, judge, home.path)


def test_it_says_how_often_the_name_came_back(
    session: Session, scripted: MakeSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler = scripted(alternating("zz-ghost"))
    monkeypatch.setattr(sweep, "make_sampler", lambda *_, **__: sampler)
    done = ask_again(session, Silence(), **ASK)
    assert (done.adapter, done.prompts, done.answers, done.textless) == (None, 1, 10, 0)
    assert done.seed == done.run_id == 2, "a seed that no run had"
    (name,) = done.names
    assert (name.came_back, name.asked_again) == (5, 10)
    assert session.store.runs.get(2).spec.kind is RunKind.REPEAT
    again = ask_again(session, Silence(), **ASK)
    assert (again.names[0].came_back, again.names[0].asked_again) == (10, 20), "new draws"
    assert session.store.ledger.repeats_of(Ecosystem.PYPI, "zz-ghost") == [Repeats(None, 20, 10, 1)]


@pytest.mark.parametrize(
    ("ask", "config", "said"),
    [
        ({"budget": 9}, CONFIG, "--budget 9"),
        ({}, GREEDY, "temperature 0"),
        ({"adapter": "round-9"}, CONFIG, "no adapter 'round-9'"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    session: Session, ask: dict[str, Any], config: Config, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ask_again(replace(session, config=config), Silence(), **(ASK | ask))


def test_without_a_name_there_is_nothing_to_ask(home: Home) -> None:
    with (
        open_session(home, CONFIG, purpose="test") as session,
        pytest.raises(UsageError, match="nothing to ask again"),
    ):
        ask_again(session, Silence(), **ASK)
