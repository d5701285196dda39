"""What a publisher is: one replica, a model server or a folder, that takes adapters by name.

``vllm.py``, ``sglang.py``, ``llamacpp.py``, ``directory.py`` and ``none.py`` are the back-ends.
Every method may be repeated: what is so already stays so. All raise EndpointError where a server
can't be asked, which says nothing of the adapter, and PublishError where it refuses.
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
        """Whether a server reads the adapter at ``load``, so that it shows there what it takes."""
        ...

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """Returns if it takes adapters of this rank, over layers of these names, at run time.

        ``targets``: such as ``q_proj``; empty where that isn't known yet. Meant for the time
        before training: raises PublishError where the adapter would be refused.
        """
        ...

    def load(self, name: str, folder: Path) -> None:
        """Has the complete adapter in ``folder`` under ``name``, beside all others.

        Clients see nothing of it. Raises PublishError where another one has that name.
        """
        ...

    def loaded(self) -> frozenset[str]:
        """The names of the adapters that it has, whoever loaded them."""
        ...

    def unload(self, name: str) -> None:
        """Lets go of the adapter; nothing happens where it isn't there."""
        ...

    def serve(self, name: str | None) -> None:
        """Gives clients this loaded adapter, or the bare base for None, if that is done here.

        Where each request names its adapter, it is done by the clients' pointer file, not here.
        """
        ...

    def ready(self, name: str | None) -> bool:
        """Whether a client that goes by the pointer file gets this adapter, None the base, here."""
        ...

    def asks(self, name: str | None) -> Asking | None:
        """How to ask for this loaded adapter, or the base, whatever clients get.

        None where nobody can be asked.
        """
        ...
