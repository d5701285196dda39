"""vLLM: adapters loaded at run time, each request naming the one it wants as its model.

The server has to run with ``--enable-lora`` and ``VLLM_ALLOW_RUNTIME_LORA_UPDATING=True``. A name
is never used for a second adapter: vLLM would answer from the first one's cached prefixes
(vllm #42125; 0.32 does so only for the same path). A restarted server has no adapter.

Two traps, seen with 0.32 (2026-11-29). It reads an adapter again whenever more than
``--max-cpu-loras`` are in use; if the folder of a listed one doesn't exist by then, the request
ends the whole server. And of an adapter that has more layers than the base it takes those that fit.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

from ghostbust.adapters import check_servable, read_adapter
from ghostbust.errors import PublishError
from ghostbust.publishers.control import RuntimePublisher
from ghostbust.publishers.interface import Asking

LOAD: Final = "/v1/load_lora_adapter"
UNLOAD: Final = "/v1/unload_lora_adapter"
RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""what ``--max-lora-rank`` may be"""
_NOWHERE: Final = {"lora_name": "ghostbust-asks", "lora_path": "/ghostbust/asks/nothing-is-here"}
"""a load that finds nothing; where LoRA is off the server says that instead"""
_OFF: Final = "LoRA is not enabled"
_CLOSED: Final = (
    "doesn't load adapters at run time; start it with --enable-lora and"
    " VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"
)


class VllmPublisher(RuntimePublisher):
    """One vLLM server."""

    def check(self, rank: int, targets: frozenset[str]) -> None:  # noqa: ARG002
        """Goes by ``publish.max_rank``, since vLLM doesn't publish its limits.

        A load of nothing shows whether it loads anything: the variable gives it the route, but
        without ``--enable-lora`` it refuses whatever is loaded. It takes adapters over every linear
        layer, so ``targets`` don't matter.
        """
        if self._base not in self._control.models():
            raise PublishError(f"{self.where} serves no model {self._base!r}; is it another one's?")
        reply = self._control.post(LOAD, _NOWHERE)
        if reply.no_route or _OFF in reply.said:
            raise PublishError(f"{self.where} {_CLOSED}")
        if rank > self._max_rank:
            fits = next((r for r in RANKS if r >= rank), None)
            raise PublishError(
                f"{self.where} takes ranks up to {self._max_rank}, not {rank}: lower training.rank,"
                f" or start it with --max-lora-rank {fits} and set publish.max_rank"
                if fits
                else f"{self.where} takes no rank {rank}: lower training.rank"
            )

    def load(self, name: str, folder: Path) -> None:
        """Loads it, unless it is listed with this path already, and checks that it is listed."""
        read_adapter(folder)
        check_servable(folder, most_rank=self._max_rank)
        path = self._path_there(folder)
        if self._control.lists(name, path):
            return
        reply = self._control.post(LOAD, {"lora_name": name, "lora_path": path})
        if reply.no_route or _OFF in reply.said:
            raise PublishError(f"{self.where} {_CLOSED}")
        if reply.status == HTTPStatus.NOT_FOUND:
            raise PublishError(
                f"{self.where} finds no adapter at {path}: it has to see that folder, or"
                " publish.server_path has to say where it sees the home's"
            )
        # Another process may have loaded it just now, so the list counts, not the answer.
        if not self._control.lists(name, path):
            raise PublishError(
                f"{self.where} doesn't take {name}: {reply.said}"
                if not reply.ok
                else f"{self.where} says that it loaded {name}, and doesn't list it"
            )

    def unload(self, name: str) -> None:
        """Unloads it; requests under way are finished."""
        reply = self._control.post(UNLOAD, {"lora_name": name})
        if reply.no_route:
            raise PublishError(f"{self.where} {_CLOSED}")
        if not reply.ok and reply.status != HTTPStatus.NOT_FOUND:
            raise PublishError(f"{self.where} doesn't unload {name}: {reply.said}")

    def asks(self, name: str | None) -> Asking:
        """By its name in the place of the model's."""
        return Asking(self._control.api_url, name or self._base)
