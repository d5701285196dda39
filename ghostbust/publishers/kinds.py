"""Makes the publishers that the settings name; how servers are asked for an adapter."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from ghostbust.config import Config
from ghostbust.errors import PublishError, UsageError
from ghostbust.plugins import make_by_plugin
from ghostbust.publishers.control import Control
from ghostbust.publishers.directory import DirectoryPublisher, NoPublisher
from ghostbust.publishers.interface import Asking, Publisher
from ghostbust.publishers.llamacpp import LlamaCppPublisher
from ghostbust.publishers.sglang import SglangPublisher
from ghostbust.publishers.vllm import VllmPublisher
from ghostbust.sections import PublishKind


def make_publishers(config: Config, adapters: Path) -> tuple[Publisher, ...]:
    """One for each of ``publish.replicas``; ``adapters`` is the home's folder of adapters.

    Without replicas, the servers that are sampled from are the replicas. Raises UsageError where
    there are none, an address can't be used, or rounds make adapters that the kind can't serve.
    """
    settings = config.publish
    if settings.kind == "sglang" and config.training.rslora:
        raise UsageError(
            "training.rslora is set, and SGLang (publish.kind) serves such an adapter with"
            " alpha / rank: set rslora = false, and alpha higher instead"
        )
    if settings.kind == "none":
        return (NoPublisher(adapters),)
    urls = tuple(server.url for server in config.model.servers)
    places = settings.replicas if settings.kind == "directory" else settings.replicas or urls
    if not places:
        raise UsageError(f"publish.kind is {settings.kind}, and publish.replicas names nobody")
    return tuple(_make(config, place, urls[0] if urls else None) for place in places)


def how_to_ask(config: Config, name: str | None) -> Asking:
    """How to ask the servers that are sampled from for an adapter, or for the base.

    By the name alone, unless ``publish.kind`` names servers that want more. Raises
    EndpointError where a llama.cpp server, which knows adapters by number, can't be asked.
    """
    url = config.model.servers[0].url
    if config.publish.kind in ("sglang", "llamacpp"):
        asking = _make(config, url, url).asks(name)
        if asking is not None:
            return asking
    return Asking(url, name or config.model.served_as)


def how_to_name(config: Config, name: str | None) -> str:
    """The model that a client names to get an adapter that serves, or the base.

    At a llama.cpp server always the base: the server itself applies the adapter that serves.
    """
    base = config.model.served_as
    if name is None or config.publish.kind == "llamacpp":
        return base
    return f"{base}:{name}" if config.publish.kind == "sglang" else name


def _make(config: Config, place: str, url: str | None) -> Publisher:
    """``url``: of the server that is sampled from, for ``directory``, whose place is a folder."""
    settings, base = config.publish, config.model.served_as
    if _is_plugin(config):
        made: Publisher = make_by_plugin("publishers", settings.kind, PublishError, config, place)
        return made
    if settings.kind == "directory":
        if not Path(place).is_absolute():
            raise UsageError(f"publish.replicas: {place!r} should be an absolute path")
        return DirectoryPublisher(
            Path(place), base=base, server=None if url is None else _control(config, url)
        )
    control = _control(config, place)
    if settings.kind == "llamacpp":
        return LlamaCppPublisher(control, base=base)
    kind = VllmPublisher if settings.kind == "vllm" else SglangPublisher
    return kind(control, base=base, max_rank=settings.max_rank, server_path=settings.server_path)


def _is_plugin(config: Config) -> bool:
    return config.publish.kind not in get_args(PublishKind)


def _control(config: Config, url: str) -> Control:
    settings = config.publish
    return Control(
        url,
        api_key_env=settings.api_key_env,
        headers=settings.headers,
        timeout_s=settings.timeout_s,
    )
