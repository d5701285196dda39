"""Whether packages fit the code: install lines beside imports, answers beside code asked about.

::

    Answer (code)  ─install_counts──▶ missing of imported, unused of named, agreeing of answers
    Answer (needs) ─AskedCode.counts─▶ found of asked (recall), right of named (precision)

Both give the counts of one answer, to be summed by prompt family and resampled with it. Installers
(`measure.INSTALLERS`) count nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.extractors.python import distribution_of
from ghostbust.measure import INSTALLERS
from ghostbust.prompts import CODE_LIMIT
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Flag,
    Judged,
    PackageRef,
    Prompt,
    RefKind,
    Verdict,
)
from ghostbust.registries.names import canonical_name

INSTALL_COLUMNS: Final = (
    "install_imported", "install_missing", "install_named", "install_unused",
    "install_answers", "install_agreeing",
)  # fmt: skip
NEEDS_COLUMNS: Final = ("needs_asked", "needs_found", "needs_named", "needs_right")
BUILDS: Final = ("-binary", "-headless", "-cpu", "-gpu")
"""ends of distributions that hold the same modules as the one without"""
_LANGUAGES = {Ecosystem.PYPI: Language.PYTHON, Ecosystem.NPM: Language.JAVASCRIPT}
_NO_MODULE = (Flag.LOCAL_MODULE, Flag.TRUNCATED, Flag.ELSEWHERE)


@dataclass(frozen=True, slots=True)
class ImportedPackage:
    """A third-party import as install lines may name it."""

    names: frozenset[str]
    """canonical names of distributions that provide it: the mapped one, and its module's own name;
    empty where no table and no registry ties it to one"""
    optional: bool
    """True where the code runs without it"""

    @classmethod
    def of(cls, ref: PackageRef, *, mapped: bool) -> ImportedPackage:
        """Of an import; not ``mapped``: nobody knows which distribution provides it."""
        own = (ref.import_name or ref.raw).partition(".")[0]
        names = {ref.name, canonical_name(ref.ecosystem, own)}
        if ref.ecosystem is not Ecosystem.PYPI:
            names = {ref.name}
        known = frozenset(_without_build(name) for name in names if name) if mapped else frozenset()
        return cls(known, not {Flag.OPTIONAL, Flag.TYPE_CHECKING}.isdisjoint(ref.flags))


def install_counts(answer: Answer) -> dict[str, float]:
    """By `INSTALL_COLUMNS`; all 0 for an answer to no CODE prompt, or whose install line names
    nothing (``pip install -r requirements.txt``).

    ``install_missing`` are third-party imports that no install line names, of
    ``install_imported``; optional ones can't be missing. The rest is counted in answers that the
    token limit didn't cut off: ``install_unused`` names that nothing imports, of
    ``install_named``; answers without either (``install_agreeing``), of ``install_answers``.
    An import that nothing ties to a distribution takes one of the names that would be unused;
    where none is left it is missing. What is installed for its command alone, or as another
    package's driver, counts as unused: only the difference to the base says something.
    """
    prompt = answer.sample.prompt
    counts = dict.fromkeys(INSTALL_COLUMNS, 0.0)
    of_registry = [one for one in answer.judged if one.ref.ecosystem is prompt.ecosystem]
    named = _installed(of_registry, (RefKind.INSTALL, RefKind.MANIFEST))
    if prompt.context is not Context.CODE or not named:
        return counts
    imported = {
        ImportedPackage.of(one.ref, mapped=one.lookup.verdict is not Verdict.UNKNOWN): None
        for one in of_registry
        if _is_third_party(one.ref) and one.lookup.verdict is not Verdict.BUILTIN
    }
    known = [one for one in imported if one.names]
    unmapped = {one.ref.raw.partition(".")[0] for one in of_registry if _is_unmapped(one)}
    needed = {one.names for one in known if not one.optional}
    unused = {name for name in named if not any(name in one.names for one in known)}
    missing = sum(1 for names in needed if named.isdisjoint(names))
    missing += max(0, len(unmapped) - len(unused))
    counts["install_imported"] = float(len(needed) + len(unmapped))
    counts["install_missing"] = float(missing)
    if not answer.sample.truncated:
        left = max(0, len(unused) - len(unmapped))
        counts["install_named"] = float(len(named))
        counts["install_unused"] = float(left)
        counts["install_answers"] = 1.0
        counts["install_agreeing"] = float(not missing and not left)
    return counts


class AskedCode:
    """The third-party packages that the code in NEEDS prompts imports.

    The code is the base's own, so some of its imports are invented. These needn't be found, and
    naming one is wrong; those that nobody can judge count neither way.
    """

    def __init__(self, answers: Iterable[Answer]) -> None:
        """``answers``: of the base in all contexts: their verdicts say which imports are real."""
        self._verdicts = {
            (one.ref.ecosystem, one.ref.name): one.lookup.verdict
            for answer in answers
            for one in answer.judged
            if one.ref.name and one.lookup.verdict is not Verdict.UNKNOWN
        }

    def counts(self, answer: Answer) -> dict[str, float]:
        """By `NEEDS_COLUMNS`; all 0 for an answer to no NEEDS prompt.

        ``needs_found`` of the ``needs_asked`` packages are named (recall), ``needs_right`` of the
        ``needs_named`` names are asked for (precision). A name counts in a list, an install line or
        a manifest: to repeat the code names nothing.
        """
        counts = dict.fromkeys(NEEDS_COLUMNS, 0.0)
        prompt = answer.sample.prompt
        if prompt.context is not Context.NEEDS:
            return counts
        asked, unsure = self.imports(prompt)
        kinds = (RefKind.INSTALL, RefKind.MANIFEST, RefKind.LIST)
        judged = [one for one in answer.judged if one.lookup.verdict is not Verdict.UNKNOWN]
        named = {name for name in _installed(judged, kinds) if not any(name in u for u in unsure)}
        counts["needs_asked"] = float(len(asked))
        counts["needs_found"] = float(sum(not named.isdisjoint(names) for names in asked))
        counts["needs_named"] = float(len(named))
        counts["needs_right"] = float(sum(any(n in names for names in asked) for n in named))
        return counts

    def imports(self, prompt: Prompt) -> tuple[set[frozenset[str]], set[frozenset[str]]]:
        """The real packages that a NEEDS prompt's code imports, and those that can't be judged.

        Each by the names that may be installed for it.
        """
        asked, unsure = set(), set()
        for ref in _imports(prompt):
            names = ImportedPackage.of(ref, mapped=True).names
            match self._verdict(ref):
                case Verdict.REAL:
                    asked.add(names)
                case Verdict.UNKNOWN:
                    unsure.add(names)
        return asked, unsure

    def _verdict(self, ref: PackageRef) -> Verdict:
        """The registry's, as far as the answers have it; REAL for an import that a table maps."""
        known = self._verdicts.get((ref.ecosystem, ref.name or ""))
        by_table = ref.ecosystem is Ecosystem.PYPI and distribution_of(ref.import_name or ref.raw)
        return known or (Verdict.REAL if by_table else Verdict.UNKNOWN)


@lru_cache(maxsize=4096)
def _imports(prompt: Prompt) -> tuple[PackageRef, ...]:
    """The third-party imports of the code that a prompt quotes, behind its first blank line."""
    head, gap, code = prompt.text.partition("\n\n")
    code = code if gap else head
    found = extract(
        code,
        language=_LANGUAGES.get(prompt.ecosystem, Language.AUTO),
        truncated=len(code) >= CODE_LIMIT,
        ecosystem=prompt.ecosystem,
    )
    return tuple(ref for ref in found if _is_third_party(ref))


def _is_third_party(ref: PackageRef) -> bool:
    is_import = ref.kind is RefKind.IMPORT and not ref.builtin and ref.name not in INSTALLERS
    return is_import and ref.flags.isdisjoint(_NO_MODULE)


def _is_unmapped(one: Judged) -> bool:
    return (
        _is_third_party(one.ref)
        and one.lookup.verdict is Verdict.UNKNOWN
        and Flag.OPTIONAL not in one.ref.flags
    )


def _installed(judged: Iterable[Judged], kinds: tuple[RefKind, ...]) -> set[str]:
    """The canonical names of refs of these kinds; neither installers nor built-in modules."""
    names = {
        _without_build(one.ref.name)
        for one in judged
        if one.ref.kind in kinds
        and one.ref.name
        and one.lookup.verdict is not Verdict.BUILTIN
        and Flag.TRUNCATED not in one.ref.flags
    }
    return names - INSTALLERS


def _without_build(name: str) -> str:
    return next((name.removesuffix(end) for end in BUILDS if name.endswith(end)), name)
