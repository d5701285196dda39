"""Given tasks are given; of one family the first source's task counts."""

from __future__ import annotations

from ghostbust.loop.discovery.seeds import GivenTasks, gathered
from ghostbust.prompts import Task


def test_all_of_them_whatever_the_seed(tasks: list[Task]) -> None:
    source = GivenTasks(tasks)
    assert source.tasks(1) == source.tasks(2) == tasks


def test_sources_are_joined_by_family() -> None:
    first = GivenTasks([Task("a", "Plot tides."), Task("b", "Count birds.")])
    second = GivenTasks([Task("b", "Count bees."), Task("c", "Bake bread.")])
    assert [task.text for task in gathered([first, second], 1)] == [
        "Plot tides.", "Count birds.", "Bake bread.",
    ]  # fmt: skip
    assert gathered([], 1) == []
