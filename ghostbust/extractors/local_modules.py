"""Which Python modules an answer itself shows the code of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ghostbust.extractors.labels import OPEN_LABELS, is_python, label_of
from ghostbust.extractors.markdown import Block, BlockKind, line_before
from ghostbust.extractors.vocabulary import word_set

_AROUND = "`\"'*()[]{}<>,;:!?=#"
_TO_BLANKS = str.maketrans(dict.fromkeys(_AROUND, " "))
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
"""words of a line that names a file without saying that the code below it is that file"""


@dataclass(frozen=True, slots=True)
class LocalModules:
    """What an import in the answer may mean instead of a package from the registry."""

    places: Mapping[str, list[tuple[int, int]]]
    """where the code of each module stands, in order, by the first name of an import of it"""

    def hold(self, module: str, place: int) -> bool:
        """True where an import of ``module`` at ``place`` of the answer means one of them.

        A file isn't its own module: ``# polars.py`` above an import of ``polars`` says nothing.
        """
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
    position = block.start
    for line in body.splitlines(keepends=True):
        position += len(line)
        yield from ((path, position) for path in _named_by(line))


def _named_by(line: str) -> list[str]:
    """The file whose code stands below a line of a fence, which says nothing else."""
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
    others = [word for word in _words(line) if word.lower() not in _FILE]
    return _files_in(line) if len(others) == 1 else []


def _titled(line: str) -> list[str]:
    """The one file that a line above a fence announces: a heading, or a sentence that leads in."""
    files = set(_files_in(line))
    words = {word.lower().replace("’", "'") for word in _words(line)}
    if len(files) != 1 or not _DENYING.isdisjoint(words):
        return []
    is_title = line.lstrip().startswith("#") or line.strip(_AROUND + " .-0123456789") in files
    leads_in = line.rstrip(" *_`").endswith((":", "：")) or not _CREATING.isdisjoint(words)
    return list(files) if is_title or leads_in else []


def _words(text: str) -> list[str]:
    """Words of a text with the marks around them cut off."""
    words = (word.strip("._-") for word in text.translate(_TO_BLANKS).split())
    return [word for word in words if word]


def _files_in(line: str) -> list[str]:
    """Words of a line that are Python file names."""
    if ".py" not in line:
        return []
    return [word for word in _words(line) if word.endswith(".py") and len(word) > len(".py")]


def _modules(path: str) -> tuple[list[str], str]:
    """What an import of a file may start with: folders of its path, its own name (empty where
    it has none, as ``__init__.py``)."""
    *folders, name = path.removesuffix(".py").replace("\\", "/").strip("./").split("/")
    most = 2 if folders[:1] == ["src"] else 1
    return folders[:most], "" if name.endswith("__") or name == "setup" else name
