"""Nothing that a text holds makes reading it slow: a generator over fragments of all grammars.

Timed is the processor time of this process, and again before a pattern fails, so that neither
other programs nor the collection of garbage decide.
"""

from __future__ import annotations

import gc
import itertools
import random
import time
from collections.abc import Iterator

import pytest

from tests.extractors.grown import ENTRIES, FRAGMENTS, Entry, Pattern, patterns

SHORT, LONG = 8_000, 16_000
MOST_GROWTH = (LONG / SHORT) ** 1.3
MOST_S = 1.0
FLOOR_S = 0.08
"""a text that takes less isn't slow: at 128 kB it would be if it grew so, and others show that"""
PATTERNS = 1_000
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


@pytest.mark.slow
def test_no_pattern_grows_faster_than_its_length() -> None:
    rng = random.Random(SEED)
    slow = [
        why
        for pattern in itertools.islice(patterns(SEED), PATTERNS)
        for entry in rng.sample(ENTRIES, ENTRIES_EACH)
        if (why := too_slow(pattern, entry))
    ]
    assert slow == []
