"""Each kind of publisher with a real place behind it, and two adapters for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from ghostbust.publishers.control import Control
from ghostbust.publishers.directory import DirectoryPublisher, NoPublisher
from ghostbust.publishers.interface import Publisher
from ghostbust.publishers.llamacpp import LlamaCppPublisher
from ghostbust.publishers.sglang import SglangPublisher
from ghostbust.publishers.vllm import VllmPublisher
from ghostbust.sections import PublishSection
from tests.lab.model_server import Kind, ModelServer, Serving, serve

ONE, TWO = "round-0001-aa", "round-0002-bb"
KINDS: tuple[str, ...] = get_args(PublishSection.model_fields["kind"].annotation)
ServeModel = Callable[..., ModelServer]


@dataclass(frozen=True)
class Place:
    """A publisher, and the adapters' folders in the home."""

    publisher: Publisher
    home: Path

    def folder(self, name: str) -> Path:
        return self.home / name


@pytest.fixture(scope="session")
def adapters(
    make_lora: Callable[..., Path], tiny_model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A home's folder with two adapters of the tiny model."""
    home = tmp_path_factory.mktemp("home") / "adapters"
    for seed, name in enumerate((ONE, TWO)):
        make_lora(home / name, tiny_model_dir, seed=seed, size=0.2)
    return home


@pytest.fixture
def serve_model(tiny_model_dir: Path) -> Iterator[ServeModel]:
    """Starts model servers of the tiny model, each of a kind."""
    with ExitStack() as stack:

        def start(kind: Kind = "vllm", **options: object) -> ModelServer:
            serving = Serving(tiny_model_dir, "base", kind, **options)  # type: ignore[arg-type]
            return stack.enter_context(serve(serving))

        yield start


@pytest.fixture(params=KINDS)
def place(
    request: pytest.FixtureRequest, adapters: Path, serve_model: ServeModel, tmp_path: Path
) -> Place:
    """One of each kind."""
    kind: str = request.param
    if kind == "none":
        return Place(NoPublisher(adapters), adapters)
    if kind == "directory":
        (tmp_path / "served").mkdir()
        return Place(DirectoryPublisher(tmp_path / "served", base="base"), adapters)
    if kind == "llamacpp":
        preloaded = {f"/gguf/{name}.gguf": adapters / name for name in (ONE, TWO)}
        server = serve_model(kind, preloaded=preloaded)
        return Place(LlamaCppPublisher(Control(server.url), base="base"), adapters)
    server = serve_model(kind)
    control = Control(f"{server.url}/v1")
    made = VllmPublisher if kind == "vllm" else SglangPublisher
    return Place(made(control, base="base"), adapters)
