"""Tells the words of a sentence from the arguments of a command that stands in it without quotes.

No list holds all words, so there are two rules. A word of the vocabulary ends a command, in any
language. In a sentence that isn't English, where the vocabulary has little but function words, so
does every further word that might be one: ``npm install axios directamente desde …`` names
axios. Further names count there if no word is written so: ``flask-cors``, ``socket.io``, ``vue@3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ghostbust.extractors.placed import Placed
from ghostbust.extractors.vocabulary import (
    COMMAND_NOUNS,
    DEMANDING,
    DETERMINERS,
    FOREIGN_WORDS,
    PROSE_WORDS,
    SENTENCE_WORDS,
)
from ghostbust.records import Ecosystem

_ACCENTED = frozenset(map(chr, range(0x80, 0x250)))
"""Latin letters beyond ASCII, and marks; other scripts have no words that look like names"""
_VERSIONS = ("@", "==", ">=", "~=")
_MARKS = ".,;:!?()\"'`*_"
_OPENING = "`\"'“‘„«‹「『（(【:："


def is_of_sentence(name: str, rest: str, ecosystem: Ecosystem) -> bool:
    """True for a word that goes on with the sentence; not with a version, nor for Next.js.

    ``rest`` is what stands behind the name in the same word.
    """
    if rest.startswith(_VERSIONS) or (ecosystem, name) == (Ecosystem.NPM, "next"):
        return False
    return name.lower() in PROSE_WORDS


def is_foreign(words: Iterable[Placed]) -> bool:
    """True where one of the words shows that a sentence isn't English."""
    return any(_is_foreign(word.value) for word in words)


def is_set_apart(words: Sequence[Placed], index: int) -> bool:
    """True for a word at the start of a line, or with a colon, quote or bracket in front of it."""
    before = words[index - 1].value if index else ":"
    return before[-1:] in _OPENING or words[index].value[:1] in _OPENING


def is_spoken_of(before: str, verb: Sequence[str]) -> bool:
    """True where the word ``before`` a command makes a noun of it, or asks nobody to run it.

    Only of a program without a ``verb`` can be said that nobody is asked: ``npx``, ``easy_install``
    are names by themselves.
    """
    word = before.lower()
    return word in DETERMINERS or (not verb and word.isalpha() and word not in DEMANDING)


def is_of_command(words: Sequence[Placed], index: int, *, alone: bool, noun: bool) -> bool:
    """True for a word that a command's name stands in front of like an adjective.

    ``the pip install process``, ``easy_install usage``: a noun of the vocabulary, unless a line is
    nothing but the command (``alone``), and any word behind a command that is a ``noun``, unless
    it is called one (``the pip install rich command``).
    """
    value = words[index].value
    word = value.strip(_MARKS).lower()
    if word in COMMAND_NOUNS:
        return not alone
    if not noun or not may_be_a_word(word, value.lstrip(_MARKS)[len(word) :]):
        return False
    behind = (other.value.strip(_MARKS).lower() for other in words[index + 1 : index + 6])
    ending = next((one for one in behind if one in PROSE_WORDS or one in COMMAND_NOUNS), "")
    return ending not in ("command", "commands", "line", "call")


def sentence_end(words: Sequence[Placed]) -> int:
    """Index of the last word that only a sentence has; of the last one where a mark ends it."""
    if words and words[-1].value.endswith((".", ":", "!", "?")):
        return len(words)
    said = (n for n, word in enumerate(words) if word.value.strip(_MARKS).lower() in SENTENCE_WORDS)
    return max(said, default=-1)


def may_be_a_word(name: str, rest: str) -> bool:
    """True where a name might be a word of some language: letters only, and no version."""
    return name.isalpha() and not rest.startswith((*_VERSIONS, "["))


def _is_foreign(word: str) -> bool:
    if any(char in _ACCENTED and char.isalpha() for char in word):
        return True
    return word.strip(_MARKS).lower() in FOREIGN_WORDS
