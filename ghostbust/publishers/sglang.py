"""SGLang: adapters loaded at run time, a request asks for ``base:adapter`` as its model.

The server has to run with ``--enable-lora``, and, unless it began with an adapter, with
``--max-lora-rank`` and ``--lora-target-modules``. It ignores an adapter's bare name as the model:
the base answers. Adapters that are never unloaded have hung it (AReaL #1385). A request for an
unloaded adapter loads it again, from the path it had.

Written by the source of 0.5.23; not tried with a running server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ghostbust.adapters import check_servable, read_adapter
from ghostbust.errors import PublishError
from ghostbust.publishers.control import RuntimePublisher
from ghostbust.publishers.interface import Asking

LOAD: Final = "/load_lora_adapter"
UNLOAD: Final = "/unload_lora_adapter"
INFO: Final = ("/server_info", "/get_server_info")
"""where its arguments are; the second one is the older name"""
_STACKED: Final = {
    "q_proj": "qkv_proj",
    "k_proj": "qkv_proj",
    "v_proj": "qkv_proj",
    "gate_proj": "gate_up_proj",
    "up_proj": "gate_up_proj",
}
"""layers that it holds as one: if it takes adapters over one of them, it takes the others too"""
_CLOSED: Final = "doesn't take adapters; start it with --enable-lora"


class SglangPublisher(RuntimePublisher):
    """One SGLang server."""

    def check(self, rank: int, targets: frozenset[str]) -> None:
        """Goes by the server's arguments; by ``publish.max_rank`` where these have no rank."""
        arguments = self._arguments()
        if not arguments.get("enable_lora", True):
            raise PublishError(f"{self.where} {_CLOSED}")
        most = arguments.get("max_lora_rank") or self._max_rank
        if rank > most:
            raise PublishError(
                f"{self.where} takes ranks up to {most}, not {rank}: lower training.rank, or start"
                f" it with --max-lora-rank {rank}"
            )
        taken = arguments.get("lora_target_modules")
        if not taken or "all" in taken:
            return
        whole = {_STACKED.get(layer, layer) for layer in taken}
        refused = {layer for layer in targets if _STACKED.get(layer, layer) not in whole}
        if refused:
            raise PublishError(
                f"{self.where} takes no adapter over {', '.join(sorted(refused))}; start it with"
                " --lora-target-modules all"
            )

    def load(self, name: str, folder: Path) -> None:
        """Loads it, unless it is listed with this path already, and checks that it is listed."""
        read_adapter(folder)
        check_servable(folder, rslora=False)
        path = self._path_there(folder)
        if self._control.lists(name, path):
            return
        reply = self._control.post(LOAD, {"lora_name": name, "lora_path": path})
        if not self._control.lists(name, path):
            said = _CLOSED if reply.no_route else f"doesn't take {name}: {reply.said}"
            raise PublishError(f"{self.where} {said}")

    def unload(self, name: str) -> None:
        """Unloads it; the server waits for the requests under way."""
        # Also where it isn't listed: after a load or an unload that failed half-way it isn't, and
        # the server takes no other one of that name until it is unloaded.
        listed = name in self._control.models()
        reply = self._control.post(UNLOAD, {"lora_name": name})
        if listed and not reply.ok:
            raise PublishError(f"{self.where} doesn't unload {name}: {reply.said}")

    def asks(self, name: str | None) -> Asking:
        """As ``base:adapter``."""
        return Asking(self._control.api_url, self._base if name is None else f"{self._base}:{name}")

    def _arguments(self) -> Mapping[str, Any]:
        """What the server was started with; empty where it doesn't say."""
        for path in INFO:
            reply = self._control.get(path)
            if reply.ok and isinstance(reply.body, dict):
                return reply.body
        return {}
