"""Edits of an answer that a server streams, for servers that can't draw an invented name anew.

An answer leaves by lines: a line that may name a package leaves when it was read. A line that goes
on in the next one (by a backslash) is one line. Of a line of prose all but its last words leave
before its end, as long as there is nothing in it that names stand beside.

If a later line shows that an earlier one named something, that line has left: only the note comes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ghostbust.guard.reading import LONGEST_LINE, WINDOW, Reading, goes_on
from ghostbust.records import Ecosystem, Judged, Lookup, RefKind, Verdict
from ghostbust.text import visible

Action = Literal["annotate", "replace", "stop"]
Nearest = Callable[[Lookup], Sequence[str]]
"""real names that may have been meant; may be none"""

MOST_NAMED: Final = 3
"""invented names of a line that its note says; the line is read once more for each"""
LONGEST_NAME: Final = 256
"""characters that are kept back of a line too long to wait for; no registry has longer names"""
_MOST_SHOWN: Final = 80
"""characters of a name in a note"""
_LONG: Final = 4 * WINDOW
"""characters of an answer from which on its beginning is forgotten"""
_PROSE: Final = re.compile(r"[ \t]*[A-Z][a-z]*(?: [a-z]+,?){2} ")
"""how a line begins that is a sentence, and no code"""
_LONGEST_SIGN: Final = 16
"""characters of the longest word that names stand beside, and more"""
_LEAD: Final = re.compile(r"[ \t]*")
_SLASHES: Final = frozenset(
    """c cpp go java javascript js json json5 jsonc jsx kotlin mjs rs rust swift ts tsx
    typescript""".split()  # noqa: SIM905
)
"""labels of fences whose comments begin with ``//``; all others' begin with ``#``"""
_CODE: Final = (RefKind.IMPORT, RefKind.MANIFEST)
_REGISTRIES: Final = {
    Ecosystem.PYPI: "PyPI",
    Ecosystem.NPM: "the npm registry",
    Ecosystem.CARGO: "the registry of crates",
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A stretch of an answer, and what takes its place. Offsets are those of the whole answer."""

    start: int
    end: int
    text: str


class AnswerFilter:
    """Reads one answer while it arrives, and says what of it may leave."""

    def __init__(self, reading: Reading, action: Action, nearest: Nearest) -> None:
        self._reading, self._action, self._nearest = reading, action, nearest
        self._text = ""
        """the end of the answer so far, all of it while it is short; offsets are in it"""
        self._base = 0
        """to be added to an offset for the answer's"""
        self._line = 0
        """where the line begins that is still to be read"""
        self._checked = 0
        self._clear = 0
        self._may_name = False
        """whether something in that line may stand beside a name"""
        self._dropping = False
        """True in the rest of a line whose beginning was replaced"""
        self._note = ""
        """for the end of a line that hasn't ended"""
        self.invented = 0
        """names found so far"""
        self.stopped = False
        """True where the answer ends with the last edit"""

    @property
    def clear(self) -> int:
        """Characters of the answer that may leave, changed by the edits."""
        return self._base + self._clear

    def take(self, piece: str) -> bool:
        """Takes what arrived. True where `check` has to be called."""
        start = len(self._text)
        self._text += piece
        if "\n" in piece or len(self._text) - self._checked > LONGEST_LINE:
            return True
        self._leave_early(start)
        return False

    def check(self, *, ended: bool = False, truncated: bool = False) -> list[Edit]:
        """Reads what is whole, and returns the new edits, in order. Takes some milliseconds.

        ``truncated``: the token limit ended the answer.
        """
        is_cut = not ended and len(self._text) - self._checked > LONGEST_LINE
        end = len(self._text) if ended or is_cut else self._whole_lines()
        seen = self._text[:end]
        edits = self._end_of_line(seen, ended=ended)
        while not self.stopped and (
            found := self._reading.first(seen, ended=ended, truncated=truncated)
        ):
            names = self._named_with(found, seen, ended=ended, truncated=truncated)
            done = max(self._clear, *(one.end for one in edits), 0)
            edits += self._edit(seen, names, done, ended=ended)
        done = max((one.end for one in edits), default=0)
        self._clear = max(self._clear, done, self._before_word(end) if is_cut else end)
        line = seen.rfind("\n") + 1 if is_cut else end
        self._may_name = self._may_name and line == self._line
        self._line, self._checked = line, end
        edits = [Edit(self._base + e.start, self._base + e.end, e.text) for e in edits]
        if len(self._text) > _LONG:
            self._forget()
        return edits

    def _before_word(self, end: int) -> int:
        """A place in a line that hasn't ended behind which a name may go on that was begun."""
        place = max(end - LONGEST_NAME, 0)
        return self._text.rfind(" ", self._clear, place) + 1 or place

    def _whole_lines(self) -> int:
        """Where the last line ends that doesn't go on in the next one."""
        text = self._text
        end = text.rfind("\n") + 1
        while end > self._line and goes_on(text, end):
            end = text.rfind("\n", 0, end - 1) + 1
        return max(end, self._line)

    def _leave_early(self, start: int) -> None:
        """Lets the beginning of a sentence leave in which no name can be any more."""
        text, line = self._text, self._line
        self._may_name = self._may_name or self._reading.may_name_at(
            text, line, max(line, start - _LONGEST_SIGN)
        )
        if self._may_name or self._dropping or self._note or not _PROSE.match(text, line):
            return
        last_word = text.rfind(" ", line)
        self._clear = max(self._clear, text.rfind(" ", line, last_word) + 1)

    def _end_of_line(self, seen: str, *, ended: bool) -> list[Edit]:
        """What is still to be done to a line that was too long to wait for."""
        newline = seen.find("\n", self._clear)
        end = len(seen) if newline < 0 else newline
        edits: list[Edit] = []
        if self._dropping and end > self._clear:
            edits.append(Edit(self._clear, end, ""))
        if newline >= 0 or ended:
            if self._note:
                edits.append(Edit(end, end, self._note))
            self._dropping, self._note = False, ""
        return edits

    def _named_with(
        self, found: Judged, seen: str, *, ended: bool, truncated: bool
    ) -> list[Judged]:
        """The invention and the next ones in its line, `MOST_NAMED` at most."""
        names = [found]
        _, end = _line_of(seen, found)
        while len(names) < MOST_NAMED:
            self._reading.let_through(names[-1].ref.end)
            more = self._reading.first(seen, ended=ended, truncated=truncated)
            if more is None or more.ref.start > end:
                break
            names.append(more)
        self._reading.let_through(end)
        self.invented += len(names)
        return names

    def _edit(self, seen: str, names: list[Judged], done: int, *, ended: bool) -> list[Edit]:
        """What is done to the line of these names. ``done``: what was before has left."""
        line, end = _line_of(seen, names[0])
        note = _Note(self._said(names), seen[line:end], self._reading.fence_at(seen, line), names)
        if self._action == "stop":
            self.stopped = True
            begun = "" if done <= line else "\n"
            return [Edit(max(line, done), len(seen), f"{begun}{note.last}")]
        if end <= done:  # its line has left
            is_begun = done > 0 and seen[done - 1] != "\n"
            return [Edit(done, done, "\n" * is_begun + f"{note.alone}\n")]
        has_ended = ended or end < len(seen)
        if self._action == "replace":
            self._dropping = not has_ended
            return [Edit(max(line, done), end, note.rest if done > line else note.instead)]
        if has_ended:
            return [Edit(end, end, note.behind)]
        self._note = note.behind
        return []

    def _said(self, names: Sequence[Judged]) -> str:
        """What is wrong with the names, in one line."""
        parts = []
        for one in names:
            name = visible(one.ref.raw)[:_MOST_SHOWN]
            where = _REGISTRIES[one.ref.ecosystem]
            if one.lookup.verdict is Verdict.SUSPECT:
                parts.append(f"{name} on {where} is suspect: {one.lookup.reason}")
                continue
            near = ", ".join(self._nearest(one.lookup))
            is_import = one.ref.kind is RefKind.IMPORT
            said = f"nothing on {where} is {name}" if is_import else f"{name} is not on {where}"
            parts.append(f"{said}; near: {near}" if near else said)
        return f"ghostbust: {'; '.join(dict.fromkeys(parts))}"

    def _forget(self) -> None:
        """Keeps of the answer what will be read again."""
        text = self._reading.shortened(self._text)
        gone = len(self._text) - len(text)
        self._text = text
        self._base += gone
        self._line -= gone
        self._checked -= gone
        self._clear -= gone


def _line_of(seen: str, found: Judged) -> tuple[int, int]:
    """Where a name's line begins and ends, with the lines that backslashes make one with it."""
    line = seen.rfind("\n", 0, found.ref.start) + 1
    while line and goes_on(seen, line):
        line = seen.rfind("\n", 0, line - 1) + 1
    end = seen.find("\n", found.ref.end) + 1
    while end and goes_on(seen, end):
        end = seen.find("\n", end) + 1
    if not end:
        return line, len(seen)
    return line, end - (2 if seen.endswith("\r\n", 0, end) else 1)


class _Note:
    """A note in the language of its place: a comment in code, brackets in prose."""

    def __init__(self, said: str, line: str, opening: str | None, names: Sequence[Judged]) -> None:
        """``line`` is the one that it is about, ``opening`` the line that opened the fence."""
        self._opening, label = opening, _label(opening)
        ref = names[0].ref
        # An answer may be code without a fence around it.
        is_code = opening is not None or (ref.kind in _CODE and "`" not in line)
        has_slashes = label in _SLASHES or (not label and ref.ecosystem is not Ecosystem.PYPI)
        self.alone = f"[{said}]" if not is_code else f"// {said}" if has_slashes else f"# {said}"
        """on a line of its own"""
        self.behind = f"  {self.alone}" if is_code else f" {self.alone}"
        """at the end of a line"""
        self.rest = f"\n{self.alone}" if is_code else self.alone
        """in the place of the rest of a line whose beginning has left"""
        lead = _LEAD.match(line)
        assert lead is not None  # it matches nothing, too
        # Where an indented import was all that a block held, Python needs a statement.
        is_block = ref.kind is RefKind.IMPORT and ref.ecosystem is Ecosystem.PYPI and is_code
        is_block = is_block and bool(lead[0])
        self.instead = lead[0] + (f"pass  {self.alone}" if is_block else self.alone)
        """in the place of the line"""

    @property
    def last(self) -> str:
        """At the end of an answer that ends here."""
        if self._opening is None:
            return self.alone
        mark = self._opening[: len(self._opening) - len(self._opening.lstrip(self._opening[0]))]
        return f"{self.alone}\n{mark}\n"


def _label(opening: str | None) -> str:
    """The language of a fence as its first word says it, in small letters; empty for none."""
    words = (opening or "").lstrip("`~").replace("{", " ").replace("}", " ").split()
    return words[0].lstrip(".").lower() if words else ""
