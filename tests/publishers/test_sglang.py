"""SGLang's own limits and errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.adapters import write_adapter
from ghostbust.errors import ModelError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.sglang import SglangPublisher

if TYPE_CHECKING:
    from tests.publishers.conftest import ServeModel

ONE = "round-0001-aa"


def publisher(url: str) -> SglangPublisher:
    return SglangPublisher(Control(url), base="base")


def test_the_servers_arguments_are_its_limits(serve_model: ServeModel) -> None:
    with pytest.raises(PublishError, match="--enable-lora"):
        publisher(serve_model("sglang", may_load=False).url).check(4, frozenset())
    asked = publisher(serve_model("sglang", max_rank=8).url)
    asked.check(8, frozenset({"q_proj"}))
    with pytest.raises(PublishError, match="up to 8, not 16"):
        asked.check(16, frozenset())
    with pytest.raises(PublishError, match=r"no adapter over up_proj; .*--lora-target-modules all"):
        asked.check(8, frozenset({"q_proj", "up_proj"}))


def test_its_refusal_is_passed_on(serve_model: ServeModel, adapters: Path) -> None:
    server = serve_model("sglang", max_rank=2)
    with pytest.raises(PublishError, match=f"{ONE} with rank 4 is incompatible"):
        publisher(server.url).load(ONE, adapters / ONE)


def test_layers_that_it_holds_as_one_are_taken_together(serve_model: ServeModel) -> None:
    asked = publisher(serve_model("sglang", targets=("q_proj", "up_proj", "o_proj")).url)
    asked.check(4, frozenset({"k_proj", "v_proj", "gate_proj", "o_proj"}))
    with pytest.raises(PublishError, match="no adapter over down_proj;"):
        asked.check(4, frozenset({"k_proj", "down_proj"}))
    publisher(serve_model("sglang", targets=("all",)).url).check(4, frozenset({"down_proj"}))


def test_a_rank_stabilised_adapter_is_not_served_with_another_scale(
    serve_model: ServeModel, adapters: Path, tmp_path: Path
) -> None:
    server = serve_model("sglang")
    folder = tmp_path / "round-0003-cc"
    config = json.loads((adapters / ONE / "adapter_config.json").read_text()) | {"use_rslora": True}

    def save(aside: Path) -> None:
        shutil.copy(adapters / ONE / "adapter_model.safetensors", aside)
        (aside / "adapter_config.json").write_text(json.dumps(config))

    write_adapter(folder, model="base", facts={}, save=save)
    with pytest.raises(ModelError, match="served with alpha / rank"):
        publisher(server.url).load(folder.name, folder)
    assert server.serving.adapters == {}


def test_an_unload_is_posted_though_nothing_is_listed_and_its_failure_is_told(
    serve_model: ServeModel, adapters: Path
) -> None:
    """What failed half-way isn't listed, and bars its name until it is unloaded."""
    server = serve_model("sglang")
    asked = publisher(server.url)
    asked.unload(ONE)
    assert ("POST", "/unload_lora_adapter") in server.serving.asked
    asked.load(ONE, adapters / ONE)
    server.serving.may_load = False
    with pytest.raises(PublishError, match=f"doesn't unload {ONE}: 400: LoRA is not enabled"):
        asked.unload(ONE)


def test_a_request_brings_an_unloaded_adapter_back(serve_model: ServeModel, adapters: Path) -> None:
    server = serve_model("sglang")
    asked = publisher(server.url)

    def status(name: str) -> int:
        body = {"model": asked.asks(name).model, "prompt": "pip", "max_tokens": 2}
        url = f"{server.url}/v1/completions"
        return httpx.post(url, json=body, trust_env=False, timeout=30).status_code

    assert status(ONE) == 400, "never loaded"
    asked.load(ONE, adapters / ONE)
    asked.unload(ONE)
    assert not asked.ready(ONE)
    assert status(ONE) == 200
    assert asked.ready(ONE)
