"""Which messages ask for a list of packages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ghostbust.extractors.asking import asks_for_list
from ghostbust.prompts import seed_tasks
from ghostbust.records import Context, Ecosystem


@pytest.mark.parametrize(
    "message",
    [
        "Which Python packages can read GRIB files?",
        "Recommend some npm packages for rate limiting.",
        "I use Node.js. What libraries exist for PDF forms?",
        "List the dependencies I need to pip install for this notebook",
    ],
)
def test_asked(message: str) -> None:
    assert asks_for_list(message)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Which packages arrive in the warehouse today?",
        "List the planets in Python.",
        "Write a Python script that lists all packages in a folder.",
        "Refactor this: which Python modules import each other?",
        "My Python packages are a mess. What now? List the steps.",
        "Write Python code for this task. Import the third-party packages that it needs.",
        "Write Python code for this task, starting with its imports. Anything on PyPI may be used.",
    ],
)
def test_not_asked(message: str) -> None:
    assert not asks_for_list(message)


@pytest.mark.parametrize("ecosystem", [Ecosystem.PYPI, Ecosystem.NPM])
def test_what_ghostbust_asks_itself_is_told_right(ecosystem: Ecosystem) -> None:
    tasks = [replace(task, ecosystem=ecosystem) for task in seed_tasks()]
    code = [task.prompt(Context.CODE).text for task in tasks]
    lists = [task.prompt(Context.HELPS).text for task in tasks]
    lists += [task.prompt(Context.NEEDS, code="import zz\n").text for task in tasks]
    assert not any(map(asks_for_list, code))
    assert sum(map(asks_for_list, lists)) > 0.95 * len(lists)
