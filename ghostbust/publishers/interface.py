"""A publisher: one replica, which is a model server or a folder that takes adapters by name.

The back-ends are in ``vllm.py``, ``sglang.py``, ``llamacpp.py`` and ``directory.py``; ``kinds.py``
makes those that the settings name. Every method may be repeated. All raise EndpointError where a
server can't be asked, which says nothing of the adapter, and PublishError where it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asking:
    """How an adapter, or the base, is asked for at one replica."""

    url: str
    """base URL of its OpenAI-compatible API"""
    model: str
    """what the request names as the model"""
    fields: Mapping[str, object] = field(default_factory=dict)
    """further fields of the request"""


class Publisher(Protocol):
    """One place that serves adapters."""

    where: str
    """its address for people and logs: no credentials in it"""

    @property
    def loads_at_runtime(self) -> bool:
        """Whether a server reads the adapter at ``load``, which fails there if it refuses it."""
        ...

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """Raises PublishError if it would refuse an adapter of this rank, over these layers.

        ``targets``: names of layers such as ``q_proj``; empty where that isn't known yet. Meant for
        the time before training.
        """
        ...

    def load(self, name: str, folder: Path) -> None:
        """Loads the complete adapter in ``folder`` as ``name``, beside all others.

        Clients don't get it yet. Raises PublishError where another one has that name.
        """
        ...

    def loaded(self) -> frozenset[str]:
        """The names of the adapters that it has, whoever loaded them."""
        ...

    def unload(self, name: str) -> None:
        """Unloads the adapter; does nothing where it isn't there."""
        ...

    def serve(self, name: str | None) -> None:
        """Gives clients this loaded adapter, or the bare base for None.

        Does nothing where each request names its adapter: there the clients' pointer file decides.
        """
        ...

    def ready(self, name: str | None) -> bool:
        """Whether clients get this adapter here, None the base, if they read the pointer file."""
        ...

    def asks(self, name: str | None) -> Asking | None:
        """How to ask for this loaded adapter, or for the base, whatever clients get.

        None where there is nothing that answers.
        """
        ...
