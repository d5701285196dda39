"""Names and package refs in, verdicts out: the one door to the registries.

For a name: built in; not a possible name; snapshot; cache; live. For a ref: built in; what its
flags say; the verdict on its name; what that means for an import.

A judgement by a snapshot loads no HTTP client, which takes 0.3 s: what needs one is imported where
it is used.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from ghostbust.errors import SnapshotError, UsageError
from ghostbust.home import Home
from ghostbust.records import (
    ASKED,
    PROMPTED,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    RefKind,
    SuspectReason,
    Verdict,
    utc_now,
)
from ghostbust.registries.interface import LookupCache, Meter, Origin
from ghostbust.registries.names import (
    builtin_names,
    canonical_name,
    plain_test,
    public_crates,
    public_npm,
)
from ghostbust.registries.rules import (
    AgeRule,
    explained,
    judge_import,
    may_lack_version,
    settle_name,
    settle_ref,
    written_as_module,
)
from ghostbust.registries.snapshot import POPULAR, Snapshot, snapshot_as_of, snapshot_paths

if TYPE_CHECKING:
    from ghostbust.registries.live import LiveLookups
    from ghostbust.registries.npm_config import NpmEndpoints

# Only a summary shows these, and the live answers have no summary.
_ONLY_IN_SNAPSHOT = (
    SuspectReason.DECOY,
    SuspectReason.PLACEHOLDER,
    SuspectReason.RESEARCH_SQUAT,
    SuspectReason.SECURITY_HOLDING,
)
# Hosts under which Yarn's authors serve the public npm registry: classic lock files name them.
# As SHA-256, since no registry's address stands in this repository.
_OTHER_NPM_HOSTS = frozenset({"70bb4000cd2fab03af01fed086c6bf3c2c970f8b8b8001c311028ec3b80e775a"})
_SETTINGS = ("GHOSTBUST_REGISTRY__MODE", "GHOSTBUST_REGISTRY__AS_OF")


class Mode(StrEnum):
    """Who is asked."""

    SNAPSHOT = "snapshot"
    """the snapshot only; no network"""
    LIVE = "live"
    """the live registry only, unless it was asked a short while ago"""
    AUTO = "auto"
    """the snapshot, and the live registry for what the snapshot doesn't know"""


class Judge:
    """Says what is real. Made by `default_judge`, or from its parts in a test.

    Synchronous; must not be called from inside a running event loop. May be called from
    several threads if its cache may.
    """

    def __init__(
        self,
        mode: Mode,
        *,
        snapshots: Mapping[Ecosystem, Snapshot],
        live: LiveLookups | Callable[[], LiveLookups] | None = None,
        age: AgeRule | None = None,
        as_of: date | None = None,
        also_elsewhere: Collection[Ecosystem] = (),
        known: KnownIndexes | None = None,
    ) -> None:
        """``also_elsewhere``: whose live registries hold names that a snapshot can't know.
        ``live`` may be a function: then it is called when a registry is first asked."""
        if (mode is Mode.SNAPSHOT) != (live is None):
            raise ValueError(f"mode {mode} {'takes no' if live else 'needs'} live registries")
        self.mode = mode
        """who is asked"""
        self.snapshots = snapshots
        """loaded in every mode: `Snapshot.popular` and the dates are needed in all"""
        self.dates = {str(eco): snapshot.date.isoformat() for eco, snapshot in snapshots.items()}
        """ecosystem to the day its snapshot was taken, as ISO 8601"""
        self.known = known or KnownIndexes(asks=False)
        """which indexes are public, and which the user's own"""
        self._asked = live
        self._age = age
        self._also_elsewhere = also_elsewhere
        self._of_that_day = "" if as_of is None else f" of {as_of} or before"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections, if there are any."""
        if self._asked is not None and not callable(self._asked):
            self._asked.close()

    @property
    def _live(self) -> LiveLookups | None:
        """The live registries, set up by now; None in snapshot mode. Raises ConfigError."""
        if callable(self._asked):
            self._asked = self._asked()
        return self._asked

    def names(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, Lookup]:
        """The verdict on each name, under the spelling it was given in.

        A registry that can't be asked gives UNKNOWN, reason ``unreachable``. Raises
        SnapshotError in snapshot mode where the ecosystem has no snapshot.
        """
        distinct = dict.fromkeys(names)
        is_plain, builtin = plain_test(ecosystem), builtin_names(ecosystem)
        # Nearly all names are canonical, valid and not built in: they take a short way, which
        # makes hundreds of thousands a second.
        plain = [name for name in distinct if is_plain(name) and name not in builtin]
        if len(plain) == len(distinct):
            return self._finished(ecosystem, self._look_up(ecosystem, plain))
        easy, now = set(plain), utc_now()
        canonical = {n: n if n in easy else canonical_name(ecosystem, n) for n in distinct}
        settled = {
            name: verdict
            for name in canonical.values()
            if name not in easy and (verdict := settle_name(ecosystem, name, now))
        }
        unsettled = [name for name in dict.fromkeys(canonical.values()) if name not in settled]
        verdicts = self._finished(ecosystem, settled | self._look_up(ecosystem, unsettled))
        return {name: verdicts[canonical[name]] for name in distinct}

    def refs(self, refs: Sequence[PackageRef]) -> list[Judged]:
        """Each ref with its verdict, in the order given; each name is looked up once."""
        now = utc_now()
        settled = [(ref, settle_ref(ref, now)) for ref in refs]
        found = {
            ecosystem: self.names(
                ecosystem,
                [s for ref, s in settled if isinstance(s, str) and ref.ecosystem is ecosystem],
            )
            for ecosystem in {ref.ecosystem for ref in refs}
        }
        judged = []
        for ref, verdict in settled:
            if isinstance(verdict, str):
                lookup, snapshot = found[ref.ecosystem][verdict], self.snapshots.get(ref.ecosystem)
                if ref.kind is RefKind.IMPORT:
                    verdict = judge_import(ref, lookup, snapshot)
                else:
                    verdict = written_as_module(lookup, ref.raw, snapshot)
            judged.append(Judged(ref, verdict))
        return judged

    def asked_live(self, ecosystem: Ecosystem, name: str) -> Lookup:
        """The live registry's verdict, whatever a snapshot says. Raises UsageError without one."""
        if self._live is None:
            raise UsageError("only a snapshot is asked; ask live")
        name = canonical_name(ecosystem, name)
        return self._with_summary(self._live.look_up(ecosystem, [name])[name])

    def origin(self, ecosystem: Ecosystem, name: str) -> Origin:
        """Who published a registered name, and when first, asked now.

        Raises RegistryError where no usable answer came, UsageError in snapshot mode.
        """
        if self._live is None:
            raise UsageError("a snapshot doesn't know who published a package; ask live")
        return self._live.origin(ecosystem, canonical_name(ecosystem, name))

    def descriptions(self, ecosystem: Ecosystem, names: Iterable[str]) -> dict[str, str]:
        """What registered packages say about themselves, asked now; without the unanswered ones.

        Raises RegistryError where there is no such registry, UsageError in snapshot mode.
        """
        if self._live is None:
            raise UsageError("a snapshot doesn't know what packages say of themselves; ask live")
        return self._live.descriptions(ecosystem, names)

    def with_versions(self, judged: Sequence[Judged], limit_s: float = 5.0) -> list[Lookup]:
        """The verdicts; ``version-absent`` for a REAL one whose ref wants a version there isn't.

        Asks for ``limit_s`` seconds at most, and says in the evidence who gave no answer. In
        snapshot mode only a crate's version can be far beyond the newest one: other snapshots hold
        no versions.
        """
        asking = [one for one in judged if may_lack_version(one.ref, one.lookup)]
        if not asking:
            return [one.lookup for one in judged]
        if self._live is None:
            return [self._with_newest(one) for one in judged]
        from ghostbust.registries.versions import with_version

        names: dict[Ecosystem, dict[str, None]] = {}
        for one in asking:
            names.setdefault(one.lookup.ecosystem, {})[one.lookup.name] = None
        known = {
            ecosystem: self._live.versions(ecosystem, asked, limit_s)
            for ecosystem, asked in names.items()
        }
        return [
            with_version(one, known[one.lookup.ecosystem].get(one.lookup.name))
            if may_lack_version(one.ref, one.lookup)
            else one.lookup
            for one in judged
        ]

    def _with_newest(self, judged: Judged) -> Lookup:
        """The verdict, by the newest version that the snapshot holds, if it holds any."""
        snapshot = self.snapshots.get(judged.lookup.ecosystem)
        if snapshot is None or not may_lack_version(judged.ref, judged.lookup):
            return judged.lookup
        from ghostbust.registries.versions import with_newest

        return with_newest(judged, snapshot.newest(judged.lookup.name), snapshot.date)

    def tells_absent(self, ecosystem: Ecosystem) -> bool:
        """Whether a name can be judged absent: by a live registry or a complete snapshot."""
        if self.mode is not Mode.SNAPSHOT:
            return ecosystem in ASKED
        return ecosystem in self.snapshots and self.snapshots[ecosystem].complete

    def _look_up(self, ecosystem: Ecosystem, names: Sequence[str]) -> dict[str, Lookup]:
        """The verdict on each canonical name that isn't built in, by the mode's sources."""
        snapshot = self.snapshots.get(ecosystem)
        if self.mode is Mode.SNAPSHOT:
            if snapshot is None and names and ecosystem not in PROMPTED:
                return {name: _without_snapshot(ecosystem, name) for name in names}
            if snapshot is None and names:
                raise SnapshotError(
                    f"there is no {ecosystem} snapshot{self._of_that_day}; build one with"
                    " `ghostbust registry build`"
                )
            found = snapshot.look_up_all(names) if snapshot else ()
            return dict(zip(names, found, strict=True))
        known: dict[str, Lookup] = {}
        if self.mode is Mode.AUTO and snapshot is not None:
            open_verdicts = {Verdict.UNKNOWN}
            # npm's lists are other people's, and its new names come by the minute.
            if ecosystem is Ecosystem.NPM or ecosystem in self._also_elsewhere:
                open_verdicts.add(Verdict.ABSENT)
            known = {
                lookup.name: lookup
                for lookup in snapshot.look_up_all(names)
                if lookup.verdict not in open_verdicts
            }
        to_ask = [name for name in names if name not in known]
        if to_ask and (live := self._live):
            for name, lookup in live.look_up(ecosystem, to_ask).items():
                known[name] = self._with_summary(lookup)
        return {name: known[name] for name in names}

    def _with_summary(self, live: Lookup) -> Lookup:
        """The live verdict, made SUSPECT where the snapshot knows the name as a fake."""
        snapshot = self.snapshots.get(live.ecosystem)
        if live.verdict is not Verdict.REAL or snapshot is None:
            return live
        noted = snapshot.look_up(live.name)
        if noted.reason not in _ONLY_IN_SNAPSHOT:
            return live
        evidence = f"{live.evidence}; {noted.evidence}"
        return replace(live, verdict=Verdict.SUSPECT, reason=noted.reason, evidence=evidence)

    def _finished(self, ecosystem: Ecosystem, verdicts: dict[str, Lookup]) -> dict[str, Lookup]:
        """The verdicts with what a rule explains, npm's old capitals, and the model's cutoff."""
        verdicts = {name: explained(lookup, self.snapshots) for name, lookup in verdicts.items()}
        if ecosystem is Ecosystem.NPM and not all(map(str.islower, verdicts)):
            verdicts = {name: self._in_lower_case(lookup) for name, lookup in verdicts.items()}
        if self._age is not None:
            verdicts = {name: self._age(lookup) for name, lookup in verdicts.items()}
        return verdicts

    def _in_lower_case(self, lookup: Lookup) -> Lookup:
        """The verdict on an npm name; for an unknown one with capitals, that on it in lower case.

        New names can't have capitals, so nobody can register the other spelling.
        """
        snapshot, lower = self.snapshots.get(Ecosystem.NPM), lookup.name.lower()
        if lookup.source == "live" or snapshot is None or lower == lookup.name:
            return lookup
        if lookup.verdict not in (Verdict.ABSENT, Verdict.UNKNOWN) or lower not in snapshot:
            return lookup
        known = snapshot.look_up(lower)
        return replace(known, name=lookup.name, evidence=f"{known.evidence}, as {lower}")


def _without_snapshot(ecosystem: Ecosystem, name: str) -> Lookup:
    """UNKNOWN: no snapshot of that ecosystem is shipped, and the user has made none."""
    evidence = (
        f"{name}: there is no {ecosystem} snapshot; make one with `ghostbust registry sync"
        f" --ecosystem {ecosystem} --index ADDRESS`"
    )
    return Lookup(ecosystem, name, Verdict.UNKNOWN, "not-in-snapshot", evidence, "rule", utc_now())


def default_judge(
    mode: Mode,
    *,
    cache: LookupCache | None = None,
    data_dir: Path | None = None,
    as_of: date | None = None,
    cutoff: date | None = None,
    npm_project: Path | None = None,
    meter: Meter | None = None,
    late: bool = False,
    limit_s: float | None = None,
) -> Judge:
    """The judge for this machine: its snapshots, its pip and npm configuration.

    ``data_dir``: folder of snapshots that come before the shipped ones. ``cache`` serves
    live verdicts only. ``as_of``: judge by the newest snapshots that aren't later; in snapshot
    mode only. ``cutoff``: the last day the model knows about; None: names aren't judged by
    their age. ``npm_project``: the folder whose ``.npmrc`` counts; None: no folder's.
    ``meter`` counts requests to live registries; what it forbids is UNKNOWN. ``late``: pip's and
    npm's settings for asking are read when a name has to be asked for, and raise ConfigError then.
    ``limit_s``: for all that live registries are asked; what has no answer by then is UNKNOWN.
    Raises SnapshotError for a damaged snapshot, and where none is old enough,
    ConfigError for pip or npm settings that can't be used, UsageError for a day in another
    mode. Close it, or use it in a ``with``.
    """
    if as_of is not None and mode is not Mode.SNAPSHOT:
        raise UsageError(f"a {mode} registry can't be asked about {as_of}: only a snapshot can")
    paths = {eco: snapshot_as_of(eco, data_dir, as_of) for eco in ASKED}
    snapshots = {
        eco: Snapshot.load(path)
        for eco, path in paths.items()
        if path is not None and (eco in PROMPTED or path.is_file())
    }
    if not snapshots:
        raise SnapshotError(f"there is no snapshot of {as_of} or before")
    if mode is Mode.SNAPSHOT:
        age = None if cutoff is None else _age_rule(cutoff, data_dir, as_of)
        return Judge(mode, snapshots=snapshots, age=age, as_of=as_of)
    from ghostbust.registries.pip_config import PipSettings

    also_elsewhere = {Ecosystem.PYPI} if PipSettings().extra_indexes() else set()
    age = None if cutoff is None else _age_rule(cutoff, data_dir, as_of, also_elsewhere)
    npm = snapshots.get(Ecosystem.NPM)
    # The most downloaded aren't asked for their age: their documents are the largest, and nearly
    # all of them are old.
    popular = frozenset(npm.popular(POPULAR) if npm and age else ())

    def may_be_young(name: str, changed: datetime) -> bool:
        return age is not None and name not in popular and age.may_be_young(name, changed)

    def live() -> LiveLookups:
        # Imported here: it takes longer than all the rest, and most names need no asking.
        from ghostbust.registries.live import (
            LiveLookups,
            close_clients,
            live_registries,
            open_clients,
        )

        clients = open_clients(npm_project, meter)
        registries = live_registries(clients, may_be_young, npm_project)
        return LiveLookups(
            registries, cache=cache, on_close=lambda: close_clients(clients), limit_s=limit_s
        )

    return Judge(
        mode,
        snapshots=snapshots,
        live=live if late else live(),
        age=age,
        also_elsewhere=also_elsewhere,
        known=KnownIndexes(asks=True, npm_project=npm_project),
    )


def _age_rule(
    cutoff: date,
    data_dir: Path | None,
    as_of: date | None,
    also_elsewhere: Collection[Ecosystem] = (),
) -> AgeRule:
    """The rule by every snapshot there is, none later than ``as_of``."""
    snapshots = {}
    for eco in ASKED:
        loaded = [Snapshot.load(path) for path in snapshot_paths(eco, data_dir)]
        snapshots[eco] = [one for one in loaded if as_of is None or one.date <= as_of]
    return AgeRule(cutoff, snapshots, also_elsewhere=also_elsewhere)


def asked_of(
    registry: Mode | None, day: date | None, home: Home, config: Path | None = None
) -> tuple[Mode, date | None]:
    """Who is asked, and as of which day (None: today), where a command or call leaves it open.

    What is None comes from ``config``, the home folder's settings or the environment, never from
    the current folder: a checked folder can't decide who is asked about it. About a day in the past
    only a snapshot is asked. Raises ConfigError.
    """
    variables = {name.upper() for name, value in os.environ.items() if value}
    has_settings = config or home.config.is_file() or not variables.isdisjoint(_SETTINGS)
    if registry is None and day is None and has_settings:
        from ghostbust.config import load_config  # takes 0.2 s

        section = load_config(config, home, trust_here=False).registry
        registry, day = Mode(section.mode), section.as_of
        if day is not None:
            return Mode.SNAPSHOT, day
    if day is not None and registry in (None, Mode.AUTO):
        return Mode.SNAPSHOT, day
    return registry or Mode.AUTO, day


class KnownIndexes:
    """Whether an address in a text is a public index, or one of the user's own settings.

    Names from the first are judged publicly; the second is asked anyway. Only the text vouches for
    any other index, and a text can't vouch for itself. Reads pip's and npm's settings when needed.
    """

    def __init__(self, *, asks: bool, npm_project: Path | None = None) -> None:
        """``asks``: the user's own indexes are asked; False for judging by a snapshot only."""
        self._asks = asks
        self._npm_project = npm_project

    def is_public(self, ecosystem: Ecosystem, address: str) -> bool:
        """True for the public index itself, and for what lies below it."""
        if ecosystem is Ecosystem.PYPI:
            # Imported here: it costs 0.3 s, and few texts name an index.
            from pypi_simple import PYPI_SIMPLE_ENDPOINT

            return _is_below(address, PYPI_SIMPLE_ENDPOINT)
        if ecosystem is Ecosystem.CARGO:
            index = address.removeprefix("sparse+")
            return address == "crates-io" or _is_below(index, public_crates())
        host = without_credentials(address).partition("://")[2].partition("/")[0]
        hashed = hashlib.sha256(host.encode()).hexdigest()
        return _is_below(address, public_npm()) or hashed in _OTHER_NPM_HOSTS

    def is_own(self, ecosystem: Ecosystem, address: str, name: str) -> bool:
        """True for an index that the user's pip or npm asks for a package of that name.

        Raises ConfigError for settings that can't be used.
        """
        if not self._asks:
            return False
        if ecosystem is Ecosystem.PYPI:
            return any(_is_below(address, url) for url in self._pip)
        if ecosystem is Ecosystem.CARGO:
            from ghostbust.registries.cargo_config import CargoSettings

            return CargoSettings(self._npm_project).names(address)
        return _is_below(address, self._npm.of(name).url)

    @cached_property
    def _pip(self) -> list[str]:
        from ghostbust.registries.pip_config import PipSettings

        pip = PipSettings()
        return [index.url for index in (pip.index(), *pip.extra_indexes())]

    @cached_property
    def _npm(self) -> NpmEndpoints:
        from ghostbust.registries.npm_config import NpmSettings

        return NpmSettings(self._npm_project).endpoints()


def without_credentials(address: str) -> str:
    """An address without user name, password, query and fragment, no slash at the end."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return ""
    if not parts.netloc:
        return address.strip()
    host = parts.netloc.rpartition("@")[2].lower()
    return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"


def _is_below(address: str, base: str) -> bool:
    bare, base = without_credentials(address), without_credentials(base)
    return bool(base) and "/.." not in bare and (bare == base or bare.startswith(f"{base}/"))
