"""Prompts that are for evaluation only and must never train, with two ways to know them.

By family: what a reader of external suites makes has a family that begins with `SUITE`, and such
a family is held out for good. By words: LibHalluBench's tasks are known wherever they come from, in
another form, on one line or as a part of a longer text, by fingerprints of eight words each. The
fingerprints are shipped, so this holds whether or not the package ``libhallubench`` is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

from ghostbust.records import Prompt, content_id

SUITE: Final = "suite:"
"""begins the family of every prompt of an external suite"""

WINDOW: Final = 8
"""words in a fingerprint. None of 3,974 other coding tasks (PackageHallucination's, MBPP's) has
eight words in a row with LibHalluBench (2026-11-25)"""

_FILE: Final = "reserved_libhallubench.tsv"
_WORD: Final = re.compile(r"[^\W_]+")


def suite_family(suite: str, key: str) -> str:
    """The family of a suite's prompts that belong together."""
    return f"{SUITE}{suite}:{key}"


def of_suite(family: str) -> bool:
    """True for a family of an external suite."""
    return family.startswith(SUITE)


def is_reserved(prompt: Prompt) -> bool:
    """True where the prompt must never train."""
    said = (*prompt.turns, prompt.text)
    return of_suite(prompt.family) or any(is_reserved_text(text) for text in said)


def is_reserved_text(text: str) -> bool:
    """True where the text holds eight words in a row that are one of LibHalluBench's fingerprints.

    Any 15 words in a row of one of its tasks hold one. A text of fewer than eight words is never
    recognised.
    """
    known = _known()
    return any(content_id(window) in known for window in _windows(text, 1))


def fingerprints(text: str) -> list[str]:
    """The fingerprints of a task: of its words 1 to 8, 9 to 16 and so on."""
    return [content_id(window) for window in _windows(text, WINDOW)]


def _windows(text: str, step: int) -> Iterator[str]:
    words = _WORD.findall(text.lower())
    for start in range(0, len(words) - WINDOW + 1, step):
        yield " ".join(words[start : start + WINDOW])


@cache
def _known() -> frozenset[str]:
    text = (resources.files("ghostbust.data") / _FILE).read_text("utf-8")
    return frozenset(text.split()[1:])
