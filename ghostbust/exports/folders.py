"""A folder that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ghostbust
from ghostbust.adapters import MANIFEST, Manifest
from ghostbust.errors import UsageError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the name ``out`` when all went well.

    Raises UsageError where ``out`` is there already, or can't be written; nothing is left then.
    """
    if out.exists():
        raise UsageError(f"{out} is there already; choose a folder that isn't")
    aside = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        yield aside
        aside.replace(out)
    except OSError as exc:
        raise UsageError(f"can't write {out}: {exc.strerror or exc}") from exc
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def note_origin(folder: Path, kind: str, adapter: Manifest, facts: Mapping[str, object]) -> None:
    """Writes what the folder was made of, and the hashes of its files, beside them."""
    files = {path.name: _hash(path) for path in sorted(folder.iterdir())}
    document = {
        "kind": kind,
        "adapter": adapter.name,
        "model": adapter.model,
        "adapter_files": dict(adapter.files),
        "version": ghostbust.__version__,
        **facts,
        "files": files,
    }
    (folder / MANIFEST).write_text(json.dumps(document, indent=2), "utf-8")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
