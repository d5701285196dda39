"""Reads package names as they stand in requirements: the name, and what may follow it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from unicodedata import east_asian_width

from packaging.utils import canonicalize_name

from ghostbust.extractors.interface import word_set
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


def canonical(ecosystem: Ecosystem, name: str) -> str:
    """The registry's own form: PEP 503 for PyPI, lower case for conda, else as written."""
    if ecosystem is Ecosystem.CONDA:
        return name.lower()
    return canonicalize_name(name) if ecosystem is Ecosystem.PYPI else name


def is_placeholder(name: str) -> bool:
    """True where a name stands for "put the real one here" (``your-package``, ``SomePackage``)."""
    if name.startswith("@"):
        scope = name[1:].partition("/")[0]
        return scope in _SCOPES or scope.startswith(("my-", "your-"))
    words = canonicalize_name(name).split("-")
    if words[0] == "your" or "-".join(words) in _PLACEHOLDERS or words[:2] == ["name", "of"]:
        return True
    if _METASYNTACTIC.issuperset(words) or (len(words) == 1 and _is_stand_in(words[0])):
        return True
    return words[-1] in _NOUNS and all(word in _POSSESSIVE | _NOUNS for word in words[:-1])


def _is_stand_in(word: str) -> bool:
    """True for a noun with a word in front or a count behind it: ``mypackage``, ``lib2``."""
    lead = next((lead for lead in _RUN_TOGETHER if word.startswith(lead)), "")
    noun = word[len(lead) :].rstrip("0123456789")
    counted = lead != "" or noun != word
    return (noun in _NOUNS and counted) or noun.removesuffix("name") in _NOUNS - {noun}


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
    """The name at the start of a requirement without outer quotes; None where there is none.

    Extras, versions and markers may follow the name. A path, a URL, a ``name @ url``, a
    variable and a file name are no names from the registry: None. Of an alias
    (``name@npm:other``) the name is the other one.
    """
    start = _behind_prefix(word, ecosystem)
    found = _requirement_at_start(word[start:], ecosystem)
    return replace(found, start=start, end=start + found.end) if found and start else found


def _behind_prefix(word: str, ecosystem: Ecosystem) -> int:
    """Length of what may stand in front of the name: ``npm:``, ``alias@npm:``, ``channel::``."""
    mark = {Ecosystem.NPM: "npm:", Ecosystem.CONDA: "::"}.get(ecosystem)
    lead, found, _ = word.partition(mark) if mark else (word, "", "")
    if not mark or not found:
        return 0
    if ecosystem is Ecosystem.CONDA:
        return len(lead) + len(mark)
    is_alias = not lead or (lead[-1] == "@" and scan_name(lead, ecosystem) == len(lead) - 1)
    return len(lead) + len(mark) if is_alias else 0


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
    if rest and rest[0] in _OPERATORS and not _TRAILING.issuperset(rest):
        if rest in ("<", ">", "@") or _elsewhere(rest):
            return None
        behind = rest.rstrip("".join(_TRAILING - {"*"}))
        rest = rest[len(behind) :]
    if rest.startswith(("\\n", "\\r", "\\t", '\\"', "\\'")):
        return Requirement(word[:end], end, True)
    if _goes_on_in_text(rest):
        return Requirement(word[:end], end, True)
    if not _TRAILING.issuperset(rest):
        return None
    return Requirement(word[:end], end, not _ENDS_SENTENCE.isdisjoint(rest))


def _goes_on_in_text(rest: str) -> bool:
    """True for text that needs no blank in front of it: a mark of typography, or what is written
    in wide characters (Chinese, Japanese, Korean). A Latin letter with an accent goes on with
    the word instead."""
    first = rest[:1]
    return not (first.isascii() or (first.isalnum() and east_asian_width(first) not in "WF"))


def _elsewhere(rest: str) -> bool:
    """True for ``@ url``, which installs something else than the name says."""
    if not rest.startswith("@"):
        return False
    target = rest[1:].lstrip()
    return ":" in target or "/" in target or target.startswith("git+")
