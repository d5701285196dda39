"""PyPI, or any index that speaks the Simple API, asked live.

The Simple API and not the "project" JSON page: that one answers 404 for quarantined projects
and for names without releases, which are registered all the same. Summaries aren't part of
the Simple API, so placeholders and decoys look real here; the judge adds what the snapshot
knows about them. The "project" page is read for the origin of a claimed name, and for descriptions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from ghostbust.errors import RegistryError
from ghostbust.records import Ecosystem, Lookup, SuspectReason, Verdict, utc_now
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.interface import Origin, Registry
from ghostbust.registries.names import canonical_name
from ghostbust.registries.transport import Client, NoAnswerError, Reply

JSON_TYPES = ("application/vnd.pypi.simple.v1+json", "application/vnd.pypi.simple.latest+json")
HTML_TYPES = (
    "application/vnd.pypi.simple.v1+html",
    "application/vnd.pypi.simple.latest+html",
    "text/html",
)
ACCEPT = f"{JSON_TYPES[0]}, {HTML_TYPES[0]};q=0.2, text/html;q=0.01"  # the order PEP 691 recommends
_API_MAJOR = "1"
_OLD_ENDS = (
    ".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg", ".whl", ".zip", ".tar", ".tgz", ".tar.gz",
    ".tar.bz2", ".tar.xz", ".tar.Z",
)  # fmt: skip
T = TypeVar("T")
_PEOPLE = ("author", "author_email", "maintainer", "maintainer_email")


class PyPIRegistry:
    """A package index, asked about one name at a time."""

    ecosystem = Ecosystem.PYPI

    def __init__(self, client: Client, endpoint: Endpoint) -> None:
        self._client = client
        self._endpoint = endpoint

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """REAL, ABSENT, or SUSPECT for a quarantine or for having no files.

        Raises RegistryError where no usable answer came.
        """
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> Lookup:
            if not reply.changed and known is not None:
                return replace(known, looked_up_at=utc_now())
            page = read_page(name, reply) if reply.found else None
            verdict, reason, evidence = _verdict(page)
            return Lookup(
                self.ecosystem, name, verdict, reason, f"{reply.url}: {evidence}", "live",
                utc_now(), None if page is None else page.first_released, reply.validator,
            )  # fmt: skip

        return await self._ask(name, read, validator=known.validator if known is not None else "")

    async def origin(self, name: str) -> Origin:
        """First upload from the Simple API; people and accounts from the "project" page.

        That page isn't part of any standard: the uploader is empty where the index has none.
        Raises RegistryError where the Simple API gives no usable answer.
        """
        name = canonical_name(self.ecosystem, name)
        lookup = await self.look_up(name)
        try:
            uploader = await self._read_project(name, _people)
        except RegistryError:
            uploader = ""
        return Origin(lookup.first_released, uploader, lookup.evidence)

    async def description(self, name: str) -> str:
        """The summary of the "project" page; empty where the index has no such page."""
        return await self._read_project(canonical_name(self.ecosystem, name), _summary)

    async def versions(self, name: str) -> Sequence[str]:
        """Those that the page lists (PEP 700), or that its files have."""
        name = canonical_name(self.ecosystem, name)

        def read(reply: Reply) -> ProjectPage | None:
            return read_page(name, reply) if reply.found else None

        page = await self._ask(name, read)
        if page is not None and page.versions is None:
            raise RegistryError(f"{self._endpoint.url}: it doesn't say the versions of {name}")
        return () if page is None else page.versions or ()

    async def _ask(self, name: str, read: Callable[[Reply], T], *, validator: str = "") -> T:
        return await self._client.ask(
            f"{self._endpoint.url}/{name}/",
            read,
            accept=ACCEPT,
            content_types=JSON_TYPES + HTML_TYPES,
            headers=self._endpoint.headers(),
            validator=validator,
        )

    async def _read_project(self, name: str, read: Callable[[Mapping[str, object]], str]) -> str:
        """What ``read`` makes of the "project" page; empty where the index has none."""
        root, simple, _ = self._endpoint.url.rpartition("/simple")
        if not simple:
            return ""
        return await self._client.ask(
            f"{root}/pypi/{name}/json",
            lambda reply: read(reply.document) if reply.found else "",
            accept="application/json",
            content_types=("application/json",),
            headers=self._endpoint.headers(),
        )


class Indexes:
    """Pip's main index and its extra ones (``extra-index-url``), asked as one registry.

    The next index is asked only for what the ones before don't have, so a name means what it
    means at the first index that has it. Pip itself would take the newest version of all of them.
    """

    ecosystem = Ecosystem.PYPI

    def __init__(self, main: Registry, *extra: Registry, has_links: bool = False) -> None:
        """``has_links``: pip takes files from elsewhere, too (``find-links``)."""
        self._main = main
        self._extra = extra
        self._has_links = has_links

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        """The verdict of the first index that has the name; ABSENT only if all say so.

        Raises RegistryError where none has it, and one couldn't be asked; without asking the
        extra ones where the main one couldn't.
        """
        return (await self._find(name, known))[1]

    async def origin(self, name: str) -> Origin:
        """The origin at the index that has the name. Raises RegistryError."""
        holder, _ = await self._find(name, None)
        return await holder.origin(name)

    async def description(self, name: str) -> str:
        """The description at the index that has the name. Raises RegistryError."""
        holder, _ = await self._find(name, None)
        return await holder.description(name)

    async def versions(self, name: str) -> Sequence[str]:
        """Those of all indexes together: pip takes any of them. Raises RegistryError."""
        if self._has_links:
            raise RegistryError("pip's find-links may hold other versions")
        found = [await index.versions(name) for index in (self._main, *self._extra)]
        return [version for versions in found for version in versions]

    async def _find(self, name: str, known: Lookup | None) -> tuple[Registry, Lookup]:
        """The index that has the name, and its verdict; the main one where none has it."""
        main = await self._main.look_up(name, known)
        if main.verdict is not Verdict.ABSENT:
            return self._main, main
        absent, unanswered = [main.evidence], []
        for index in self._extra:
            try:
                lookup = await index.look_up(name)
            except RegistryError as exc:
                unanswered.append(exc)
                continue
            if lookup.verdict is not Verdict.ABSENT:
                # No validator: the main index would be asked with it the next time.
                return index, replace(lookup, validator="")
            absent.append(lookup.evidence)
        if unanswered:
            raise unanswered[0]
        return self._main, replace(main, evidence="; ".join(absent))


# A project's page of the Simple API, as JSON (PEP 691) or as HTML (PEP 503).


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """The parts of the page that matter here."""

    files: int
    status: str
    """PEP 792; ``active`` where the index gives none"""
    first_released: datetime | None
    """upload time of the oldest remaining file; None for HTML, and where the index gives none"""
    versions: Sequence[str] | None = None
    """None where neither the page nor the names of all its files say them"""


def read_page(name: str, reply: Reply) -> ProjectPage:
    """The page of the project of that canonical name.

    Anything may answer with HTML: a login page, an error page, half a page. HTML counts only if
    it is whole, and shows by its version tag (PEP 629) or its files what it is. Raises
    NoAnswerError for a page that is cut, isn't one of the Simple API, or is another project's.
    """
    return _from_json(name, reply) if reply.kind in JSON_TYPES else _from_html(name, reply)


def _from_json(name: str, reply: Reply) -> ProjectPage:
    # Parsed here: the library refuses a page for a status, or a field, that it doesn't know.
    page = reply.document
    meta, files = page.get("meta"), page.get("files")
    version = str(meta.get("api-version", "")) if isinstance(meta, dict) else ""
    if version.partition(".")[0] != _API_MAJOR or not isinstance(files, list):
        raise NoAnswerError(f"no Simple API page of version {_API_MAJOR}")
    if canonicalize_name(str(page.get("name"))) != name:
        raise NoAnswerError("it is another project's page")
    marked = page.get("project-status")
    status = str(marked.get("status", "active")) if isinstance(marked, dict) else "active"
    times = (aware_time(file.get("upload-time")) for file in files if isinstance(file, dict))
    first = min(filter(None, times), default=None)
    listed = page.get("versions")  # PEP 700
    if not isinstance(listed, list):
        names = [str(file.get("filename")) for file in files if isinstance(file, dict)]
        return ProjectPage(len(files), status, first, _versions_of(names))
    return ProjectPage(len(files), status, first, [str(version) for version in listed])


def _from_html(name: str, reply: Reply) -> ProjectPage:
    # Imported here: it costs 0.3 s, and a snapshot needs no index.
    from pypi_simple import ProjectPage as Page
    from pypi_simple import UnsupportedRepoVersionError

    # A connection may end early without anybody noticing; the page's own end shows it.
    if not reply.body.rstrip().lower().endswith(b"</html>"):
        raise NoAnswerError("its HTML is cut")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a newer minor version can be read (PEP 629)
            page = Page.from_html(name, reply.body, reply.url)
    except (UnsupportedRepoVersionError, ValueError) as exc:
        raise NoAnswerError(f"no Simple API page of version {_API_MAJOR}") from exc
    files = sum(is_file_of(name, file.filename) for file in page.packages)
    if not files and page.repository_version is None:
        raise NoAnswerError("its HTML has neither a file of the project nor a version tag")
    versions = _versions_of([file.filename for file in page.packages])
    return ProjectPage(files, str(page.status or "active"), None, versions)


def _versions_of(filenames: Iterable[str]) -> Sequence[str] | None:
    """The versions that files have by their names; None where one doesn't say it."""
    found = []
    for filename in filenames:
        try:
            if filename.endswith(".whl"):
                version = parse_wheel_filename(filename)[1]
            else:
                version = parse_sdist_filename(filename)[1]
        except (InvalidWheelFilename, InvalidSdistFilename):
            return None
        found.append(str(version))
    return found


def is_file_of(name: str, filename: str) -> bool:
    """True for a wheel, a source archive or an egg of the project of that canonical name."""
    try:
        if filename.endswith(".whl"):
            return parse_wheel_filename(filename)[0] == name
        return parse_sdist_filename(filename)[0] == name
    except (InvalidWheelFilename, InvalidSdistFilename):
        # Older files: eggs, installers, .tar.bz2, and versions that PEP 440 doesn't know.
        started = canonicalize_name(filename[: len(name)]) == name
        return started and filename.endswith(_OLD_ENDS) and filename[len(name)] in "-_."


def aware_time(text: object) -> datetime | None:
    """A registry's time, in UTC where it names no zone; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _verdict(page: ProjectPage | None) -> tuple[Verdict, str, str]:
    """Verdict, reason and evidence; None is a 404."""
    if page is None:
        return Verdict.ABSENT, "not-registered", "404"
    if page.status == "quarantined":  # PEP 792
        return Verdict.SUSPECT, SuspectReason.QUARANTINED, "quarantined"
    if not page.files:
        return Verdict.SUSPECT, SuspectReason.NO_RELEASES, "registered, without any file"
    seen = f", first seen {page.first_released:%Y-%m-%d}" if page.first_released else ""
    return Verdict.REAL, "registered", f"{page.status}, {page.files} files{seen}"


def _summary(project: Mapping[str, object]) -> str:
    """The summary on a "project" page, one line; empty where there is none."""
    info = project.get("info")
    return " ".join(str((info.get("summary") if isinstance(info, dict) else "") or "").split())


def _people(project: Mapping[str, object]) -> str:
    """Accounts, names and addresses on a "project" page, one line."""
    info, owners = project.get("info"), project.get("ownership")
    found = [str(info[key]) for key in _PEOPLE if info.get(key)] if isinstance(info, dict) else []
    if isinstance(owners, dict):
        roles = owners.get("roles")
        found += [
            f"{role.get('role')} {role.get('user')}"
            for role in (roles if isinstance(roles, list) else [])
            if isinstance(role, dict)
        ]
        if owners.get("organization"):
            found.append(f"organization {owners['organization']}")
    return " ".join(", ".join(dict.fromkeys(found)).split())
