"""Says, while an answer is written, whether a package's name is being written at its end.

The extractors decide that, too: a name that nobody uses (`SENTINEL`) is put where the next one
would begin, and if they read a package ref there, then that is a place for a name, with that
ref's kind and ecosystem. They are asked only where a cheap pattern says that it may be one, with
a short window before it, so that the time is linear in the answer's length and the memory flat.

Does not see what the patterns don't know, such as names in code that builds a command from parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ghostbust.extractors.extract import examine
from ghostbust.extractors.installers import PROGRAMS
from ghostbust.extractors.interface import Language
from ghostbust.guard.names import form_of
from ghostbust.guard.reading import FENCE, Asked, is_dependencies
from ghostbust.records import PackageRef, RefKind

SENTINEL = "zzqx"
SPAN = 1_000
"""characters before a place that it is asked about with"""
_LIST_SPAN = 400
"""the same in prose that lists names, where it is asked more often"""
LONGEST_NAME = 214
"""characters, as in npm's rule; what is longer is no name"""
_LINE = 400
"""characters of a line that the patterns see"""
_MODULES = 1_000
"""modules of an answer's own that are remembered"""

_PROGRAMS = "|".join(sorted(map(re.escape, PROGRAMS), key=len, reverse=True))
_TRIGGER = re.compile(
    rf"\b(?:import|from|require|use|crate)\b|(?<![\w-])(?:{_PROGRAMS})(?![a-zA-Z])"
)
"""in a line that may name a package, wherever it stands"""
_MANIFEST = re.compile(r"depend|require", re.IGNORECASE)
_REQUIREMENT = re.compile(r"[-_a-z0-9\]] ?[=<>~]=", re.IGNORECASE)
_OPENINGS = re.compile(
    # a statement of Python or Rust
    r"(?:^|[;`>:])\s*(?:import|from|use|extern\s+crate)\s+(?:[\w.]+(?:\s+as\s+\w+)?\s*,\s*)*$"
    r"|\b(?:from|import|require|resolve|mock)\s*\(?\s*[\"'`]$"  # JavaScript
    rf"|(?<![\w-])(?:{_PROGRAMS})(?:\d[\d.]*)?\s.*[\s\"'`=,]$",  # a command
    re.DOTALL,
)
"""the ends of lines behind which a name may stand"""
_ENTRY = re.compile(r"(?:^|[\[{(,=:])\s*(?:-\s+)?[\"']?$")
"""the same in a manifest"""
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+[`*\"'\[(]*$|[`\"'\[]$|,\s*$|\*\*$")
"""the same in a list"""
_BARE = re.compile(r"[A-Za-z0-9@][A-Za-z0-9._@/-]*\s*")
"""a line that is nothing but a name"""
_FROM = re.compile(r"(?:^|[;`>:])\s*from\s+$")
_FILE = re.compile(r"([\w/]+)\.py\b")
_WORD = re.compile(r"@?[A-Za-z0-9_]+|@$")


def begun(ref: PackageRef, text: str) -> str:
    """The characters of a name that ``text`` begins with at the place of a ref; empty for none."""
    found = form_of(ref).match(text)
    taken = found[0] if found else ""
    is_number = ref.kind is RefKind.LIST and taken.rstrip(".").isdigit()
    return "" if is_number else taken


def first_word(text: str) -> tuple[str, str]:
    """What stands before the first word of a text, and the text from there on."""
    found = _WORD.search(text)
    at = found.start() if found else len(text)
    return text[:at], text[at:]


@dataclass(frozen=True, slots=True)
class OpenName:
    """A name that is being written at the end of an answer."""

    ref: PackageRef
    """its kind and ecosystem; its name is the `SENTINEL`"""
    written: str
    """what stands of it already; never empty"""

    def taken(self, text: str) -> str:
        """How far ``text`` goes on with the name."""
        whole = self.written + text
        found = form_of(self.ref).match(whole)
        return whole[len(self.written) : found.end()] if found else ""


class Writing:
    """One answer that is being written."""

    def __init__(self, asked: Asked) -> None:
        self.name: OpenName | None = None
        """the name at the end; None where none is written"""
        self.modules: dict[str, None] = {}
        """Python modules of the answer's own, as far as file names in it show them"""
        self.may_open = asked.expects_list
        """whether a name may begin soon: in this line, or with the next character"""
        self._asked = asked
        self._window = ""
        """the last characters"""
        self._start = 0
        """of the window in the answer"""
        self._line = 0
        """where the last line begins in the answer; one that ends in a backslash goes on"""
        self._fence: tuple[int, str] | None = None
        """where the open fence begins, and its line with the one before"""
        self._is_manifest = -1
        """up to where in the answer quoted words may be names of a manifest"""
        self._known: dict[str, PackageRef | None] = {}
        """the answers of `opens` at this place"""

    def add(self, text: str) -> None:
        """Appends what was written next."""
        while text:
            if self.name is not None:
                taken = self.name.taken(text)
                self._append(taken)
                text = text[len(taken) :]
                name = replace(self.name, written=self.name.written + taken)
                self.name = None if text or len(name.written) > LONGEST_NAME else name
                continue
            lead, text = first_word(text)
            ref = self.opens(lead) if text else None
            self._append(lead)
            taken = begun(ref, text) if ref else ""
            if ref and taken:
                self.name = OpenName(ref, taken)
            elif text:
                taken = _WORD.match(text)[0]  # type: ignore[index]
            self._append(taken)
            text = text[len(taken) :]
            if text:
                self.name = None

    def opens(self, lead: str) -> PackageRef | None:
        """The place that a name takes if it stands behind ``lead`` at the end of the answer.

        As a ref to the `SENTINEL`; None where no package's name stands there.
        """
        if lead not in self._known:
            is_start = lead or (not self._window[-1:].isalnum() and self._window[-1:] != "_")
            line = self._last_line(lead)
            may = is_start and self._may_stand(line, starts="\n" in lead)
            self._known[lead] = self._asked_about(lead) if may else None
        return self._known[lead]

    def seen(self, behind: str) -> tuple[str, int]:
        """The end of the answer as the extractors are asked about it, ``behind`` at its end; and
        how far it is before that."""
        span = _LIST_SPAN if self._asked.expects_list and not self._fence else SPAN
        start = max(len(self._window) - span, 0)
        if start:
            start = self._window.find("\n", start, -1) + 1 or start
        is_before = self._fence is not None and self._fence[0] < self._start + start
        head = f"{self._fence[1]}\n" if self._fence and is_before else ""
        text = head + self._window[start:]
        return text + behind, len(text)

    def ending(self, lead: str = "") -> str:
        """What completes the statement or the text in quotes that a name stands in behind
        ``lead``, so that it is read as one."""
        line = self._last_line(lead)
        if self.name:
            line = line.removesuffix(self.name.written)
        if _FROM.search(line):
            return " import x"
        return line[-1] if line[-1:] in ("'", '"', "`") and line[-1:] else ""

    def _last_line(self, lead: str) -> str:
        if "\n" in lead and not self._window.endswith("\\"):
            return lead.rpartition("\n")[2]
        return (self._window[max(self._line - self._start, 0) :] + lead)[-_LINE:]

    def _may_stand(self, line: str, *, starts: bool) -> bool:
        if _OPENINGS.search(line):
            return True
        if self._asked.expects_list and (
            _ITEM.search(line) or (not line.strip() and self._is_bare_list(starts=starts))
        ):
            return True
        is_fence = starts and "```" in self._window[max(self._line - self._start, 0) :]
        end = self._start + len(self._window)
        if self._is_manifest >= end or self._lists_requirements() or is_fence:
            return _ENTRY.search(line) is not None
        return False

    def _asked_about(self, lead: str) -> PackageRef | None:
        behind = lead + SENTINEL + self.ending(lead)
        text, length = self.seen(behind)
        place = length + len(lead)
        found = examine(
            text,
            language=Language.AUTO,
            expect_list=self._asked.expects_list,
            ecosystem=self._asked.ecosystem,
        )
        return next((ref for ref in found.refs if ref.start == place), None)

    def _is_bare_list(self, *, starts: bool) -> bool:
        """Whether the line before is nothing but a name, or opens a fence."""
        end = len(self._window) if starts else max(self._line - self._start, 0)
        above = self._window[:end].rstrip().rpartition("\n")[2]
        return above.startswith("```") or _BARE.fullmatch(above[-_LINE:]) is not None

    def _lists_requirements(self) -> bool:
        if self._fence is None:
            return False
        return is_dependencies(self._fence[1].rpartition("\n")[2])

    def _append(self, text: str) -> None:
        if not text:
            return
        self._known.clear()
        self._window += text
        end = self._start + len(self._window)
        if "\n" in text:
            self._end_lines(end)
        line = self._window[max(self._line - self._start, len(self._window) - len(text) - 24, 0) :]
        if not self.may_open and _TRIGGER.search(line):
            self.may_open = True
        if _MANIFEST.search(line):
            self._is_manifest = end + SPAN
            self.may_open = True
        if len(self._window) > 3 * SPAN:
            self._start += len(self._window) - 2 * SPAN
            self._window = self._window[-2 * SPAN :]

    def _end_lines(self, end: int) -> None:
        """Takes note of the lines that the newest text has ended."""
        before = max(self._line - self._start, 0)
        last = self._window.rfind("\n") + 1
        for line in self._window[before:last].splitlines(keepends=True):
            place, before = before, before + len(line)
            if found := FENCE.match(line.rstrip("\n")):
                self._enter_or_leave(found, place)
            for path in _FILE.findall(line[:_LINE]) if ".py" in line else ():
                if len(self.modules) < _MODULES:
                    self.modules[path.rpartition("/")[2]] = None
        whole = self._window[:last].rstrip("\n")
        if not whole.endswith("\\"):
            self._line = self._start + last
        is_listed = self._fence is None and _REQUIREMENT.search(whole[-_LINE:].rpartition("\n")[2])
        if is_listed:
            self._is_manifest = max(self._is_manifest, end + 80)
        self.may_open = (
            self._asked.expects_list
            or self._is_manifest >= end
            or whole.endswith("\\")
            or self._lists_requirements()
        )

    def _enter_or_leave(self, found: re.Match[str], place: int) -> None:
        if self._fence is None:
            above = self._window[:place].rstrip().rpartition("\n")[2][-_LINE:]
            opening = found[0].strip()[:_LINE]
            self._fence = self._start + place, f"{above}\n{opening}" if above else opening
        else:
            opening = self._fence[1].rpartition("\n")[2]
            if opening.startswith(found[1]) and not found[2].strip():
                self._fence = None
