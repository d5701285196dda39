"""Flags that need the whole answer or the prompt: local modules, prompt-induced, truncated."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from packaging.utils import canonicalize_name

from ghostbust.extractors.local_modules import LocalModules, local_modules
from ghostbust.extractors.local_packages import LocalPackages, local_packages
from ghostbust.extractors.markdown import Block
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_TO_BLANKS = str.maketrans(dict.fromkeys("`\"'*", " ") | dict.fromkeys("()[]{}<>,;:!?=#", "\0"))
"""marks around a word, and those that set it apart from the next one"""
_NO_MARKS = str.maketrans("", "", "-_.")
_NOTHING = str.maketrans("", "", "-_. \t\r\n`\"'*()[]{}<>,;:!?=#")
_MOST_PARTS = 8
"""parts of a word, and of a name, that are looked at"""
_LONGEST = 100
"""characters of a name without the marks between its words"""


def marked(
    refs: Iterable[PackageRef], text: str, blocks: Iterable[Block], *, truncated: bool, prompt: str
) -> list[PackageRef]:
    """The refs with the flags that the answer ``text`` and its prompt give them."""
    refs = list(refs)
    if not refs:
        return []
    said = _Said(prompt) if _may_name(prompt, refs) else None
    blocks = list(blocks)
    modules, packages = local_modules(text, blocks), local_packages(text, blocks)
    result = []
    for ref in refs:
        flags = set(ref.flags)
        if truncated and _is_cut(ref, text):
            flags.add(Flag.TRUNCATED)
        if said and any(said.holds(name) for name in {ref.raw, ref.name} if name):
            flags.add(Flag.PROMPT_INDUCED)
        if ref.kind is RefKind.IMPORT and not ref.builtin and _is_local(ref, modules, packages):
            flags.add(Flag.LOCAL_MODULE)
        result.append(replace(ref, flags=frozenset(flags)))
    return result


def _is_local(ref: PackageRef, modules: LocalModules, packages: LocalPackages) -> bool:
    """True where an import may mean what the answer itself defines."""
    if ref.ecosystem is Ecosystem.NPM:
        return packages.hold(ref.import_name or ref.raw, ref.start)
    is_its_name = ref.name == canonicalize_name(f"{ref.raw}.py")  # discord.py, web.py
    return not is_its_name and modules.hold(ref.raw, ref.start)


def _is_cut(ref: PackageRef, text: str) -> bool:
    """True where nothing but the rest of the name itself stands behind the ref."""
    rest = text[ref.end :].rstrip("._-")
    dotted = ref.import_name or ""
    return not rest or (rest.startswith(".") and (ref.raw + rest) == dotted)


def _may_name(prompt: str, refs: Iterable[PackageRef]) -> bool:
    """False where the prompt can't hold any of the names, however they are written in it.

    Told at once, where `_Said` takes some milliseconds to read a prompt of many pages.
    """
    said = prompt.lower().translate(_NOTHING)
    names = {name for ref in refs for name in (ref.raw, ref.name) if name}
    return any(_plain(name).removesuffix("s") in said for name in names)


class _Said:
    """The words of a prompt, in which names are looked for as people and models write them.

    ``third_party_packages`` stands in "third-party packages", and ``tiny-lib`` in ``Tiny_Lib.sub``
    and ``tinylib/sub``, but not in ``tiny-lib-extra``, nor in "tiny, lib".
    """

    def __init__(self, prompt: str) -> None:
        starts: list[int] = []
        ends: list[int] = []
        parts: list[str] = []
        place = 0
        for line in prompt.lower().translate(_TO_BLANKS).split("\0"):
            for word in line.split():
                _note_bounds(word, place, starts, ends)
                parts.append(_plain(word) + "\n" * word.endswith("."))
                place += len(parts[-1])
            parts.append("\n")
            place += 1
        self.names = frozenset(_runs("".join(parts), starts, ends))
        """all that may be a name, in plain form"""

    def holds(self, name: str) -> bool:
        """True where words that follow each other are the name; its last one may be a plural."""
        form = _plain(name)
        forms = {form} if name.isalnum() else {form, f"{form}s", form.removesuffix("s")}
        return not self.names.isdisjoint(forms - {""})


def _note_bounds(word: str, place: int, starts: list[int], ends: list[int]) -> None:
    """Adds where a name may begin and end in a word: around it, at dots and at slashes."""
    starts.append(place)
    for part in word.split("/")[:_MOST_PARTS]:
        if starts[-1] < place and not word.startswith("@"):
            starts.append(place)
        for piece in part.split(".")[:_MOST_PARTS]:
            place += len(_plain(piece))
            ends.append(place)
        place += 1  # the slash


def _runs(text: str, starts: Iterable[int], ends: Sequence[int]) -> Iterator[str]:
    """What stands between a start and each of the next few ends, up to a line's end."""
    for start in starts:
        first = bisect_right(ends, start)
        for end in ends[first : first + _MOST_PARTS]:
            run = text[start : min(end, start + _LONGEST)]
            if end - start > _LONGEST or "\n" in run:
                break
            yield run


def _plain(name: str) -> str:
    """A name as it is compared: in lower case, without what may stand between its words."""
    return name.lower().translate(_NO_MARKS)
