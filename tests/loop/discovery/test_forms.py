"""Every wording can be filled and taken apart again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.loop.discovery.forms import BARE, EVERY, LONGEST_BARE, Form, form_name, take_apart
from ghostbust.prompts import FORMS, LANGUAGES, Task, first_prompts
from ghostbust.records import Context, Ecosystem, Prompt

TASK = "Collect the readings of a weather station and plot them hourly."


@pytest.mark.parametrize("ecosystem", LANGUAGES)
@pytest.mark.parametrize("form", EVERY, ids=lambda form: form.name)
def test_a_form_is_taken_apart_and_put_together(form: Form, ecosystem: Ecosystem) -> None:
    prompt = Prompt(form.fill(ecosystem, TASK), form.context, ecosystem, "family")
    parent = take_apart(prompt)
    assert parent is not None
    assert (parent.form, parent.task) == (form, TASK)
    assert parent.child("paraphrase", task=TASK).text == prompt.text
    assert form_name(prompt) == form.name


def test_names_differ_and_the_plain_ones_are_those_of_measurements() -> None:
    assert len({form.name for form in EVERY}) == len(EVERY)
    plain = [FORMS[Context.CODE], FORMS[Context.HELPS]]
    assert [text for texts in plain for text in texts] == [form.text for form in EVERY[:5]]


def test_a_tasks_own_prompts_are_in_plain_forms() -> None:
    for prompt in first_prompts([Task("family", TASK)]):
        parent = take_apart(prompt)
        assert parent is not None
        assert parent.form in EVERY[:5]


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
