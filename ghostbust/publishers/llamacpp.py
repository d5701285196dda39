"""llama.cpp's server: it scales adapters that it was started with, and loads none later.

An adapter is a GGUF file with its name (``round-0003-1a2b3c4d.gguf``), given at the start with
``--lora-scaled FILE:0``. Clients get the adapter whose scale the server applies to requests without
a ``lora`` field; ghostbust's own requests have one.

Two traps, seen with version 0.5.0-dev (2026-11-28). ``--lora`` with ``--lora-init-without-apply``
leaves every adapter on, at scale 1. And a request without a ``lora`` field uses a cached prompt
that another adapter has read, so the server has to run with ``--no-cache-prompt``.
"""

from __future__ import annotations

from pathlib import Path, PurePath
from typing import Final

from ghostbust.adapters import read_adapter
from ghostbust.errors import EndpointError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.interface import Asking

ADAPTERS: Final = "/lora-adapters"


class LlamaCppPublisher:
    """One llama.cpp server."""

    loads_at_runtime: Final = False

    def __init__(self, control: Control, *, base: str) -> None:
        """``base``: the name in the requests' ``model``, which the server ignores."""
        self._control = control
        self._base = base
        self.where = control.where

    def check(self, rank: int, targets: frozenset[str]) -> None:  # noqa: ARG002
        """Checks that it can be asked for its adapters. It has no limits of its own."""
        self._scales()

    def load(self, name: str, folder: Path) -> None:
        """Raises PublishError if the server wasn't started with the adapter."""
        read_adapter(folder)
        if name not in self._scales():
            raise PublishError(
                f"{self.where} wasn't started with {name}, and llama.cpp loads none later: write"
                f" {name}.gguf with `ghostbust export adapter {name} --format gguf-lora --out DIR`,"
                f" restart the server with --lora-scaled DIR/{name}.gguf:0 --no-cache-prompt, then"
                " publish again"
            )

    def loaded(self) -> frozenset[str]:
        """The stems of the files that it was started with."""
        return frozenset(self._scales())

    def unload(self, name: str) -> None:
        """Turns it off; the server keeps it in memory until its next start."""
        scales = self._scales()
        if scales.get(name, (0, 0.0))[1]:
            self._set({other: scale for other, (_, scale) in scales.items() if other != name})

    def serve(self, name: str | None) -> None:
        """Turns this adapter on and all others off, between two requests."""
        if not self.ready(name):
            self._set({} if name is None else {name: 1.0})

    def ready(self, name: str | None) -> bool:
        """Whether only this one is on, at scale 1."""
        on = {other: scale for other, (_, scale) in self._scales().items() if scale}
        return on == ({} if name is None else {name: 1.0})

    def asks(self, name: str | None) -> Asking:
        """By the request's own scales, which replace the server's."""
        lora = [
            {"id": number, "scale": float(other == name)}
            for other, (number, _) in self._scales().items()
        ]
        return Asking(self._control.api_url, self._base, {"lora": lora})

    def _set(self, on: dict[str, float]) -> None:
        scales = self._scales()
        if missing := on.keys() - scales.keys():
            raise PublishError(f"{self.where} has no adapter {', '.join(sorted(missing))}")
        wanted = [
            {"id": number, "scale": on.get(name, 0.0)} for name, (number, _) in scales.items()
        ]
        reply = self._control.post(ADAPTERS, wanted)
        if not reply.ok:
            raise PublishError(f"{self.where} doesn't change its adapters: {reply.said}")

    def _scales(self) -> dict[str, tuple[int, float]]:
        """Name to number and scale, in the server's order."""
        reply = self._control.get(ADAPTERS)
        try:
            return {
                PurePath(row["path"]).stem: (int(row["id"]), float(row["scale"]))
                for row in reply.body
            }
        except (TypeError, KeyError, ValueError, OverflowError) as exc:
            raise EndpointError(
                f"{self.where}{ADAPTERS}: unexpected answer {reply.said}; is it llama.cpp's server?"
            ) from exc
