"""Ways of looking are compared at equal tokens, apart from each other, and go on when cut off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import EndpointError
from ghostbust.evaluation.ways import Search
from ghostbust.home import Home
from ghostbust.loop.compare_discovery import FindingPlan, compare_finding
from ghostbust.loop.discovery.plan import Rules
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Silence
from ghostbust.prompts import Task, side_of
from ghostbust.records import Prompt, Side
from ghostbust.sections import RegistrySection, SamplingSection
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler, ScriptedSampler

CONFIG = Config(
    sampling=SamplingSection(samples_per_prompt=1), registry=RegistrySection(mode="snapshot")
)
MakePlan = Callable[..., FindingPlan]


def say(prompt: Prompt) -> str:
    """Invents two names where pinned versions are asked for; else one of a few, now and then."""
    if "pinned version" in prompt.text:
        return f"1. zz-{prompt.id}\n2. zz-more-{prompt.id}\n"
    return f"1. zz-ghost-{prompt.id[0]}\n" if prompt.id[1] in "01234" else "I can't say."


@pytest.fixture
def session(home: Home) -> Iterator[Session]:
    with open_session(home, CONFIG, purpose="bench") as session:
        yield session


@pytest.fixture
def make(session: Session, tasks: list[Task], scripted: MakeSampler) -> MakePlan:
    """A plan of 96 answers, in waves of 16."""

    def plan(sampler: ScriptedSampler | None = None, **changes: object) -> FindingPlan:
        made = FindingPlan(
            session, sampler or scripted(say), list(Search), [0], tasks, 96, Rules(16), Silence()
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    return plan


def test_every_way_spends_as_many_tokens_and_learning_finds_more(
    make: MakePlan, tasks: list[Task]
) -> None:
    plan = make()
    found = compare_finding(plan)
    uniform, blind, adaptive = found.runs
    assert [run.way for run in found.runs] == [Search.UNIFORM, Search.BLIND, Search.ADAPTIVE]
    assert uniform.points[-1].answers == 96
    assert uniform.tokens == 96 * 9
    limit = found.limit(0)
    for run in (blind, adaptive):
        assert uniform.tokens <= run.tokens < uniform.tokens + 2 * 16 * 9
        assert run.at(limit).tokens <= limit
    rewriting = sum(one.tokens for one in adaptive.uses)
    assert adaptive.tokens == 9 * adaptive.points[-1].answers + rewriting
    assert adaptive.at(limit).names > 2 * uniform.at(limit).names
    assert adaptive.at(limit).names > blind.at(limit).names > uniform.at(limit).names
    asked = {prompt.family for prompt in plan.sampler.asked}  # type: ignore[attr-defined]
    assert {side_of(family, 0.25) for family in asked} == {Side.TRAIN}


def test_what_another_model_rewrites_is_a_run_of_its_own(
    make: MakePlan, scripted: MakeSampler
) -> None:
    compare_finding(make(ways=[Search.ADAPTIVE]))
    writer, again = scripted(lambda _: "no task"), scripted(say)
    writer.model = "another"
    found = compare_finding(make(again, ways=[Search.ADAPTIVE], rewriter=writer))
    assert again.asked, "it doesn't go on with what the model's own rewritings brought"
    assert writer.asked
    assert sum(one.tokens for one in found.runs[1].uses) == 9 * len(writer.asked)


def test_points_count_tokens_names_and_prompts_as_they_come(make: MakePlan) -> None:
    (run,) = compare_finding(make(ways=[Search.UNIFORM])).runs
    assert [point.answers for point in run.points] == list(range(1, 97))
    assert [point.tokens for point in run.points] == [9 * n for n in range(1, 97)]
    names = [point.names for point in run.points]
    assert names == sorted(names)
    assert names[-1] <= 16, "few distinct names, however often"
    assert run.points[-1].prompts > names[-1]


def test_the_same_again_asks_nothing_and_more_answers_go_on(
    make: MakePlan, scripted: MakeSampler
) -> None:
    first = compare_finding(make())
    again = scripted(say)
    assert compare_finding(make(again)) == first
    assert not again.asked
    more = compare_finding(make(again, answers=112, ways=[Search.UNIFORM]))
    assert len(again.asked) == 16
    assert more.runs[0].points[:96] == first.runs[0].points


@pytest.mark.parametrize("after", [20, 100, 150])
def test_what_is_cut_off_comes_to_the_same(
    make: MakePlan, scripted: MakeSampler, after: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def fails(prompt: Prompt) -> str:
        if len(broken.asked) == after:
            raise EndpointError("the model server went away")
        return say(prompt)

    broken = scripted(fails)
    with pytest.raises(EndpointError):
        compare_finding(make(broken))
    resumed = compare_finding(make())
    other = Home.open(tmp_path_factory.mktemp("other"))
    with open_session(other, CONFIG, purpose="bench") as session:
        whole = compare_finding(make(session=session))
    for one, two in zip(resumed.runs, whole.runs, strict=True):
        assert one.points[-1].answers == two.points[-1].answers
        assert {p.names for p in one.points[-1:]} == {p.names for p in two.points[-1:]}


def test_seeds_and_ways_know_nothing_of_each_other(make: MakePlan, home: Home) -> None:
    found = compare_finding(make(seeds=[0, 1]))
    order = [(run.way, run.seed) for run in found.runs]
    assert order == [(way, seed) for way in Search for seed in (0, 1)]
    places = sorted(path.name for path in (home.path / "discovery").iterdir())
    assert len(places) == 6
    for place in places:
        with Store.open(home.path / "discovery" / place / "ghostbust.db") as store:
            seeds = {draw.seed // 1_000_000 for draw in store.rewritings.draws()}
        assert seeds == {int(place.split("-")[1])}
    with Store.open(home.database) as own:
        assert own.rewritings.draws() == []


def test_other_rules_begin_anew(make: MakePlan, scripted: MakeSampler) -> None:
    compare_finding(make(ways=[Search.UNIFORM]))
    again = scripted(say)
    compare_finding(make(again, ways=[Search.UNIFORM], rules=Rules(16, explore_share=0.5)))
    assert len(again.asked) == 96
