"""The chance that what a token writes of a package's name ends in a real one.

For samplers that can't take a token back. A token's probability times that chance is the
distribution under the condition that the name is real, if the chance is right: one where a
well-known name begins so, less where only some other real name does (a model that is led by first
letters ends in far-fetched names, and such names are what attackers register), and nearly none
where no name does. Where no invention may stand (``Guard.hard``), that last one is none at all.

Real is what the guard doesn't call an invention: names of the prompt, built-in modules, and modules
of the answer's own, too.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ghostbust.extractors.python import distribution_of, is_stdlib
from ghostbust.guard.names import KnownNames
from ghostbust.guard.reading import INSTALLED, Asked, Guard
from ghostbust.guard.writing import Writing, begun, first_word
from ghostbust.records import Ecosystem, PackageRef, RefKind
from ghostbust.registries.names import canonical_name
from ghostbust.samplers.vocabulary import Vocabulary

OTHER = 0.1
"""the chance where no well-known name begins so, but `MANY` other real ones do; less for fewer"""
MANY = 100
NONE = 1e-6
"""the chance where none does, in an import or a list"""
_MARKS = re.compile(r"[-_.]+")
_PROMPT_WORDS = 5_000
_RUN = 8
"""words of a prompt that a name is made of, at most"""
_ADDRESS = "+:/"
"""characters behind ``git``, ``https`` or a folder, which are no names"""
_SENTENCE = re.compile(r"[A-Z][a-z]*")
"""a word that may begin the description which an item of a list is"""


def _plain(name: str) -> str:
    return _MARKS.sub("", name).lower()


class Continuations:
    """What is known of names, for any number of answers. Keeps what it was asked before."""

    def __init__(self, guard: Guard, vocabulary: Vocabulary) -> None:
        self.guard, self.vocabulary = guard, vocabulary
        self._snapshots = guard.judge.snapshots
        self._known = KnownNames(self._snapshots)
        self.begins = lru_cache(1 << 16)(self._begins)
        """the chance of a name that begins so; by ecosystem, whether it is imported, beginning"""
        self.is_real = lru_cache(1 << 14)(self._is_real)

    def judges(self, ref: PackageRef) -> bool:
        """Whether a name of that ecosystem can be called invented."""
        return self.guard.judge.tells_absent(ref.ecosystem)

    def _begins(self, ecosystem: Ecosystem, imported: bool, start: str) -> float:
        kind = RefKind.IMPORT if imported else RefKind.INSTALL
        place = self._known.place(PackageRef(ecosystem, kind, start, 0, len(start), start))
        if place is not None and place.may_follow(start):
            return 1.0
        found = self._snapshots[ecosystem].beginning(canonical_name(ecosystem, start), MANY)
        return OTHER * found / MANY

    def _is_real(self, ecosystem: Ecosystem, kind: RefKind, name: str) -> bool:
        owner: str | None = canonical_name(ecosystem, name)
        builtin = False
        if kind is RefKind.IMPORT and ecosystem is Ecosystem.PYPI:
            builtin = is_stdlib(name)
            found = distribution_of(name)
            owner = owner if found is None else found or None
        import_name = name if kind is RefKind.IMPORT else None
        ref = PackageRef(
            ecosystem, kind, name, 0, len(name), owner, import_name=import_name, builtin=builtin
        )
        (judged,) = self.guard.judge.refs([ref])
        return not judged.lookup.invented


@dataclass(frozen=True, slots=True)
class Chances:
    """What candidates for the next token are worth."""

    of: list[float]
    """in [0, 1], in the candidates' order; 0 only where the place is hard"""
    hard: bool
    """whether a token that isn't among the candidates can't be let through"""


class Continued:
    """One answer that is being written, token by token."""

    def __init__(self, known: Continuations, asked: Asked) -> None:
        self._known, self._asked = known, asked
        self._writing = Writing(asked)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._ends: dict[tuple[str, str], bool] = {}
        """whether a name that ends so is no invention, at this place"""
        self._has_ended = False

    def add(self, token: int) -> None:
        """Appends the token that was drawn."""
        self._has_ended |= token in self._known.vocabulary.end_tokens
        if self._has_ended or token >= len(self._known.vocabulary.pieces):
            return
        if text := self._decoder.decode(self._known.vocabulary.pieces[token]):
            self._ends.clear()
            self._writing.add(text)

    @property
    def looks(self) -> bool:
        """Whether the next token may write a name, so that `chances` must be asked."""
        is_near = self._writing.name is not None or self._writing.may_open
        return is_near and not self._has_ended

    @property
    def is_open(self) -> bool:
        """Whether a name is being written."""
        return self._writing.name is not None

    @property
    def is_code(self) -> bool:
        """Whether what is being written is a package's name for certain: no item of a list."""
        name = self._writing.name
        return name is not None and name.ref.kind is not RefKind.LIST

    def chances(self, tokens: Sequence[int]) -> Chances | None:
        """The chances of candidates; None where none of them writes a name."""
        found = [self._of_piece(self._known.vocabulary.text(token)) for token in tokens]
        if not any(found):
            return None
        hard = any(one[1] for one in found if one)
        return Chances([one[0] if one else 1.0 for one in found], hard)

    def _of_piece(self, piece: str) -> tuple[float, bool] | None:
        """The chance of a name that goes on, begins or ends in the piece, and whether its place is
        hard; None for a piece that does nothing of it."""
        name = self._writing.name
        if name is not None:
            if not self._known.judges(name.ref):
                return None
            if not piece:  # a special token, which would only put the name's end off
                hard = name.ref.kind in self._known.guard.hard
                return 0.0 if hard else NONE, hard
            taken = name.taken(piece)
            return self._chance(name.ref, name.written + taken, "", piece[len(taken) :])
        lead, text = first_word(piece)
        ref = self._writing.opens(lead) if text else None
        if ref is None or not self._known.judges(ref) or not (taken := begun(ref, text)):
            return None
        return self._chance(ref, taken, lead, text[len(taken) :])

    def _chance(self, ref: PackageRef, name: str, lead: str, behind: str) -> tuple[float, bool]:
        hard = ref.kind in self._known.guard.hard
        good = self._good_end(ref, name, lead, behind) if behind else self._good_start(ref, name)
        return max(good, 0.0 if hard else NONE), hard

    def _good_start(self, ref: PackageRef, start: str) -> float:
        imported = ref.kind is RefKind.IMPORT
        chance = self._known.begins(ref.ecosystem, imported, start)
        if chance < 1 and (
            self._prompt.begins(start, joined=ref.kind not in INSTALLED)
            or any(m.startswith(start) for m in self._writing.modules)
        ):
            return 1.0
        bare = start.rstrip("._-")
        if not chance and bare != start and self._known.is_real(ref.ecosystem, ref.kind, bare):
            return 1.0  # the end of a sentence
        return chance

    def _good_end(self, ref: PackageRef, name: str, lead: str, behind: str) -> float:
        bare = name.rstrip("._-")
        if self._known.is_real(ref.ecosystem, ref.kind, bare):
            return 1.0
        if ref.kind is RefKind.LIST and behind[0] == " " and _SENTENCE.fullmatch(name):
            return 1.0
        key = f"{lead}{name}", behind[0]
        if key not in self._ends:
            self._ends[key] = not self._is_invented(ref, name, lead, behind)
        return float(self._ends[key])

    def _is_invented(self, ref: PackageRef, name: str, lead: str, behind: str) -> bool:
        """Whether the guard reads an invention where the name stands, if it ends so."""
        open_name = self._writing.name
        more = name.removeprefix(open_name.written) if open_name else lead + name
        rest = behind
        if ref.kind is RefKind.IMPORT or (ref.kind in INSTALLED and behind[0] not in _ADDRESS):
            rest = self._writing.ending(lead) or "\n"
        text, length = self._writing.seen(more + rest)
        end = length + len(more)
        found = self._known.guard.inventions(text, self._asked)
        return any(one.ref.start < end and end - len(name) < one.ref.end for one in found)

    @cached_property
    def _prompt(self) -> _PromptStarts:
        return _PromptStarts(self._asked.text)


class _PromptStarts:
    """The beginnings of the names that a prompt may hold."""

    def __init__(self, text: str) -> None:
        words = [_plain(word) for word in re.findall(r"[\w.-]+", text)[:_PROMPT_WORDS]]
        self._words = sorted(words)
        self._runs = sorted("".join(words[at : at + _RUN]) for at in range(len(words)))

    def begins(self, start: str, *, joined: bool) -> bool:
        """Whether a word of the prompt begins so; if ``joined``, also words that stand in a row."""
        start = _plain(start)
        among = self._runs if joined else self._words
        at = bisect_left(among, start)
        return at < len(among) and among[at].startswith(start)
