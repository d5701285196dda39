"""The kinds of publishers there are, and those that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ghostbust.adapters import MANIFEST, read_adapter
from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.publishers.control import Control
from ghostbust.publishers.directory import DirectoryPublisher
from ghostbust.publishers.interface import Asking, Publisher
from ghostbust.publishers.llamacpp import LlamaCppPublisher
from ghostbust.publishers.sglang import SglangPublisher
from ghostbust.publishers.vllm import VllmPublisher

# --- none
# No server: adapters stay in the home folder, whose pointer says which one serves.


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


KINDS: Final = ("none", "vllm", "sglang", "llamacpp", "directory")


def make_publishers(config: Config, adapters: Path) -> tuple[Publisher, ...]:
    """One for each of ``publish.replicas``; ``adapters`` is the home's folder of them.

    Without replicas, servers are those that are sampled from. Raises UsageError where there are
    none, an address can't be used, or rounds would make adapters that the kind can't serve.
    """
    told = config.publish
    if told.kind == "sglang" and config.training.rslora:
        raise UsageError(
            "training.rslora is set, and SGLang (publish.kind) serves such an adapter with"
            " alpha / rank: set rslora = false, and alpha higher instead"
        )
    if told.kind == "none":
        return (NoPublisher(adapters),)
    urls = tuple(server.url for server in config.model.servers)
    places = told.replicas if told.kind == "directory" else told.replicas or urls
    if not places:
        raise UsageError(f"publish.kind is {told.kind}, and publish.replicas names nobody")
    return tuple(_make(config, place, urls[0] if urls else None) for place in places)


def how_to_ask(config: Config, name: str | None) -> Asking:
    """How the servers that are sampled from are asked for an adapter, or for the base.

    By the name alone, unless ``publish.kind`` says that these servers want it otherwise. Raises
    EndpointError where a llama.cpp server, which knows adapters by number, can't be asked.
    """
    url = config.model.servers[0].url
    if config.publish.kind in ("sglang", "llamacpp"):
        asking = _make(config, url, url).asks(name)
        if asking is not None:
            return asking
    return Asking(url, name or config.model.served_as)


def how_to_name(config: Config, name: str | None) -> str:
    """The model that a client asks for, to get an adapter that serves, or the base.

    At a llama.cpp server always the base: what serves is the server's affair.
    """
    base = config.model.served_as
    if name is None or config.publish.kind == "llamacpp":
        return base
    return f"{base}:{name}" if config.publish.kind == "sglang" else name


def _make(config: Config, place: str, url: str | None) -> Publisher:
    """``url``: of the server that is sampled from, for a kind that has no address of its own."""
    told, base = config.publish, config.model.served_as
    if told.kind == "directory":
        if not Path(place).is_absolute():
            raise UsageError(f"publish.replicas: {place!r} should be an absolute path")
        return DirectoryPublisher(
            Path(place), base=base, server=None if url is None else _control(config, url)
        )
    control = _control(config, place)
    if told.kind == "llamacpp":
        return LlamaCppPublisher(control, base=base)
    kind = VllmPublisher if told.kind == "vllm" else SglangPublisher
    return kind(control, base=base, max_rank=told.max_rank, server_path=told.server_path)


def _control(config: Config, url: str) -> Control:
    told = config.publish
    return Control(
        url, api_key_env=told.api_key_env, headers=told.headers, timeout_s=told.timeout_s
    )
