"""Scores the extractor on labelled snippets: precision, recall, spans, names, flags.

A ref counts as found if ecosystem, kind and span agree. Whether its name and its flags agree is
counted apart, among those that are found. A near miss (right ecosystem and kind, a span that
overlaps the right one) is a miss and a false alarm, and is what makes spans less than exact.

A corpus is a folder of ``.txt`` files, made to be read and reviewed by people. The part of a
file's name before the first ``-`` is the group that its snippets are scored under
(``python-imports.txt``: python). A line of eight ``=``, an id and options starts a snippet, which
goes up to the next such line, without the line breaks at its end; a line ``defaults: …`` in front
of the first one gives options to all of the file, and everything else there is a comment.

::

    defaults: kind=import
    ======== opencv-guarded language=python
    try:
        import «cv2|opencv-python optional»
    except ImportError:
        cv2 = None  # pip install «+opencv-python»

Options of a snippet are those of ``extract`` (``language=``, ``expect-list``, ``truncated``,
``ecosystem=``, ``prompt=`` up to the end of the line), ``all`` (built-in imports are expected,
too), ``crlf`` (its lines end so), and ``kind=`` for its marks.

A mark ``«…»`` stands around the name that is to be found, and is cut out of the text:

- ``conda:`` (or any other ecosystem) in front of the name, else the snippet's ecosystem holds,
  ``pypi`` where it has none;
- ``+`` in front of it is an install, ``*`` a list item, ``=`` a manifest entry, ``!`` an import;
  without one, the snippet's ``kind`` holds;
- behind ``|`` stand flags, ``module=`` with the import name where that matters, and the
  distribution where it isn't the canonical form of what is written (``?``: none is known).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.utils import canonicalize_name

from ghostbust.errors import UsageError
from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

_HEADER = re.compile(r"^={8} (.*)\n", re.M)
_MARK = re.compile(
    r"«(?:(?P<ecosystem>[a-z]+):)?(?P<kind>[+*=!]?)(?P<raw>[^«»|\n]+)(?:\|(?P<said>[^«»\n]*))?»"
)
_KINDS = {
    "+": RefKind.INSTALL,
    "*": RefKind.LIST,
    "=": RefKind.MANIFEST,
    "!": RefKind.IMPORT,
}
_SWITCHES = ("expect-list", "truncated", "all", "crlf")
_VALUES = ("language", "ecosystem", "kind", "prompt")
_LANGUAGES = ("auto", "python", "javascript", "shell")
ALL = "all"
"""stands for every group, or for every kind of a group"""


@dataclass(frozen=True, slots=True)
class Expected:
    """One place of a snippet that names a package."""

    ecosystem: str
    """as in a purl's type; not only those that ghostbust can judge"""
    kind: RefKind
    start: int
    end: int
    """offset behind the name; both count code points of the snippet's text"""
    name: str | None
    """canonical distribution name; None where an import can't be mapped to one"""
    module: str | None
    """dotted import name; None where the corpus doesn't say"""
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Snippet:
    """One text with all the places that are to be found in it, and how it is to be read."""

    id: str
    group: str
    """the language or form that it is scored under"""
    text: str
    expected: tuple[Expected, ...]
    language: str = "auto"
    expect_list: bool = False
    truncated: bool = False
    ecosystem: str | None = None
    """whose names a list holds; None where the text shows it"""
    prompt: str = ""
    builtins: bool = False
    """True where built-in imports are expected, too"""


def read_corpus(path: Path) -> list[Snippet]:
    """All snippets of a file or of the ``.txt`` files in a folder, in the order of their names.

    Raises UsageError where there is none, two have the same id, or one can't be read.
    """
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    snippets: list[Snippet] = []
    for file in files:
        try:
            text = file.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{file}: can't be read ({exc})") from exc
        snippets += snippets_of(text, file.stem.partition("-")[0])
    if not snippets:
        raise UsageError(f"{path}: there is no snippet in it")
    ids = [snippet.id for snippet in snippets]
    if twice := {name for name in ids if ids.count(name) > 1}:
        raise UsageError(f"{path}: two snippets are called {', '.join(sorted(twice))}")
    return snippets


def snippets_of(text: str, group: str) -> Iterator[Snippet]:
    """The snippets of one corpus file. Raises UsageError at the first that isn't well-formed."""
    head, *parts = _HEADER.split(text)
    defaults: dict[str, str] = {}
    for line in head.splitlines():
        if line.startswith("defaults: "):
            defaults |= _options("defaults", line.removeprefix("defaults: "))
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        name, _, said = header.partition(" ")
        yield _snippet(name, group, body.rstrip("\n"), defaults | _options(name, said))


def _options(name: str, said: str) -> dict[str, str]:
    """The options of a header line; a switch that is on has the value ``on``."""
    options: dict[str, str] = {}
    rest, _, prompt = said.partition("prompt=")
    if prompt:
        options["prompt"] = prompt
    for word in rest.split():
        key, is_value, value = word.partition("=")
        if key not in (_VALUES if is_value else _SWITCHES):
            raise UsageError(f"snippet {name}: unknown option {word}")
        options[key] = value or "on"
    if options.get("language", "auto") not in _LANGUAGES:
        raise UsageError(f"snippet {name}: unknown language {options['language']}")
    if options.get("ecosystem", "pypi") not in list(Ecosystem):
        raise UsageError(f"snippet {name}: unknown ecosystem {options['ecosystem']}")
    return options


def _snippet(name: str, group: str, marked: str, options: Mapping[str, str]) -> Snippet:
    """A snippet from its text with marks."""
    if "crlf" in options:
        marked = marked.replace("\n", "\r\n")
    ecosystem = options.get("ecosystem")
    kind = RefKind(options.get("kind", "import"))
    text, position = "", 0
    expected: list[Expected] = []
    for mark in _MARK.finditer(marked):
        text += marked[position : mark.start()]
        expected.append(_expected(name, mark, len(text), ecosystem or "pypi", kind))
        text += mark["raw"]
        position = mark.end()
    text += marked[position:]
    if "«" in text or "»" in text:
        raise UsageError(f"snippet {name}: a mark isn't well-formed")
    return Snippet(
        name,
        group,
        text,
        tuple(expected),
        language=options.get("language", "auto"),
        expect_list="expect-list" in options,
        truncated="truncated" in options,
        ecosystem=ecosystem,
        prompt=options.get("prompt", ""),
        builtins="all" in options,
    )


def _expected(
    snippet: str, mark: re.Match[str], start: int, ecosystem: str, kind: RefKind
) -> Expected:
    """What one mark says, ``start`` being the place of its name in the text without marks."""
    raw, ecosystem = mark["raw"], mark["ecosystem"] or ecosystem
    name: str | None = canonicalize_name(raw) if ecosystem == Ecosystem.PYPI else raw
    module: str | None = None
    flags: set[str] = set()
    names: list[str] = []
    for word in (mark["said"] or "").split():
        if word in list(Flag):
            flags.add(word)
        elif word.startswith("module="):
            module = word.removeprefix("module=")
        else:
            names.append(word)
    if len(names) > 1:
        raise UsageError(f"snippet {snippet}: two names for {raw}: {', '.join(names)}")
    if names:
        name = None if names[0] == "?" else names[0]
    kind = _KINDS.get(mark["kind"], kind)
    return Expected(ecosystem, kind, start, start + len(raw), name, module, frozenset(flags))


@dataclass(slots=True)
class Tally:
    """Counts of one group and kind; rates are in [0, 1], NaN where nothing was there to count."""

    expected: int = 0
    given: int = 0
    """refs that the extractor returned"""
    found: int = 0
    """refs that were expected and returned, with the right ecosystem, kind and span"""
    near: int = 0
    """refs that were expected and returned, but for the span, which overlaps the right one"""
    named: int = 0
    """found ones whose distribution name agrees, and the import name where the corpus has it"""
    flagged: int = 0
    """found ones whose flags agree"""

    @property
    def precision(self) -> float:
        return _share(self.found, self.given)

    @property
    def recall(self) -> float:
        return _share(self.found, self.expected)

    @property
    def f1(self) -> float:
        return _share(2 * self.found, self.given + self.expected)

    @property
    def exact_spans(self) -> float:
        return _share(self.found, self.found + self.near)

    @property
    def names(self) -> float:
        return _share(self.named, self.found)

    @property
    def flags(self) -> float:
        return _share(self.flagged, self.found)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One place at which extractor and corpus differ."""

    snippet: str
    what: str
    """``missed``, ``false-alarm``, ``name`` or ``flags``"""
    ecosystem: str
    kind: RefKind
    raw: str
    start: int
    """offset in the snippet's text, in code points"""
    detail: str
    """what was expected and what was given, for ``name`` and ``flags``; else the line around it"""


@dataclass(slots=True)
class CorpusScore:
    """The figures of a whole corpus."""

    snippets: dict[str, int] = field(default_factory=dict)
    """number of snippets by group"""
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    """by group and kind, either of which may be ``ALL``"""
    disagreements: list[Disagreement] = field(default_factory=list)

    def tally(self, group: str = ALL, kind: str = ALL) -> Tally:
        """The counts of a group and kind; zeros where the corpus has none."""
        return self.tallies.get((group, kind), Tally())


def find_all(snippet: Snippet) -> list[PackageRef]:
    """What ``ghostbust extract`` would list for a snippet."""
    refs = extract(
        snippet.text,
        language=Language(snippet.language),
        expect_list=snippet.expect_list,
        truncated=snippet.truncated,
        prompt_text=snippet.prompt,
        ecosystem=Ecosystem(snippet.ecosystem) if snippet.ecosystem else None,
    )
    return [
        ref for ref in refs if snippet.builtins or not (ref.builtin and ref.kind is RefKind.IMPORT)
    ]


def score(
    snippets: Iterable[Snippet], find: Callable[[Snippet], Iterable[PackageRef]] = find_all
) -> CorpusScore:
    """Compares what ``find`` gives for each snippet with what the corpus expects."""
    result = CorpusScore()
    for snippet in snippets:
        result.snippets[snippet.group] = result.snippets.get(snippet.group, 0) + 1
        _compare(snippet, list(find(snippet)), result)
    return result


def _compare(snippet: Snippet, refs: list[PackageRef], result: CorpusScore) -> None:
    """Adds one snippet to the counts and disagreements."""
    given = {_place(ref): ref for ref in refs}
    expected = {_place(item): item for item in snippet.expected}
    for place, item in expected.items():
        tallies = _tallies(result, snippet.group, item.kind)
        ref = given.get(place)
        near = ref is None and any(_overlap(place, other) for other in given if other != place)
        for tally in tallies:
            tally.expected += 1
            tally.near += near
            if ref is not None:
                tally.found += 1
                tally.named += _same_name(item, ref)
                tally.flagged += item.flags == ref.flags
        if ref is None:
            result.disagreements.append(_differs(snippet, "missed", item, _line(snippet, item)))
            continue
        if not _same_name(item, ref):
            detail = f"{item.name} {item.module or ''} / {ref.name} {ref.import_name or ''}"
            result.disagreements.append(_differs(snippet, "name", item, detail))
        if item.flags != ref.flags:
            detail = f"{' '.join(sorted(item.flags))} / {' '.join(sorted(ref.flags))}"
            result.disagreements.append(_differs(snippet, "flags", item, detail))
    for ref in refs:
        for tally in _tallies(result, snippet.group, ref.kind):
            tally.given += 1
        if _place(ref) not in expected:
            result.disagreements.append(_differs(snippet, "false-alarm", ref, _line(snippet, ref)))


def _tallies(result: CorpusScore, group: str, kind: str) -> list[Tally]:
    keys = [(group, kind), (group, ALL), (ALL, kind), (ALL, ALL)]
    return [result.tallies.setdefault(key, Tally()) for key in keys]


def _place(item: Expected | PackageRef) -> tuple[str, str, int, int]:
    return str(item.ecosystem), str(item.kind), item.start, item.end


def _overlap(one: tuple[str, str, int, int], other: tuple[str, str, int, int]) -> bool:
    return one[:2] == other[:2] and one[2] < other[3] and other[2] < one[3]


def _same_name(item: Expected, ref: PackageRef) -> bool:
    return item.name == ref.name and item.module in (None, ref.import_name)


def _differs(snippet: Snippet, what: str, item: Expected | PackageRef, detail: str) -> Disagreement:
    raw = snippet.text[item.start : item.end]
    return Disagreement(
        snippet.id, what, str(item.ecosystem), item.kind, raw, item.start, detail.strip()
    )


def _line(snippet: Snippet, item: Expected | PackageRef) -> str:
    """The line of the text in which an item stands."""
    start = snippet.text.rfind("\n", 0, item.start) + 1
    end = snippet.text.find("\n", item.end)
    return snippet.text[start : end if end >= 0 else None]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
