"""Counts of what samples named are those of the answers themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ghostbust.measure import NameCounts, measure
from ghostbust.records import Answer, Context, Ecosystem, Flag, Verdict
from ghostbust.store.rows import RunSpec, RunStatus
from ghostbust.store.store import Store

MakeAnswer = Callable[..., Answer]


def test_a_runs_tallies_sum_to_its_measurement(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    answers = [
        make_answer(task="a", absent=("x", "y"), real=("requests",)),
        make_answer(task="a", number=1, real=("requests", "numpy")),
        make_answer(task="b", absent=("x",), private=True),
        make_answer(task="c"),
    ]
    run_id = store.runs.start(spec)
    store.answers.add(run_id, answers)
    store.runs.finish(run_id, RunStatus.DONE, None)
    tallies, measured = store.tallies.of_run(run_id), measure(answers)
    assert len(tallies) == measured.answers == 4  # the private one, whose text isn't kept, too
    assert sum(one.counts.real for one in tallies) == measured.real == 3
    assert sum(one.counts.absent for one in tallies) == measured.absent == 3
    assert [one.counts.invented for one in tallies if one.family == "family-b"] == [1]


def test_a_name_that_an_answer_repeats_counts_once(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    one = make_answer(absent=("x",), real=("requests",))
    twice = Answer(one.sample, one.judged + one.judged)
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [twice])
    (tally,) = store.tallies.of_run(run_id)
    assert (tally.counts.real, tally.counts.absent) == (1, 1)


@pytest.mark.parametrize(
    ("context", "family"),
    [(Context.CODE, "f"), (Context.NEEDS, "f"), (Context.CODE, "suite:libhallubench:1")],
)
def test_tallies_count_as_rates_do(
    store: Store, spec: RunSpec, make_answer: MakeAnswer, context: Context, family: str
) -> None:
    made = make_answer(absent=("x", "y"), real=("requests", "numpy", "u", "v", "w"))
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
    answer = Answer(replace(made.sample, prompt=prompt), judged + judged[:1])
    run_id = store.runs.start(spec)
    store.answers.add(run_id, [answer])
    (tally,) = store.tallies.of_run(run_id)
    assert tally.counts == NameCounts.of_answer(answer)
    assert (tally.counts.unknown, tally.counts.local, tally.counts.unmapped) == (3, 1, 1)
    assert tally.counts.induced == (context is Context.CODE and family == "f")


def test_invented_names_are_those_of_the_runs_that_are_asked_for(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    for number, names in enumerate((("x", "y"), ("y",))):
        run_id = store.runs.start(spec)
        store.answers.add(run_id, [make_answer(task=f"t{number}", absent=names, real=("numpy",))])
    both = store.tallies.invented([1, 2])
    assert [(one.name, one.samples, one.prompts) for one in both] == [("y", 2, 2), ("x", 1, 1)]
    (of_second,) = store.tallies.invented([2])
    assert (of_second.name, of_second.samples, of_second.times_seen) == ("y", 1, 2)
    assert of_second.contexts == ("code",)
    assert store.tallies.invented([]) == []
    assert store.tallies.contexts() == {
        (Ecosystem.PYPI, "x"): ("code",),
        (Ecosystem.PYPI, "y"): ("code",),
    }


def test_registered_names_are_judged_as_their_last_run_did(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    first = make_answer(absent=("late",), real=("numpy",))
    again = make_answer(real=("late", "numpy"))
    again = Answer(first.sample, again.judged)  # the same sample, judged anew
    for answer in (first, again):
        run_id = store.runs.start(spec)
        store.answers.add(run_id, [answer])
    found = {one.name: (one.verdict, one.samples) for one in store.tallies.registered()}
    assert found == {"late": (Verdict.REAL, 1), "numpy": (Verdict.REAL, 1)}
