"""Tells the words of a sentence from the arguments of a command that stands in it without quotes.

No list holds all words, so there are two rules. A word of the vocabulary ends a command, in any
language. In a sentence that isn't English, where the vocabulary has little but function words, so
does every further word that might be one: ``npm install axios directamente desde …`` names
axios. Further names count there if no word is written so: ``flask-cors``, ``socket.io``, ``vue@3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ghostbust.extractors.placed import Placed
from ghostbust.extractors.vocabulary import FOREIGN_WORDS, PROSE_WORDS
from ghostbust.records import Ecosystem

_ACCENTED = frozenset(map(chr, range(0x80, 0x250)))
"""Latin letters beyond ASCII, and marks; other scripts have no words that look like names"""
_VERSIONS = ("@", "==", ">=", "~=")
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


def may_be_a_word(name: str, rest: str) -> bool:
    """True where a name might be a word of some language: letters only, and no version."""
    return name.isalpha() and not rest.startswith((*_VERSIONS, "["))


def _is_foreign(word: str) -> bool:
    if any(char in _ACCENTED and char.isalpha() for char in word):
        return True
    return word.strip(".,;:!?()\"'`*_").lower() in FOREIGN_WORDS
