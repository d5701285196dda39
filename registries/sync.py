"""A newer snapshot: PyPI's from the index's own listing, npm's from a package that lists names.

A listing holds names only. What the present snapshot knows of downloads and of suspects is
carried over; a name that is new since then is plain, and REAL.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path
from typing import IO, Any

from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import DataError, RegistryError
from ghostbust.files import SHARED, write_whole
from ghostbust.records import Ecosystem
from ghostbust.registries.live import CANARIES
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.pypi import aware_time
from ghostbust.registries.snapshot import Snapshot, build_snapshot, find_snapshot, keep_snapshot
from ghostbust.registries.suspects import NameRow
from ghostbust.registries.transport import (
    MAX_FILE_BYTES,
    USER_AGENT,
    Patience,
    Progress,
    TryAgainError,
    Unchanged,
    attempts,
    check_status,
    passing_file,
    save,
)

# --- listing
# Every name that a package index lists (PEP 691's root page), asked for once and streamed.
#
# The npm registry has no such page. Only a complete answer counts: one without the canary, or
# with far fewer names than before, is another index or a cut one.

_JSON = "application/vnd.pypi.simple.v1+json"
_CONTENT_TYPES = (_JSON, "application/vnd.pypi.simple.latest+json")


@dataclass(frozen=True, slots=True)
class Validators:
    """What an index said of its page's version, to ask only for a newer one next time."""

    etag: str = ""
    last_modified: str = ""

    def headers(self) -> dict[str, str]:
        """The conditional request headers; empty where nothing is known."""
        told = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Listing:
    """All names of an index."""

    names: frozenset[str]
    """canonical"""
    skipped: int
    """entries that are no valid names"""
    validators: Validators


def fetch_listing(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    known: Validators,
    progress: Progress,
    patience: Patience | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> Listing | Unchanged:
    """The names that the index at ``url`` lists; the page passes through a file in ``folder``.

    ``client`` brings credentials, certificates and proxies. ``max_bytes`` is the limit of the
    unpacked page. Raises RegistryError where no usable and complete answer came, DataError
    where ``folder`` can't be written.
    """
    headers = {"Accept": _JSON, "User-Agent": USER_AGENT, **known.headers()}
    with passing_file(folder, url, "listing") as page:
        for attempt in attempts(patience):
            with (
                attempt,
                client.stream("GET", f"{url}/", headers=headers, follow_redirects=True) as response,
            ):
                if response.status_code == HTTPStatus.NOT_MODIFIED and known.headers():
                    return Unchanged()
                _check(url, response)
                save(url, response, page, progress=progress, max_bytes=max_bytes)
        told = response.headers
        validators = Validators(told.get("ETag", ""), told.get("Last-Modified", ""))
        return _read(url, page, validators)


def _check(url: str, response: http.Response) -> None:
    """Returns for a listing as JSON."""
    check_status(url, response, "pip's")
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in _CONTENT_TYPES:
        raise RegistryError(f"{url}: it has no listing as JSON (PEP 691), only {kind or '?'}")


def _read(url: str, page: IO[bytes], validators: Validators) -> Listing:
    """The names on the page. Raises RegistryError for anything but a complete listing."""
    try:
        # The hook keeps a million entries as bare names instead of as dictionaries.
        listed = json.load(page, object_hook=lambda entry: entry.get("name", entry))
        version, projects = str(listed["meta"]["api-version"]), listed["projects"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RegistryError(f"{url}: its listing is cut or broken") from exc
    if version.partition(".")[0] != "1" or not isinstance(projects, list):
        raise RegistryError(f"{url}: no Simple API listing of version 1")
    names = set()
    skipped = 0
    for entry in projects:
        if isinstance(entry, str) and is_valid_name(Ecosystem.PYPI, entry.strip()):
            names.add(canonical_name(Ecosystem.PYPI, entry))
        else:
            skipped += 1
    if CANARIES[Ecosystem.PYPI] not in names:
        raise RegistryError(
            f"{url}: its listing of {len(names):,} names lacks {CANARIES[Ecosystem.PYPI]!r}, so it"
            " isn't all of PyPI"
        )
    return Listing(frozenset(names), skipped, validators)


# --- npm_names
# Every npm name, from a package on npm that lists them: asked for once, checked, streamed.
#
# The registry itself publishes no list. The package is other people's work, made from the
# registry's feed of changes; a name that it lacks needn't be absent, so a snapshot made of it is
# complete only if the user says so.

NAMES_PACKAGE = "all-the-package-names"
"""the package that lists the names; it is published daily"""
_NAMES_FILE = "package/names.json"
_ABBREVIATED = "application/vnd.npm.install-v1+json"


@dataclass(frozen=True, slots=True)
class NpmNames:
    """All names that the package lists."""

    names: frozenset[str]
    skipped: int
    """entries that are no valid names"""
    version: str
    """of the package"""
    published: date | None
    """when the package was last changed; None where the registry doesn't tell"""


def fetch_npm_names(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    package: str,
    known_version: str,
    progress: Progress,
    patience: Patience | None = None,
) -> NpmNames | Unchanged:
    """The names in the newest version of ``package``, unless that is ``known_version``.

    The tarball passes through a file in ``folder``, and has to have the hash that the registry
    tells of it. Raises RegistryError where no usable and complete answer came, DataError where
    ``folder`` can't be written.
    """
    place = f"{url}/{package.replace('/', '%2f')}"
    with passing_file(folder, place, "list of names") as tarball:
        for attempt in attempts(patience):
            with attempt:
                version, dist, published = _newest(client, place)
                if version == known_version:
                    return Unchanged()
                _download(client, place, dist, tarball, progress)
        names, skipped = _names(place, tarball)
    return NpmNames(names, skipped, version, published)


def _newest(client: http.Client, place: str) -> tuple[str, Mapping[str, Any], date | None]:
    """Version, tarball and day of the newest version of the package."""
    headers = {"Accept": f"{_ABBREVIATED}, application/json;q=0.8", "User-Agent": USER_AGENT}
    response = client.get(place, headers=headers, follow_redirects=True)
    check_status(place, response, "npm's")
    try:
        document = parse_json(response.content)
        version = str(document["dist-tags"]["latest"])
        dist = document["versions"][version]["dist"]
        if not {"tarball", "integrity"} <= dist.keys():
            raise RegistryError(f"{place}: it doesn't tell tarball and hash of {version}")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise TryAgainError("its document is cut or broken") from exc
    told = document.get("modified") or document.get("time", {}).get(version)
    changed = aware_time(told)
    return version, dist, None if changed is None else changed.date()


def _download(
    client: http.Client,
    place: str,
    dist: Mapping[str, Any],
    file: BufferedRandom,
    progress: Progress,
) -> None:
    """Writes the tarball into the file. Raises TryAgainError where its hash is another."""
    # The strongest one last, as the registry may tell several.
    method, _, wanted = max(str(dist["integrity"]).split()).partition("-")
    if method not in ("sha256", "sha384", "sha512"):
        raise RegistryError(f"{place}: it tells no hash of its tarball that can be trusted")
    headers = {"User-Agent": USER_AGENT}
    with client.stream("GET", dist["tarball"], headers=headers, follow_redirects=True) as response:
        check_status(place, response, "npm's")
        save(place, response, file, progress=progress)
    digest = hashlib.file_digest(file, method)
    if base64.b64encode(digest.digest()).decode() != wanted:
        raise TryAgainError(f"its tarball doesn't have the {method} that the registry tells")
    file.seek(0)


def _names(place: str, tarball: BufferedRandom) -> tuple[frozenset[str], int]:
    """The valid names in the tarball, and how many entries are none."""
    try:
        with tarfile.open(fileobj=tarball, mode="r|gz") as tar:
            listed = next(
                parse_json(found.read())
                for entry in tar
                if entry.name == _NAMES_FILE
                and entry.size <= MAX_FILE_BYTES
                and (found := tar.extractfile(entry)) is not None
            )
    except (tarfile.TarError, EOFError, ValueError, StopIteration) as exc:
        raise RegistryError(f"{place}: there is no list of names in {_NAMES_FILE}") from exc
    if not isinstance(listed, list):
        raise RegistryError(f"{place}: its {_NAMES_FILE} is no list")
    valid = (n for n in listed if isinstance(n, str) and is_valid_name(Ecosystem.NPM, n))
    names = frozenset(valid)
    if CANARIES[Ecosystem.NPM] not in names:
        raise RegistryError(
            f"{place}: its {len(names):,} names lack {CANARIES[Ecosystem.NPM]!r}, so they aren't"
            " all of npm's"
        )
    return names, len(listed) - len(names)


LEAST_KEPT = 0.9
"""share of the present snapshot's names below which a listing is taken for a cut one"""
_TOLD = ("etag", "last_modified", "version")


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of a sync."""

    snapshot: Snapshot
    """the one that is current now"""
    changed: bool
    """False where the index had nothing newer"""
    added: int = 0
    vanished: int = 0
    skipped: int = 0
    """entries of the listing that are no valid names"""


def sync_pypi(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the index at ``url`` as of ``today``.

    Starts from the snapshot in ``folder``, else from the one shipped along, which stays
    current until the new one is complete. Raises RegistryError where the index gives no
    usable listing, DataError or SnapshotError where files can't be read or written.
    """
    present = _present(Ecosystem.PYPI, folder)
    known = Validators(**_state(present, url, folder))
    listing = fetch_listing(client, url, folder, known=known, progress=progress, patience=patience)
    if isinstance(listing, Unchanged):
        return Synced(present, changed=False)
    done = _replace(present, listing.names, folder, url, day=today, complete=True)
    _note(done.snapshot, url, folder, asdict(listing.validators))
    return replace(done, skipped=listing.skipped)


def sync_npm(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    package: str,
    complete: bool,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the names that ``package`` lists.

    Its day is that on which the package was last published, at most ``today``. ``complete``:
    what the package doesn't list is absent. Else as `sync_pypi`.
    """
    present = _present(Ecosystem.NPM, folder)
    state = _state(present, f"{url} {package}", folder)
    version = state.get("version", "") if present.complete is complete else ""
    found = fetch_npm_names(
        client, url, folder, package=package, known_version=version, progress=progress,
        patience=patience,
    )  # fmt: skip
    if isinstance(found, Unchanged):
        return Synced(present, changed=False)
    day = min(found.published or today, today)
    done = _replace(present, found.names, folder, url, day=day, complete=complete)
    _note(done.snapshot, f"{url} {package}", folder, {"version": found.version})
    return replace(done, skipped=found.skipped)


def _present(ecosystem: Ecosystem, folder: Path) -> Snapshot:
    """The snapshot in use; makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder}: can't be made ({exc.strerror})") from exc
    return Snapshot.load(find_snapshot(ecosystem, folder))


def _replace(
    present: Snapshot, names: frozenset[str], folder: Path, url: str, *, day: date, complete: bool
) -> Synced:
    """The new snapshot in the place of the present one, which is kept in a folder of its day."""
    # An incomplete snapshot of PyPI may be of another index; npm's holds the popular names.
    counts = present.complete or present.ecosystem is Ecosystem.NPM
    if counts and len(names) < LEAST_KEPT * len(present):
        raise RegistryError(
            f"{url}: it lists {len(names):,} names, the snapshot of {present.date} has"
            f" {len(present):,}; a listing that is so much shorter is cut, or of another index"
        )
    added = sum(name not in present for name in names)
    vanished = len(present) + added - len(names)
    keep_snapshot(present.ecosystem, folder)
    path = build_snapshot(
        _rows(names, present),
        ecosystem=present.ecosystem,
        date=day,
        complete=complete,
        out_dir=folder,
    )
    return Synced(Snapshot.load(path), True, added, vanished)


def _rows(names: frozenset[str], present: Snapshot) -> list[NameRow]:
    """The listed names, with what the present snapshot has noted of them."""
    noted = {row.name: row for row in present.notes}
    return [noted.get(name) or NameRow(name) for name in sorted(names)]


def _state(present: Snapshot, source: str, folder: Path) -> dict[str, str]:
    """What the last sync was told, if the present snapshot is of that sync and that source."""
    try:
        state = parse_json(_state_file(present.ecosystem, folder).read_text("utf-8"))
        if state["url"] == source and state["files"] == present.manifest.files:
            told: dict[str, str] = state["validators"]
            return {key: told[key] for key in told if key in _TOLD}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # unknown or unreadable only means that everything is fetched
    return {}


def _note(made: Snapshot, source: str, folder: Path, told: dict[str, str]) -> None:
    """Keeps what was told beside the snapshot that it belongs to."""
    state = {"url": source, "files": made.manifest.files, "validators": told}
    file = _state_file(made.ecosystem, folder)
    write_whole(file, json.dumps(state, indent=2), mode=SHARED, error=DataError)


def _state_file(ecosystem: Ecosystem, folder: Path) -> Path:
    return folder / f"registry-{ecosystem}.sync.json"
