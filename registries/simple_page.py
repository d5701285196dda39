"""A project's page of the Simple API, as JSON (PEP 691) or as HTML (PEP 503), parsed.

Anything may answer with HTML: a login page, an error page, half a page. It counts as a project's
page only if it is whole, and says by its version tag (PEP 629) or its files what it is.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from ghostbust.registries.transport import NoAnswerError, Reply

JSON_TYPES = (
    "application/vnd.pypi.simple.v1+json",
    "application/vnd.pypi.simple.latest+json",
)
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


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """What the page says that matters here."""

    files: int
    status: str
    """PEP 792; ``active`` where the index says none"""
    first_released: datetime | None
    """upload time of the oldest file left; None for HTML, and where the index doesn't tell"""


def read_page(name: str, reply: Reply) -> ProjectPage:
    """The page of the project of that canonical name.

    Raises NoAnswerError for a page that is cut, isn't one of the Simple API, or is another
    project's.
    """
    return _from_json(name, reply) if reply.kind in JSON_TYPES else _from_html(name, reply)


def _from_json(name: str, reply: Reply) -> ProjectPage:
    # By hand: the library refuses a page for a status, or a field, that it doesn't know.
    page = reply.document
    meta, files = page.get("meta"), page.get("files")
    version = str(meta.get("api-version", "")) if isinstance(meta, dict) else ""
    if version.partition(".")[0] != _API_MAJOR or not isinstance(files, list):
        raise NoAnswerError(f"no Simple API page of version {_API_MAJOR}")
    if canonicalize_name(str(page.get("name"))) != name:
        raise NoAnswerError("it is another project's page")
    told = page.get("project-status")
    status = str(told.get("status", "active")) if isinstance(told, dict) else "active"
    times = (aware_time(file.get("upload-time")) for file in files if isinstance(file, dict))
    return ProjectPage(len(files), status, min(filter(None, times), default=None))


def _from_html(name: str, reply: Reply) -> ProjectPage:
    # Imported here: it costs 0.3 s, and a snapshot needs no index.
    from pypi_simple import ProjectPage as Page
    from pypi_simple import UnsupportedRepoVersionError

    # A connection may end early without anybody noticing; the page's own end tells.
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
    return ProjectPage(files, str(page.status or "active"), None)


def aware_time(told: object) -> datetime | None:
    """The moment that a registry wrote, in UTC where it named no zone; None where it isn't one."""
    if not isinstance(told, str):
        return None
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


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
