"""Flags that need the whole answer or the prompt: local modules, prompt-induced, truncated.

An import is of a local module if the answer itself shows the file or the package that it may mean.
A file isn't its own module: ``# polars.py`` above an import of ``polars`` shows nothing, nor does
``// three.js`` above one of ``three``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from packaging.utils import canonicalize_name

from ghostbust.documents import ParseError, parse_json
from ghostbust.extractors.interface import placed_lines, word_set
from ghostbust.extractors.labels import ENDINGS, OPEN_LABELS, is_python, label_of
from ghostbust.extractors.manifests import GROUPS, manifest_crates
from ghostbust.extractors.markdown import Block, BlockKind, line_before
from ghostbust.extractors.names import canonical
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_TO_BLANKS = str.maketrans(dict.fromkeys("`\"'*", " ") | dict.fromkeys("()[]{}<>,;:!?=#", "\0"))
"""marks around a word, and those that set it apart from the next one"""
_NO_MARKS = str.maketrans("", "", "-_.")
_NOTHING = str.maketrans("", "", "-_. \t\r\n`\"'*()[]{}<>,;:!?=#")
_MOST_PARTS = 8
"""parts of a word, and of a name, that are read"""
_LONGEST = 100
"""characters of a name without the marks between its words"""


def marked(
    refs: Iterable[PackageRef], text: str, blocks: Iterable[Block], *, truncated: bool, prompt: str
) -> list[PackageRef]:
    """The refs with the flags that the answer ``text`` and its prompt give them."""
    refs = list(refs)
    if not refs:
        return []
    said = _PromptNames(prompt) if _may_name(prompt, refs) else None
    blocks = list(blocks)
    modules, packages = local_modules(text, blocks), local_packages(text, blocks)
    is_rust = any(ref.ecosystem is Ecosystem.CARGO for ref in refs)
    crates = _own_crates(text, blocks) if is_rust else frozenset[str]()
    result = []
    for ref in refs:
        flags = set(ref.flags)
        if truncated and _is_cut(ref, text):
            flags.add(Flag.TRUNCATED)
        if said and any(said.holds(name) for name in {ref.raw, ref.name} if name):
            flags.add(Flag.PROMPT_INDUCED)
        if (
            ref.kind is RefKind.IMPORT
            and not ref.builtin
            and _is_local(ref, modules, packages, crates)
        ):
            flags.add(Flag.LOCAL_MODULE)
        result.append(replace(ref, flags=frozenset(flags)))
    return result


def _is_local(
    ref: PackageRef, modules: LocalModules, packages: LocalPackages, crates: frozenset[str]
) -> bool:
    """True where an import may mean what the answer itself defines."""
    if ref.ecosystem is Ecosystem.CARGO:
        return ref.name in crates
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

    This is fast, while `_PromptNames` takes some milliseconds for a prompt of many pages.
    """
    said = prompt.lower().translate(_NOTHING)
    names = {name for ref in refs for name in (ref.raw, ref.name) if name}
    return any(_plain(name).removesuffix("s") in said for name in names)


class _PromptNames:
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
                # A name may begin and end around a word, at its dots and at its slashes.
                starts.append(place)
                bound = place
                for part in word.split("/")[:_MOST_PARTS]:
                    if starts[-1] < bound and not word.startswith("@"):
                        starts.append(bound)
                    for piece in part.split(".")[:_MOST_PARTS]:
                        bound += len(_plain(piece))
                        ends.append(bound)
                    bound += 1  # the slash
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


# Python modules whose code an answer shows

_AROUND = "`\"'*()[]{}<>,;:!?=#"
_MARKS_TO_BLANKS = str.maketrans(dict.fromkeys(_AROUND, " "))
_FILE = word_set("file filename path in new updated")
"""words that may stand beside a file's name in a comment that is nothing else"""
_CREATING = word_set(
    "create creates created creating save saved file files named name called call script write "
    "put add define defined filename module contents"
)
_DENYING = word_set(
    "no not never don't avoid avoids instead rather than without unless except if but mistake "
    "rename renamed shadow shadows conflict conflicts wrong bad delete remove run python python3"
)
"""words of a line that names a file, while the code below it isn't that file"""


@dataclass(frozen=True, slots=True)
class LocalModules:
    """What an import in the answer may mean instead of a package from the registry."""

    places: Mapping[str, list[tuple[int, int]]]
    """where the code of each module stands, in order, by the first name of an import of it"""

    def hold(self, module: str, place: int) -> bool:
        """True where an import of ``module`` at ``place`` of the answer means one of them."""
        places = self.places.get(module, ())
        before = bisect_right(places, place, key=lambda span: span[0])
        return bool(places) and not (before and place < places[before - 1][1])


def local_modules(text: str, blocks: Iterable[Block]) -> LocalModules:
    """The modules whose files an answer shows: code that bears the name of its file.

    The name stands in a fence's info string, in the line right above the fence, alone in a comment
    above the code, or behind ``%%writefile``, or a here-document is written into it. What a
    sentence elsewhere or a drawing of folders says of files shows none.
    """
    places: dict[str, list[tuple[int, int]]] = {}
    for block in blocks:
        if block.kind is not BlockKind.FENCE:
            continue
        files = list(_files_of(text, block))
        ends = [*(start for _, start in files), block.end][1:]
        for (path, start), end in zip(files, ends, strict=True):
            if not text[start:end].strip():
                continue
            folders, name = _modules(path)
            for folder in folders:  # a file may import from its own package
                places.setdefault(folder, []).append((0, 0))
            if name:
                places.setdefault(name, []).append((start, end))
    return LocalModules({module: sorted(spans) for module, spans in places.items()})


def _files_of(text: str, block: Block) -> Iterator[tuple[str, int]]:
    """(path of a file whose code a fence shows, where that begins), in order."""
    body = text[block.start : block.end]
    label = label_of(block.info)
    for path in _files_in(block.info.replace("python:", " ").replace("py:", " ")):
        yield path, block.start
    if not block.is_diff and (not label or label in OPEN_LABELS or is_python(label)):
        yield from ((path, block.start) for path in _titled(line_before(text, block)))
    if ".py" not in body:
        return
    for start, line in placed_lines(body):
        behind = block.start + start + len(line)
        yield from ((path, behind) for path in _named_by(line))


def _named_by(line: str) -> list[str]:
    """The file whose code stands below a line of a fence that does nothing but name it."""
    if ".py" not in line:
        return []
    first = line.split()[0]
    if first == "%%writefile" or "<<" in line:
        words = line.replace(">", " > ").split()
        return [
            path
            for before, word in pairwise(words)
            if before in (">", "tee", "-a", "%%writefile")
            for path in _files_in(word)
        ]
    if not first.startswith("#"):
        return []
    others = [word for word in _words_in(line) if word.lower() not in _FILE]
    return _files_in(line) if len(others) == 1 else []


def _titled(line: str) -> list[str]:
    """The one file that a line above a fence announces: a heading, or a sentence that leads in."""
    files = set(_files_in(line))
    words = {word.lower().replace("’", "'") for word in _words_in(line)}
    if len(files) != 1 or not _DENYING.isdisjoint(words):
        return []
    is_title = line.lstrip().startswith("#") or line.strip(_AROUND + " .-0123456789") in files
    leads_in = line.rstrip(" *_`").endswith((":", "：")) or not _CREATING.isdisjoint(words)
    return list(files) if is_title or leads_in else []


def _words_in(text: str) -> list[str]:
    """Words of a text with the marks around them cut off."""
    words = (word.strip("._-") for word in text.translate(_MARKS_TO_BLANKS).split())
    return [word for word in words if word]


def _files_in(line: str) -> list[str]:
    """Words of a line that are Python file names."""
    if ".py" not in line:
        return []
    return [word for word in _words_in(line) if word.endswith(".py") and len(word) > len(".py")]


def _modules(path: str) -> tuple[list[str], str]:
    """What an import of a file may start with: folders of its path, its own name (empty where
    it has none, as ``__init__.py``)."""
    *folders, name = path.removesuffix(".py").replace("\\", "/").strip("./").split("/")
    most = 2 if folders[:1] == ["src"] else 1
    return folders[:most], "" if name.endswith("__") or name == "setup" else name


# Packages and files of JavaScript that an answer defines

_COMMENTS = ("//", "/*", "<!--")
_OF_PACKAGE = GROUPS | word_set("version scripts main module exports types bin private workspaces")
"""keys that only a package.json has: any JSON text may have a ``name``"""
_AROUND_PATHS = " \t\r*/<!->`'\"():{}"


@dataclass(frozen=True, slots=True)
class LocalPackages:
    """What an import in the answer may mean instead of a package from the registry."""

    names: frozenset[str]
    """names of the package.json files, and path aliases of the tsconfig.json files"""
    files: Mapping[str, list[Block]]
    """the blocks that hold a file, by its path without the ending"""

    def hold(self, specifier: str, place: int) -> bool:
        """True where the specifier that stands at ``place`` of the answer names one of them."""
        parts = specifier.split("/")
        if any("/".join(parts[:count]) in self.names for count in range(1, len(parts) + 1)):
            return True
        blocks = self.files.get(_stem(specifier), [])
        return len(blocks) > 1 or any(not b.start <= place < b.end for b in blocks)


def local_packages(text: str, blocks: Iterable[Block]) -> LocalPackages:
    """What the fences of an answer define: manifests, and files that bear their path.

    A file's path stands in the info string, or alone in a comment in the first line.
    """
    names: set[str] = set()
    files: dict[str, list[Block]] = {}
    for block in blocks:
        if block.kind is BlockKind.FENCE:
            body = text[block.start : block.end]
            names.update(_names(body))
            for path in _paths(block.info, body):
                files.setdefault(_stem(path), []).append(block)
    return LocalPackages(frozenset(names), files)


def _own_crates(text: str, blocks: Iterable[Block]) -> frozenset[str]:
    """The names of the answer's own crates, canonical: its Cargo.toml's, and ``cargo new``'s."""
    found: set[str] = set()
    for block in blocks:
        body = text[block.start : block.end]
        if block.kind is BlockKind.FENCE and ("[package]" in body or "dependencies" in body):
            found |= manifest_crates(body).own
    for line in text.splitlines():
        words = [word.strip("`$:,.") for word in line.split()]
        at = words.index("cargo") if "cargo" in words else len(words)
        if words[at + 1 : at + 2] in (["new"], ["init"]):
            for word in words[at + 2 :]:
                found.add(canonical(Ecosystem.CARGO, word.rpartition("/")[2]))
    return frozenset(found)


def _names(body: str) -> Iterator[str]:
    """The name in a package.json, and the aliases in a tsconfig.json."""
    if not body.lstrip().startswith("{") or not ('"name"' in body or '"paths"' in body):
        return
    try:
        manifest = parse_json(body)
    except ParseError:
        return
    if not isinstance(manifest, dict):
        return
    name = manifest.get("name")
    if isinstance(name, str) and name and not _OF_PACKAGE.isdisjoint(manifest):
        yield name
    options = manifest.get("compilerOptions")
    paths = options.get("paths") if isinstance(options, dict) else None
    for alias in paths if isinstance(paths, dict) else ():
        if plain := alias.removesuffix("*").rstrip("/"):
            yield plain


def _paths(info: str, body: str) -> Iterator[str]:
    first = body.lstrip().partition("\n")[0]
    comment = first.split() if first.startswith(_COMMENTS) else []
    words = [word.strip(_AROUND_PATHS) for word in comment]
    named = [word for word in words if word and word.lower() not in ("file", "filename")]
    if len(named) != 1:
        named = []
    for word in [*info.replace("=", " ").replace(":", " ").split(), *named]:
        path = word.strip(_AROUND_PATHS)
        if path.endswith(ENDINGS) and not path.startswith("."):
            yield path


def _stem(path: str) -> str:
    """A path without its ending, ``src/`` in front and ``/index`` behind."""
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    return path.removeprefix("src/").removesuffix("/index")
