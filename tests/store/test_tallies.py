"""Counts of what samples named are those of the answers themselves; repeats, adapter by adapter."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.measure import NameCounts, Named, measure
from ghostbust.records import Answer, Context, Ecosystem, Flag, Verdict
from ghostbust.store.names import NameOrder, Repeats
from ghostbust.store.store import Store
from tests.store.conftest import Clock, log, make_answer

PYPI = Ecosystem.PYPI


def test_a_runs_tallies_sum_to_its_measurement(store: Store) -> None:
    answers = [
        make_answer("a", absent=("x", "y"), real=("requests",)),
        make_answer("a", number=1, real=("requests", "numpy")),
        make_answer("b", absent=("x",), private=True),
        make_answer("c"),
    ]
    run_id = log(store, *answers)
    tallies, measured = store.tallies.of_run(run_id), measure(answers)
    assert len(tallies) == measured.answers == 4  # the private one, whose text isn't kept, too
    assert sum(one.counts.real for one in tallies) == measured.real == 3
    assert sum(one.counts.absent for one in tallies) == measured.absent == 3
    assert [one.counts.invented for one in tallies if one.family == "family-b"] == [1]


@pytest.mark.parametrize(
    ("context", "family"),
    [(Context.CODE, "f"), (Context.NEEDS, "f"), (Context.CODE, "suite:libhallubench:1")],
)
def test_tallies_count_as_rates_do(store: Store, context: Context, family: str) -> None:
    """Also a name that an answer repeats counts once."""
    made = make_answer(absent=("x", "y"), real=("requests", "numpy", "pip", "u", "v", "w"))
    reasons = {"u": "local-module", "v": "no-mapping", "w": "unreachable"}
    judged = tuple(
        replace(
            one,
            ref=replace(one.ref, flags=frozenset({Flag.PROMPT_INDUCED}))
            if one.lookup.name in ("x", "numpy")
            else one.ref,
            lookup=replace(one.lookup, verdict=Verdict.UNKNOWN, reason=reasons[one.lookup.name])
            if one.lookup.name in reasons
            else one.lookup,
        )
        for one in made.judged
    )
    prompt = replace(made.sample.prompt, context=context, family=family)
    answer = Answer(replace(made.sample, prompt=prompt), judged + judged)
    (tally,) = store.tallies.of_run(log(store, answer))
    assert tally.counts == NameCounts.of_answer(answer)
    assert tally.real_names == Named.of(answer).real_names
    assert ("numpy" in tally.real_names) == (not tally.counts.induced)
    assert (tally.counts.unknown, tally.counts.local, tally.counts.unmapped) == (3, 1, 1)
    assert tally.counts.induced == (context is Context.CODE and family == "f")


def test_invented_names_are_those_of_the_runs_that_are_asked_for(store: Store) -> None:
    first, second = (
        log(store, make_answer(f"t{number}", absent=names, real=("numpy",)))
        for number, names in enumerate((("x", "y"), ("y",)))
    )
    both = store.tallies.invented([first, second])
    assert [(one.name, one.samples, one.prompts) for one in both] == [("y", 2, 2), ("x", 1, 1)]
    (of_second,) = store.tallies.invented([second])
    assert (of_second.name, of_second.samples, of_second.times_seen) == ("y", 1, 2)
    assert of_second.contexts == ("code",)
    assert store.tallies.invented([]) == []
    assert store.tallies.contexts() == {(PYPI, "x"): ("code",), (PYPI, "y"): ("code",)}


def test_registered_names_are_judged_as_their_last_run_did(store: Store) -> None:
    first = make_answer(absent=("late",), real=("numpy",))
    again = make_answer(real=("late", "numpy"))
    log(store, first)
    log(store, Answer(first.sample, again.judged))  # the same sample, judged anew
    found = {one.name: (one.verdict, one.samples) for one in store.tallies.registered()}
    assert found == {"late": (Verdict.REAL, 1), "numpy": (Verdict.REAL, 1)}


def repeats(store: Store, name: str = "ghostlib") -> list[Repeats]:
    return store.ledger.repeats_of(PYPI, name)


def drawn(names: str, task: str = "a", adapter: str | None = None) -> list[Answer]:
    """An answer for each letter: ``g`` names ghostlib, ``o`` otherlib, ``-`` nothing."""
    said = {"g": ("ghostlib",), "o": ("otherlib",), "-": ()}
    return [
        make_answer(task, number=n, absent=said[letter], adapter=adapter)
        for n, letter in enumerate(names)
    ]


@pytest.mark.parametrize(
    ("tasks", "again", "back", "prompts"),
    [
        (["--gg-g-"], 4, 2, 1),  # the sample that first named it is no try
        (["--g"], 0, 0, 0),  # never asked for again
        (["gg-", "-g-", "---"], 3, 1, 2),  # each prompt from its own first time
    ],
)
def test_every_sample_after_the_first_that_named_it_is_a_try(
    store: Store, tasks: list[str], again: int, back: int, prompts: int
) -> None:
    for task, names in zip("abc", tasks, strict=False):
        log(store, *drawn(names, task))
    assert repeats(store) == [], "nothing is counted yet"
    assert store.tallies.refresh_repeats() == 1
    assert repeats(store) == ([Repeats(None, again, back, prompts)] if again else [])
    (listed,) = store.ledger.hallucinations()
    assert (listed.came_back, listed.asked_again) == (back, again)


def test_what_the_base_elicited_is_a_try_for_an_adapter(store: Store, clock: Clock) -> None:
    log(store, *drawn("ggg"))
    store.tallies.refresh_repeats()
    clock.step(hours=1)
    log(store, *drawn("---g", adapter="round-1"))
    store.tallies.refresh_repeats()
    assert repeats(store) == [
        Repeats(None, asked_again=2, came_back=2, prompts=1),
        Repeats("round-1", asked_again=4, came_back=1, prompts=1),
    ]
    (by_adapter,) = store.ledger.hallucinations(adapter="round-1")
    assert (by_adapter.came_back, by_adapter.asked_again) == (1, 4)


def test_an_answer_without_chance_repeats_itself_and_is_no_try(store: Store) -> None:
    greedy, *others = drawn("gg-g")
    greedy = replace(greedy, sample=replace(greedy.sample, temperature=0.0))
    log(store, greedy, *others, replace(greedy, sample=replace(greedy.sample, number=9)))
    store.tallies.refresh_repeats()
    assert repeats(store) == [Repeats(None, asked_again=3, came_back=2, prompts=1)]


def test_only_what_changed_is_counted_anew(store: Store, clock: Clock) -> None:
    log(store, *drawn("gg"), *drawn("oo", "b"))
    clock.step(seconds=1)
    assert store.tallies.refresh_repeats() == 2
    assert store.tallies.refresh_repeats() == 0
    clock.step(seconds=1)
    log(store, make_answer("b", number=7))
    assert store.tallies.refresh_repeats() == 1
    assert repeats(store, "otherlib") == [Repeats(None, asked_again=2, came_back=1, prompts=1)]
    assert repeats(store) == [Repeats(None, asked_again=1, came_back=1, prompts=1)]


def test_the_order_of_repeats_trusts_many_tries_more(store: Store) -> None:
    once, often = drawn("gg"), drawn("ooooooo-o", "b")  # 1 of 1, 7 of 8
    log(store, *once, *often, make_answer("c", absent=("never-again",)))
    store.tallies.refresh_repeats()
    listed = store.ledger.hallucinations(order=NameOrder.REPEATS)
    assert [name.name for name in listed] == ["otherlib", "ghostlib", "never-again"]


def test_the_prompts_of_a_name_that_elicited_it_most_come_first(store: Store) -> None:
    once, twice = drawn("g"), drawn("gg", "b")
    log(store, *once, *twice)
    both = [twice[0].sample.prompt.id, once[0].sample.prompt.id]
    assert store.ledger.prompts_of(PYPI, "ghostlib") == both
    assert store.ledger.prompts_of(Ecosystem.NPM, "ghostlib") == []
