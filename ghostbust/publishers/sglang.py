"""SGLang: adapters loaded at run time, a request asks for ``base:adapter`` as its model.

The server has to run with ``--enable-lora``, and, unless it began with an adapter, with
``--max-lora-rank`` and ``--lora-target-modules``. A bare adapter's name as the model is ignored:
the base would answer. Adapters that are never unloaded have hung it (AReaL #1385). Unloaded isn't
forgotten: a request for the name loads it again, from the path it had.

By the source of 0.5.23; it wasn't run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ghostbust.adapters import check_servable, read_adapter
from ghostbust.errors import PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.interface import Asking

LOAD: Final = "/load_lora_adapter"
UNLOAD: Final = "/unload_lora_adapter"
INFO: Final = ("/server_info", "/get_server_info")
"""where it tells its arguments; the second one is the older name"""
_STACKED: Final = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}
"""layers that it holds as one: who takes adapters over one of them takes the others too"""
_CLOSED: Final = "doesn't take adapters; start it with --enable-lora"


class SglangPublisher:
    """One SGLang server."""

    loads_at_runtime: Final = True

    def __init__(
        self, control: Control, *, base: str, max_rank: int = 16, server_path: str | None = None
    ) -> None:
        """``base``: the base's name there; ``server_path``: see ``publish.server_path``."""
        self._control = control
        self._base = base
        self._max_rank = max_rank
        self._server_path = server_path
        self.where = control.where

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """By the arguments that the server tells; ``publish.max_rank`` where it tells no rank."""
        told = self._arguments()
        if not told.get("enable_lora", True):
            raise PublishError(f"{self.where} {_CLOSED}")
        most = told.get("max_lora_rank") or self._max_rank
        if rank > most:
            raise PublishError(
                f"{self.where} takes ranks up to {most}, not {rank}: lower training.rank, or start"
                f" it with --max-lora-rank {rank}"
            )
        taken = told.get("lora_target_modules")
        if taken and "all" not in taken:
            whole = {_STACKED.get(layer, layer) for layer in taken}
            lacking = {layer for layer in targets if _STACKED.get(layer, layer) not in whole}
        else:
            lacking = set()
        if lacking:
            raise PublishError(
                f"{self.where} takes no adapter over {', '.join(sorted(lacking))}; start it with"
                " --lora-target-modules all"
            )

    def load(self, name: str, folder: Path) -> None:
        """Loads it and looks whether it is listed; where it is listed already, with this path."""
        read_adapter(folder)
        check_servable(folder, rslora=False)
        path = str(folder) if self._server_path is None else f"{self._server_path}/{folder.name}"
        if self._control.lists(name, path):
            return
        reply = self._control.post(LOAD, {"lora_name": name, "lora_path": path})
        if not self._control.lists(name, path):
            said = _CLOSED if reply.no_route else f"doesn't take {name}: {reply.said}"
            raise PublishError(f"{self.where} {said}")

    def loaded(self) -> frozenset[str]:
        """All that it lists besides the base."""
        return frozenset(self._control.models()) - {self._base}

    def unload(self, name: str) -> None:
        """Unloads it; the server waits for the requests under way.

        Posted also where it isn't listed: a load or an unload that failed half-way isn't, and the
        server takes no other one of that name until it is unloaded.
        """
        listed = name in self._control.models()
        reply = self._control.post(UNLOAD, {"lora_name": name})
        if listed and not reply.ok:
            raise PublishError(f"{self.where} doesn't unload {name}: {reply.said}")

    def serve(self, name: str | None) -> None:
        """Nothing: each request names its adapter."""

    def ready(self, name: str | None) -> bool:
        """Whether it is listed."""
        return (name or self._base) in self._control.models()

    def asks(self, name: str | None) -> Asking:
        """As ``base:adapter``."""
        return Asking(self._control.api_url, self._base if name is None else f"{self._base}:{name}")

    def _arguments(self) -> Mapping[str, Any]:
        """What the server was started with; nothing where it doesn't tell."""
        for path in INFO:
            reply = self._control.get(path)
            if reply.ok and isinstance(reply.body, dict):
                return reply.body
        return {}
