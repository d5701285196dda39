"""What is for evaluation only is recognised, by family and by words, and nothing else is."""

from __future__ import annotations

import importlib.util
import json
from importlib import resources
from pathlib import Path

import pytest

from ghostbust import prompts
from ghostbust.prompts import (
    WINDOW,
    fingerprints,
    is_reserved,
    is_reserved_text,
    of_suite,
    seed_tasks,
    suite_family,
)
from ghostbust.records import Context, Ecosystem, Prompt

OWN = (
    "Read the log of a lift that stops at every floor twice and say which floor is the slowest of "
    "all"
)


@pytest.fixture
def own_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of our own takes the place of the suite's."""
    monkeypatch.setattr(prompts, "_known", lambda: frozenset(fingerprints(OWN)))


@pytest.mark.usefixtures("own_reserved")
@pytest.mark.parametrize(
    "text",
    [
        OWN,
        OWN.upper(),
        OWN.replace(" ", "\n"),
        f"Write Python code for this task.\n\nTask: {OWN}",
        "Please: " + OWN.replace("log", "log,").replace("twice", "twice -") + " Thank you.",
        " ".join(OWN.split()[1:]),  # from the second fingerprint on
        " ".join(OWN.split()[:15]),
    ],
)
def test_a_tasks_words_are_known_in_any_dress(text: str) -> None:
    assert is_reserved_text(text)


@pytest.mark.usefixtures("own_reserved")
@pytest.mark.parametrize(
    "text", ["", "Read the log", " ".join(OWN.split()[3:10]), "A lift stops at every floor."]
)
def test_other_texts_and_seven_words_are_not(text: str) -> None:
    assert not is_reserved_text(text)


def test_fingerprints_follow_one_another() -> None:
    words = OWN.split()
    assert len(fingerprints(OWN)) == len(words) // WINDOW
    assert fingerprints(OWN)[1] == fingerprints(" ".join(words[8:16]))[0]
    assert fingerprints("seven words are too few for it") == []


def test_a_suites_family_is_reserved_whatever_it_asks() -> None:
    family = suite_family("garak", "42")
    assert of_suite(family)
    assert is_reserved(Prompt("Sort a list.", Context.CODE, Ecosystem.PYPI, family))
    assert not is_reserved(Prompt("Sort a list.", Context.CODE, Ecosystem.PYPI, "42"))


@pytest.mark.usefixtures("own_reserved")
def test_earlier_turns_count_as_well() -> None:
    turned = Prompt("Now the file.", Context.NEEDS, Ecosystem.PYPI, "42", turns=(OWN, "import x"))
    assert is_reserved(turned)


def test_the_shipped_tasks_are_not_reserved() -> None:
    assert [task.id for task in seed_tasks() if is_reserved_text(task.text)] == []


def test_the_shipped_file_holds_distinct_sorted_fingerprints() -> None:
    text = resources.files("ghostbust.data").joinpath("reserved_libhallubench.tsv").read_text()
    head, *lines = text.splitlines()
    assert head == "fingerprint"
    assert lines == sorted(set(lines))
    assert {len(line) for line in lines} == {16}


def test_every_prompt_of_the_installed_suite_is_known_by_its_words() -> None:
    """But those of one task, which has seven words."""
    spec = importlib.util.find_spec("libhallubench")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package libhallubench isn't installed")
    data = Path(spec.submodule_search_locations[0]) / "data"
    files = sorted(data.glob("libhallubench-*.jsonl"))
    found = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    assert len(found) == 4173
    missed = {row["seed_id"] for row in found if not is_reserved_text(row["prompt"])}
    assert len(missed) == 1
