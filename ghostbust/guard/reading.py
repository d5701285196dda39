"""Reads an answer while it is written, and says where the first invented name stands.

It reads by the extractors and judges by a snapshot, so what the guard calls an invention is what
ghostbust calls one elsewhere. A name is read when its line has ended: until then it may go on.
Nothing is asked of a network. What the snapshot can't judge (UNKNOWN) is let through, and so is a
name that the prompt held first.

A long answer is read by windows, so the time is linear in its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ghostbust.extractors.asking import asks_for_list
from ghostbust.extractors.extract import examine
from ghostbust.extractors.interface import Language
from ghostbust.records import Ecosystem, Flag, Judged, PackageRef, RefKind
from ghostbust.registries.judge import Judge, Mode, default_judge

INSTALLED = frozenset({RefKind.INSTALL, RefKind.MANIFEST})
"""kinds whose names an installer takes as they stand"""
WINDOW = 4_000
"""characters before a line that it is read with; of a longer answer the rest is forgotten"""
LONGEST_LINE = 2_000
"""characters; a longer line is read in pieces, lest a name wait for its end for ever"""
LONGEST_OPENING = 200
"""characters of the line that opens a fence; it is read again with every line of a long one"""

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_MAY_NAME = re.compile(
    r"import|require|from\b|install|\badd\b|\b(?:npx|uvx|bunx|dlx|exec|crate|use)\b"
    r"|[-_a-z0-9] ?[=<>~^]=|[\"'`]|^[ \t]*(?:[-*+•]|\d{1,3}[.)]) |\b(?:pip|npm|cargo|conda)\b",
    re.MULTILINE | re.IGNORECASE,
)
"""what is in every line that names a package, but for lists and files of requirements"""


def _as_word(name: str) -> re.Pattern[str]:
    """A name as one word, with any marks between its parts, or none."""
    parts = "[-_.]*".join(re.escape(part) for part in re.split(r"[-_.]+", name))
    return re.compile(rf"(?<![\w-]){parts}(?!\w|-\w)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader must know of the prompt of an answer."""

    text: str = ""
    expects_list: bool = False
    """True where it asks for a list of names, so that list items are names"""
    ecosystem: Ecosystem | None = None
    """of listed names; None where the answer shows it"""

    @classmethod
    def of(cls, text: str) -> Asked:
        """What a prompt says that is known by its text only."""
        return cls(text, asks_for_list(text))

    def named(self, ref: PackageRef) -> bool:
        """Whether the prompt named the package first.

        Where an installer takes a name as it stands, the prompt must have it as one word: "the pip
        install command" names no ``pip-install-command``, which anybody could register.
        """
        if Flag.PROMPT_INDUCED not in ref.flags:
            return False
        names = {name for name in (ref.raw, ref.name) if name}
        return ref.kind not in INSTALLED or any(_as_word(name).search(self.text) for name in names)


@dataclass(frozen=True, slots=True)
class Guard:
    """What is an invention. One guard reads any number of answers, from any thread."""

    judge: Judge
    """in snapshot mode: nothing is asked while a model decodes"""
    hard: frozenset[RefKind] = INSTALLED
    """kinds of which a sampler may write no invention at all"""

    def __post_init__(self) -> None:
        """Raises ValueError for a judge that would ask a network."""
        if self.judge.mode is not Mode.SNAPSHOT:
            raise ValueError(f"a guard judges by a snapshot, not {self.judge.mode}")

    def inventions(self, text: str, asked: Asked, *, truncated: bool = False) -> list[Judged]:
        """The invented names in ``text`` that the prompt didn't hold, by their place."""
        found = examine(
            text,
            language=Language.AUTO,
            expect_list=asked.expects_list,
            truncated=truncated,
            prompt_text=asked.text,
            ecosystem=asked.ecosystem,
        )
        own = [ref for ref in found.refs if not asked.named(ref)]
        return [one for one in self.judge.refs(own) if one.lookup.invented]

    @classmethod
    def by_snapshots(
        cls,
        data_dir: Path | None = None,
        *,
        as_of: date | None = None,
        cutoff: date | None = None,
        hard: Iterable[RefKind] = INSTALLED,
    ) -> Guard:
        """A guard that judges by this machine's snapshots; other arguments as of `default_judge`.

        Raises SnapshotError.
        """
        judge = default_judge(Mode.SNAPSHOT, data_dir=data_dir, as_of=as_of, cutoff=cutoff)
        return cls(judge, frozenset(hard))

    def read(self, asked: Asked) -> Reading:
        """The reading of one answer."""
        return Reading(self, asked)


class Reading:
    """One answer that is being written. Call `first` as it grows; it may shrink between calls."""

    def __init__(self, guard: Guard, asked: Asked) -> None:
        self._guard, self._asked = guard, asked
        self._read = 0
        """characters that were read and hold no invention"""
        self._let = 0
        """characters in which inventions are let through"""
        self._fences = _Fences()

    def first(
        self, text: str, *, ended: bool = False, truncated: bool = False, in_line: bool = False
    ) -> Judged | None:
        """The first invention in the answer so far, with its span in ``text``; None for none.

        Only whole lines are read, unless it has ``ended``; ``truncated`` where the token limit
        ended it. Its end may show more of the lines before it, so those are then read again.
        ``in_line``: the line that isn't whole yet is read, too, and will be again.
        """
        is_long = len(text) - self._read > LONGEST_LINE
        whole = text.rfind("\n") + 1
        end = len(text) if ended or is_long or in_line else whole
        self._read = min(self._read, max(len(text) - WINDOW, 0) if ended else len(text))
        self._let = min(self._let, len(text))
        while self._read < end:
            piece = min(end, self._read + WINDOW)
            is_cut = truncated or not ended if piece == len(text) else text[piece - 1] != "\n"
            if found := self._first(text, piece, truncated=is_cut):
                return found
            self._read = min(piece, whole) if in_line else piece
            if piece == end:
                break
        return None

    def let_through(self, place: int) -> None:
        """What was found before this place isn't returned again."""
        self._let = place

    def may_name_at(self, text: str, line: int, place: int) -> bool:
        """Whether the line that begins at ``line`` may name a package, by what begins at ``place``.

        True anywhere in a fence, and where a list was asked for.
        """
        inside = self._asked.expects_list or self.fence_at(text, line) is not None
        return inside or _MAY_NAME.search(text, place) is not None

    def fence_at(self, text: str, place: int) -> str | None:
        """The line that opened the fence around a place; None outside of fences."""
        return self._fences.open_at(text, place)

    def shortened(self, text: str) -> str:
        """What is still needed of the answer so far; from now on it stands for the answer.

        Its end is that of ``text``, so spans move by the difference of the lengths.
        """
        start, fence = self._window(text)
        rest = f"{fence}{text[start:]}"
        if len(rest) >= len(text):
            return text
        self._read += len(rest) - len(text)
        self._let += len(rest) - len(text)
        self._fences = _Fences()
        return rest

    def _first(self, text: str, end: int, *, truncated: bool) -> Judged | None:
        """The first invention that is seen from the window before ``end``."""
        if not self._may_name(text, text[self._begun(text) : end]):
            return None
        start, fence = self._window(text)
        window = fence + text[start:end]
        for one in self._guard.inventions(window, self._asked, truncated=truncated):
            shift = start - len(fence)
            if one.ref.start >= len(fence) and one.ref.end + shift > self._let:
                ref = replace(one.ref, start=one.ref.start + shift, end=one.ref.end + shift)
                return replace(one, ref=ref)
        return None

    def _begun(self, text: str) -> int:
        """Where the line begins that goes on at what is new; its command may stand there."""
        start = text.rfind("\n", 0, self._read) + 1
        while start and goes_on(text, start):
            start = text.rfind("\n", 0, start - 1) + 1
        return max(start, self._read - WINDOW)

    def _may_name(self, text: str, new: str) -> bool:
        """False where the new lines can't name a package, which is so for most lines of code."""
        if self._asked.expects_list or _MAY_NAME.search(new):
            return True
        inside = self._fences.open_at(text, self._read)
        return inside is not None and bool(new.strip()) and is_dependencies(inside)

    def _window(self, text: str) -> tuple[int, str]:
        """Where the part begins that is read, and the fence that it stands in if that is before."""
        if self._read <= WINDOW:
            return 0, ""
        start = text.find("\n", self._read - WINDOW) + 1
        if not 0 < start <= self._read:
            start = self._read - WINDOW
        inside = self._fences.open_at(text, start)
        return start, "" if inside is None else f"{inside}\n"


class _Fences:
    """Which fence is open at a place; each line is looked at once."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, str | None]] = [(0, None)]
        """place behind a fence's line, and the fence that is open from there; sorted"""
        self._end = 0

    def open_at(self, text: str, place: int) -> str | None:
        """The line that opened the fence around ``place``; None outside of fences."""
        if place < self._end:
            self._seen = [one for one in self._seen if one[0] <= place] or [(0, None)]
        else:
            opened = self._seen[-1][1]
            for found in FENCE.finditer(text, self._end, place):
                mark = found[1]
                if opened is None:
                    opened = found[0].strip()[:LONGEST_OPENING]
                elif opened.startswith(mark) and not found[2].strip():
                    opened = None
                else:
                    continue
                self._seen.append((found.end(), opened))
        self._end = place
        return self._seen[-1][1]


def goes_on(text: str, line: int) -> bool:
    """Whether the line that begins here goes on the one before, which ends in a backslash."""
    return text[max(line - 3, 0) : line].rstrip("\r\n").endswith("\\")


def is_dependencies(opening: str) -> bool:
    """Whether a fence's label says that each line of it may be a requirement."""
    label = opening.lstrip("`~").strip().lower()
    return not label or any(word in label for word in ("req", "txt", "text", "toml", "yaml", "yml"))
