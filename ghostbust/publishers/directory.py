"""Publishing by a pointer file: a server or a person reads which adapter folder serves.

The pointer is replaced atomically, and only after the adapter folder was read whole and its
hashes checked, so whoever follows it finds a complete adapter.
"""

from __future__ import annotations

import json
from pathlib import Path

from ghostbust.adapters import read_adapter
from ghostbust.errors import HomeError


def publish(pointer: Path, adapter: Path | None) -> None:
    """Make ``pointer`` name the adapter folder; None means the bare base serves.

    Raises ModelError for an incomplete or changed adapter (the pointer stays as it was) and
    HomeError where the pointer can't be written.
    """
    name = None if adapter is None else read_adapter(adapter).name
    row = {"adapter": name, "path": None if adapter is None else str(adapter)}
    aside = pointer.with_name(f".{pointer.name}.part")
    try:
        aside.write_text(json.dumps(row) + "\n", "utf-8")
        aside.replace(pointer)
    except OSError as exc:
        raise HomeError(f"can't write {pointer}: {exc.strerror or exc}") from exc


def published(pointer: Path) -> tuple[str, Path] | None:
    """(name, folder) of the adapter that the pointer names; None where the base serves.

    Raises HomeError where the pointer can't be read or understood.
    """
    try:
        row = json.loads(pointer.read_text("utf-8"))
        return None if row["adapter"] is None else (row["adapter"], Path(row["path"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {pointer}: {exc}; promote or roll back again") from exc
