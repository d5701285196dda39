"""Sentence words must not swallow names that people install."""

from __future__ import annotations

from ghostbust.extractors.interface import FOREIGN_WORDS, PROSE_WORDS, SENTENCE_WORDS, word_set


def test_word_set_splits_at_white_space() -> None:
    assert word_set(" a\n b a ") == {"a", "b"}


def test_well_known_packages_are_no_sentence_words() -> None:
    known = word_set("click rich fire six attrs black requests flask tox nose sh arrow box gym")
    known |= word_set("del ora numpy pandas express react vue axios lodash chalk dash uvicorn")
    assert PROSE_WORDS.isdisjoint(known)


def test_foreign_words_are_no_english_ones() -> None:
    assert FOREIGN_WORDS.isdisjoint(SENTENCE_WORDS)
    assert FOREIGN_WORDS.isdisjoint(word_set("a die man per son come plus in an was"))
    assert FOREIGN_WORDS < PROSE_WORDS


def test_words_are_lower_case() -> None:
    assert all(word == word.lower() and word.isalpha() for word in SENTENCE_WORDS)
