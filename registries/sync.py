"""A newer snapshot: PyPI's from the index's own listing, npm's from a package that lists names,
that of crates from an archive of their index in git.

A listing holds names only, but the archive each crate's versions, too. What the present snapshot
knows about downloads and suspects is carried over; a name that is new since then is plain, and
REAL.

The npm registry publishes no list. The package is other people's work, made from the registry's
feed of changes; a name that it lacks needn't be absent, so a snapshot made from it is never
complete: what it lacks is asked live, or UNKNOWN with the list's age.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from io import BufferedRandom
from pathlib import Path
from typing import IO, Any

import stamina

from ghostbust import http
from ghostbust.documents import parse_json
from ghostbust.errors import DataError, RegistryError
from ghostbust.files import SHARED, write_whole
from ghostbust.records import Ecosystem
from ghostbust.registries.crates import index_path, newest_in
from ghostbust.registries.live import CANARIES
from ghostbust.registries.names import canonical_name, is_valid_name
from ghostbust.registries.pypi import JSON_TYPES, aware_time
from ghostbust.registries.snapshot import (
    NameRow,
    Snapshot,
    build_snapshot,
    find_snapshot,
    keep_snapshot,
)
from ghostbust.registries.transport import NoAnswerError, Patience

NAMES_PACKAGE = "all-the-package-names"
"""the npm package that lists the names; it is published daily"""
MAX_FILE_BYTES = 1 << 30
"""largest answer, unpacked; PyPI's list of names had some 40 MB in 2026"""
OLD_AFTER = timedelta(days=30)
"""age from which a package that lists names seems to be kept up no more"""
LEAST_KEPT = 0.9
"""share of the present snapshot's names below which a listing counts as cut"""
_MOST_OF_CRATE = 64 << 20
"""bytes of a crate's file"""
_NAMES_FILE = "package/names.json"
_VERSION_KEYS = ("etag", "last_modified", "version")

Progress = Callable[[int, int | None], None]
"""Called with the bytes received and their total; None where the server doesn't say the total."""


@dataclass(frozen=True, slots=True)
class Synced:
    """The result of a sync."""

    snapshot: Snapshot
    """the one that is current now"""
    changed: bool
    """False where the registry had nothing newer"""
    added: int = 0
    vanished: int = 0
    skipped: int = 0
    """entries of the listing that are no valid names"""


@dataclass(frozen=True, slots=True)
class Listing:
    """All names that a registry lists."""

    names: frozenset[str]
    """canonical"""
    skipped: int
    """entries that are no valid names"""
    version: Mapping[str, str]
    """what to compare with next time: ``etag`` and ``last_modified``, or ``version``"""
    day: date | None = None
    """when the list was published; None where the registry doesn't say"""
    newest: Mapping[str, str] = field(default_factory=dict)
    """canonical name to its newest version, where the registry's list has it"""


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

    Starts from the snapshot in ``folder``, else from the shipped one, which stays current until
    the new one is complete. Raises RegistryError where the index gives no usable listing,
    DataError or SnapshotError where files can't be read or written.
    """
    present = _present(Ecosystem.PYPI, folder)
    known = _last_version(present, url, folder)
    listing = fetch_listing(client, url, folder, known=known, progress=progress, patience=patience)
    return _replace(present, listing, folder, url, today=today, complete=True)


def sync_npm(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    package: str = NAMES_PACKAGE,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the names that ``package`` lists.

    Its day is the day on which the package's newest version was published, at most ``today``.
    Otherwise as `sync_pypi`.
    """
    present, source = _present(Ecosystem.NPM, folder), f"{url} {package}"
    known = _last_version(present, source, folder)
    listing = fetch_npm_names(
        client, url, folder, package=package, known_version=known.get("version", ""),
        progress=progress, patience=patience,
    )  # fmt: skip
    return _replace(present, listing, folder, source, today=today, complete=False)


def sync_crates(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    today: date,
    progress: Progress,
    patience: Patience | None = None,
) -> Synced:
    """Makes ``folder`` hold the snapshot of the crates in the archive at ``url``.

    Its day is that of the archive's newest file, at most ``today``. None is shipped, so there may
    be none before. Otherwise as `sync_pypi`.
    """
    has_one = find_snapshot(Ecosystem.CARGO, folder).is_file()
    present = _present(Ecosystem.CARGO, folder) if has_one else None
    folder.mkdir(parents=True, exist_ok=True)
    with passing_file(folder, url, "archive of the index") as archive:
        for attempt in attempts(patience):
            with (
                attempt,
                client.stream(
                    "GET", url, headers={"User-Agent": http.USER_AGENT}, follow_redirects=True
                ) as response,
            ):
                check_status(url, response, "cargo's")
                save(url, response, archive, progress=progress)
        newest, day = _crates_in(archive, url)
    names, skipped = _valid_names(Ecosystem.CARGO, url, list(newest))
    versions = {canonical_name(Ecosystem.CARGO, name): newest[name] for name in newest}
    listing = Listing(names, skipped, {}, day, versions)
    return _replace(
        present, listing, folder, url, today=today, complete=True, ecosystem=Ecosystem.CARGO
    )


def fetch_listing(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    known: Mapping[str, str],
    progress: Progress,
    patience: Patience | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> Listing | None:
    """The names on the root page (PEP 691) of the index at ``url``; None where it is unchanged.

    ``client`` brings credentials, certificates and proxies. ``known`` is the last `Listing`'s
    version. The page passes through a file in ``folder``; ``max_bytes`` limits it, unpacked.
    Raises RegistryError where no usable and complete answer came, DataError where ``folder``
    can't be written.
    """
    asked = {"If-None-Match": known.get("etag"), "If-Modified-Since": known.get("last_modified")}
    conditions = {name: value for name, value in asked.items() if value}
    headers = {"Accept": JSON_TYPES[0], "User-Agent": http.USER_AGENT, **conditions}
    with passing_file(folder, url, "listing") as page:
        for attempt in attempts(patience):
            with (
                attempt,
                client.stream("GET", f"{url}/", headers=headers, follow_redirects=True) as response,
            ):
                if response.status_code == HTTPStatus.NOT_MODIFIED and conditions:
                    return None
                check_status(url, response, "pip's")
                kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                if kind not in JSON_TYPES:
                    raise RegistryError(
                        f"{url}: it has no listing as JSON (PEP 691), only {kind or '?'}"
                    )
                save(url, response, page, progress=progress, max_bytes=max_bytes)
        answered = response.headers
        version = {
            "etag": answered.get("ETag", ""), "last_modified": answered.get("Last-Modified", "")
        }  # fmt: skip
        names, skipped = _valid_names(Ecosystem.PYPI, url, _listed_projects(url, page))
        return Listing(names, skipped, version)


def fetch_npm_names(
    client: http.Client,
    url: str,
    folder: Path,
    *,
    package: str,
    known_version: str,
    progress: Progress,
    patience: Patience | None = None,
) -> Listing | None:
    """The names in the newest version of ``package``; None where that is ``known_version``.

    The tarball passes through a file in ``folder``, and must have the hash that the registry
    gives for it. Raises RegistryError where no usable and complete answer came, DataError where
    ``folder`` can't be written.
    """
    place = f"{url}/{package.replace('/', '%2f')}"
    with passing_file(folder, place, "list of names") as tarball:
        for attempt in attempts(patience):
            with attempt:
                version, dist, published = _newest(client, place)
                if version == known_version:
                    return None
                _download(client, place, dist, tarball, progress)
        names, skipped = _valid_names(Ecosystem.NPM, place, _names_in(tarball, place))
    return Listing(names, skipped, {"version": version}, published)


def _listed_projects(url: str, page: IO[bytes]) -> list[object]:
    """The entries of the index's root page. Raises RegistryError for a cut or another page."""
    try:
        # The hook keeps a million entries as bare names instead of as dictionaries.
        listed = json.load(page, object_hook=lambda entry: entry.get("name", entry))
        version, projects = str(listed["meta"]["api-version"]), listed["projects"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise RegistryError(f"{url}: its listing is cut or broken") from exc
    if version.partition(".")[0] != "1" or not isinstance(projects, list):
        raise RegistryError(f"{url}: no Simple API listing of version 1")
    return projects


def _newest(client: http.Client, place: str) -> tuple[str, Mapping[str, Any], date]:
    """Version, tarball and day of the newest version of the package.

    From the whole document: the abbreviated one has no day of a version, only the last change of
    anything, which makes an old list look new.
    """
    headers = {"Accept": "application/json", "User-Agent": http.USER_AGENT}
    response = client.get(place, headers=headers, follow_redirects=True)
    check_status(place, response, "npm's")
    try:
        document = parse_json(response.content)
        version = str(document["dist-tags"]["latest"])
        dist = document["versions"][version]["dist"]
        if not {"tarball", "integrity"} <= dist.keys():
            raise RegistryError(f"{place}: it gives no tarball and hash of {version}")
        published = aware_time(document.get("time", {}).get(version))
        if published is None:
            raise RegistryError(f"{place}: it doesn't say when {version} was published")
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise NoAnswerError("its document is cut or broken") from exc
    return version, dist, published.date()


def _download(
    client: http.Client,
    place: str,
    dist: Mapping[str, Any],
    file: BufferedRandom,
    progress: Progress,
) -> None:
    """Writes the tarball into the file. Raises NoAnswerError where its hash is another."""
    # The registry may give several hashes; by their names the strongest one comes last.
    method, _, wanted = max(str(dist["integrity"]).split()).partition("-")
    if method not in ("sha256", "sha384", "sha512"):
        raise RegistryError(f"{place}: it gives no hash of its tarball that can be trusted")
    headers = {"User-Agent": http.USER_AGENT}
    with client.stream("GET", dist["tarball"], headers=headers, follow_redirects=True) as response:
        check_status(place, response, "npm's")
        save(place, response, file, progress=progress)
    digest = hashlib.file_digest(file, method)
    if base64.b64encode(digest.digest()).decode() != wanted:
        raise NoAnswerError(f"its tarball doesn't have the {method} that the registry gives")
    file.seek(0)


def _names_in(tarball: BufferedRandom, place: str) -> list[object]:
    """The entries of the package's list. Raises RegistryError where there is none."""
    try:
        # As a stream: nothing is written to the disk, and only one entry is held in memory.
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
    return listed


def _crates_in(archive: BufferedRandom, place: str) -> tuple[dict[str, str], date | None]:
    """The crates that a checkout of the index has files of, each with its newest version (empty
    where its file can't be read), and the day of the newest file."""
    versions: dict[str, str] = {}
    newest = 0.0
    try:
        with tarfile.open(fileobj=archive, mode="r|*") as tar:
            for entry in tar:
                name = entry.name.rpartition("/")[2]
                if entry.isfile() and f"/{entry.name}".endswith(f"/{index_path(name)}"):
                    file = tar.extractfile(entry) if entry.size <= _MOST_OF_CRATE else None
                    versions[name] = newest_in(file.read()) if file else ""
                    newest = max(newest, entry.mtime)
    except (tarfile.TarError, EOFError, ValueError, zlib.error) as exc:
        raise RegistryError(f"{place}: it is no archive (.tar.gz) of an index of crates") from exc
    return versions, datetime.fromtimestamp(newest, UTC).date() if newest else None


def _valid_names(
    ecosystem: Ecosystem, place: str, entries: Sequence[object]
) -> tuple[frozenset[str], int]:
    """The valid names, canonical, and how many entries are none.

    Raises RegistryError without the canary: that is another registry's list, or a cut one.
    """
    valid = [
        canonical_name(ecosystem, entry)
        for entry in entries
        if isinstance(entry, str) and is_valid_name(ecosystem, entry.strip())
    ]
    names, canary = frozenset(valid), CANARIES[ecosystem]
    if canary not in names:
        raise RegistryError(
            f"{place}: its list of {len(names):,} names lacks {canary!r}, so it isn't all of"
            f" {ecosystem}"
        )
    return names, len(entries) - len(valid)


# One large answer into a nameless file, fetched anew where it breaks off.


@contextmanager
def passing_file(folder: Path, place: str, what: str) -> Iterator[BufferedRandom]:
    """A nameless file in ``folder``, for what is fetched from ``place`` and read at once.

    Maps every error in the block: RegistryError where no usable answer came, DataError where
    ``folder`` can't be written. ``what`` is what was fetched, for the message.
    """
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            yield file
    except NoAnswerError as exc:
        raise RegistryError(f"{place}: no usable {what} ({exc})") from exc
    except http.ERRORS as exc:
        raise RegistryError(http.unreachable(exc, place)) from exc
    except OSError as exc:
        raise DataError(f"{folder}: can't keep the {what} ({exc.strerror})") from exc


def attempts(patience: Patience | None) -> Iterator[stamina.Attempt]:
    """Attempts to loop over, each a ``with``: the next one comes only where the block failed."""
    again = (http.TransportError, http.DecodingError, NoAnswerError)
    return iter(stamina.retry_context(on=again, timeout=None, **(patience or Patience()).waits))


def check_status(place: str, response: http.Response, whose: str) -> None:
    """Returns for 200. Raises NoAnswerError for a status that may pass, else RegistryError."""
    status = response.status_code
    if http.may_pass(status):
        raise NoAnswerError(f"HTTP {status}")
    if status != HTTPStatus.OK:
        raise RegistryError(f"{place}: HTTP {status}; check the address in {whose} configuration")


def save(
    place: str,
    response: http.Response,
    file: BufferedRandom,
    *,
    progress: Progress,
    max_bytes: int = MAX_FILE_BYTES,
) -> None:
    """Writes the body, unpacked, into the file, over what an earlier attempt left.

    Raises RegistryError where it is larger than ``max_bytes``.
    """
    file.seek(0)  # over what an earlier attempt left
    file.truncate()
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    size = 0
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > max_bytes:
            raise RegistryError(f"{place}: its answer is larger than {max_bytes:,} bytes")
        file.write(chunk)
        progress(response.num_bytes_downloaded, total)
    file.seek(0)


# The snapshot in use, the new one in its place, and which version of the listing it came from.


def _present(ecosystem: Ecosystem, folder: Path) -> Snapshot:
    """The snapshot in use; makes the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise DataError(f"{folder}: can't be made ({exc.strerror})") from exc
    return Snapshot.load(find_snapshot(ecosystem, folder))


def _replace(
    present: Snapshot | None,
    listing: Listing | None,
    folder: Path,
    source: str,
    *,
    today: date,
    complete: bool,
    ecosystem: Ecosystem | None = None,
) -> Synced:
    """Puts the new snapshot in the place of the present one, which is kept in a folder of its day.

    ``source``: the address, and the package that lists the names, if one does. ``ecosystem``: of
    the first one of its kind, where ``present`` is None.
    """
    if present is None:
        if listing is None or ecosystem is None:
            raise ValueError("the first snapshot needs a listing")
        return _put(listing, {}, folder, source, ecosystem, today=today, complete=complete)
    if listing is None:
        return Synced(present, changed=False)
    names = listing.names
    # An incomplete snapshot of PyPI may be of another index; npm's holds the popular names.
    comparable = present.complete or present.ecosystem is Ecosystem.NPM
    if comparable and len(names) < LEAST_KEPT * len(present):
        raise RegistryError(
            f"{source}: it lists {len(names):,} names, the snapshot of {present.date} has"
            f" {len(present):,}; a listing that is so much shorter is cut, or of another index"
        )
    added = sum(name not in present for name in names)
    vanished = len(present) + added - len(names)
    noted = {row.name: row for row in present.notes}
    made = _put(listing, noted, folder, source, present.ecosystem, today=today, complete=complete)
    return replace(made, added=added, vanished=vanished)


def _put(
    listing: Listing,
    noted: Mapping[str, NameRow],
    folder: Path,
    source: str,
    ecosystem: Ecosystem,
    *,
    today: date,
    complete: bool,
) -> Synced:
    """Writes the snapshot; ``noted``: what is known of names. All count as added."""
    keep_snapshot(ecosystem, folder)
    path = build_snapshot(
        (
            replace(noted.get(name) or NameRow(name), version=listing.newest.get(name, ""))
            for name in sorted(listing.names)
        ),
        ecosystem=ecosystem,
        date=min(listing.day or today, today),
        complete=complete,
        out_dir=folder,
    )
    made = Snapshot.load(path)
    state = {
        "url": source, "files": made.manifest.files, "validators": dict(listing.version)
    }  # fmt: skip
    text = json.dumps(state, indent=2)
    write_whole(_state_file(ecosystem, folder), text, mode=SHARED, error=DataError)
    return Synced(made, True, len(listing.names), 0, listing.skipped)


def _last_version(present: Snapshot, source: str, folder: Path) -> dict[str, str]:
    """The version of the last sync's listing; empty where the present snapshot isn't of that
    sync, or of another source."""
    try:
        state = parse_json(_state_file(present.ecosystem, folder).read_text("utf-8"))
        if state["url"] == source and state["files"] == present.manifest.files:
            version: dict[str, str] = state["validators"]
            return {key: version[key] for key in version if key in _VERSION_KEYS}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # unknown or unreadable only means that everything is fetched
    return {}


def _state_file(ecosystem: Ecosystem, folder: Path) -> Path:
    return folder / f"registry-{ecosystem}.sync.json"
