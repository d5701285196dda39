"""Texts that repeat fragments of all grammars that the extractors read, as an attack does.

Nested openers that nothing closes, one opener in front of a long body, long lines, many short
lines: whatever a few fragments make when they are repeated. Seeded, so that a run can be repeated.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
