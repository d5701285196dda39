"""Every wording can be taken apart again; operators write new prompts of the same family."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.discovery.operators import (
    AGENT,
    BARE,
    EVERY,
    FOLLOW_UP,
    LONGEST_BARE,
    MOST_CHARACTERS,
    OPERATORS,
    PIN,
    PLAIN,
    Form,
    KnownTasks,
    Parent,
    Request,
    Written,
    alike,
    clean,
    form_name,
    rewrite,
    take_apart,
    words,
)
from ghostbust.prompts import LANGUAGES, Task, first_prompts, side_of
from ghostbust.records import Context, Ecosystem, Prompt, Sample, Side

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler


TASK = "Plot the readings of a weather station."
FORM = PLAIN[2]


@pytest.mark.parametrize("ecosystem", LANGUAGES)
@pytest.mark.parametrize("form", EVERY, ids=lambda form: form.name)
def test_a_form_is_taken_apart_and_put_together(form: Form, ecosystem: Ecosystem) -> None:
    prompt = Prompt(form.fill(ecosystem, TASK), form.context, ecosystem, "family")
    parent = take_apart(prompt)
    assert parent is not None
    assert (parent.form, parent.task) == (form, TASK)
    assert parent.child("paraphrase", task=TASK).text == prompt.text
    assert form_name(prompt) == form.name


def test_a_tasks_own_prompts_are_in_plain_forms() -> None:
    """Measurements and discovery word a task alike."""
    own = [take_apart(prompt) for prompt in first_prompts([Task("family", TASK)])]
    assert [parent and parent.form in PLAIN for parent in own] == [True, True]


def test_a_text_of_someone_else_is_a_task_as_a_whole_unless_it_is_long() -> None:
    own = Prompt("How do I read a tide gauge?", Context.CODE, Ecosystem.PYPI, "family")
    parent = take_apart(own)
    assert parent is not None
    assert (parent.form, parent.task) == (BARE, own.text)
    assert take_apart(replace(own, text="x" * (LONGEST_BARE + 1))) is None
    assert take_apart(replace(own, context=Context.HELPS)) is None


def test_code_and_what_follows_an_answer_is_not_taken_apart() -> None:
    needs = Task("family", TASK).prompt(Context.NEEDS, code="import weather")
    assert take_apart(needs) is None
    assert form_name(needs) == Context.NEEDS
    turned = replace(Task("family", TASK).prompt(Context.CODE), turns=("a", "b"))
    assert take_apart(turned) is None
    assert form_name(turned) == "follow-up"


def parent_of(
    task: str = TASK, form: Form = FORM, *, family: str = "family", private: bool = False
) -> Parent:
    text = form.fill(Ecosystem.PYPI, task)
    prompt = Prompt(text, form.context, Ecosystem.PYPI, family, "weather", private=private)
    parent = take_apart(prompt)
    assert parent is not None
    return parent


def ask(
    parent: Parent, form: Form, ecosystems: tuple[Ecosystem, ...] = (Ecosystem.PYPI,)
) -> Request:
    return Request(parent, form, random.Random(1), ecosystems=ecosystems)


@pytest.mark.parametrize("name", ["reword", "pin", "agent", "alias"])
def test_the_same_task_in_another_wording(name: str) -> None:
    operator, parent = OPERATORS[name], parent_of()
    for form in operator.forms:
        child = operator.write(ask(parent, form))
        if form == parent.form:
            assert child is None
            continue
        assert child is not None
        assert child.text == form.fill(Ecosystem.PYPI, TASK)
        assert (child.context, child.operator, child.parent) == (
            form.context, name, parent.prompt.id,
        )  # fmt: skip
        assert (child.family, child.domain) == ("family", "weather")


@pytest.mark.parametrize("name", ["rarer", "newer", "field"])
def test_one_more_sentence_and_never_a_second_of_its_kind(name: str) -> None:
    operator = OPERATORS[name]
    child = operator.write(ask(parent_of(), AGENT))
    assert child is not None
    parts = take_apart(child)
    assert parts is not None
    assert parts.form == AGENT
    assert parts.task.startswith(TASK + " ")
    assert operator.write(ask(parts, AGENT)) is None
    assert operator.write(ask(parent_of("x " * MOST_CHARACTERS), AGENT)) is None


def test_a_sentence_that_lacks_its_end_gets_one() -> None:
    child = OPERATORS["field"].write(ask(parent_of("Plot the readings"), PIN))
    assert child is not None
    assert "Plot the readings. It is for" in child.text


def test_another_ecosystem_only_where_its_registry_can_say_no() -> None:
    operator, parent = OPERATORS["ecosystem"], parent_of()
    assert operator.write(ask(parent, FORM)) is None
    child = operator.write(ask(parent, FORM, (Ecosystem.PYPI, Ecosystem.NPM)))
    assert child is not None
    assert (child.ecosystem, child.parent) == (Ecosystem.NPM, parent.prompt.id)
    assert child.text == FORM.fill(Ecosystem.NPM, TASK)


def test_every_operator_has_forms_and_a_name_of_its_own() -> None:
    assert len({form.name for form in EVERY}) == len(EVERY)
    for name, operator in OPERATORS.items():
        assert operator.name == name
        assert operator.forms
    assert {"paraphrase", "narrower", "broader", "neighbour", "ecosystem", "rarer", "alias",
            "newer", "pin", "follow-up", "agent", "crossover"} <= set(OPERATORS)  # fmt: skip
    assert {form.name for o in OPERATORS.values() for form in o.forms} >= {f.name for f in EVERY}


def cross(one: Parent, other: Parent | None) -> Prompt | None:
    return OPERATORS["crossover"].write(Request(one, AGENT, random.Random(1), mate=other))


def test_a_crossover_holds_both_tasks_and_both_parents() -> None:
    one, other = (
        parent_of("Plot tides.", family="a"),
        parent_of("Count birds.", family="b", private=True),
    )
    child = cross(one, other)
    assert child is not None
    parts = take_apart(child)
    assert parts is not None
    assert parts.task == "Plot tides, and in the same program: Count birds."
    assert (child.parent, child.other_parent) == (one.prompt.id, other.prompt.id)
    assert child.private, "as private as the more private one"


def test_a_crossover_trains_only_where_both_parents_may_whatever_the_share() -> None:
    families = [f"family-{n}" for n in range(30)]
    for one, other in pairwise(families):
        child = cross(parent_of("Plot tides.", family=one), parent_of("Count birds.", family=other))
        assert child is not None
        for share in (0.1, 0.25, 0.5, 0.9):
            sides = {side_of(one, share), side_of(other, share)}
            expected = Side.HOLDOUT if Side.HOLDOUT in sides else Side.TRAIN
            assert side_of(child.family, share) is expected


def test_what_can_not_be_crossed() -> None:
    one = parent_of("Plot tides.", family="a")
    npm = replace(one, task="Count.", prompt=replace(one.prompt, ecosystem=Ecosystem.NPM))
    assert cross(one, None) is None
    assert cross(one, one) is None
    assert cross(one, npm) is None
    assert cross(one, parent_of("x" * MOST_CHARACTERS, family="b")) is None


def test_a_follow_up_stands_behind_the_models_own_answer() -> None:
    parent = parent_of("Plot tides.", family="a", private=True)
    answer = Sample(parent.prompt, "1. tideplot", "m", None, 1, 0, 0.7, False, 5)
    operator = OPERATORS["follow-up"]
    child = operator.write(Request(parent, FOLLOW_UP, random.Random(1), answer=answer))
    assert child is not None
    assert child.turns == (parent.prompt.text, "1. tideplot")
    assert (child.family, child.parent, child.private) == ("a", parent.prompt.id, True)
    assert child.expects_list
    assert "{" not in child.text
    assert operator.write(Request(parent, FOLLOW_UP, random.Random(1))) is None
    empty = replace(answer, text=" \n")
    assert operator.write(Request(parent, FOLLOW_UP, random.Random(1), answer=empty)) is None


LONG = "Collect the readings of a weather station and plot them hourly."
GOOD = "Record temperature readings from several stations and chart every week."


def sample(text: str, *, truncated: bool = False) -> Sample:
    prompt = Prompt("rewrite it", Context.CODE, Ecosystem.PYPI, "family")
    return Sample(prompt, text, "made-up", None, 0, 0, 0.8, truncated, 9)


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        f"  * **{GOOD}**",
        f'1. "{GOOD}"',
        f"Task: {GOOD}",
        f"Rewritten task: {GOOD}",
        f"Here is one:\n\n{GOOD}\n\nIt reads well.",
        f"{GOOD} The second sentence is left out.",
    ],
)
def test_a_task_is_found_in_what_surrounds_it(answer: str) -> None:
    assert clean(sample(answer), LONG) == GOOD


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "nothing"),
        ("Plot station readings.", "too short"),
        ("Plot the readings " + "of the weather station " * 20, "too long"),
        (LONG, "an echo"),
        ("Plot them hourly and collect the readings of a weather station.", "an echo, turned"),
        ("I'd love to help you with the weather readings, what is it?", "chatter"),
        ("You can collect readings with a small program of your own.", "chatter"),
        ("Plot readings with the packages that a station needs each day.", "advice on packages"),
        ("Run pip install weather-plot and collect the readings every day.", "advice"),
        ("```python\nimport weather\n```", "code"),
        ("Plot weather, readings, wind, rain, sun, snow, hail, fog hourly.", "a list"),
        ("Do you want the weather readings plotted every single hour?", "a question"),
        ("Bake three loaves of bread for the village feast tomorrow.", "another topic"),
        ("Collect \x1b[2J the weather readings of several old stations.", "an escape code"),
    ],
)
def test_what_is_no_task_is_turned_down(answer: str, why: str) -> None:
    assert clean(sample(answer), LONG) is None, why


def test_a_sentence_cut_off_by_the_token_limit_is_turned_down() -> None:
    cut = "Record temperature readings from several stations and chart"
    assert clean(sample(cut), LONG) == cut
    assert clean(sample(cut, truncated=True), LONG) is None
    assert clean(sample(f"{GOOD} And then", truncated=True), LONG) == GOOD


QUESTIONS = {name: str(operator.question) for name, operator in OPERATORS.items()}


def test_rewritings_come_in_the_order_asked_with_what_they_cost(scripted: MakeSampler) -> None:
    other = "Count the birds in photos of a weather station."
    model = scripted(lambda prompt: "no" if "birds" in prompt.text else GOOD)
    wanted = [
        (parent_of(other, family=f"family of {other}"), "narrower", QUESTIONS["narrower"]),
        (parent_of(LONG, family=f"family of {LONG}"), "broader", QUESTIONS["broader"]),
    ]
    assert rewrite(model, wanted, seed=1) == [Written(None, 9), Written(GOOD, 9)]
    assert [prompt.operator for prompt in model.asked] == ["narrower", "broader"]
    assert all(QUESTIONS[str(prompt.operator)] in prompt.text for prompt in model.asked)
    assert [prompt.family for prompt in model.asked] == [f"family of {other}", f"family of {LONG}"]


def test_alike_is_a_matter_of_the_words_shared() -> None:
    assert alike(words("Plot the Readings!"), words("the readings: plot"))
    assert not alike(words("plot readings hourly"), words("plot readings daily"))


def test_what_is_known_is_found_and_nothing_else() -> None:
    known = KnownTasks(["Plot the readings of a weather station every hour."])
    assert known.has_like("every hour, plot the readings of a weather station")
    assert not known.has_like("Bake three loaves of bread.")
    known.add("Bake three loaves of bread.")
    assert known.has_like("bake three loaves of bread")
    assert not KnownTasks().has_like("anything")


def test_texts_without_words_are_alike() -> None:
    assert not KnownTasks(["a word"]).has_like("?!")
    assert KnownTasks(["..."]).has_like("?!")


def test_the_short_cut_finds_what_comparing_with_all_finds() -> None:
    rng = random.Random(3)
    vocabulary = [f"w{n}" * rng.randint(1, 3) for n in range(14)]
    texts = [" ".join(rng.sample(vocabulary, rng.randint(1, 12))) for _ in range(300)]
    known, found = KnownTasks(), 0
    seen: list[frozenset[str]] = []
    for text in texts:
        expected = any(alike(words(text), other) for other in seen)
        assert known.has_like(text) is expected
        found += expected
        known.add(text)
        seen.append(words(text))
    assert 30 < found < 270, "both kinds occur"
