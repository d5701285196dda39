"""``ghostbust bench``: what methods, rounds and checks do on the user's own model and folders.

``checkouts`` says what `check` accuses in real repositories, and what it misses. A second reader,
which shares no code with the extractors (Python's own ``ast``, ``json``, ``packaging``), says what
there is to find. It reads less, no texts and no commands, so it measures recall only. Whether an
accusation is right only a person can say: ``--show`` lists them.
"""

from __future__ import annotations

import ast
import json
import math
import os
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ghostbust.cli.bench_models import continual, discovery, unlearners
from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import command_group
from ghostbust.cli.gathering import gather
from ghostbust.cli.judging import OwnCode, Vouching, judge_sources
from ghostbust.documents import document_of
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, RefKind

if TYPE_CHECKING:
    from ghostbust.registries.judge import Judge
    from ghostbust.results import Checked

bench = command_group("bench", "Compare methods, rounds and checks on a model or folder of yours.")
_SCORES = (
    "expected", "given", "found", "precision", "recall", "f1", "exact_spans", "names", "flags",
)  # fmt: skip
"""what a row of ``extraction`` says of a group and kind"""
_MODEL = "Your model"
_LABORATORY = "The laboratory: ghostbust itself"
for _own in (unlearners, continual, discovery):
    bench.command(rich_help_panel=_MODEL)(_own)


@bench.command(rich_help_panel=_LABORATORY)
@invoked_with("as_json")
def checkouts(
    cli: Invocation,
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Each folder in it is a checkout.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="List what is accused, and what only the other found.")
    ] = False,
) -> None:
    """Check every checkout in a folder by the snapshots: places, accusations, what is missed.

    A second reader (ast, json, packaging) says what imports and dependencies there are. Which
    accusations are wrong is for a person to say: --show lists them.
    """
    from ghostbust.registries.judge import Mode, default_judge

    if not folder.is_dir() or not (found := sorted(p for p in folder.iterdir() if p.is_dir())):
        raise UsageError(f"{folder}: should be a folder of checkouts")
    with default_judge(Mode.SNAPSHOT) as judge:
        scored = [score_checkout(one, judge) for one in found]
    documents = [
        document_of(
            one, without=("name",), checkout=one.name, places=one.places,
            accused=[_accusation(finding) for finding in one.accused],
            missed=[f"{spot.path}:{spot.line}: {spot.name}" for spot in one.missed],
        )
        for one in scored
    ]  # fmt: skip
    cli.output.document({"checkouts": documents})
    if show:
        for one in scored:
            for accused in one.accused:
                cli.output.line(_accusation(accused))
            for spot in one.missed:
                cli.output.line(f"{spot.path}:{spot.line}: missed {spot.name}")
    columns = "checkout", "files", "places", "ABSENT", "SUSPECT", "per 1,000", "missed", "CPU s"
    cli.output.table(columns, map(_row, [*scored, _sum(scored)] if len(scored) > 1 else scored))


def _row(one: Scored) -> list[str]:
    share = f"{1000 * len(one.accused) / one.places:.1f}" if one.places else "-"
    return [
        one.name, f"{one.files:,}", f"{one.places:,}", str(one.verdicts["ABSENT"]),
        str(one.verdicts["SUSPECT"]), share, f"{len(one.missed)} of {one.expected:,}",
        f"{one.cpu_s:.1f}",
    ]  # fmt: skip


def _sum(scored: list[Scored]) -> Scored:
    total = Scored("all")
    for one in scored:
        total.files += one.files
        total.verdicts += one.verdicts
        total.accused += one.accused
        total.expected += one.expected
        total.missed += one.missed
        total.cpu_s += one.cpu_s
    return total


def _accusation(one: Checked) -> str:
    assert one.place is not None
    place = one.place
    where = f"{place.path}:{place.line}:{place.column}"
    return f"{where}: {one.verdict} {one.name} ({one.reason})"


@dataclass(frozen=True, slots=True, order=True)
class Spot:
    """One name in one line of a file."""

    path: str
    line: int
    """from 1; 0 where the second reader can't tell"""
    name: str
    """the import's first part, or the canonical name of a dependency"""


@dataclass(slots=True)
class Scored:
    """The figures of one checkout."""

    name: str
    files: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    """places, by verdict"""
    accused: list[Checked] = field(default_factory=list)
    """places called ABSENT or SUSPECT"""
    expected: int = 0
    """what the second reader finds in the files that were read"""
    missed: list[Spot] = field(default_factory=list)
    """of these, what isn't found here"""
    cpu_s: float = 0.0

    @property
    def places(self) -> int:
        """All places that name a package."""
        return self.verdicts.total()


def score_checkout(folder: Path, judge: Judge) -> Scored:
    """Checks a folder as ``ghostbust check FOLDER`` does, and compares. Raises UsageError."""
    began = time.process_time()
    gathered = gather([], [str(folder)])
    findings = judge_sources(judge, Vouching(), gathered.sources, OwnCode(gathered.folders))
    scored = Scored(folder.name, len(gathered.sources), cpu_s=time.process_time() - began)
    scored.verdicts.update(str(one.verdict) for one in findings)
    scored.accused = [one for one in findings if one.invented]
    found = {spot for one in findings for spot in _spots_of(one)}
    for source in gathered.sources:
        for spot in second_reading(source.path or "", source.text):
            scored.expected += 1
            if spot not in found:
                scored.missed.append(spot)
    return scored


def _spots_of(one: Checked) -> Iterator[Spot]:
    """A place as the second reader would name it, with its line and without."""
    assert one.place is not None
    name = one.ref.name or one.ref.raw
    if one.ref.kind is RefKind.IMPORT:
        name = (one.ref.import_name or one.ref.raw).partition(".")[0]
    elif one.ref.ecosystem is Ecosystem.NPM:
        name = one.ref.raw
    yield Spot(one.place.path, one.place.line, name)
    yield Spot(one.place.path, 0, name)


def second_reading(path: str, text: str) -> Iterator[Spot]:
    """Imports of Python code, dependencies of a package.json, names of a requirements file."""
    name = os.path.basename(path)  # noqa: PTH119
    if name.endswith(".py"):
        yield from _imports(path, text)
    elif name == "package.json":
        yield from _dependencies(path, text)
    elif re.fullmatch(r"requirements[\w.-]*\.txt", name):
        yield from _requirements(path, text)


def _imports(path: str, text: str) -> Iterator[Spot]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named = [(alias.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            named = [(node.lineno, node.module)]
        else:
            continue
        for line, module in named:
            top = module.partition(".")[0]
            if top not in sys.stdlib_module_names:
                yield Spot(path, line, top)


def _dependencies(path: str, text: str) -> Iterator[Spot]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        return
    for key in ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies"):
        group = manifest.get(key) if isinstance(manifest, dict) else None
        for name, wanted in group.items() if isinstance(group, dict) else ():
            if isinstance(wanted, str) and not re.match(r"[a-z+]+:|[\w.-]+/", wanted):
                yield Spot(path, 0, name)


def _requirements(path: str, text: str) -> Iterator[Spot]:
    for number, line in enumerate(text.splitlines(), start=1):
        plain = re.sub(r"(^|\s)#.*| --.*|\\$", "", line).strip()
        try:
            wanted = Requirement(plain)
        except InvalidRequirement:
            continue
        if wanted.url is None:
            yield Spot(path, number, canonicalize_name(wanted.name))


@bench.command(rich_help_panel=_LABORATORY)
@invoked_with("as_json")
def extraction(
    cli: Invocation,
    corpus: Annotated[
        Path, typer.Argument(metavar="CORPUS", help="A labelled corpus: a folder or one file.")
    ],
    show: Annotated[
        bool, typer.Option("--show", help="List every place where the corpus disagrees.")
    ] = False,
) -> None:
    """Score the extractor on labelled snippets: precision, recall, spans, names, flags."""
    from ghostbust.evaluation.extraction import ALL, read_corpus, score

    result = score(read_corpus(corpus))
    # A row for each group and kind, the group's sum first; the last ones are of all groups.
    keys = {*result.tallies, *((group, ALL) for group in (*result.snippets, ALL))}
    rows: list[dict[str, object]] = [
        {"group": group, "kind": kind}
        | {name: getattr(result.tally(group, kind), name) for name in _SCORES}
        for group, kind in sorted(keys, key=lambda k: (k[0] == ALL, k[0], k[1] != ALL, k[1]))
    ]
    document: dict[str, object] = {"snippets": result.snippets, "scores": rows}
    if show:
        document["disagreements"] = result.disagreements
    cli.output.document(document)
    columns = [key.replace("_", " ") for key in rows[0]]
    cli.output.table(columns, (map(_said, row.values()) for row in rows))
    if show:
        columns = ["snippet", "what", "ecosystem", "kind", "as written", "at", "detail"]
        cli.output.table(
            columns,
            (
                (one.snippet, one.what, one.ecosystem, one.kind, one.raw, one.start, one.detail)
                for one in result.disagreements
            ),
        )


def _said(value: object) -> str:
    """A rate to three digits, rounded down so that only a perfect one is shown as 1."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{math.floor(value * 1000) / 1000:.3f}"
    return str(value)
