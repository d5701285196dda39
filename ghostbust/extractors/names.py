"""Which words of a text are package names, and which belong to the sentence around them.

The first part reads a name as it stands in a requirement, with what may follow it. The second
holds the words that end a command in prose. Many of them are registered on PyPI all the same, but
in a sentence nobody means those; in a shell script or in inline code the sets aren't used.

No list holds all words, so there are two rules for commands in a sentence. A word of the vocabulary
ends a command, in any language. In a sentence that isn't English, where the vocabulary has little
but function words, so does every further word that might be one: ``npm install axios directamente
desde …`` names axios. Further names count there if no word is written so: ``flask-cors``,
``socket.io``, ``vue@3``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from unicodedata import east_asian_width

from packaging.utils import canonicalize_name

from ghostbust.extractors.interface import Placed, word_set
from ghostbust.records import Ecosystem

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_ALNUM = _LETTERS | frozenset("0123456789")
_NAME = _ALNUM | frozenset("._-")
_OPERATORS = frozenset("=<>!~^@;")
_TRAILING = frozenset("-\"'`.,:;!?)]}*_…，。、：；）」”’")
_ENDS_SENTENCE = frozenset("`.,:;!?)]}…，。、：；）」”’")
_FILES = tuple(
    word_set(
        ".txt .whl .zip .gz .bz2 .tgz .toml .cfg .egg .git .md .json .yml .html .csv .lock "
        ".exe .sh .ipynb"
    )
)
_POSSESSIVE = word_set("your my some the any another other this that example a an")
_RUN_TOGETHER = ("your", "my", "some", "another", "example")
"""what stands in front of a noun without anything between: ``SomePackage``"""
_NOUNS = word_set(
    "package packages packagename pkg pkgs library libraries lib libs module modules name names "
    "project app dependency dependencies plugin plugins"
)
_METASYNTACTIC = word_set("foo bar baz foobar qux quux xxx yyy zzz")
_PLACEHOLDERS = word_set(
    "package-1 package-2 package-3 package-a package-b package-c packagea packageb setup-py"
)
_SCOPES = word_set("scope org company example myorg mycompany yourorg yourcompany")


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement's name within a word."""

    name: str
    """as written"""
    end: int
    """offset behind the name within the word"""
    ends_sentence: bool
    """True where punctuation or a closing mark behind it ends what belongs together"""
    start: int = 0
    """offset of the name within the word: not 0 behind ``alias@npm:`` and ``channel::``"""
    wanted: str = ""
    """the version or range behind the name: ``==2.*``, of npm and cargo without the ``@``"""


def canonical(ecosystem: Ecosystem, name: str) -> str:
    """The registry's own form: PEP 503 for PyPI, lower case for conda and cargo (whose ``_`` is a
    ``-``), else as written."""
    if ecosystem is Ecosystem.CARGO:
        return name.lower().replace("_", "-")
    if ecosystem is Ecosystem.CONDA:
        return name.lower()
    return canonicalize_name(name) if ecosystem is Ecosystem.PYPI else name


def is_placeholder(name: str) -> bool:
    """True where a name stands for "put the real one here" (``your-package``, ``SomePackage``)."""
    if name.startswith("@"):
        scope = name[1:].partition("/")[0]
        return scope in _SCOPES or scope.startswith(("my-", "your-"))
    words = canonicalize_name(name).split("-")
    first = words[0]
    if first == "your" or "-".join(words) in _PLACEHOLDERS or words[:2] == ["name", "of"]:
        return True
    if _METASYNTACTIC.issuperset(words):
        return True
    if len(words) == 1:  # mypackage, lib2
        lead = next((lead for lead in _RUN_TOGETHER if first.startswith(lead)), "")
        noun = first[len(lead) :].rstrip("0123456789")
        if (noun in _NOUNS and noun != first) or noun.removesuffix("name") in _NOUNS - {noun}:
            return True
    return words[-1] in _NOUNS and all(word in _POSSESSIVE | _NOUNS for word in words[:-1])


def scan_name(word: str, ecosystem: Ecosystem) -> int:
    """Length of the package name that ``word`` starts with; 0 where it starts with none.

    ASCII letters, digits, ``.``, ``_`` and ``-``, with a letter in it and alphanumeric at both
    ends; npm also has ``@scope/name`` and a leading ``_``-free name only.
    """
    if ecosystem is Ecosystem.NPM and word.startswith("@"):
        scope = scan_name(word[1:], Ecosystem.PYPI)
        if not scope or word[1 + scope : 2 + scope] != "/":
            return 0
        inner = scan_name(word[2 + scope :], Ecosystem.PYPI)
        return 2 + scope + inner if inner else 0
    end = 0
    while end < len(word) and word[end] in _NAME:
        end += 1
    while end and word[end - 1] not in _ALNUM:
        end -= 1
    plain = word[:end]
    if not plain or plain[0] not in _ALNUM or _LETTERS.isdisjoint(plain) or len(plain) > 100:
        return 0
    return 0 if plain.lower().endswith(_FILES) else end


def read_requirement(word: str, ecosystem: Ecosystem) -> Requirement | None:
    """The name at the start of a requirement without outer quotes; None if it names no package.

    Extras, versions and markers may follow the name. A path, a URL, a ``name @ url``, a
    variable and a file name don't come from the registry: None. Of an alias
    (``name@npm:other``) the name is the other one.
    """
    start = 0
    lead, mark, _ = word.partition("npm:" if ecosystem is Ecosystem.NPM else "::")
    if mark and ecosystem is Ecosystem.CONDA:  # channel::name
        start = len(lead) + len(mark)
    elif mark and ecosystem is Ecosystem.NPM:
        is_alias = not lead or (lead[-1] == "@" and scan_name(lead, ecosystem) == len(lead) - 1)
        start = len(lead) + len(mark) if is_alias else 0
    found = _requirement_at_start(word[start:], ecosystem)
    return replace(found, start=start, end=start + found.end) if found and start else found


def _requirement_at_start(word: str, ecosystem: Ecosystem) -> Requirement | None:
    end = scan_name(word, ecosystem)
    rest = word[end:]
    if not end:
        return None
    if rest.startswith("["):
        extras, closed, rest = rest.partition("]")
        if not _NAME.issuperset(extras[1:].replace(",", "").replace(" ", "")):
            return None
        if not closed:  # where the answer breaks off
            return Requirement(word[:end], end, True)
    rest = rest.lstrip(" ") if rest.strip() else ""
    wanted = ""
    if rest and rest[0] in _OPERATORS and not _TRAILING.issuperset(rest):
        target = rest[1:].lstrip() if rest[0] == "@" else ""  # `@ url` installs something else
        is_address = ":" in target or "/" in target or target.startswith("git+")
        if rest in ("<", ">", "@") or is_address:
            return None
        behind = rest.rstrip("".join(_TRAILING - {"*"}))
        wanted = behind.partition(";")[0].removeprefix("@").strip()
        rest = rest[len(behind) :]
    if rest.startswith(("\\n", "\\r", "\\t", '\\"', "\\'")):
        return Requirement(word[:end], end, True)
    if _goes_on_in_text(rest):
        return Requirement(word[:end], end, True)
    if not _TRAILING.issuperset(rest):
        return None
    return Requirement(word[:end], end, not _ENDS_SENTENCE.isdisjoint(rest), wanted=wanted)


def _goes_on_in_text(rest: str) -> bool:
    """True for text that needs no blank in front of it: a mark of typography, or what is written
    in wide characters (Chinese, Japanese, Korean). A Latin letter with an accent continues the
    word instead."""
    first = rest[:1]
    return not (first.isascii() or (first.isalnum() and east_asian_width(first) not in "WF"))


def _word_lists() -> dict[str, frozenset[str]]:
    text = files("ghostbust.data").joinpath("words.tsv").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for line in text.splitlines():
        name, is_row, words = line.partition("\t")
        if is_row:
            found.setdefault(name, set()).update(words.split())
    return {name: frozenset(words) for name, words in found.items()}


WORDS = _word_lists()
"""the lists of ``words.tsv``, which says what each is for"""
SENTENCE_WORDS = WORDS["sentence"]
_LANGUAGES = ("german", "french", "spanish", "portuguese", "italian", "dutch")
_EUROPEAN = frozenset[str]().union(*(WORDS[language] for language in _LANGUAGES))
PROSE_WORDS = SENTENCE_WORDS | WORDS["about_commands"] | _EUROPEAN
"""words that end a command in a sentence, whichever of these languages it is in"""
FOREIGN_WORDS = frozenset(
    word
    for word in _EUROPEAN - SENTENCE_WORDS - WORDS["about_commands"] - WORDS["also_english"]
    if len(word) > 1
)
"""words that show a sentence to be in another language than English"""
PACKAGE_STEMS = tuple(sorted(WORDS["package_stems"]))

_ACCENTED = frozenset(map(chr, range(0x80, 0x250)))
"""Latin letters beyond ASCII, and marks; other scripts have no words that look like names"""
_PINS = ("@", "==", ">=", "~=")
_MARKS = ".,;:!?()\"'`*_"
_OPENING_MARKS = "`\"'“‘„«‹「『（(【:："


def is_of_sentence(name: str, rest: str, ecosystem: Ecosystem) -> bool:
    """True for a word of the sentence around a command; not with a version, nor for Next.js.

    ``rest`` is what stands behind the name in the same word.
    """
    if rest.startswith(_PINS) or (ecosystem, name) == (Ecosystem.NPM, "next"):
        return False
    return name.lower() in PROSE_WORDS


def is_foreign(words: Iterable[Placed]) -> bool:
    """True where one of the words shows that a sentence isn't English."""
    return any(
        any(char in _ACCENTED and char.isalpha() for char in word.value)
        or word.value.strip(_MARKS).lower() in FOREIGN_WORDS
        for word in words
    )


def is_set_apart(words: Sequence[Placed], index: int) -> bool:
    """True for a word at the start of a line, or with a colon, quote or bracket in front of it."""
    before = words[index - 1].value if index else ":"
    return before[-1:] in _OPENING_MARKS or words[index].value[:1] in _OPENING_MARKS


def is_spoken_of(before: str, verb: Sequence[str]) -> bool:
    """True where the word ``before`` a command makes a noun of it, or asks nobody to run it.

    A program without a ``verb`` (``npx``, ``easy_install``) is a name by itself: it is a command
    only behind a word that asks to run it.
    """
    word = before.lower()
    return word in WORDS["determiners"] or (
        not verb and word.isalpha() and word not in WORDS["demanding"]
    )


def is_of_command(words: Sequence[Placed], index: int, *, alone: bool, noun: bool) -> bool:
    """True for a word that a command's name stands in front of like an adjective.

    ``the pip install process``, ``easy_install usage``: a noun of the vocabulary, unless a line is
    nothing but the command (``alone``), and any word behind a command that is a ``noun``, unless
    it is called one (``the pip install rich command``).
    """
    value = words[index].value
    word = value.strip(_MARKS).lower()
    if word in WORDS["command_nouns"]:
        return not alone
    if not noun or not may_be_a_word(word, value.lstrip(_MARKS)[len(word) :]):
        return False
    behind = (other.value.strip(_MARKS).lower() for other in words[index + 1 : index + 6])
    ending = next(
        (one for one in behind if one in PROSE_WORDS or one in WORDS["command_nouns"]), ""
    )
    return ending not in ("command", "commands", "line", "call")


def sentence_end(words: Sequence[Placed]) -> int:
    """Index of the last word that only a sentence has; the length where a mark ends the line."""
    if words and words[-1].value.endswith((".", ":", "!", "?")):
        return len(words)
    said = (n for n, word in enumerate(words) if word.value.strip(_MARKS).lower() in SENTENCE_WORDS)
    return max(said, default=-1)


def may_be_a_word(name: str, rest: str) -> bool:
    """True where a name might be a word of some language: letters only, and no version."""
    return name.isalpha() and not rest.startswith((*_PINS, "["))
