"""llama.cpp scales what it was started with, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import EndpointError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.llamacpp import LlamaCppPublisher

if TYPE_CHECKING:
    from tests.publishers.conftest import ServeModel

ONE, TWO = "round-0001-aa", "round-0002-bb"


def publisher(url: str) -> LlamaCppPublisher:
    return LlamaCppPublisher(Control(url), base="base")


def test_what_it_was_not_started_with_cannot_be_loaded(
    serve_model: ServeModel, adapters: Path
) -> None:
    server = serve_model("llamacpp", preloaded={f"a/{ONE}.gguf": adapters / ONE})
    asked = publisher(server.url)
    with pytest.raises(PublishError, match=f"--lora-scaled DIR/{TWO}.gguf:0 --no-cache-prompt"):
        asked.load(TWO, adapters / TWO)
    with pytest.raises(PublishError, match=f"has no adapter {TWO}"):
        asked.serve(TWO)


def test_one_is_on_at_a_time(serve_model: ServeModel, adapters: Path) -> None:
    preloaded = {f"a/{name}.gguf": adapters / name for name in (ONE, TWO)}
    server = serve_model("llamacpp", preloaded=preloaded)
    asked = publisher(server.url)
    for name, scales in (
        (ONE, {0: 1.0, 1: 0.0}),
        (TWO, {0: 0.0, 1: 1.0}),
        (None, {0: 0.0, 1: 0.0}),
    ):
        asked.serve(name)
        assert server.serving.scales == scales
    asked.serve(TWO)
    asked.unload(TWO)
    assert asked.ready(None)


def test_another_server_is_said_so(serve_model: ServeModel) -> None:
    with pytest.raises(EndpointError, match=r"is it llama\.cpp's server"):
        publisher(serve_model("vllm").url).check(4, frozenset())
