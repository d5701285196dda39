"""No server: adapters stay in the home folder, whose pointer says which one serves."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ghostbust.adapters import MANIFEST, read_adapter
from ghostbust.publishers.interface import Asking


class NoPublisher:
    """The home's own folder of adapters."""

    loads_at_runtime: Final = False

    def __init__(self, adapters: Path) -> None:
        self._adapters = adapters
        self.where = str(adapters)

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """Nothing limits it."""

    def load(self, name: str, folder: Path) -> None:  # noqa: ARG002
        """It lies there already; raises ModelError where it is incomplete or changed."""
        read_adapter(folder)

    def loaded(self) -> frozenset[str]:
        """The complete ones."""
        return frozenset(path.parent.name for path in self._adapters.glob(f"[!.]*/{MANIFEST}"))

    def unload(self, name: str) -> None:
        """Nothing: rounds' adapters are kept."""

    def serve(self, name: str | None) -> None:
        """Nothing: the home's pointer does it."""

    def ready(self, name: str | None) -> bool:
        """Whether it is there."""
        return name is None or name in self.loaded()

    def asks(self, name: str | None) -> Asking | None:  # noqa: ARG002
        """Nobody."""
        return None
