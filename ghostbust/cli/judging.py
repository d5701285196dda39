"""The verdict of ``ghostbust check`` on each place that names a package.

Most verdicts come from the registries. Some names are UNKNOWN without asking: names that trusted
settings or a review vouch for, the checkout's own code, and lines whose comment says so. And a text
that names an index for its packages can't vouch for them by that.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ghostbust.cli.source_text import is_prose, shown_address
from ghostbust.errors import ConfigError, StoreError, UsageError
from ghostbust.records import (
    Ecosystem,
    Flag,
    Judged,
    Lookup,
    NamedIndex,
    PackageRef,
    Verdict,
    utc_now,
)
from ghostbust.registries.names import canonical_name, is_valid_name, ref_of
from ghostbust.registries.rules import may_lack_version
from ghostbust.results import IGNORED, Checked
from ghostbust.text import Lines, Place

if TYPE_CHECKING:
    from ghostbust.cli.source_text import SourceText
    from ghostbust.extractors.checkout import Checkouts
    from ghostbust.home import Home
    from ghostbust.registries.judge import Judge

ALLOWED = "allowed"
PRIVATE_SCOPE = "private-scope"
_VARIABLES = ("GHOSTBUST_CHECK__ALLOW", "GHOSTBUST_CHECK__PRIVATE")
_COMMENT = re.compile(r"ghostbust: ?ignore\[([^\]\n]{1,200})\]")


def judge_sources(
    judge: Judge,
    vouching: Vouching,
    sources: Sequence[SourceText],
    own: OwnCode | None = None,
    *,
    versions_s: float = 5.0,
) -> list[Checked]:
    """The verdict on each ref of each source, in their order. Raises ConfigError.

    ``versions_s``: how long registries are asked for versions, some ten names a second.
    """
    from ghostbust.registries.nearest import nearest_names

    own = own or OwnCode()
    pairs = [(source, ref) for source in sources for ref in source.refs]
    settled = [vouching.lookup(ref) or own.before(source, ref) for source, ref in pairs]
    # The public index is asked about every other name, whatever index its text names.
    asked = [
        replace(ref, flags=ref.flags - {Flag.PRIVATE_INDEX})
        for (_, ref), known in zip(pairs, settled, strict=True)
        if known is None
    ]
    answers = iter(judge.refs(asked))
    lookups = [
        known or own.after(source, ref, by_named_indexes(judge, ref, next(answers).lookup))
        for (source, ref), known in zip(pairs, settled, strict=True)
    ]
    lookups = _with_versions(judge, own, pairs, lookups, versions_s)
    nearest = nearest_names(judge.snapshots, lookups)
    return [
        Checked.of(ref, lookup, nearest, place)
        for (_, ref), lookup, place in zip(pairs, lookups, _places(sources), strict=True)
    ]


def _with_versions(
    judge: Judge,
    own: OwnCode,
    pairs: Sequence[tuple[SourceText, PackageRef]],
    lookups: Sequence[Lookup],
    limit_s: float,
) -> list[Lookup]:
    """The verdicts; a REAL one gets the reason ``version-absent`` where the version that its text
    wants isn't there.

    Prose isn't judged by it, since it may speak of a release to come, nor a name that the checkout
    itself defines.
    """
    asked = [
        n
        for n, ((source, ref), lookup) in enumerate(zip(pairs, lookups, strict=True))
        if may_lack_version(ref, lookup)
        and not (is_prose(source.path or "") or own.has(source, ref))
    ]
    judged = [Judged(pairs[n][1], lookups[n]) for n in asked]
    found = dict(zip(asked, judge.with_versions(judged, limit_s), strict=True))
    return [found.get(n, lookup) for n, lookup in enumerate(lookups)]


def _places(sources: Iterable[SourceText]) -> Iterator[Place | None]:
    for source in sources:
        lines = None if source.path is None else Lines(source.path, source.text)
        for ref in source.refs:
            yield lines.place(ref.start, ref.end) if lines else None


def by_named_indexes(judge: Judge, ref: PackageRef, public: Lookup) -> Lookup:
    """The verdict on a ref, from the ``public`` one and the indexes that its text names.

    An index asked beside the usual one changes no verdict: pip asks the public one all the same, so
    whoever registers the name there may be the one who is installed from. With an index asked
    instead of it, what is public stays as it is; any other name is UNKNOWN, ``private-index``,
    unless the user's own settings name that index: then it is asked. Raises ConfigError.
    """
    named = ref.indexes
    if not named and Flag.PRIVATE_INDEX in ref.flags:
        named = (NamedIndex("", replaces=True),)
    if Flag.ELSEWHERE in ref.flags or public.verdict is Verdict.BUILTIN:
        return public
    others = [one for one in named if not judge.known.is_public(ref.ecosystem, one.address)]
    foreign = [
        one for one in others
        if not judge.known.is_own(public.ecosystem, one.address, public.name)
    ]  # fmt: skip
    in_snapshot = public.source.startswith("snapshot:")
    if len(foreign) < len(others) and public.verdict is Verdict.ABSENT and in_snapshot:
        # One of them is the user's own, which no snapshot knows.
        public = judge.asked_live(public.ecosystem, public.name)
    if not foreign:
        return public
    where = ", ".join(shown_address(one.address) for one in foreign)
    is_replaced = any(one.replaces for one in foreign)
    if not is_replaced or not public.invented or public.reason == "invalid-name":
        how = "is named instead of" if is_replaced else "is asked beside"
        return replace(public, evidence=f"{public.evidence}; {where} {how} the usual index")
    evidence = f"{public.evidence}; the text names {where} instead, which wasn't asked"
    return replace(public, verdict=Verdict.UNKNOWN, reason=Flag.PRIVATE_INDEX, evidence=evidence)


def _unknown(ecosystem: Ecosystem, name: str, reason: str, evidence: str) -> Lookup:
    """UNKNOWN by a rule: nobody had to be asked."""
    return Lookup(ecosystem, name, Verdict.UNKNOWN, reason, evidence, "rule", utc_now())


@dataclass(frozen=True, slots=True)
class Vouching:
    """What isn't looked up, as canonical names and as what names begin with."""

    allowed: frozenset[tuple[Ecosystem, str]] = frozenset()
    scopes: tuple[tuple[Ecosystem, str], ...] = ()
    """``@acme/`` for an npm scope, ``acme-`` for a PyPI prefix"""
    reviewed: frozenset[tuple[Ecosystem, str]] = frozenset()
    """names that a person allowed with `ghostbust names allow`"""

    @classmethod
    def of(cls, allow: Iterable[str], private: Iterable[str]) -> Self:
        """From the settings' texts. Raises ConfigError for one that says nothing."""
        scopes = tuple(_scope(text) for text in private)
        return cls(frozenset(_name(text) for text in allow), scopes)

    def lookup(self, ref: PackageRef) -> Lookup | None:
        """UNKNOWN for a ref that isn't to be looked up; None for any other."""
        name = ref.name or canonical_name(ref.ecosystem, ref.import_name or ref.raw)
        if (ref.ecosystem, name) in self.allowed:
            reason, said = ALLOWED, "the settings' check.allow has it"
        elif (ref.ecosystem, name) in self.reviewed:
            reason, said = ALLOWED, "a review allows it (ghostbust names show)"
        elif any(ref.ecosystem is eco and name.startswith(head) for eco, head in self.scopes):
            reason, said = PRIVATE_SCOPE, "the settings' check.private has its scope"
        else:
            return None
        return _unknown(ref.ecosystem, name, reason, f"{name}: {said}")


def trusted_vouching(config: Path | None, home: Home) -> Vouching:
    """What ``config`` or the home's settings, the environment and reviews vouch for.

    Never the current folder's settings: what is checked must not vouch for itself. Raises
    ConfigError.
    """
    reviewed = _reviewed(home)
    asked = config is not None or home.config.is_file()
    if not asked and not any(os.environ.get(name) for name in _VARIABLES):
        return Vouching(reviewed=reviewed)  # it takes 0.2 s to load the settings
    from ghostbust.config import load_config

    settings = load_config(config, home, trust_here=False).check
    return replace(Vouching.of(settings.allow, settings.private), reviewed=reviewed)


def _reviewed(home: Home) -> frozenset[tuple[Ecosystem, str]]:
    """The names that reviews allow; none where no database can be read."""
    if not home.database.is_file():
        return frozenset()
    from ghostbust.store.store import Store

    try:
        with Store.open(home.database, read_only=True) as store:
            return store.reviews.allowed()
    except StoreError:
        return frozenset()  # one of an older version has none, and checking needs no database


def is_vouching_ignored(config: Path | None) -> bool:
    """True where the current folder's settings try to vouch and are ignored."""
    try:
        return config is None and "[check]" in Path("ghostbust.toml").read_text("utf-8", "replace")
    except OSError:
        return False


def _name(text: str) -> tuple[Ecosystem, str]:
    try:
        ref = ref_of(text)
    except UsageError as exc:
        raise ConfigError(f"check.allow: {exc}") from exc
    if ref is None or ref.name is None:
        raise ConfigError(f"check.allow: {text!r} is no name in a registry")
    return ref.ecosystem, ref.name


def _scope(text: str) -> tuple[Ecosystem, str]:
    if text.startswith("@"):
        scope = text.removesuffix("/*").rstrip("/")
        if is_valid_name(Ecosystem.NPM, f"{scope}/x") and not {"/", "*"} & set(scope):
            return Ecosystem.NPM, f"{scope}/"
    elif text.endswith("*"):
        head = canonical_name(Ecosystem.PYPI, text[:-1])
        if is_valid_name(Ecosystem.PYPI, head.strip("-")) and not head.startswith("-"):
            return Ecosystem.PYPI, head
    raise ConfigError(
        f"check.private: {text!r} is no scope; write @scope for npm, prefix-* for PyPI"
    )


class OwnCode:
    """What of a checked file needs no registry: the checkout's own code, and ignored lines.

    An import of a module beside the file, or a dependency on a member of the workspace, is UNKNOWN
    with the reason ``local-module`` and where it lies. A comment ``ghostbust: ignore[why]`` on the
    line of a name makes it UNKNOWN with the reason ``ignored``.
    """

    def __init__(self, folders: Iterable[str] = (), *, heed_comments: bool = True) -> None:
        """``folders``: as given to the command; ``heed_comments``: off where the files' author
        isn't trusted."""
        self._folders = tuple(Path(folder) for folder in folders)
        self._heed_comments = heed_comments

    @cached_property
    def _checkouts(self) -> Checkouts:
        from ghostbust.extractors.checkout import Checkouts  # not for names alone

        return Checkouts(self._folders)

    def before(self, source: SourceText, ref: PackageRef) -> Lookup | None:
        """The verdict on a ref that no registry is asked about; None for any other."""
        if source.file is None:
            return None
        if self._heed_comments and (why := _comment(source.text, ref.start)):
            return self._verdict(ref, IGNORED, f"ignored in its line: {why}")
        place = self._checkouts.of(source.file).shadows(ref, source.file)
        if place is None:
            return None
        return self._verdict(ref, Flag.LOCAL_MODULE, f"{place} is its own")

    def after(self, source: SourceText, ref: PackageRef, lookup: Lookup) -> Lookup:
        """The registry's verdict, or that what it doesn't have is defined in the checkout."""
        missing = lookup.invented or lookup.reason in ("not-in-snapshot", Flag.PRIVATE_INDEX)
        if source.file is None or not missing:
            return lookup
        checkout = self._checkouts.of(source.file)
        if (manifest := checkout.unlisted(ref, source.file)) is not None:
            evidence = f"{manifest} doesn't list it: a module, or another name of a crate in it"
            return self._verdict(ref, "no-mapping", evidence)
        place = checkout.defines(ref, source.file)
        if place is None:
            return lookup
        return self._verdict(ref, Flag.LOCAL_MODULE, f"{place} is in the same checkout")

    def has(self, source: SourceText, ref: PackageRef) -> bool:
        """True for what the checkout defines itself: it may be about to release that version."""
        if source.file is None:
            return False
        return self._checkouts.of(source.file).defines(ref, source.file) is not None

    def _verdict(self, ref: PackageRef, reason: str, evidence: str) -> Lookup:
        name = ref.name or ref.import_name or ref.raw
        return _unknown(ref.ecosystem, name, reason, f"{ref.raw}: {evidence}")


def _comment(text: str, at: int) -> str:
    """Why the comment in the line says that it isn't judged; empty without one."""
    start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = text[start : end if end >= 0 else len(text)]
    found = _COMMENT.search(line) if "ghostbust" in line else None
    return found[1].strip() if found else ""
