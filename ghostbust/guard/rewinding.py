"""The guard of a sampler that can take back what it has written.

An invented name is taken back and drawn anew, once as freely as before: the model itself often
knows a real one that it meant, and what it draws is its own distribution under the condition that
the name is real. A mask over tokens from the start would force the rest of a name once begun, and
walk into far-fetched ones. If it invents again, it is held to well-known names (``names.py``).
Where nothing can be drawn anew any more, a name is let through, or, where no invention may stand
(``Guard.hard``), the answer ends before its line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ghostbust.guard.names import KnownNames
from ghostbust.guard.reading import INSTALLED, Asked, Guard, Reading
from ghostbust.measure import asks_of_its_names
from ghostbust.records import Prompt, RefKind
from ghostbust.samplers.interface import Cut

REVISION = 1
"""raised with every change of what it does to an answer: answers of another one aren't reused"""
FREE_DRAWS = 4
"""names of an answer that are drawn anew as freely as before; whoever has invented so often is held
at once, lest the tokens run out"""
DUE_CHARACTERS = 256
"""an answer is read at least so often, however long its lines are"""


@dataclass(frozen=True, slots=True)
class RewindingGuard:
    """A guard for `LocalSampler`."""

    guard: Guard
    names: KnownNames = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", KnownNames(self.guard.judge.snapshots))

    def read(self, prompt: Prompt) -> RewindingReader:
        """The reader of one answer to the prompt."""
        own = "" if asks_of_its_names(prompt) else prompt.text
        asked = Asked(own, prompt.expects_list, prompt.ecosystem)
        return RewindingReader(
            self.guard.read(asked),
            self.names,
            expects_list=prompt.expects_list,
            hard=self.guard.hard,
        )


class RewindingReader:
    """Takes back the inventions of one answer."""

    def __init__(
        self,
        reading: Reading,
        names: KnownNames,
        *,
        expects_list: bool,
        hard: frozenset[RefKind] = INSTALLED,
    ) -> None:
        self._reading, self._names, self._hard = reading, names, hard
        self._marks = ("`", "**", "]", ":") if expects_list else ()
        self._unread, self._in_line = 0, False
        self._start, self._free = -1, 0

    def is_due(self, piece: str) -> bool:
        """True at a line's end, and where a listed name in marks may have ended."""
        self._unread += len(piece)
        self._in_line = "\n" not in piece and any(mark in piece for mark in self._marks)
        if self._unread < DUE_CHARACTERS and "\n" not in piece and not self._in_line:
            return False
        self._unread = 0
        return True

    def cut(self, text: str, *, ended: bool, truncated: bool, last: bool) -> Cut | None:
        """Before the first invention; None where there is none, or it is let through."""
        found = self._reading.first(text, ended=ended, truncated=truncated, in_line=self._in_line)
        if found is None:
            return None
        ref = found.ref
        if not last:
            is_free = ref.start != self._start and self._free < FREE_DRAWS
            self._start, self._free = ref.start, self._free + is_free
            return Cut(ref.start, place=None if is_free else self._names.place(ref))
        if ref.kind in self._hard:
            return Cut(text.rfind("\n", 0, ref.start) + 1, ends=True)
        self._reading.let_through(ref.end)
        return None
