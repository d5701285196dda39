"""The reserved tasks are frozen, many, unlike each other and the seed tasks, and name no library.

They were also compared by hand, with the same two measures, with PackageHallucination's, MBPP's and
HumanEval's tasks (2026-12-02), which aren't shipped.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from importlib import resources

import pytest
from rapidfuzz import fuzz, process

from ghostbust.extractors.extract import extract
from ghostbust.prompts import FRESH_SHA256
from tests.data.test_seed_tasks import LIBRARIES, words

DOMAIN_COUNT = 25
EACH = 6
"""tasks of a domain in each ecosystem"""
MAX_SIMILARITY = 65
"""of two tasks, from 0 to 100, by rapidfuzz' token_set_ratio"""
RUN = 5
"""words in a row that no two tasks share"""
MOST_OPENINGS = 6
"""tasks that begin with the same three words"""
LENGTH_LIMITS = (8, 45)
"""words of the shortest and the longest task"""

NPM_LIBRARIES = """
    angular axios babel bootstrap bun cypress deno electron eslint fastify express jest jquery knex
    koa lodash leaflet mapbox mocha mongoose nest node nuxt playwright prettier prisma puppeteer
    react redux rollup sequelize sharp socket svelte tailwind typescript vite vitest vue webpack
    yup zod
"""
LANGUAGE = "bun deno javascript js library libraries node npm package packages pip pypi python ts"
"""words that would say which language or registry is meant, or ask for packages"""


def read_lines(name: str) -> list[dict[str, str]]:
    """The records of a shipped file of tasks, in its order."""
    text = resources.files("ghostbust.data").joinpath(name).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


LINES = read_lines("fresh_tasks.jsonl")
TEXTS = [line["task"] for line in LINES]
SEEDS = [line["task"] for line in read_lines("seed_tasks.jsonl")]


def in_order(text: str) -> list[str]:
    """The lower-case words of the text, as they follow one another."""
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text: str) -> set[str]:
    """Every `RUN` words in a row of the text."""
    said = in_order(text)
    return {" ".join(said[start : start + RUN]) for start in range(len(said) - RUN + 1)}


def shared_runs(texts: Iterable[str]) -> list[str]:
    """The runs that stand in more than one of the texts."""
    counts = Counter(run for text in texts for run in runs(text))
    return [run for run, count in counts.items() if count > 1]


def too_near(left: list[str], right: list[str]) -> list[tuple[str, str, float]]:
    """The pairs of tasks, each of two different texts, that are more alike than is allowed."""
    found = process.cdist(
        left,
        right,
        scorer=fuzz.token_set_ratio,
        processor=lambda text: " ".join(in_order(text)),
        score_cutoff=MAX_SIMILARITY,
    )
    return [
        (left[row], right[column], float(found[row, column]))
        for row, column in zip(*found.nonzero(), strict=True)
        if left[row] != right[column]
    ]


def test_the_file_is_the_one_that_was_frozen() -> None:
    text = resources.files("ghostbust.data").joinpath("fresh_tasks.jsonl").read_text("utf-8")
    assert hashlib.sha256(text.encode()).hexdigest() == FRESH_SHA256


def test_every_line_has_the_four_fields_and_no_other() -> None:
    for line in LINES:
        assert list(line) == ["id", "domain", "ecosystem", "task"]
        assert all(isinstance(value, str) for value in line.values())


def test_domains_are_twenty_five_and_as_large_in_each_ecosystem() -> None:
    counts = Counter((line["domain"], line["ecosystem"]) for line in LINES)
    assert {ecosystem for _, ecosystem in counts} == {"pypi", "npm"}
    assert len(counts) == 2 * DOMAIN_COUNT
    assert set(counts.values()) == {EACH}


def test_ids_are_domain_ecosystem_and_a_number_counted_from_one() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for line in LINES:
        domain, ecosystem = line["domain"], line["ecosystem"]
        seen[domain, ecosystem] += 1
        number = seen[domain, ecosystem]
        assert line["id"] == f"{domain.replace(' ', '-')}-{ecosystem}-{number}"


def test_tasks_are_plain_whole_sentences_of_varied_length() -> None:
    for text in TEXTS:
        assert re.fullmatch(r"[A-Z][ -~]*[.?]", text), text
        assert "  " not in text, text
    lengths = [len(text.split()) for text in TEXTS]
    shortest, longest = LENGTH_LIMITS
    assert shortest <= min(lengths) <= max(lengths) <= longest
    assert sum(length < 15 for length in lengths) >= 30
    assert sum(length >= 30 for length in lengths) >= 20


def test_openings_are_varied() -> None:
    openings = Counter(tuple(in_order(text)[:3]) for text in TEXTS)
    assert max(openings.values()) <= MOST_OPENINGS


def test_no_task_is_too_near_to_another_or_to_a_seed_task() -> None:
    assert too_near(TEXTS, TEXTS) == []
    assert too_near(TEXTS, SEEDS) == []


def test_no_five_words_in_a_row_are_anothers_or_a_seed_tasks() -> None:
    assert shared_runs(TEXTS) == []
    of_seeds = {run for text in SEEDS for run in runs(text)}
    assert [text for text in TEXTS if runs(text) & of_seeds] == []


@pytest.mark.parametrize("ecosystem", ["pypi", "npm"])
def test_no_task_names_a_library_or_its_language(ecosystem: str) -> None:
    known = LIBRARIES if ecosystem == "pypi" else NPM_LIBRARIES
    barred = {*known.split(), *LANGUAGE.split()}
    of_ecosystem = [line for line in LINES if line["ecosystem"] == ecosystem]
    named = {line["id"]: words(line["task"]) & barred for line in of_ecosystem}
    assert {task: found for task, found in named.items() if found} == {}


def test_no_task_is_read_as_naming_packages() -> None:
    assert [text for text in TEXTS if extract(text, expect_list=False)] == []
