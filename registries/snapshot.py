"""A registry's names as of one day, on disk: a trie, a table of notes, and a manifest.

::

    registry/registry-pypi.marisa   every name, a marisa trie that is mapped, not read
    registry/registry-pypi.tsv      the popular and the suspect names: name, rank, reason, other
    registry/registry-cargo.versions   the newest version of each name, a second trie; crates only
    registry/registry-pypi.json     the manifest, written last: without it there is no snapshot
    registry/2026-11-23/            a snapshot that was in use before, by its day

A complete snapshot says "no" (ABSENT) to a name it doesn't hold; an incomplete one says
that it doesn't know (UNKNOWN). Does not say what was registered since its day.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import marisa_trie

from ghostbust.documents import parse_json
from ghostbust.errors import DataError, SnapshotError, UsageError
from ghostbust.files import SHARED, sha256_of, write_whole
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.names import canonical_name

FORMAT = 1
"""raised with every change that an older ghostbust couldn't read"""
POPULAR = 15_000
"""how many of the most downloaded names count as popular"""
_VERSIONS = "versions"
"""suffix of the file that only a snapshot with versions has"""
_MAGIC = b"We love Marisa."
_COLUMNS = "name\trank\treason\tother"


@dataclass(frozen=True, slots=True)
class NameRow:
    """One registered name."""

    name: str
    """canonical"""
    rank: int | None = None
    """1 for the most downloaded; None outside the popular ones, or where not known"""
    reason: SuspectReason | None = None
    """why the name is suspect; None for a real one"""
    other: str = ""
    """the package that a decoy or placeholder points to; empty for none"""
    version: str = ""
    """the newest; empty where the listing doesn't say"""


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What a snapshot claims to be."""

    format: int
    ecosystem: str
    date: str
    """the day the names were listed, ISO 8601"""
    complete: bool
    """True where the registry held no other name on that day"""
    count: int
    """names in the trie"""
    popular: int
    suspects: int
    files: dict[str, dict[str, int | str]]
    """file name to ``bytes`` and ``sha256``"""


class Snapshot:
    """The names of one registry on one day. Made by `Snapshot.load`."""

    def __init__(self, path: Path, manifest: SnapshotManifest, trie: marisa_trie.Trie) -> None:
        self.path = path
        """the manifest file"""
        self.manifest = manifest
        self.ecosystem = Ecosystem(manifest.ecosystem)
        self.date = date.fromisoformat(manifest.date)
        self.complete = manifest.complete
        self._trie = trie
        self._source = f"snapshot:{self.date}"
        self._taken = datetime.combine(self.date, time(), UTC)
        self._made: dict[str, Lookup] = {}

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """The snapshot whose manifest is at ``path``; checks sizes and headers, not hashes.

        Raises SnapshotError where a file is missing, cut, damaged or of another format.
        """
        manifest = read_manifest(path)
        for name, claimed in manifest.files.items():
            file = path.with_name(name)
            size = file.stat().st_size if file.is_file() else None
            if size != claimed["bytes"]:
                found = "missing" if size is None else f"{size} bytes instead of {claimed['bytes']}"
                raise _broken(path, f"{name} is {found}")
        trie = marisa_trie.Trie()
        file = _beside(path, "marisa")
        # Mapped instead of read: 0.1 ms for 3.8 MB, and processes share the pages.
        try:
            with file.open("rb") as stream:
                if stream.read(len(_MAGIC)) != _MAGIC:
                    raise _broken(path, f"{file.name} is no marisa trie")
            trie.mmap(os.fspath(file))
        except (OSError, RuntimeError) as exc:
            raise _broken(path, f"{file.name} can't be mapped ({exc})") from exc
        return cls(path, manifest, trie)

    def verify(self) -> None:
        """Compares every file with its SHA-256. Raises SnapshotError at the first that differs."""
        for name, claimed in self.manifest.files.items():
            try:
                found = sha256_of(self.path.with_name(name))
            except OSError as exc:
                raise _broken(self.path, f"{name} can't be read ({exc})") from exc
            if found != claimed["sha256"]:
                raise _broken(self.path, f"{name} doesn't have the SHA-256 of its manifest")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical_name(self.ecosystem, name) in self._trie

    def __len__(self) -> int:
        return self.manifest.count

    def __iter__(self) -> Iterator[str]:
        """Every name, canonical, in no useful order."""
        return iter(self._trie.iterkeys())

    def look_up(self, name: str) -> Lookup:
        """The verdict on a name as of the snapshot's day; never raises for a missing one."""
        return next(self.look_up_all((canonical_name(self.ecosystem, name),)))

    def newest(self, name: str) -> str:
        """The newest version of a canonical name on that day; empty where that isn't known.

        Raises SnapshotError for a damaged file.
        """
        return self._newest[name][0].decode() if name in self._newest else ""

    @cached_property
    def _newest(self) -> Mapping[str, Sequence[bytes]]:
        file = _beside(self.path, _VERSIONS)
        if file.name not in self.manifest.files:
            return {}
        try:
            trie: Mapping[str, Sequence[bytes]] = marisa_trie.BytesTrie().mmap(os.fspath(file))
        except (OSError, RuntimeError) as exc:
            raise _broken(self.path, f"{file.name} can't be mapped ({exc})") from exc
        return trie

    def look_up_all(self, names: Iterable[str]) -> Iterator[Lookup]:
        """`look_up` of many names, in canonical form already, in their order.

        Made for hundreds of thousands a second: what all verdicts share is computed once, and the
        verdict on a popular or a suspect name is made once and kept.
        """
        # Local names are faster than attributes, which counts in this loop.
        trie, noted, made = self._trie, self._noted, self._made
        ecosystem, source, taken = self.ecosystem, self._source, self._taken
        day = f"the {ecosystem} snapshot of {self.date}"
        there = Verdict.REAL, "registered", f"in {day}"
        missing = Verdict.ABSENT, "not-registered", f"not among the {len(self):,} names of {day}"
        if not self.complete:
            age = max(0, (utc_now().date() - self.date).days)
            old = f"{age} {'day' if age == 1 else 'days'} old"
            why = f"not in {day}, which is {old} and holds {len(self):,} names only"
            missing = Verdict.UNKNOWN, "not-in-snapshot", why
        for name in names:
            if name in made:
                yield made[name]
            elif name in noted:
                made[name] = self._look_up_noted(self._row(noted[name]), day)
                yield made[name]
            else:
                verdict, reason, evidence = there if name in trie else missing
                yield Lookup(ecosystem, name, verdict, reason, evidence, source, taken)

    def _look_up_noted(self, row: NameRow, day: str) -> Lookup:
        """The verdict on a popular or a suspect name."""
        verdict, reason = Verdict.REAL, "registered"
        evidence = f"in {day}, download rank {row.rank}"
        if row.reason is not None:
            verdict, reason = Verdict.SUSPECT, str(row.reason)
            points = f", points to {row.other}" if row.other else ""
            evidence = f"{day}: {row.reason}{points}"
        return Lookup(
            self.ecosystem, row.name, verdict, reason, evidence, self._source, self._taken
        )

    def popular(self, n: int) -> list[str]:
        """The ``n`` most downloaded names, best first, no suspects; fewer if it knows fewer."""
        ranked = (row.name for row in self.notes if row.rank is not None and row.reason is None)
        return [name for name, _ in zip(ranked, range(n), strict=False)]

    @cached_property
    def notes(self) -> list[NameRow]:
        """The popular names by rank, then the other suspects. Raises SnapshotError."""
        return [self._row(line) for line in self._noted.values()]

    @cached_property
    def _noted(self) -> dict[str, str]:
        """Name to its line, which is parsed when it is needed: that takes ten times as long."""
        file = _beside(self.path, "tsv")
        try:
            head, *lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as exc:
            raise _broken(self.path, f"{file.name} can't be read ({exc})") from exc
        if head != _COLUMNS:
            raise _broken(self.path, f"the first line of {file.name} isn't its column names")
        return {line.partition("\t")[0]: line for line in lines}

    def _row(self, line: str) -> NameRow:
        try:
            name, rank, reason, other = line.split("\t")
            why = SuspectReason(reason) if reason else None
            return NameRow(name, int(rank) if rank else None, why, other)
        except ValueError as exc:
            file = _beside(self.path, "tsv")
            raise _broken(self.path, f"{file.name} can't be read ({exc})") from exc


def read_manifest(path: Path) -> SnapshotManifest:
    """The manifest at ``path``. Raises SnapshotError for one of another format, or a wrong one."""
    try:
        fields = parse_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as exc:
        raise _broken(path, "there is no such file") from exc
    except (OSError, ValueError) as exc:
        raise _broken(path, f"it can't be read ({exc})") from exc
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise _broken(path, f"its format isn't {FORMAT}")
    try:
        manifest = SnapshotManifest(**fields)
        date.fromisoformat(manifest.date)
        if path.stem != f"registry-{Ecosystem(manifest.ecosystem)}":
            raise _broken(path, f"it is of {manifest.ecosystem}")
        if not isinstance(manifest.complete, bool) or not isinstance(manifest.count, int):
            raise _broken(path, "its fields 'complete' and 'count' are of the wrong type")
        required = {_beside(path, "marisa").name, _beside(path, "tsv").name}
        if set(manifest.files) - {_beside(path, _VERSIONS).name} != required:
            raise _broken(path, "it doesn't name the files beside it")
        for claimed in manifest.files.values():
            if not (isinstance(claimed.get("bytes"), int) and claimed.get("sha256")):
                raise _broken(path, "it doesn't give size and SHA-256 of its files")
    except (TypeError, ValueError, AttributeError) as exc:
        raise _broken(path, f"its fields are wrong ({exc})") from exc
    return manifest


def build_snapshot(
    names: Iterable[NameRow], *, ecosystem: Ecosystem, date: date, complete: bool, out_dir: Path
) -> Path:
    """Writes a snapshot of the names into ``out_dir`` and returns its manifest's path.

    An older snapshot there is replaced; `Snapshot.load` reports an interrupted one as missing,
    never as a smaller one. Raises SnapshotError where the list is empty, DataError where the
    folder can't be written.
    """
    noted: list[NameRow] = []
    plain: list[str] = []
    versions: list[tuple[str, bytes]] = []
    for row in names:
        plain.append(row.name)
        if row.version:
            versions.append((row.name, row.version.encode()))
        if row.rank is not None or row.reason is not None:
            noted.append(row)
    if not plain:
        raise SnapshotError(f"the {ecosystem} name list is empty: nothing to build a snapshot from")
    noted.sort(key=lambda row: (row.rank is None, row.rank or 0, row.name))
    lines = (f"{row.name}\t{row.rank or ''}\t{row.reason or ''}\t{row.other}" for row in noted)
    trie = marisa_trie.Trie(plain)
    manifest_path = out_dir / f"registry-{ecosystem}.json"
    parts = [_beside(manifest_path, "marisa"), _beside(manifest_path, "tsv")]
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        # First of all, so that a kill leaves no manifest beside files of another snapshot.
        manifest_path.unlink(missing_ok=True)
        write_whole(parts[0], trie.tobytes(), mode=SHARED)
        write_whole(parts[1], "\n".join((_COLUMNS, *lines)) + "\n", mode=SHARED)
        if versions:
            parts.append(_beside(manifest_path, _VERSIONS))
            write_whole(parts[2], marisa_trie.BytesTrie(versions).tobytes(), mode=SHARED)
        manifest = SnapshotManifest(
            format=FORMAT,
            ecosystem=str(ecosystem),
            date=date.isoformat(),
            complete=complete,
            count=len(trie),
            popular=sum(row.rank is not None for row in noted),
            suspects=sum(row.reason is not None for row in noted),
            files={p.name: {"bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in parts},
        )
        write_whole(manifest_path, json.dumps(asdict(manifest), indent=2) + "\n", mode=SHARED)
    except OSError as exc:
        raise DataError(f"{out_dir}: can't write the {ecosystem} snapshot ({exc})") from exc
    return manifest_path


# Finding snapshots: the one in use, those of other days, and what two of them differ in.


def find_snapshot(ecosystem: Ecosystem, data_dir: Path | None = None) -> Path:
    """The manifest to load: the one in ``data_dir`` if it is there, else the shipped one.

    If the one in ``data_dir`` was lost, as by a kill while it was replaced, the newest of an
    earlier day that was kept there comes before the shipped one.
    """
    name = f"registry-{ecosystem}.json"
    if data_dir is not None:
        for path in (data_dir / name, *sorted(data_dir.glob(f"????-??-??/{name}"), reverse=True)):
            if path.is_file():
                return path
    return Path(str(files("ghostbust.data") / name))


def snapshot_paths(ecosystem: Ecosystem, data_dir: Path | None) -> list[Path]:
    """The manifests of every snapshot there is, by date; of one day, the one in use last.

    The shipped ones, those kept in ``data_dir``, and the one in use there. Raises
    SnapshotError for a manifest that can't be read.
    """
    name = f"registry-{ecosystem}.json"
    places = [Path(str(files("ghostbust.data") / name))]
    if data_dir is not None:
        places += [*sorted(data_dir.glob(f"????-??-??/{name}")), data_dir / name]
    there = [path for path in places if path.is_file()]
    return sorted(there, key=lambda path: read_manifest(path).date)


def snapshot_as_of(ecosystem: Ecosystem, data_dir: Path | None, as_of: date | None) -> Path | None:
    """The newest snapshot not later than ``as_of``, or the one in use; None where all are later."""
    if as_of is None:
        return find_snapshot(ecosystem, data_dir)
    paths = snapshot_paths(ecosystem, data_dir)
    taken = [path for path in paths if read_manifest(path).date <= as_of.isoformat()]
    return taken[-1] if taken else None


def keep_snapshot(ecosystem: Ecosystem, data_dir: Path) -> None:
    """Copies the snapshot in use into a folder of its day, before another takes its place.

    Also the shipped one, since a newer ghostbust ships another. Raises DataError where the
    folder can't be written, SnapshotError for a damaged snapshot.
    """
    path = find_snapshot(ecosystem, data_dir)
    if not path.is_file():
        return
    manifest = read_manifest(path)
    kept = data_dir / manifest.date
    try:
        kept.mkdir(parents=True, exist_ok=True)
        (kept / path.name).unlink(missing_ok=True)
        for name in (*manifest.files, path.name):  # the manifest last
            write_whole(kept / name, path.with_name(name).read_bytes(), mode=SHARED)
    except OSError as exc:
        raise DataError(f"{kept}: can't keep the {ecosystem} snapshot ({exc.strerror})") from exc


def named_snapshot(named: str, ecosystem: Ecosystem, data_dir: Path | None) -> Snapshot:
    """The snapshot of a day (YYYY-MM-DD), or whose manifest or folder is at that path.

    Raises UsageError where there is neither, SnapshotError for one that can't be used.
    """
    place = Path(named).expanduser()
    if place.is_dir():
        place = place / f"registry-{ecosystem}.json"
    if place.is_file():
        return Snapshot.load(place)
    paths = {read_manifest(path).date: path for path in snapshot_paths(ecosystem, data_dir)}
    if named not in paths:
        raise UsageError(
            f"{named}: no path, and no day of an {ecosystem} snapshot; there are those of"
            f" {', '.join(paths)}"
        )
    return Snapshot.load(paths[named])


def appeared(old: Snapshot, new: Snapshot) -> Iterator[str]:
    """The names of ``new`` that ``old`` doesn't hold; swap the two for the names that vanished."""
    return (name for name in new if name not in old)


def _beside(path: Path, suffix: str) -> Path:
    """The snapshot's file of that suffix, beside the manifest ``path``."""
    return path.with_name(f"{path.stem}.{suffix}")


def _broken(path: Path, what: str) -> SnapshotError:
    """The error for a snapshot that can't be used, with what to do about it."""
    return SnapshotError(
        f"registry snapshot {path}: {what}; build it anew with `ghostbust registry build`"
    )
