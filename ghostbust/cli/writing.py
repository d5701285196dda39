"""Files that commands write: whole, or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ghostbust.errors import UsageError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A new file (mode 0600) to write, which takes the path's place when all went well.

    What was there before stays, if something goes wrong. Raises UsageError where it can't be
    written.
    """
    aside = path.with_name(f".{path.name}.part")
    try:
        aside.unlink(missing_ok=True)
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield aside
        aside.replace(path)
    except OSError as exc:
        raise UsageError(f"can't write {path}: {exc.strerror or exc}") from exc
    finally:
        aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes the text as UTF-8. Raises UsageError where the file can't be written."""
    with whole_file(path) as aside:
        aside.write_text(text, "utf-8")
