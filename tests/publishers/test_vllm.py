"""vLLM's own limits and errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import EndpointError, ModelError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.vllm import VllmPublisher

if TYPE_CHECKING:
    from tests.publishers.conftest import ServeModel

ONE = "round-0001-aa"


def publisher(url: str, **options: object) -> VllmPublisher:
    return VllmPublisher(Control(url), base="base", **options)  # type: ignore[arg-type]


def test_a_server_without_runtime_loading_is_told_how_to_start(
    serve_model: ServeModel, adapters: Path
) -> None:
    closed = publisher(serve_model(may_load=False).url)
    off = publisher(serve_model(enable_lora=False).url)  # whose route refuses whatever is loaded
    acts: tuple[Callable[[], object], ...] = (
        lambda: closed.check(4, frozenset()),
        lambda: closed.load(ONE, adapters / ONE),
        lambda: closed.unload(ONE),
        lambda: off.check(4, frozenset()),
        lambda: off.load(ONE, adapters / ONE),
    )
    for act in acts:
        with pytest.raises(PublishError, match="--enable-lora and VLLM_ALLOW_RUNTIME_LORA"):
            act()


def test_another_model_or_too_high_a_rank_is_noticed_before_training(
    serve_model: ServeModel,
) -> None:
    server = serve_model()
    asked = publisher(server.url)
    asked.check(16, frozenset())
    with pytest.raises(PublishError, match=r"up to 16, not 20: .*--max-lora-rank 32 and set"):
        asked.check(20, frozenset())
    with pytest.raises(PublishError, match="takes no rank 600"):
        asked.check(600, frozenset())
    with pytest.raises(PublishError, match="serves no model 'other'"):
        VllmPublisher(Control(server.url), base="other").check(4, frozenset())
    assert server.serving.adapters == {}, "asking loads nothing"


def test_the_servers_own_refusal_is_passed_on(
    serve_model: ServeModel, make_lora: Callable[..., Path], tiny_model_dir: Path, tmp_path: Path
) -> None:
    """It was started with a lower rank than the settings say."""
    server = serve_model(max_rank=8)
    high = make_lora(tmp_path / "round-0003-cc", tiny_model_dir, rank=16)
    with pytest.raises(PublishError, match="LoRA rank 16 is greater than max_lora_rank 8"):
        publisher(server.url).load(high.name, high)
    with pytest.raises(ModelError, match="its rank 16 is over 8"):
        publisher(server.url, max_rank=8).load(high.name, high)
    assert publisher(server.url).loaded() == frozenset()


def test_a_path_that_the_server_does_not_see(serve_model: ServeModel, adapters: Path) -> None:
    server = serve_model()
    with pytest.raises(PublishError, match=f"finds no adapter at /elsewhere/{ONE}: .*server_path"):
        publisher(server.url, server_path="/elsewhere").load(ONE, adapters / ONE)
    publisher(server.url, server_path=str(adapters)).load(ONE, adapters / ONE)
    assert server.serving.adapters == {ONE: adapters / ONE}


def test_a_name_that_is_anothers_is_not_used_again(serve_model: ServeModel, adapters: Path) -> None:
    server = serve_model()
    server.load(ONE, adapters / "round-0002-bb")
    with pytest.raises(PublishError, match="another adapter under the name round-0001-aa"):
        publisher(server.url).load(ONE, adapters / ONE)


def test_a_loaded_adapter_is_not_posted_again(serve_model: ServeModel, adapters: Path) -> None:
    """vLLM answers 400 to that."""
    server = serve_model()
    for _ in range(3):
        publisher(server.url).load(ONE, adapters / ONE)
    assert server.serving.asked.count(("POST", "/v1/load_lora_adapter")) == 1


def test_a_wrong_key_is_no_refusal_of_the_adapter(
    serve_model: ServeModel, adapters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve_model(key="k3y")
    monkeypatch.setenv("LOAD_KEY", "wr0ng")
    guarded = VllmPublisher(Control(server.url, api_key_env="LOAD_KEY"), base="base")
    with pytest.raises(EndpointError, match=r"API key of \$LOAD_KEY") as caught:
        guarded.load(ONE, adapters / ONE)
    assert "wr0ng" not in str(caught.value)
    monkeypatch.setenv("LOAD_KEY", "k3y")
    guarded.load(ONE, adapters / ONE)
    assert guarded.ready(ONE)
