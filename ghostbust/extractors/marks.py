"""Flags that need the whole answer or the prompt: local modules, prompt-induced, truncated."""

from __future__ import annotations

from collections.abc import Iterable
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
_MOST_PARTS = 16
"""parts of a word that may end a name"""


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
        self.starts: set[int] = set()
        self.ends: set[int] = set()
        parts: list[str] = []
        place = 0
        for line in prompt.lower().translate(_TO_BLANKS).split("\0"):
            for word in line.split():
                joined = _plain(word)
                self._bounds(word, place)
                parts.append(joined)
                place += len(joined)
                if word.endswith("."):
                    parts.append("\n")
                    place += 1
            parts.append("\n")
            place += 1
        self.text = "".join(parts)

    def _bounds(self, word: str, place: int) -> None:
        """Notes where a name may begin and end in a word: around it, at dots and at slashes."""
        self.starts.add(place)
        for part in word.split("/")[:_MOST_PARTS]:
            if not word.startswith("@"):
                self.starts.add(place)
            for piece in part.split(".")[:_MOST_PARTS]:
                place += len(_plain(piece))
                self.ends.add(place)
            place += 1  # the slash

    def holds(self, name: str) -> bool:
        """True where words that follow each other are the name; its last one may be a plural."""
        form = _plain(name)
        forms = {form} if name.isalnum() else {form, f"{form}s", form.removesuffix("s")}
        return any(self._has(form) for form in forms if form)

    def _has(self, form: str) -> bool:
        place = self.text.find(form)
        while place >= 0:
            if place in self.starts and place + len(form) in self.ends:
                return True
            place = self.text.find(form, place + 1)
        return False


def _plain(name: str) -> str:
    """A name as it is compared: in lower case, without what may stand between its words."""
    return name.lower().translate(_NO_MARKS)
