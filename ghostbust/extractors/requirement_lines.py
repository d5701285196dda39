"""Requirements files: one requirement, option or comment a line, as pip reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from ghostbust.extractors.named_indexes import few, index_of_option, with_indexes, without_usual
from ghostbust.extractors.package_names import canonical, read_requirement
from ghostbust.extractors.placed import Placed
from ghostbust.extractors.vocabulary import word_set
from ghostbust.records import Ecosystem, Flag, NamedIndex, PackageRef, RefKind

_PYPI = Ecosystem.PYPI
_FILE_OPTIONS = word_set("-r --requirement -c --constraint")
_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_LONGEST = 2_000
"""characters of a requirement that ``packaging`` is asked about"""


@dataclass(frozen=True, slots=True)
class RequirementLine:
    """A logical line that says something: comments gone, continuations joined."""

    number: int
    """of its first line in the file, from 1"""
    words: Placed

    @property
    def option(self) -> str:
        """The option that the line begins with; empty for a requirement."""
        value = self.words.value
        is_option = value.startswith("-") and value.lstrip("-")[:1].isalpha()
        return value.replace("=", " ").split()[0] if is_option else ""

    def options(self) -> Iterator[tuple[str, Placed]]:
        """The options of a line that begins with one, each with its value, empty for none.

        As pip reads them: ``-r x``, ``-rx``, ``--requirement x``, ``--requirement=x``, and several.
        """
        words = _words(self.words) if self.option else []
        for word, behind in zip(words, [*words[1:], self.words.part(0, 0)], strict=False):
            name, joined, _ = word.value.partition("=")
            if joined:
                yield name, _unquoted(word.part(len(name) + 1, len(word.value)))
            elif name.startswith("-") and not name.startswith("--") and len(name) > 2:
                yield name[:2], _unquoted(word.part(2, len(name)))
            elif name.startswith("-"):
                is_value = not behind.value.startswith("-")
                yield name, _unquoted(behind) if is_value else behind.part(0, 0)

    @property
    def is_elsewhere(self) -> bool:
        """True for a path or an address, which no registry answers for."""
        value = self.words.value
        is_file = value.partition(" ")[0].endswith((".whl", ".zip", ".tar.gz"))
        return value.startswith((".", "/", "~")) or "://" in value.partition("@")[0] or is_file

    @property
    def is_requirement(self) -> bool:
        """True where ``packaging`` takes the line for a requirement."""
        spec = self.words.value[:_LONGEST].partition(" --")[0]
        try:
            address = Requirement(spec).url
        except InvalidRequirement:
            return False
        return address is None or "/" in address or ":" in address  # not somebody@example.test


class RequirementsExtractor:
    """Requirements and constraints files; their options and the files they name are passed over.

    A line that is none is passed over too, the rest of the file is read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        lines = list(requirement_lines(text))
        indexes = indexes_of(lines)
        for line in lines:
            if not line.option:
                yield from manifest_ref(line.words, _PYPI, offset, indexes=indexes)


def indexes_of(lines: Iterable[RequirementLine]) -> tuple[NamedIndex, ...]:
    """The indexes that the lines' options name, for the whole file."""
    options = [option for line in lines for option in line.options()]
    found = [index_of_option(_PYPI, name, value.value) for name, value in options]
    indexes = few(index for index in found if index is not None)
    return without_usual(indexes) if any(name == "--no-index" for name, _ in options) else indexes


def files_of(lines: Iterable[RequirementLine]) -> Iterator[tuple[int, str]]:
    """(line, path or address) of each requirements or constraints file that the lines name.

    Long options may be cut short, as pip allows: ``--requirem``, ``--cons``.
    """
    for line in lines:
        for name, value in line.options():
            if value.value and (name in _FILE_OPTIONS or _is_cut_short(name)):
                yield line.number, value.value


def looks_like_requirements(text: str, *, named: bool) -> bool:
    """True where every line can stand in a requirements file.

    Without a name that says so (``named``), one of them must say more than a bare name.
    """
    says_more = named
    empty = True
    for line in requirement_lines(text):
        is_requirement = not line.option and line.is_requirement
        if not (line.option or is_requirement or line.is_elsewhere):
            return False
        says_more |= is_requirement and not _NAME.issuperset(line.words.value)
        empty = False
    return says_more and not empty


def manifest_ref(
    spec: Placed,
    ecosystem: Ecosystem,
    offset: int,
    *,
    indexes: Sequence[NamedIndex] = (),
    cut: bool = False,
) -> Iterator[PackageRef]:
    """The ref of a requirement that stands in a file; none for a path, an address or no name.

    ``cut``: the file ends within it, so that the name may be longer.
    """
    lead = len(spec.value) - len(spec.value.lstrip())
    found = read_requirement(_requirement(spec.value[lead:]), ecosystem)
    if found is None:
        return
    span = spec.span(lead + found.start, lead + found.end)
    if span is None:
        return
    flags = {Flag.TRUNCATED} if cut and lead + found.end == len(spec.value) else set()
    start, end = span[0] + offset, span[1] + offset
    name = canonical(ecosystem, found.name)
    ref = PackageRef(
        ecosystem, RefKind.MANIFEST, found.name, start, end, name, flags=frozenset(flags)
    )
    yield with_indexes(ref, indexes)


def _requirement(spec: str) -> str:
    """The part of a line that is the requirement: no options, no old ``(>=1)`` brackets."""
    spec = spec.partition(" --")[0].partition(";")[0].rstrip()
    return spec.partition("(")[0].rstrip() if spec.endswith(")") else spec


def _is_cut_short(name: str) -> bool:
    """True for the beginning of ``--requirement`` or ``--constraint`` that no other option has."""
    return ("--requirement".startswith(name) and len(name) > len("--require")) or (
        "--constraint".startswith(name) and len(name) > len("--co")
    )


def _words(line: Placed) -> list[Placed]:
    """The words of a line between white space; quotes hold one together."""
    words: list[Placed] = []
    start, mark = -1, ""
    for at, char in enumerate(line.value):
        if char.isspace() and not mark:
            words += [line.part(start, at)] if start >= 0 else []
            start = -1
            continue
        start = at if start < 0 else start
        mark = (char if char in "\"'" else "") if not mark else ("" if char == mark else mark)
    return words + ([line.part(start, len(line.value))] if start >= 0 else [])


def _unquoted(word: Placed) -> Placed:
    value = word.value
    is_quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return word.part(1, len(value) - 1) if is_quoted else word


def requirement_lines(text: str) -> Iterator[RequirementLine]:
    """The logical lines of a requirements file."""
    value: list[str] = []
    at: list[int] = []
    first = position = 0
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        first = first if at else number
        body = line.rstrip("\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")
        is_comment = body.lstrip("\ufeff \t").startswith("#")
        kept = "" if is_comment else body
        continues = body.endswith("\\") and not is_comment
        kept = kept[:-1] if continues else kept
        value.append(kept)
        at.extend(range(position, position + len(kept)))
        position += len(line)
        if continues:
            continue
        yield from _said(first, "".join(value), at)
        value, at = [], []
    yield from _said(first, "".join(value), at)


def _said(number: int, value: str, at: list[int]) -> Iterator[RequirementLine]:
    """The line without its comment, if it says anything."""
    start = len(value) - len(value.lstrip("\ufeff \t\x0c"))
    comment = value.find(" #")
    comment = comment if comment >= 0 else value.find("\t#")
    end = len(value[: comment if comment >= 0 else len(value)].rstrip())
    if start < end:
        yield RequirementLine(number, Placed(value[start:end], tuple(at[start:end])))
