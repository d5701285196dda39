"""A rewriting is kept only where it is a task of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ghostbust.loop.discovery.forms import Parent, take_apart
from ghostbust.loop.discovery.operators import BY_MODEL, Written, clean, rewrite
from ghostbust.prompts import Task
from ghostbust.records import Context, Ecosystem, Prompt, Sample

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

TASK = "Collect the readings of a weather station and plot them hourly."
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
    assert clean(sample(answer), TASK) == GOOD


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "nothing"),
        ("Plot station readings.", "too short"),
        ("Plot the readings " + "of the weather station " * 20, "too long"),
        (TASK, "an echo"),
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
    assert clean(sample(answer), TASK) is None, why


def test_a_sentence_cut_off_by_the_token_limit_is_turned_down() -> None:
    cut = "Record temperature readings from several stations and chart"
    assert clean(sample(cut), TASK) == cut
    assert clean(sample(cut, truncated=True), TASK) is None
    assert clean(sample(f"{GOOD} And then", truncated=True), TASK) == GOOD


def parent_of(task: str) -> Parent:
    parent = take_apart(Task(f"family of {task}", task).prompt(Context.CODE))
    assert parent is not None
    return parent


QUESTIONS = {operator.name: operator.question for operator in BY_MODEL}


def test_rewritings_come_in_the_order_asked_with_what_they_cost(scripted: MakeSampler) -> None:
    other = "Count the birds in photos of a weather station."
    model = scripted(lambda prompt: "no" if "birds" in prompt.text else GOOD)
    wanted = [
        (parent_of(other), "narrower", QUESTIONS["narrower"]),
        (parent_of(TASK), "broader", QUESTIONS["broader"]),
    ]
    assert rewrite(model, wanted, seed=1) == [Written(None, 9), Written(GOOD, 9)]
    assert [prompt.operator for prompt in model.asked] == ["narrower", "broader"]
    assert all(QUESTIONS[str(prompt.operator)] in prompt.text for prompt in model.asked)
    assert [prompt.family for prompt in model.asked] == [f"family of {other}", f"family of {TASK}"]


def test_nothing_wanted_asks_nobody(scripted: MakeSampler) -> None:
    model = scripted(lambda _: GOOD)
    assert rewrite(model, [], seed=1) == []
    assert not model.asked
