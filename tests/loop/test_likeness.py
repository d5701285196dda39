"""Near-duplicates are found exactly, as by comparing with all."""

from __future__ import annotations

import random

from ghostbust.loop.discovery.operators import KnownTasks, alike, words


def test_alike_is_a_matter_of_the_words_shared() -> None:
    assert alike(words("Plot the Readings!"), words("the readings: plot"))
    assert not alike(words("plot readings hourly"), words("plot readings daily"))


def test_what_is_known_is_found_and_nothing_else() -> None:
    known = KnownTasks(["Plot the readings of a weather station every hour."])
    assert known.has_like("every hour, plot the readings of a weather station")
    assert not known.has_like("Bake three loaves of bread.")
    known.add("Bake three loaves of bread.")
    assert known.has_like("bake three loaves of bread")
    assert not KnownTasks().has_like("anything")


def test_texts_without_words_are_alike() -> None:
    assert not KnownTasks(["a word"]).has_like("?!")
    assert KnownTasks(["..."]).has_like("?!")


def test_the_short_cut_finds_what_comparing_with_all_finds() -> None:
    rng = random.Random(3)
    vocabulary = [f"w{n}" * rng.randint(1, 3) for n in range(14)]
    texts = [" ".join(rng.sample(vocabulary, rng.randint(1, 12))) for _ in range(300)]
    known, found = KnownTasks(), 0
    seen: list[frozenset[str]] = []
    for text in texts:
        expected = any(alike(words(text), other) for other in seen)
        assert known.has_like(text) is expected
        found += expected
        known.add(text)
        seen.append(words(text))
    assert 30 < found < 270, "both kinds occur"
