"""The pool knows every prompt, sampled or not, and what it has paid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.store.rows import PromptStats, RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer

SEED = Prompt("plot a map", Context.HELPS, Ecosystem.NPM, "maps-01", "maps")


def test_a_prompt_comes_back_by_its_id(store: Store) -> None:
    variant = replace(SEED, text="plot a globe", parent=SEED.id, operator="widen")
    store.prompts.add([SEED, variant, SEED])
    assert store.prompts.get(SEED.id) == SEED
    assert store.prompts.get(variant.id) == variant
    assert store.prompts.get("0" * 16) is None


def test_a_private_text_is_known_once_it_comes_from_elsewhere(store: Store) -> None:
    store.prompts.add([replace(SEED, private=True)])
    assert store.prompts.get(SEED.id) is None
    store.prompts.add([SEED])
    assert store.prompts.get(SEED.id) == SEED
    store.prompts.add([replace(SEED, private=True)])
    assert store.prompts.get(SEED.id) == SEED


def test_earlier_turns_and_a_second_parent_come_back(store: Store) -> None:
    turned = replace(SEED, turns=("plot a map", "import maps\n1. größe"))
    crossed = replace(SEED, text="plot both", parent=SEED.id, other_parent="ab" * 8)
    store.prompts.add([turned, crossed, SEED])
    assert store.prompts.get(turned.id) == turned
    assert store.prompts.get(crossed.id) == crossed
    assert store.prompts.get(SEED.id) == SEED
    assert sorted(store.prompts.read(), key=lambda p: p.id) == sorted(
        [turned, crossed, SEED], key=lambda p: p.id
    )


def test_a_private_prompts_turns_are_kept_nowhere(store: Store) -> None:
    turned = replace(SEED, turns=("plot a map", "import maps"), private=True)
    store.prompts.add([turned])
    assert store.prompts.get(turned.id) is None
    store.prompts.add([replace(turned, private=False)])
    assert store.prompts.get(turned.id) == replace(turned, private=False)


def test_stats_count_samples_and_distinct_names(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, clock: Clock
) -> None:
    run_id = store.runs.start(spec)
    first = make_answer(absent=("ghostlib", "otherlib"), real=("requests",), number=0)
    store.answers.add(run_id, [first])
    last_sampled = clock.step(hours=1)
    store.answers.add(
        run_id, [make_answer(absent=("ghostlib",), number=1), make_answer(task="quiet")]
    )
    store.prompts.add([SEED])
    stats = {found.family: found for found in store.prompts.stats()}
    assert stats["family-task"] == PromptStats(
        prompt_id=first.sample.prompt.id,
        context=Context.CODE,
        ecosystem=Ecosystem.PYPI,
        family="family-task",
        domain="",
        parent=None,
        operator=None,
        times_sampled=2,
        invented_names=2,
        last_sampled=last_sampled,
    )
    assert (stats["family-quiet"].times_sampled, stats["family-quiet"].invented_names) == (1, 0)
    assert stats["maps-01"] == PromptStats(
        SEED.id, Context.HELPS, Ecosystem.NPM, "maps-01", "maps", None, None, 0, 0, None
    )
