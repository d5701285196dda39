"""The false-alarm audit: names that are known to be real, or fake, through the whole line.

Each name is put where it would occur, into an install command or an import, extracted from
there, and judged by the snapshot. A real name that comes out ABSENT is a false alarm; a known fake
that doesn't come out SUSPECT is a miss; a name that the extractor doesn't find is lost. Exits with
1 where there is one of these. Asks no registry.

    python -m tests.lab.audit --pypi LIST --npm LIST --fakes SUMMARIES --site FOLDER
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.records import Ecosystem, Judged, PackageRef, RefKind, Verdict, known_modules
from ghostbust.registries.import_names import facts_of_installed
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.registries.names import canonical_name
from ghostbust.registries.suspects import read_names

SHOWN = 20
"""wrong names that are listed of each group"""
FAKE = ("slopsquat-research", "security-hold")
"""classes of a file of summaries whose names must come out SUSPECT"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one group of names."""

    group: str
    names: int
    lost: Sequence[str]
    """names that weren't found in the text, or not as themselves"""
    verdicts: Mapping[Verdict, int]
    wrong: Sequence[str]
    """names with a verdict that they must not have, each with that verdict and its evidence"""


def audit_installs(
    judge: Judge, group: str, ecosystem: Ecosystem, names: Sequence[str], *, fake: bool = False
) -> Outcome:
    """Names in install commands, one a line. ``fake``: each must come out SUSPECT."""
    command = "pip install" if ecosystem is Ecosystem.PYPI else "npm install"
    text = "".join(f"{command} {name}\n" for name in names)
    refs = [ref for ref in extract(text, language=Language.SHELL) if ref.ecosystem is ecosystem]
    found = {canonical_name(ecosystem, ref.raw) for ref in refs}
    lost = [name for name in names if canonical_name(ecosystem, name) not in found]
    return _outcome(group, len(names), lost, judge.refs(refs), fake=fake)


def audit_imports(judge: Judge, group: str, modules: Sequence[str]) -> Outcome:
    """Modules in import statements, one a line."""
    text = "".join(f"import {module}\n" for module in modules)
    refs = extract(text, language=Language.PYTHON)
    found = {ref.import_name for ref in refs}
    lost = [module for module in modules if module not in found]
    return _outcome(group, len(modules), lost, judge.refs(refs))


def audit_guesses(judge: Judge, group: str, modules: Sequence[str]) -> Outcome:
    """The same modules as if the table didn't know them: what the rule for guesses makes of it.

    For information: the rule can't be right about all of them, so nothing here is wrong.
    """
    refs = []
    for module in modules:
        name = canonical_name(Ecosystem.PYPI, module)
        refs.append(
            PackageRef(Ecosystem.PYPI, RefKind.IMPORT, module, 0, len(module), name, module)
        )
    return replace(_outcome(group, len(modules), [], judge.refs(refs)), wrong=())


def installed_modules(judge: Judge, folders: Sequence[Path] | None = None) -> list[str]:
    """The modules of everything installed, outermost ones, that the registry knows.

    ``folders``: where to look; None: where this interpreter does. Left out is what PyPI doesn't
    have, such as a project under development or a system's own package.
    """
    facts = [fact for fact in facts_of_installed(folders) if not fact.shared]
    known = judge.names(Ecosystem.PYPI, {fact.distribution for fact in facts})
    real = {name for name, lookup in known.items() if lookup.verdict is Verdict.REAL}
    return sorted({fact.module for fact in facts if fact.distribution in real})


def audit_modules(judge: Judge, site: Sequence[Path] = ()) -> Iterator[Outcome]:
    """The modules of the mapping tables, and of what is installed, here and in ``site``."""
    tables = known_modules()
    yield audit_imports(judge, "imports of the mapping table", list(tables))
    installed = installed_modules(judge) + (installed_modules(judge, site) if site else [])
    modules = list(dict.fromkeys(installed))
    yield audit_imports(judge, "imports of what is installed", modules)
    unlike = [module for module, name in tables.items() if name and "." not in module]
    yield audit_guesses(judge, "(imports, were there no table)", unlike)


def _outcome(
    group: str, count: int, lost: Sequence[str], judged: Iterable[Judged], *, fake: bool = False
) -> Outcome:
    verdicts: Counter[Verdict] = Counter()
    wrong: list[str] = []
    for one in judged:
        lookup = one.lookup
        verdicts[lookup.verdict] += 1
        if (lookup.verdict is not Verdict.SUSPECT) if fake else (lookup.verdict is Verdict.ABSENT):
            wrong.append(f"{one.ref.raw}: {lookup.verdict}, {lookup.evidence}")
    return Outcome(group, count, lost, verdicts, wrong)


def read_fakes(path: Path) -> list[str]:
    """The names that a file of name, class and summary classes as squat or security hold."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = (line.rstrip("\n").split("\t") for line in file)
        return [row[0] for row in rows if len(row) > 1 and row[1] in FAKE]


def _of_lists(judge: Judge, told: argparse.Namespace) -> Iterator[Outcome]:
    for ecosystem, names in ((Ecosystem.PYPI, told.pypi), (Ecosystem.NPM, told.npm)):
        if names is None:
            continue
        ranked = [row for row in read_names(names, ecosystem) if row.rank is not None]
        if not ranked:
            sys.exit(f"{names}: has neither download ranks nor counts")
        ranked.sort(key=lambda row: row.rank or 0)
        most = [row.name for row in ranked[: told.top]]
        yield audit_installs(judge, f"{ecosystem}, most downloaded", ecosystem, most)
        if ecosystem is Ecosystem.PYPI:
            written = [name.replace("-", "_").title() for name in most]
            yield audit_installs(judge, "pypi, spelled Like_This", ecosystem, written)
    if told.fakes is not None:
        known = read_fakes(told.fakes)
        group = "research squats and security holds"
        yield audit_installs(judge, group, Ecosystem.PYPI, known, fake=True)


def main() -> None:
    """Prints a row for each group, then what is wrong."""
    parser = argparse.ArgumentParser(description="Is anything real called absent, or fake real?")
    parser.add_argument("--pypi", type=Path, help="name list with ranks, as for `registry build`")
    parser.add_argument("--npm", type=Path, help="the same of npm")
    parser.add_argument("--fakes", type=Path, help="known fakes: .tsv of name, class and summary")
    parser.add_argument("--top", type=int, default=5000, help="most downloaded names of each list")
    parser.add_argument(
        "--site", type=Path, action="append", default=[], help="also what is installed there"
    )
    told = parser.parse_args()
    with default_judge(Mode.SNAPSHOT) as judge:
        outcomes = [*_of_lists(judge, told), *audit_modules(judge, told.site)]
    columns = ("names", "lost", *Verdict, "wrong")
    print(f"{'group':36}" + "".join(f"{column:>8}" for column in columns))
    for one in outcomes:
        counts = [one.verdicts.get(verdict, 0) for verdict in Verdict]
        numbers = (one.names, len(one.lost), *counts, len(one.wrong))
        print(f"{one.group:36}" + "".join(f"{number:8,}" for number in numbers))
    for one in outcomes:
        for what, names in (("lost", one.lost), ("wrong", one.wrong)):
            for name in names[:SHOWN]:
                print(f"{one.group}: {what}: {name}")
    sys.exit(any(one.lost or one.wrong for one in outcomes))


if __name__ == "__main__":
    main()
