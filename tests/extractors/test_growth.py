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

SHORT, LONG = 4_000, 16_000
"""far enough apart that noise of a half isn't growth: twice the length let a linear one fail"""
MOST_GROWTH = (LONG / SHORT) ** 1.3
MOST_S = 1.0
FLOOR_S = 0.08
"""a text that takes less isn't slow: at 128 kB it would be if it grew so, and others show that"""
PATTERNS, FEW = 1_000, 40
"""all take some 220 s of processor time"""
ENTRIES_EACH = 2
SEED = 31


def known(entry: Entry, *patterns: str | tuple[str, ...]) -> Iterator[tuple[Pattern, Entry]]:
    """Patterns for one entry, each a body or (head, body, tail)."""
    for pattern in patterns:
        head, body, tail = ("", pattern, "") if isinstance(pattern, str) else (*pattern, "")[:3]
        yield Pattern(head, body, tail), entry


# What has stalled a reader, or could by its shape; the entry is where each did.
KNOWN = [
    *known(Entry(label="js"), "||~", "import from ", "const x = 'a' from ", "require 'a ", "“",
           "from a))) ", "import x from a; ", "'\"`"),
    *known(Entry(label="vue"), "||~", "a = \n  > "),
    *known(Entry(label="tsx"), "--- {", "lambda a:"),
    *known(Entry(label="ts"), "a => "),
    *known(Entry(filename="a.ts"), "/[", ("satisfies ", "<script>"), ("x ", "<a>!")),
    *known(Entry(filename="a.js"), '"${a:-a?b:', "**a**", "(", ".b('x')", "try{", "`${", "<a>",
           "{'a':[", "x", "import {\n", "import a from 'x\n", "<script>"),
    *known(Entry(filename="a.html"), "elif a:\n "),
    *known(Entry(filename="a.py"), ("é\n# /// script\n", "# ///"), "import a;", ("é;", "import a;"),
           "install_requires=["),
    *known(Entry(label="bash"), "import (\n", "import a1\npip install $x (\n", "$(", "(", "{{",
           ("pip install a1 \\\n", "# why\n  b1 \\\n")),
    *known(Entry(filename="a.sh"), "cat <<E1 ", 'pip ["', "pip install \\ x"),
    *known(Entry(filename="package.json"), ('{"dependencies": {', '"a1": "1", '), '{"a":'),
    *known(Entry(filename="pyproject.toml"), ("[project]\ndependencies = [", "'a1', "), "a.",
           'x = """\\'),
    *known(Entry(filename="requirements.txt"), ("a1==", "1"), "a1 \\\n"),
    *known(Entry(filename="a.ipynb"),
           ('{"cells": [{"cell_type": "code", "source": ["', "import a1\\n")),
    *known(Entry(), "```md\na `b`\n```\n", "&amp;", ("", "&amp;", "&lt;"), "<a &lt;", " ",
           "diff --git a/x b/x\n--- a/x\n+++ b/x\n+pip install a\n"),
    *known(Entry(label="pycon"), ">>> x\n", "In [1]: x\n", '"""\n', ("In [", "1"), ">>> "),
    *known(Entry(filename="a.yml"),
           *(("x: >\n", line) for line in ("  a\n", "- a\n", "x: >\n", "x: ", "- ", "\n", "  "))),
    *known(Entry(expect_list=True), ("- ", "`\"'["), ("pip install ", "<a "),
           ("pip install ", '"a b '), "```\n", ("import a\n", "(\n"),
           ("import a\n)", ": import, "), ("import ", "a"), "<li", ("<li>", "<"), "-ab",
           ("Q: ", "*", "\nA:"), ("- a 1", ".1", "x"), "Pros:\n- a\n", "a: ", "- ", "#"),
    *known(Entry(expect_list=True), "`a` ", "`a`, ", "need ", "`", "`a` (", "are "),
    *known(Entry(expect_list=True),
           *(("| Package |\n|---|\n", f" a{mark}") for mark in (
               ",", ";", "|", "、", " and", "和", " " * 9, ", and " * 3, " : a", "` and `"))),
]  # fmt: skip


KNOWN_TIMES = 4
"""how much longer the known patterns grow: at ``LONG`` a square can be below the floor"""


def seconds(pattern: Pattern, entry: Entry, length: int) -> float:
    """Processor time that reading takes."""
    text = pattern.grown(length)
    started = time.process_time()
    entry.examine(text)
    return time.process_time() - started


def too_slow(pattern: Pattern, entry: Entry, times: int = 1) -> str:
    """What is wrong with the time that a pattern takes; empty for nothing."""
    long_s = seconds(pattern, entry, times * LONG)
    if long_s < FLOOR_S:
        return ""
    short_s = seconds(pattern, entry, times * SHORT)
    for _ in range(3):
        if long_s < min(times * MOST_S, MOST_GROWTH * short_s):
            return ""
        long_s = min(long_s, seconds(pattern, entry, times * LONG))
        short_s = max(short_s, seconds(pattern, entry, times * SHORT))
    return f"{pattern} by {entry}: {short_s:.3f} s, then {long_s:.3f} s"


@pytest.fixture(autouse=True)
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize(("pattern", "entry"), KNOWN)
def test_what_stalled_the_reader_no_longer_does(pattern: Pattern, entry: Entry) -> None:
    assert too_slow(pattern, entry, KNOWN_TIMES) == ""


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
