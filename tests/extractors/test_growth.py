"""Nothing that a text holds makes reading it slow: a generator over fragments of all grammars.

It repeats fragments as an attack does: nested openers that nothing closes, one opener in front of a
long body, long lines, many short lines. It is seeded, so that a run can be repeated.

Timed is the processor time of this process, and again before a pattern fails, so that neither
other programs nor the collection of garbage decide.
"""

from __future__ import annotations

import gc
import itertools
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ghostbust.extractors.extract import Extraction, examine
from ghostbust.extractors.interface import Language

_ASSET = Path(__file__).parents[1] / "assets" / "fragments.json"
_BY_GRAMMAR: dict[str, list[str]] = json.loads(_ASSET.read_text(encoding="utf-8"))
FRAGMENTS = tuple(dict.fromkeys(f for group in _BY_GRAMMAR.values() for f in group))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of any length: ``head``, then ``body`` again and again, then ``tail``."""

    head: str
    body: str
    tail: str = ""

    def grown(self, length: int) -> str:
        """The text of so many characters, or some less: the body is in it as a whole each time."""
        room = length - len(self.head) - len(self.tail)
        return self.head + self.body * (room // len(self.body)) + self.tail


def patterns(seed: int) -> Iterator[Pattern]:
    """Random patterns without end, each fragment in turn: alone, with others of its grammar, or
    with any."""
    rng = random.Random(seed)
    order = [(fragment, group) for group in _BY_GRAMMAR.values() for fragment in group]
    rng.shuffle(order)
    for fragment, group in itertools.cycle(order):
        pool = group if rng.random() < 0.7 else FRAGMENTS
        others = [rng.choice(pool) for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 3)))]
        body = "".join(
            part + rng.choice(("", "", "", " ", "\n", "\n  ")) for part in (fragment, *others)
        )
        head = rng.choice(pool) + rng.choice(("", "\n")) if rng.random() < 0.4 else ""
        tail = rng.choice(pool) if rng.random() < 0.25 else ""
        yield Pattern(head, body, tail)


LABELS = (
    "", "python", "js", "ts", "tsx", "html", "vue", "svelte", "mdx", "bash", "console", "cmd",
    "dockerfile", "makefile", "yaml", "toml", "json", "ini", "text", "markdown", "diff", "pycon",
    "requirements.txt", "environment.yml", "pyproject.toml", "package.json", "setup.cfg", "go",
)  # fmt: skip
FILES = (
    "a.py", "setup.py", "a.js", "a.ts", "a.tsx", "a.html", "a.vue", "a.sh", "Dockerfile", "a.yml",
    "environment.yml", "requirements.txt", "pyproject.toml", "Pipfile", "package.json", "setup.cfg",
    "a.ipynb", "a.md", "a.txt", "a.json", "a.diff",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One way into the extractors."""

    label: str | None = None
    """of the fence that the text stands in; None for none"""
    filename: str = ""
    language: Language = Language.AUTO
    expect_list: bool = False
    is_prompt: bool = False
    """the text is the prompt of an answer, and no answer"""

    def examine(self, text: str) -> Extraction:
        """What the extractors find when a text comes in here."""
        if self.is_prompt:
            return examine("pip install a b\n", prompt_text=text)
        if self.label is not None:
            text = f"So:\n\n```{self.label}\n{text}\n```\n"
        return examine(
            text,
            filename=self.filename,
            language=self.language,
            expect_list=self.expect_list,
            truncated=True,
        )


ENTRIES = (
    *(Entry(label=label, expect_list=lists) for label in LABELS for lists in (False, True)),
    *(Entry(filename=name) for name in FILES),
    *(
        Entry(language=language, expect_list=lists)
        for language in Language
        for lists in (False, True)
    ),
    Entry(is_prompt=True),
)

SHORT, LONG = 8_000, 16_000
MOST_GROWTH = (LONG / SHORT) ** 1.3
MOST_S = 1.0
FLOOR_S = 0.08
"""a text that takes less isn't slow: at 128 kB it would be if it grew so, and others show that"""
PATTERNS, FEW = 1_000, 40
"""all take some 220 s of processor time"""
ENTRIES_EACH = 2
SEED = 31

# What stalled the daemon before there were budgets; the entry is where each did.
KNOWN = [
    (Pattern("", "||~"), Entry(label="js")),
    (Pattern("", "||~"), Entry(label="vue")),
    (Pattern("", "--- {"), Entry(label="tsx")),
    (Pattern("", "/["), Entry(filename="a.ts")),
    (Pattern("", '"${a:-a?b:'), Entry(filename="a.js")),
    (Pattern("", "elif a:\n "), Entry(filename="a.html")),
    (Pattern("é\n# /// script\n", "# ///"), Entry(filename="a.py")),
    (Pattern("", "**a**"), Entry(filename="a.js")),
    (Pattern("", "import a;"), Entry(filename="a.py")),
    (Pattern("é;", "import a;"), Entry(filename="a.py")),
    (Pattern("", "lambda a:"), Entry(label="tsx")),
    (Pattern("", "a = \n  > "), Entry(label="vue")),
    (Pattern("", "a => "), Entry(label="ts")),
]


def seconds(pattern: Pattern, entry: Entry, length: int) -> float:
    """Processor time that reading takes."""
    text = pattern.grown(length)
    started = time.process_time()
    entry.examine(text)
    return time.process_time() - started


def too_slow(pattern: Pattern, entry: Entry) -> str:
    """What is wrong with the time that a pattern takes; empty for nothing."""
    long_s = seconds(pattern, entry, LONG)
    if long_s < FLOOR_S:
        return ""
    short_s = seconds(pattern, entry, SHORT)
    for _ in range(3):
        if long_s < min(MOST_S, MOST_GROWTH * short_s):
            return ""
        long_s = min(long_s, seconds(pattern, entry, LONG))
        short_s = max(short_s, seconds(pattern, entry, SHORT))
    return f"{pattern} by {entry}: {short_s:.3f} s, then {long_s:.3f} s"


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(("pattern", "entry"), KNOWN)
def test_what_stalled_the_reader_no_longer_does(pattern: Pattern, entry: Entry) -> None:
    assert too_slow(pattern, entry) == ""


def test_the_generator_grows_every_fragment_and_reads_by_every_entry() -> None:
    made = list(itertools.islice(patterns(SEED), PATTERNS))
    assert len(set(made)) > PATTERNS * 0.9
    assert all(LONG * 0.9 < len(pattern.grown(LONG)) <= LONG for pattern in made)
    assert all(any(fragment in pattern.body for pattern in made) for fragment in FRAGMENTS)
    assert len(set(ENTRIES)) > 80


@pytest.mark.parametrize("count", [FEW, pytest.param(PATTERNS, marks=pytest.mark.slow)])
def test_no_pattern_grows_faster_than_its_length(count: int) -> None:
    rng = random.Random(SEED)
    slow = [
        why
        for pattern in itertools.islice(patterns(SEED), count)
        for entry in rng.sample(ENTRIES, ENTRIES_EACH)
        if (why := too_slow(pattern, entry))
    ]
    assert slow == []
