"""A registry's names as of one day, on disk: a trie, a table of notes, and a manifest.

::

    registry-pypi.marisa   every name, a marisa trie that is mapped, not read
    registry-pypi.tsv      the popular and the suspect names: name, rank, reason, other
    registry-pypi.json     the manifest, written last: without it there is no snapshot

A complete snapshot says "no" (ABSENT) to a name it doesn't hold; an incomplete one says
that it doesn't know (UNKNOWN). Does not say what was registered since its day.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time
from functools import cached_property
from importlib.resources import files
from pathlib import Path

import marisa_trie

from ghostbust.errors import DataError, SnapshotError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict
from ghostbust.registries.manifest import (
    FORMAT,
    Manifest,
    broken,
    part,
    read_manifest,
    replace_file,
    sha256_of,
)
from ghostbust.registries.name_lists import NameRow
from ghostbust.registries.names import canonical_name

_MAGIC = b"We love Marisa."
_COLUMNS = "name\trank\treason\tother"


class Snapshot:
    """The names of one registry on one day. Made by `Snapshot.load`."""

    def __init__(self, path: Path, manifest: Manifest, trie: marisa_trie.Trie) -> None:
        self.path = path
        """the manifest file"""
        self.manifest = manifest
        self.ecosystem = Ecosystem(manifest.ecosystem)
        self.date = date.fromisoformat(manifest.date)
        self.complete = manifest.complete
        self._trie = trie
        self._taken = datetime.combine(self.date, time(), UTC)
        self._made: dict[str, Lookup] = {}

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """The snapshot whose manifest is at ``path``; checks sizes and headers, not hashes.

        Raises SnapshotError where a file is missing, cut, damaged or of another format.
        """
        manifest = read_manifest(path)
        for name, told in manifest.files.items():
            file = path.with_name(name)
            size = file.stat().st_size if file.is_file() else None
            if size != told["bytes"]:
                found = "missing" if size is None else f"{size} bytes instead of {told['bytes']}"
                raise broken(path, f"{name} is {found}")
        trie = marisa_trie.Trie()
        file = part(path, "marisa")
        try:
            with file.open("rb") as stream:
                if stream.read(len(_MAGIC)) != _MAGIC:
                    raise broken(path, f"{file.name} is no marisa trie")
            trie.mmap(os.fspath(file))
        except (OSError, RuntimeError) as exc:
            raise broken(path, f"{file.name} can't be mapped ({exc})") from exc
        return cls(path, manifest, trie)

    def verify(self) -> None:
        """Compares every file with its SHA-256; raises SnapshotError at the first that differs."""
        for name, told in self.manifest.files.items():
            if sha256_of(self.path.with_name(name)) != told["sha256"]:
                raise broken(self.path, f"{name} doesn't have the SHA-256 of its manifest")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical_name(self.ecosystem, name) in self._trie

    def __len__(self) -> int:
        return self.manifest.count

    def __iter__(self) -> Iterator[str]:
        """Every name, canonical, in no useful order."""
        return iter(self._trie.iterkeys())

    @property
    def source(self) -> str:
        """The ``source`` of its lookups, such as ``snapshot:2026-11-23``."""
        return f"snapshot:{self.date}"

    def look_up(self, name: str) -> Lookup:
        """The verdict on a name as of the snapshot's day; never raises for a missing one."""
        return next(self.look_up_all((canonical_name(self.ecosystem, name),)))

    def look_up_all(self, names: Iterable[str]) -> Iterator[Lookup]:
        """`look_up` of many names, in canonical form already, in their order.

        Made for hundreds of thousands a second: what is the same for all is looked up once, and
        the verdict on a popular or a suspect name is made once.
        """
        trie, noted, made = self._trie, self._noted, self._made
        ecosystem, source, taken = self.ecosystem, self.source, self._taken
        day = f"the {ecosystem} snapshot of {self.date}"
        there = Verdict.REAL, "registered", f"in {day}"
        missing = Verdict.ABSENT, "not-registered", f"not among the {len(self):,} names of {day}"
        if not self.complete:
            why = f"not in {day}, which holds {len(self):,} names only"
            missing = Verdict.UNKNOWN, "not-in-snapshot", why
        for name in names:
            if name in made:
                yield made[name]
            elif name in noted:
                made[name] = self._lookup_noted(noted[name], day)
                yield made[name]
            else:
                verdict, reason, evidence = there if name in trie else missing
                yield Lookup(ecosystem, name, verdict, reason, evidence, source, taken)

    def _lookup_noted(self, note: NameRow, day: str) -> Lookup:
        """The verdict on a popular or a suspect name."""
        verdict, reason = Verdict.REAL, "registered"
        evidence = f"in {day}, download rank {note.rank}"
        if note.reason is not None:
            verdict, reason = Verdict.SUSPECT, str(note.reason)
            points = f", points to {note.other}" if note.other else ""
            evidence = f"{day}: {note.reason}{points}"
        return Lookup(
            self.ecosystem, note.name, verdict, reason, evidence, self.source, self._taken
        )

    def popular(self, n: int) -> list[str]:
        """The ``n`` most downloaded names, best first, no suspects; fewer if it knows fewer."""
        ranked = (row.name for row in self.notes if row.rank is not None and row.reason is None)
        return [name for name, _ in zip(ranked, range(n), strict=False)]

    @cached_property
    def notes(self) -> list[NameRow]:
        """The popular names by rank, then the other suspects."""
        return _read_notes(self.path)

    @cached_property
    def _noted(self) -> dict[str, NameRow]:
        return {row.name: row for row in self.notes}


def find_snapshot(ecosystem: Ecosystem, data_dir: Path | None = None) -> Path:
    """The manifest to load: the one in ``data_dir`` if it is there, else the one shipped along.

    Where the one in ``data_dir`` is lost, as by a kill while it was replaced, the newest that was
    kept there (`ghostbust.registries.history`) comes before the one shipped along.
    """
    name = f"registry-{ecosystem}.json"
    if data_dir is not None:
        for path in (data_dir / name, *sorted(data_dir.glob(f"????-??-??/{name}"), reverse=True)):
            if path.is_file():
                return path
    return Path(str(files("ghostbust.data") / name))


def build_snapshot(
    names: Iterable[NameRow], *, ecosystem: Ecosystem, date: date, complete: bool, out_dir: Path
) -> Path:
    """Writes a snapshot of the names into ``out_dir`` and returns its manifest's path.

    An older snapshot there is replaced; what was interrupted in between is reported as
    missing by `Snapshot.load`, never as a smaller one. Raises SnapshotError where the list is
    empty, DataError where the folder can't be written.
    """
    noted: list[NameRow] = []
    plain: list[str] = []
    for row in names:
        plain.append(row.name)
        if row.rank is not None or row.reason is not None:
            noted.append(row)
    manifest_path = out_dir / f"registry-{ecosystem}.json"
    if not plain:
        raise SnapshotError(f"the {ecosystem} name list is empty: nothing to build a snapshot from")
    trie = marisa_trie.Trie(plain)
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        content = trie.tobytes()
        manifest_path.unlink(missing_ok=True)
        replace_file(part(manifest_path, "marisa"), content)
        replace_file(part(manifest_path, "tsv"), _notes_text(noted).encode())
        parts = [part(manifest_path, suffix) for suffix in ("marisa", "tsv")]
        manifest = Manifest(
            format=FORMAT,
            ecosystem=str(ecosystem),
            date=date.isoformat(),
            complete=complete,
            count=len(trie),
            popular=sum(row.rank is not None for row in noted),
            suspects=sum(row.reason is not None for row in noted),
            files={p.name: {"bytes": p.stat().st_size, "sha256": sha256_of(p)} for p in parts},
        )
        replace_file(manifest_path, manifest.to_json().encode())
    except OSError as exc:
        raise DataError(f"{out_dir}: can't write the {ecosystem} snapshot ({exc})") from exc
    return manifest_path


def _notes_text(rows: list[NameRow]) -> str:
    """The table of notes: popular names by rank, then suspects by name."""
    rows = sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.name))
    lines = (f"{row.name}\t{row.rank or ''}\t{row.reason or ''}\t{row.other}" for row in rows)
    return "\n".join((_COLUMNS, *lines)) + "\n"


def _read_notes(path: Path) -> list[NameRow]:
    """The rows of the notes beside the manifest ``path``."""
    file = part(path, "tsv")
    try:
        head, *lines = file.read_text(encoding="utf-8").splitlines()
        if head != _COLUMNS:
            raise broken(path, f"the first line of {file.name} isn't its column names")
        rows = []
        for line in lines:
            name, rank, reason, other = line.split("\t")
            why = SuspectReason(reason) if reason else None
            rows.append(NameRow(name, int(rank) if rank else None, why, other))
    except (OSError, ValueError) as exc:
        raise broken(path, f"{file.name} can't be read ({exc})") from exc
    return rows
