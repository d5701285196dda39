"""Flags that need the whole answer or the prompt: local modules, prompt-induced, truncated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from packaging.utils import canonicalize_name

from ghostbust.extractors.javascript_specifiers import read_specifier
from ghostbust.extractors.local_packages import LocalPackages, local_packages
from ghostbust.extractors.markdown import Block, BlockKind
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_AROUND = "`\"'*()[]{}<>,;:!?=#"
_TO_BLANKS = str.maketrans(dict.fromkeys(_AROUND, " "))
_NO_MARKS = str.maketrans("", "", "-_.")
_MOST_PARTS = 16
"""dotted parts of a word that may be a name; all prefixes of a longer one would be quadratic"""
_CREATING = word_set(
    "create creates created creating save saved file files named name called call script write "
    "put add define defined filename module contents"
)


def marked(
    refs: Iterable[PackageRef], text: str, blocks: Iterable[Block], *, truncated: bool, prompt: str
) -> list[PackageRef]:
    """The refs with the flags that the answer ``text`` and its prompt give them."""
    refs = list(refs)
    if not refs:
        return []
    prompted = _names_in(prompt) if _may_name(prompt, refs) else frozenset()
    blocks = list(blocks)
    modules, packages = local_modules(text, blocks), local_packages(text, blocks)
    result = []
    for ref in refs:
        flags = set(ref.flags)
        if truncated and _is_cut(ref, text):
            flags.add(Flag.TRUNCATED)
        if not prompted.isdisjoint({canonicalize_name(ref.raw), ref.name}):
            flags.add(Flag.PROMPT_INDUCED)
        if ref.kind is RefKind.IMPORT and not ref.builtin and _is_local(ref, modules, packages):
            flags.add(Flag.LOCAL_MODULE)
        result.append(replace(ref, flags=frozenset(flags)))
    return result


def _is_local(ref: PackageRef, modules: frozenset[str], packages: LocalPackages) -> bool:
    """True where an import may mean what the answer itself defines."""
    if ref.ecosystem is Ecosystem.NPM:
        return packages.hold(ref.import_name or ref.raw, ref.start)
    is_its_name = ref.name == canonicalize_name(f"{ref.raw}.py")  # discord.py, web.py
    return ref.raw in modules and not is_its_name


def _is_cut(ref: PackageRef, text: str) -> bool:
    """True where nothing but the rest of the name itself stands behind the ref."""
    rest = text[ref.end :].rstrip("._-")
    dotted = ref.import_name or ""
    return not rest or (rest.startswith(".") and (ref.raw + rest) == dotted)


def _may_name(prompt: str, refs: Iterable[PackageRef]) -> bool:
    """False where the prompt can't hold any of the names, however they are written in it.

    Told at once, where a prompt of many pages takes `_names_in` some milliseconds.
    """
    said = prompt.lower().translate(_NO_MARKS)
    names = {name for ref in refs for name in (ref.raw, ref.name) if name}
    return any(not name.isascii() or name.lower().translate(_NO_MARKS) in said for name in names)


def _names_in(prompt: str) -> frozenset[str]:
    """Canonical forms of all words of a prompt, and of the dotted prefixes of each."""
    names: set[str] = set()
    for word in _words(prompt):
        parts = word.split(".")
        most = min(len(parts), _MOST_PARTS)
        names.update(canonicalize_name(".".join(parts[:n])) for n in range(1, most + 1))
        names.add(word)
        if "/" in word and (package := read_specifier(word)) is not None:
            names.add(package.name)
    return frozenset(names)


def _words(text: str) -> list[str]:
    """Words of a text with the marks around them and between them cut off."""
    return [word.strip("._-") for word in text.translate(_TO_BLANKS).split()]


def local_modules(text: str, blocks: Iterable[Block]) -> frozenset[str]:
    """Top-level names of the Python files that an answer says it creates.

    Said by a fence's info string, by a comment that is just a file name, by a heading, or by a
    line of prose that speaks of creating or naming a file.
    """
    paths: set[str] = set()
    for block in blocks:
        body = text[block.start : block.end]
        if block.kind is BlockKind.FENCE:
            paths.update(_files_in(block.info.replace("python:", " ").replace("py:", " ")))
            for line in body.splitlines():
                files = _files_in(line) if line.lstrip().startswith("#") else []
                if files and len(_words(line)) <= 2:
                    paths.update(files)
        elif block.kind is BlockKind.PROSE:
            for line in body.splitlines():
                if ".py" not in line:
                    continue
                said = _CREATING.intersection(word.lower() for word in _words(line))
                is_title = line.startswith("#") or line.strip(_AROUND + " .") in _files_in(line)
                if said or is_title:
                    paths.update(_files_in(line))
    return frozenset(name for path in paths for name in _module_names(path))


def _files_in(line: str) -> list[str]:
    """Words of a line that are Python file names."""
    if ".py" not in line:
        return []
    return [word for word in _words(line) if word.endswith(".py") and len(word) > len(".py")]


def _module_names(path: str) -> set[str]:
    """What an import of a file starts with: its first folder, or its own name."""
    parts = path.removesuffix(".py").replace("\\", "/").strip("./").split("/")
    return {parts[0], parts[-1]} - {"__init__", "__main__", "setup"}
