"""What the base is asked instead of a prompt, and whose answers its answers are."""

from __future__ import annotations

import pytest

from ghostbust.errors import UsageError
from ghostbust.evaluation.comparators import comparator_named, comparators
from ghostbust.prompts import seed_tasks
from ghostbust.records import Answer, Context, Sample


def test_an_instruction_changes_what_is_sent_and_not_whose_task_it_is() -> None:
    prompt = seed_tasks()[0].prompt(Context.HELPS)
    sent = [
        comparator_named(name).sent(prompt) for name in ("base-instructed", "base-instructed-last")
    ]
    assert sent[0].text.endswith(f"sure exist.\n\n{prompt.text}")
    assert sent[1].text.startswith(f"{prompt.text}\n\nName only")
    assert len({prompt.id, *(one.id for one in sent)}) == 3, "the store keeps them apart"
    for one in sent:
        assert (one.family, one.context, one.parent) == (prompt.family, prompt.context, prompt.id)
    assert comparator_named("base@0.3").sent(prompt) is prompt


def test_answers_come_back_to_the_prompts_that_were_meant() -> None:
    prompts = [task.prompt(Context.CODE) for task in seed_tasks()[:2]]
    one = comparator_named("base-instructed")
    answers = [
        Answer(Sample(one.sent(prompt), prompt.family, "m", None, 0, 0, 0.7, False, 0), ())
        for prompt in prompts
    ]
    found = one.to_tasks(answers[::-1], prompts)
    assert [answer.sample.prompt for answer in found] == prompts[::-1]
    assert [answer.sample.text for answer in found] == [prompt.family for prompt in prompts[::-1]]


def test_the_bases_own_temperature_is_no_comparator() -> None:
    assert [one.temperature for one in comparators(0.3)] == [0, 0.5, None, None]
    assert [one.name for one in comparators(0)][:2] == ["base@0.3", "base@0.5"]


@pytest.mark.parametrize("name", ["base", "base@", "base@-1", "base@nan", "base@inf", "based@1"])
def test_what_there_is_not_is_said(name: str) -> None:
    with pytest.raises(UsageError, match=r"base@T at the temperature T.*base-instructed"):
        comparator_named(name)
