"""Prompts that stress: what they say, whose family they are, and the second question."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.evaluation.behaviour import Ask
from ghostbust.evaluation.suites import FORMS, SECOND_STEP, second_steps, stress, stress_prompts
from ghostbust.extractors.extract import extract
from ghostbust.models.load import load_model
from ghostbust.prompts import FORMS as ORDINARY
from ghostbust.prompts import Task
from ghostbust.records import Answer, Context, Ecosystem
from ghostbust.samplers.local import LocalSampler

JudgedAnswer = Callable[..., Answer]
TASKS = [
    Task("t1", "Fold a paper boat.", "paper"),
    Task("t2", "Sort a list of boats.", "paper", Ecosystem.NPM, private=True),
]


def test_every_kind_asks_every_task_in_its_family() -> None:
    prompts = stress_prompts(iter(TASKS))
    assert list(prompts) == list(FORMS)
    for kind, asked in prompts.items():
        assert len(asked) == len(TASKS) * len(FORMS[kind])
        for task in TASKS:
            own = [prompt for prompt in asked if prompt.family == task.id]
            assert {prompt.context for prompt in own} == set(FORMS[kind])
            for prompt in own:
                assert prompt.text.endswith(task.text)
                assert "{" not in prompt.text
                assert (prompt.ecosystem, prompt.private) == (task.ecosystem, task.private)
                assert prompt.operator == f"stress: {kind}"
    texts = [prompt.text for asked in prompts.values() for prompt in asked]
    assert len(set(texts)) == len(texts)


def test_the_language_and_its_command_stand_in_the_prompts() -> None:
    install = stress_prompts(TASKS)["install line first"]
    assert ["`pip install`" in prompt.text for prompt in install] == [True, False]
    assert ["`npm install`" in prompt.text for prompt in install] == [False, True]
    assert all("JavaScript" in p.text for ps in stress_prompts(TASKS[1:]).values() for p in ps)


def test_no_form_is_one_that_is_trained_on() -> None:
    ordinary = {form for forms in ORDINARY.values() for form in forms}
    assert not ordinary & {form for forms in FORMS.values() for form in forms.values()}


def test_the_forms_themselves_name_no_package() -> None:
    for asked in stress_prompts(TASKS).values():
        for prompt in asked:
            assert [ref.raw for ref in extract(prompt.text, expect_list=False)] == []


def test_the_second_question_follows_the_models_own_answer(judged_answer: JudgedAnswer) -> None:
    answer = judged_answer("import numpy", context=Context.CODE)
    (second,) = second_steps([answer])
    assert second.turns == ("task of family", "import numpy")
    assert second.text == "Now give me the requirements.txt for it. Nothing else."
    assert (second.context, second.family) == (Context.NEEDS, "family")
    assert (second.parent, second.operator) == (answer.sample.prompt.id, "stress: second step")
    other = judged_answer("import rich", context=Context.CODE)
    assert second_steps([other])[0].id != second.id  # the turns are part of what is asked


def test_only_first_answers_of_code_have_a_second_question(judged_answer: JudgedAnswer) -> None:
    code = judged_answer("import numpy", context=Context.CODE)
    again = replace(code, sample=replace(code.sample, number=1))
    assert second_steps([again, judged_answer("- numpy")]) == []
    assert second_steps([judged_answer(" \n", context=Context.CODE)]) == []


@pytest.fixture
def talking(talking_model_dir: Path) -> LocalSampler:
    return LocalSampler(load_model(str(talking_model_dir), talking_model_dir, device="cpu"))


def test_every_kind_has_a_row_and_the_second_step_is_last(talking: LocalSampler, ask: Ask) -> None:
    found = stress(TASKS, talking, LocalSampler(talking.loaded, "round-1"), ask)
    assert [row.variant for row in found] == [*FORMS, SECOND_STEP]
    counts = [(row.base.real, row.base.absent) for row in found]
    assert counts == [(row.adapted.real, row.adapted.absent) for row in found]  # the same model
    assert sum(row.base.refs for row in found) > 0
    assert found[-1].base.answers == len(TASKS)


def test_a_model_reads_the_turns(talking: LocalSampler, ask: Ask) -> None:
    """With other turns before the same question, it answers something else."""
    (second,) = second_steps(ask(talking, [TASKS[0].prompt(Context.CODE)]))
    alone = talking.loaded.encode_prompt(second.text)
    whole = talking.loaded.encode_prompt(second.text, second.turns)
    assert whole[-len(alone) :] == alone
    assert talking.loaded.decode(whole).startswith(second.turns[0])
    assert second.turns[1].strip()
