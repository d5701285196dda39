"""Repaired answers: what an answer would have been without its inventions.

An invented name is taken out with what only introduces it: its line where it stands alone, else
its command or statement, else its word with a separator. Real names stay, so the repaired answers
of a set name as many real packages as the set: learning them suppresses without changing the
volume.

What it doesn't do: uses of an invented module in the code after its import stay (the fault
``undefined``); a Python block that held nothing but the import stays empty; and where a sentence
had two names (``numpy and ghost``), the extractor no longer counts the one that is left, as it is
no list any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ghostbust.answer_faults import blocks
from ghostbust.records import Answer, Context, PackageRef, RefKind

_SPACE = r"(?:[ \t]|\\\r?\n)"
_AND = rf"(?:and|or|&){_SPACE}+"
_JOINED_BEFORE = re.compile(rf"(?:,{_SPACE}*(?:{_AND})?|{_SPACE}{_AND})$")
_JOINED_BEHIND = re.compile(rf"{_SPACE}*,{_SPACE}*(?:{_AND})?|{_SPACE}+{_AND}|{_SPACE}+")
_GAP_BEFORE = re.compile(rf"{_SPACE}+$")
_GLUED_BEFORE = {
    RefKind.INSTALL: re.compile(r"[\"']?$"),
    RefKind.IMPORT: re.compile(r"$"),
    RefKind.LIST: re.compile(r"[`*_\"']*$"),
    RefKind.MANIFEST: re.compile(r"[\"']?$"),
}
_GLUED_BEHIND = {
    RefKind.INSTALL: re.compile(r"(?:\[[^\]\n]*\])?[^\s,;&|`)\"']*(?:,[^\s;&|`)\"']+)*"),
    RefKind.IMPORT: re.compile(r"[\w.]*(?:[ \t]+as[ \t]+\w+)?"),
    RefKind.LIST: re.compile(
        r"[`*_\"']*(?:\[[^\]\n]*\])?(?:[ \t]*[<>=!~^@]+[ \t]*[\w.*+]+)*[`*_\"']*(?::|[ \t]+[-–—])?"
    ),
    RefKind.MANIFEST: re.compile(r"[^\s,]*"),
}
"""quotes, markup, extras, versions, an alias: taken out with a name of that kind"""
_COMMAND = re.compile(r"""(?:"[^"\n]*"|'[^'\n]*'|[^;&|])*(?:(;|&&|\|\|)[ \t]*)?""")
"""a command or statement, and its separator from the next"""
_CODE_SPAN = re.compile(r"`([^`\n]+)`[ \t]*")
_OPEN_IMPORT = re.compile(r"[^\n#()]*\([^()`]*(?:\)|(?=```)|\Z)")
_FENCE = re.compile(
    r"^[ \t]*(```+|~~~+)[^\n`]*\n(.*?)^[ \t]*\1[ \t]*(?:\n|\Z)", re.MULTILINE | re.DOTALL
)
BETWEEN = 2
"""line ends between the items of a list, at most"""
_NUMBER = re.compile(r"^([ \t>]*)(\d{1,3})(?=[.)][ \t])", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Repaired:
    """An answer's text without its inventions."""

    text: str
    edits: tuple[int, ...]
    """offsets in ``text`` at which something was taken out, in code points, ascending"""
    kept: tuple[tuple[int, int], ...]
    """spans in ``text`` of the names that stayed"""
    forks: tuple[int, ...] = ()
    """offsets in ``text`` at which it departs from the answer, ascending: after an edit and what
    both have in common there, such as the bullet of the next item"""


@dataclass
class _Draft:
    """A text under repair; places in it move along with each change."""

    text: str
    kept: list[tuple[int, int]]
    """spans of the names that stay"""
    numbers: list[int | None]
    """where the numbers of list items are; None where one was taken out"""
    removed: dict[int, str]
    """where something was taken out, and what; of several things at one place the first"""

    def replace(self, start: int, end: int, new: str = "") -> None:
        """Put ``new`` where a span was that holds no kept name."""
        self.text = self.text[:start] + new + self.text[end:]
        shift = len(new) - (end - start)
        self.kept = [(a + shift, b + shift) if a >= end else (a, b) for a, b in self.kept]
        self.removed = {
            at + shift if at >= end else min(at, start): gone for at, gone in self.removed.items()
        }
        self.numbers = [at + shift if at is not None and at >= end else at for at in self.numbers]

    def cut(self, start: int, end: int) -> None:
        """Take a span out and note where."""
        self.numbers = [None if at is not None and start <= at < end else at for at in self.numbers]
        gone = self.text[start:end]
        self.replace(start, end)
        self.removed[start] = gone

    def is_free(self, start: int, end: int) -> bool:
        """True where the span touches no kept name."""
        return all(a >= end or b <= start for a, b in self.kept)

    def forks(self) -> tuple[int, ...]:
        """Where the text departs from what it was before the cuts."""
        places = set()
        for at, gone in self.removed.items():
            behind = self.text[at:]
            pairs = enumerate(zip(gone + behind, behind, strict=False))
            alike = next((number for number, (a, b) in pairs if a != b), len(behind))
            places.add(at + alike)
        return tuple(sorted(places))


def repair(answer: Answer) -> Repaired:
    """The answer without its invented names. One that has none is returned unchanged."""
    pending = sorted(
        (judged.ref for judged in answer.judged if judged.lookup.invented),
        key=lambda ref: ref.start,
    )
    kept = [(j.ref.start, j.ref.end) for j in answer.judged if not j.lookup.invented]
    numbered = list(_NUMBER.finditer(answer.sample.text))
    draft = _Draft(answer.sample.text, kept, [match.start(2) for match in numbered], {})
    while pending:  # the last one first: then the places of the others still hold
        start, end = _unit(draft, pending.pop())
        draft.cut(start, end)
        pending = [ref for ref in pending if ref.start < start]
    for fence in reversed(list(_FENCE.finditer(draft.text))):
        emptied = any(fence.start() < edit < fence.end() for edit in draft.removed)
        if emptied and not fence[2].strip():
            draft.cut(*fence.span())
    _renumber(draft, numbered)
    edits = tuple(sorted(draft.removed))
    return Repaired(draft.text, edits, tuple(draft.kept), draft.forks())


def ended(repaired: Repaired, answer: Answer) -> Repaired:
    """A list that was cut off, shortened so that it ends: after its last whole line, with the fence
    around that closed. Any other answer is returned unchanged.
    """
    sample, text = answer.sample, repaired.text
    listing = sample.prompt.context is not Context.CODE and "\n" in text
    last = max((*repaired.edits, *(end for _, end in repaired.kept)), default=0)
    if not (sample.truncated and repaired.edits and listing) or text.count("\n", last) > BETWEEN:
        return repaired
    text = text[: text.rindex("\n")].rstrip()
    kept = tuple(span for span in repaired.kept if span[1] <= len(text))
    edits, forks = (
        tuple(place for place in places if place < len(text))
        for places in (repaired.edits, repaired.forks)
    )
    forks = (*forks, len(text))
    if any(not block.closed for block in blocks(text)):
        text += "\n```"
    return Repaired(text, (*edits, len(text)), kept, forks)


def _unit(draft: _Draft, ref: PackageRef) -> tuple[int, int]:
    """The widest of line, code span, command and word around the name that holds no kept one."""
    start, end = _line(draft.text, ref)
    if draft.is_free(start, end):
        at_the_end = end == len(draft.text) and not draft.text.endswith("\n")
        return (max(start - 1, 0) if at_the_end else start, end)
    if ref.kind in (RefKind.INSTALL, RefKind.IMPORT):
        end -= draft.text.endswith("\n", start, end)
        for span in _CODE_SPAN.finditer(draft.text, start, end):
            if span.start() < ref.start < span.end(1):
                if draft.is_free(*span.span()):
                    return span.span()
                start, end = span.span(1)
                break
        command = _command(draft.text, start, end, ref)
        if draft.is_free(*command):
            return command
    return _word(draft, start, ref)


def _line(text: str, ref: PackageRef) -> tuple[int, int]:
    """The name's line with its newline, its continuations and the brackets that it opens."""
    start = text.rfind("\n", 0, ref.start) + 1
    while start and text.endswith(("\\\n", "\\\r\n"), 0, start):
        start = text.rfind("\n", 0, start - 1) + 1
    behind = ref.end
    if ref.kind is RefKind.IMPORT and (opened := _OPEN_IMPORT.match(text, ref.end)):
        behind = opened.end()
    end = _line_end(text, behind)
    while text.endswith(("\\\n", "\\\r\n"), start, end) and end < len(text):
        end = _line_end(text, end)
    return (start, end)


def _line_end(text: str, place: int) -> int:
    newline = text.find("\n", place)
    return len(text) if newline < 0 else newline + 1


def _command(text: str, start: int, end: int, ref: PackageRef) -> tuple[int, int]:
    """The name's command or statement among those of a line, with one separator."""
    start += len(text[start:end]) - len(text[start:end].lstrip())
    separator = start
    for command in _COMMAND.finditer(text, start, end):
        if command.end() > ref.start:
            if command[1]:
                return (command.start(), command.end())
            return (len(text[:separator].rstrip(" \t")), command.end())
        separator = command.start(1) if command[1] else command.end()
    return (start, end)


def _word(draft: _Draft, line_start: int, ref: PackageRef) -> tuple[int, int]:
    """The name with what is glued to it, and what joins it to its neighbours."""
    text = draft.text
    before = text[line_start : ref.start]
    glued = _GLUED_BEFORE[ref.kind].search(before)
    behind = _GLUED_BEHIND[ref.kind].match(text, ref.end)
    assert glued is not None
    assert behind is not None  # both match the empty text
    start, end = ref.start - len(glued[0]), behind.end()
    if ref.kind is RefKind.INSTALL and glued[0]:
        closing = text.find(glued[0], ref.end, _line_end(text, ref.end))
        end = closing + 1 if closing >= 0 else end
    if not draft.is_free(start, end):
        start, end = ref.start, ref.end
    before = text[line_start:start]
    if joined := _JOINED_BEFORE.search(before):
        return (line_start + joined.start(), end)
    if joined := _JOINED_BEHIND.match(text, end):
        return (start, joined.end())
    gap = _GAP_BEFORE.search(before)
    return (start - len(gap[0]) if gap else start, end)


def _renumber(draft: _Draft, numbered: list[re.Match[str]]) -> None:
    """Closes the gaps in the numbers of lists whose items were taken out."""
    lists: dict[str, tuple[int, int]] = {}  # by indent: the last number, items gone before
    changes: list[tuple[int, int, str]] = []
    for match, place in zip(numbered, draft.numbers, strict=True):
        number = int(match[2])
        last, gone = lists.get(match[1], (0, 0))
        if number != last + 1:
            gone = 0  # another list
        if place is None:
            gone += 1
        elif gone:
            changes.append((place, place + len(match[2]), str(number - gone)))
        lists[match[1]] = (number, gone)
    for change in reversed(changes):
        draft.replace(*change)
