"""Publishing by folders and a pointer file: a server or a person reads which adapter serves.

The pointer is replaced atomically, and only after the adapter folder was read whole and its
hashes checked, so it always names a complete adapter. The home folder has such a pointer; a
`DirectoryPublisher` keeps another one beside copies, where servers watch a folder.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

from ghostbust.adapters import MANIFEST, copy_adapter, read_adapter
from ghostbust.documents import parse_json
from ghostbust.errors import HomeError, ModelError, PublishError
from ghostbust.files import SHARED, whole_folder, write_whole
from ghostbust.publishers.control import Control
from ghostbust.publishers.interface import Asking
from ghostbust.publishers.vllm import UNLOAD

POINTER: Final = "serving.json"
"""which of a folder's adapters serves"""


def publish(pointer: Path, adapter: Path | None) -> None:
    """Makes ``pointer`` name the adapter folder; None: the bare base serves.

    Raises ModelError for an incomplete or changed adapter (the pointer stays as it was) and
    HomeError where the pointer can't be written.
    """
    name = None if adapter is None else read_adapter(adapter).name
    row = {"adapter": name, "path": None if adapter is None else str(adapter)}
    write_whole(pointer, json.dumps(row) + "\n", mode=SHARED, error=HomeError)


def published(pointer: Path) -> tuple[str, Path] | None:
    """(name, folder) of the adapter that the pointer names; None where the base serves.

    Raises HomeError where the pointer can't be read or understood.
    """
    try:
        row = parse_json(pointer.read_text("utf-8"))
        return None if row["adapter"] is None else (row["adapter"], Path(row["path"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {pointer}: {exc}; promote or roll back again") from exc


class NoPublisher:
    """The home's own folder of adapters, for ``publish.kind = "none"``: there is no server."""

    loads_at_runtime: Final = False

    def __init__(self, adapters: Path) -> None:
        self._folder = adapters
        self.where = str(adapters)

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """Nothing limits it."""

    def load(self, name: str, folder: Path) -> None:  # noqa: ARG002
        """Checks the adapter, which is there already; ModelError if it is incomplete or changed."""
        read_adapter(folder)

    def loaded(self) -> frozenset[str]:
        """The complete adapters: those with a manifest."""
        return _complete(self._folder)

    def unload(self, name: str) -> None:
        """Nothing: rounds' adapters are kept."""

    def serve(self, name: str | None) -> None:
        """Nothing: the home's pointer does it."""

    def ready(self, name: str | None) -> bool:
        """Whether it is there."""
        return name is None or name in self.loaded()

    def asks(self, name: str | None) -> Asking | None:  # noqa: ARG002
        """None: nothing answers."""
        return None


class DirectoryPublisher:
    """A folder that servers read adapters from, such as vLLM's filesystem resolver."""

    loads_at_runtime: Final = False

    def __init__(self, folder: Path, *, base: str, server: Control | None = None) -> None:
        """``base``: the base's name at the server that reads the folder, if one is known."""
        self._folder = folder
        self._base = base
        self._server = server
        self.where = str(folder)

    def check(self, rank: int, targets: frozenset[str]) -> None:  # noqa: ARG002
        """Checks that the folder exists; nothing is known of the servers that read it."""
        if not self._folder.is_dir():
            raise PublishError(f"{self.where} isn't a folder; make it, or change publish.replicas")

    def load(self, name: str, folder: Path) -> None:
        """Copies it aside, checks the copy, and moves it to its place.

        The copy is readable by whom the umask lets, since servers run as other users.
        """
        self.check(0, frozenset())
        place = self._folder / name
        if place.exists():
            try:
                same = read_adapter(place) == read_adapter(folder)
            except ModelError as exc:
                raise PublishError(f"{exc}; remove it, then publish again") from exc
            if not same:
                raise PublishError(f"{place} is another adapter; a name is never used twice")
            return
        with whole_folder(place, error=PublishError) as aside:
            copy_adapter(folder, aside)

    def loaded(self) -> frozenset[str]:
        """The complete copies: those with a manifest."""
        return _complete(self._folder)

    def unload(self, name: str) -> None:
        """Has the server unload it, then removes the copy. Never what the folder's pointer names.

        Raises EndpointError where the server can't be asked; then the copy stays.
        """
        place, aside = self._folder / name, self._folder / f".{name}.part"
        if name not in self.loaded():
            return
        serving = published(self._folder / POINTER)
        if serving is not None and serving[0] == name:
            raise PublishError(f"{place} serves; it is removed when another one does")
        if self._server is not None:
            # First, since vLLM ends where the folder of a listed adapter is missing. The answer
            # doesn't matter: it may not have loaded it, or have no such endpoint.
            self._server.post(UNLOAD, {"lora_name": name})
        try:
            place.replace(aside)
        except OSError as exc:
            raise PublishError(f"can't remove {place}: {exc.strerror or exc}") from exc
        shutil.rmtree(aside, ignore_errors=True)

    def serve(self, name: str | None) -> None:
        """Moves the folder's pointer."""
        publish(self._folder / POINTER, None if name is None else self._folder / name)

    def ready(self, name: str | None) -> bool:
        """Whether the folder's pointer names it."""
        serving = published(self._folder / POINTER)
        return (None if serving is None else serving[0]) == name

    def asks(self, name: str | None) -> Asking | None:
        """By its name, at the server that reads the folder; None where there is none to ask."""
        return None if self._server is None else Asking(self._server.api_url, name or self._base)


def _complete(folder: Path) -> frozenset[str]:
    """The names of the complete adapters in a folder; what lies aside begins with a dot."""
    return frozenset(path.parent.name for path in folder.glob(f"[!.]*/{MANIFEST}"))
