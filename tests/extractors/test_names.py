"""Package names in text, placeholders, and the words of a sentence."""

from __future__ import annotations

import pytest

from ghostbust.extractors.interface import word_set
from ghostbust.extractors.names import (
    FOREIGN_WORDS,
    PROSE_WORDS,
    SENTENCE_WORDS,
    canonical,
    is_foreign,
    is_of_sentence,
    is_set_apart,
    may_be_a_word,
    read_requirement,
    scan_name,
)
from ghostbust.extractors.shell import prose_words
from ghostbust.records import Ecosystem

PYPI, NPM, CONDA = Ecosystem.PYPI, Ecosystem.NPM, Ecosystem.CONDA


@pytest.mark.parametrize(
    ("word", "ecosystem", "name"),
    [
        ("requests", PYPI, "requests"),
        ("zope.interface>=5", PYPI, "zope.interface"),
        ("a-b_c.d-", PYPI, "a-b_c.d"),
        ("3to2", PYPI, "3to2"),
        ("3.11", PYPI, ""),
        ("_x", PYPI, ""),
        ("-x", PYPI, ""),
        ("é", PYPI, ""),
        ("x.whl", PYPI, ""),
        ("ruamel.yaml", PYPI, "ruamel.yaml"),
        ("x" * 101, PYPI, ""),
        ("@a/b@1", NPM, "@a/b"),
        ("@a", NPM, ""),
        ("@/b", NPM, ""),
        ("@a/b", PYPI, ""),
    ],
)
def test_scan_name(word: str, ecosystem: Ecosystem, name: str) -> None:
    assert word[: scan_name(word, ecosystem)] == name


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("requests[security]==2.*", "requests"),
        ("requests[", "requests"),
        ("requests[a](x)", None),
        ("requests ; os_name == 'nt'", "requests"),
        ("requests===1", "requests"),
        ("requests>", None),
        ("requests@latest", "requests"),
        ("requests @ https://example.test/x", None),
        ("C:\\x", None),
        ("a/b", None),
        ("a:b", None),
        ("requests\\nmore", "requests"),
        ("", None),
    ],
)
def test_read_requirement(word: str, name: str | None) -> None:
    requirement = read_requirement(word, PYPI)
    assert (requirement and requirement.name) == name


@pytest.mark.parametrize(
    ("word", "ends"),
    [
        ("a1", False),
        ("a1.", True),
        ("a1`", True),
        ("a1,", True),
        ("a1==1.", True),
        ("a1'", False),
        ('a1"}}', True),
        ('a1"],', True),
    ],
)
def test_punctuation_ends_the_sentence(word: str, ends: bool) -> None:
    requirement = read_requirement(word, PYPI)
    assert requirement is not None
    assert requirement.ends_sentence is ends


@pytest.mark.parametrize(
    ("word", "ecosystem", "name"),
    [
        ("x@npm:y@1", NPM, "y"),
        ("@a/x@npm:@b/y", NPM, "@b/y"),
        ("npm:y", NPM, "y"),
        ("x@jsr:@b/y", NPM, None),
        ("git+npm:y", NPM, None),
        ("conda-forge::numpy=1", CONDA, "numpy"),
        ("numpy[version='>=1']", CONDA, None),
        ("x@npm:y", PYPI, None),
    ],
)
def test_what_may_stand_in_front_of_a_name(
    word: str, ecosystem: Ecosystem, name: str | None
) -> None:
    found = read_requirement(word, ecosystem)
    assert (found and found.name) == name
    assert found is None or word[found.start : found.end] == name


def test_canonical() -> None:
    assert canonical(CONDA, "PyTables_X") == "pytables_x"
    assert canonical(PYPI, "Zope..Interface_X") == "zope-interface-x"
    assert canonical(NPM, "@Scope/Name_x") == "@Scope/Name_x"


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


def test_a_version_and_next_js_are_no_words() -> None:
    assert is_of_sentence("next", "", Ecosystem.PYPI)
    assert not is_of_sentence("next", "", Ecosystem.NPM)
    assert not is_of_sentence("then", "==1.0", Ecosystem.PYPI)


@pytest.mark.parametrize(
    ("text", "foreign"),
    [("Run it in the shell", False), ("módulo", True), ("nach dem Start", True), ("再执行", False)],
)
def test_is_foreign(text: str, foreign: bool) -> None:
    assert is_foreign(prose_words(text, 0, len(text))) is foreign


def test_is_set_apart() -> None:
    words = prose_words("so: pip x pip", 0, 13)
    assert [is_set_apart(words, index) for index in (0, 1, 3)] == [True, True, False]


def test_may_be_a_word() -> None:
    assert may_be_a_word("ajoute", "")
    assert not may_be_a_word("flask-cors", "")
    assert not may_be_a_word("vue", "@3")
