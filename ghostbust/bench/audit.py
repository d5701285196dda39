"""The false-alarm audit: names that are known to be real, or fake, through the whole line.

Each name is put where it would occur, into an install command or an import, extracted from
there, and judged by the snapshot. A real name that comes out ABSENT is a false alarm; a known fake
that doesn't come out SUSPECT is a miss; a name that the extractor doesn't find is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.known_modules import known_modules
from ghostbust.records import Ecosystem, Judged, PackageRef, RefKind, Verdict
from ghostbust.registries.import_names import facts_of_installed
from ghostbust.registries.judge import Judge
from ghostbust.registries.names import canonical_name

_COMMANDS = {Ecosystem.PYPI: "pip install", Ecosystem.NPM: "npm install"}


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

    @property
    def sound(self) -> bool:
        """True where nothing is wrong and nothing was lost."""
        return not self.wrong and not self.lost


def audit_installs(
    judge: Judge, group: str, ecosystem: Ecosystem, names: Sequence[str], *, fake: bool = False
) -> Outcome:
    """Names in install commands, one a line. ``fake``: each must come out SUSPECT."""
    command = _COMMANDS[ecosystem]
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
    refs = [_guess(module) for module in modules]
    return replace(_outcome(group, len(modules), [], judge.refs(refs)), wrong=())


def mapped_modules() -> list[str]:
    """Every module of the mapping tables, namespaces included."""
    return list(known_modules())


def unlike_modules() -> list[str]:
    """The top-level modules of the tables whose distribution has another name."""
    return [module for module, name in known_modules().items() if name and "." not in module]


def installed_modules(judge: Judge, folders: Sequence[Path] | None = None) -> list[str]:
    """The modules of everything installed, outermost ones, that the registry knows.

    ``folders``: where to look; None: where this interpreter does. Left out is what PyPI doesn't
    have, such as a project under development or a system's own package.
    """
    facts = [fact for fact in facts_of_installed(folders) if not fact.shared]
    known = judge.names(Ecosystem.PYPI, {fact.distribution for fact in facts})
    real = {name for name, lookup in known.items() if lookup.verdict is Verdict.REAL}
    return sorted({fact.module for fact in facts if fact.distribution in real})


def _guess(module: str) -> PackageRef:
    name = canonical_name(Ecosystem.PYPI, module)
    return PackageRef(Ecosystem.PYPI, RefKind.IMPORT, module, 0, len(module), name, module)


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
