"""The packages that a conda environment file (``environment.yml``) names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ghostbust.extractors.placed import Placed, plain
from ghostbust.extractors.requirement_lines import RequirementLine, indexes_of, manifest_ref
from ghostbust.records import Ecosystem, PackageRef


class EnvironmentExtractor:
    """Items of the list ``dependencies:``, and of the list ``pip:`` in it, which are PyPI's.

    Read line by line, so a cut-off file is no trouble. Lists in one line are not read.
    """

    def find(self, text: str, offset: int) -> Iterable[PackageRef]:
        """MANIFEST refs; see ``Extractor.find``."""
        items = list(environment_items(text))
        indexes = indexes_of(RequirementLine(0, item) for _, item in items)
        for ecosystem, item in items:
            named = indexes if ecosystem is Ecosystem.PYPI else ()
            yield from manifest_ref(item, ecosystem, offset, indexes=named)


def is_environment(text: str) -> bool:
    """True where a YAML text is such a file, or the part of one that lists pip's packages."""
    keys = {line.partition(":")[0].strip() for line in text.splitlines() if ":" in line}
    is_named = "dependencies" in keys and ("channels" in keys or "- pip" in keys)
    return is_named and any(environment_items(text))


def environment_items(text: str) -> Iterator[tuple[Ecosystem, Placed]]:
    """The items of the lists, without their dashes, comments and quotes."""
    within, pip_indent, position = False, -1, 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        bare = line.strip()
        indent = len(line) - len(line.lstrip())
        if not bare or bare.startswith("#"):
            continue
        if not bare.startswith("- "):
            within, pip_indent = indent == 0 and bare.startswith("dependencies:"), -1
            continue
        lead = indent + len("- ")
        if within and bare.replace(" ", "") == "-pip:":
            pip_indent = indent
        elif within:
            pip_indent = pip_indent if indent > pip_indent else -1
            end = len(line[: _comment(line, lead)].rstrip())
            while lead < end and line[lead] in " '\"":
                lead += 1
            end -= line[lead:end].endswith(("'", '"'))
            ecosystem = Ecosystem.PYPI if pip_indent >= 0 else Ecosystem.CONDA
            item = line[lead:end]
            if item.startswith("-") or (item and ":" not in item.replace("::", "")):
                yield ecosystem, plain(text, start + lead, start + end)


def _comment(line: str, start: int) -> int:
    found = line.find(" #", start)
    return len(line) if found < 0 else found
