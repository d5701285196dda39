"""Where a sentence lists names: behind what is needed, or behind "the packages are".

Names in backticks are taken from any such place. Without them nothing but the sense tells a name
from a word, so they must be all that the sentence ends with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ghostbust.extractors.list_words import NEED_STEMS, NEEDING, speaks_of_packages
from ghostbust.extractors.vocabulary import PACKAGE_STEMS, word_set

_AND = r"(?:and|or|und|oder|sowie|y|et|ou|e|o|&)(?=[ \t])"
SEPARATOR = re.compile(rf"[,、，](?:[ \t]{{1,3}}{_AND})?|(?<=[ \t]){_AND}|以及|和|及|与|或")
"""what stands between the names of a list in a sentence"""
_CODE = re.compile(r"[ \t]*(?P<code>`[^`\n]+`)(?:[ \t]*\([^()\n]*\))?[ \t]*")
_WORD = re.compile(r"[^\W\d_]+")
_PROGRAM = re.compile(r"\b(?:pip3?|npm|yarn|pnpm|bun|uv|poetry|pipx|conda)[ \t]+\S*[ \t]*$", re.I)
_CLAUSE = re.compile(r"[.;!?][ \t]|[,:][ \t]")
_BEING = word_set("is are be est sont être ist sind sein es son ser è sono são")
_MANY = word_set("are sont sind son sono são")
_BETWEEN = word_set("only just the nur seulement uniquement solo sólo solamente")
_ARTICLES = word_set("the die das le la les el los las il i gli os as my your")
_INSTALLING = "instal"
_NEED = (*NEED_STEMS, _INSTALLING)
_REACH = 200
"""characters in front of a name that are looked at"""


def coded_runs(line: str) -> Iterator[tuple[list[tuple[int, int]], int]]:
    """Rows of names in backticks with commas or a conjunction between: (their places, the end).

    A remark in parentheses may stand behind each.
    """
    position = line.find("`")
    while position >= 0:
        spans: list[tuple[int, int]] = []
        while code := _CODE.match(line, position):
            spans.append(code.span("code"))
            position = code.end()
            mark = SEPARATOR.match(line, position)
            if mark is None:
                break
            position = mark.end()
        if spans:
            yield spans, position
        else:
            position += 1
        position = line.find("`", position)


def is_listing(line: str, spans: list[tuple[int, int]], end: int) -> bool:
    """True where the words around a row of names in backticks say that these are needed."""
    before = line[max(spans[0][0] - _REACH, 0) : spans[0][0]]
    if _PROGRAM.search(before):
        return False
    words = _WORD.findall(_clause(before))
    while words and words[-1] in _BETWEEN:
        words.pop()
    if words and (words[-1] in NEEDING or words[-1].startswith(_NEED)):
        return True
    if words and words[-1] in _BEING and _is_about(words[:-1]):
        is_word = line[spans[0][0] + 1 : spans[0][0] + 2].isupper()
        return words[-1] in _MANY or not is_word
    behind = _WORD.findall(line[end : end + _REACH].partition(".")[0].lower())[:3]
    named = (*_NEED, *PACKAGE_STEMS)
    return len(spans) > 1 and any(word.startswith(named) for word in [*words[-1:], *behind])


def spoken_starts(line: str, *, is_answer: bool) -> Iterator[tuple[int, bool]]:
    """Places where names without backticks may begin, and whether these may be any words.

    ``is_answer``: nothing else in the answer names a package, so a sentence that begins with
    "the packages are" does. Elsewhere it says what they are like.
    """
    words = [word for word in _WORD.finditer(line[:_REACH].lower()) if _may_head(word[0])]
    for word in words[:-4:-1]:
        before = _WORD.findall(_clause(line[: word.start()]))
        if word[0] not in _BEING:
            yield word.end(), False
        elif is_answer and word[0] in _MANY and _is_about(before):
            yield word.end(), before[0] in _ARTICLES or any(w.startswith(_NEED) for w in before)


def _clause(before: str) -> str:
    """The last clause of what stands in front, in lower case."""
    return _CLAUSE.split(before.lower())[-1]


def _may_head(word: str) -> bool:
    return word in _BEING or word.startswith(_NEED)


def _is_about(subject: list[str]) -> bool:
    """True for a subject such as "the packages", "les paquets utilisés", "what you need".

    "The functions you need" are none.
    """
    is_owner = "s" in subject  # the package's methods
    about = speaks_of_packages(" ".join(subject[:4])) and not is_owner
    is_definite = bool(subject) and subject[0] in _ARTICLES
    is_other = is_definite and not speaks_of_packages(" ".join(subject))
    return about or (not is_other and any(word.startswith(_NEED) for word in subject))
