"""SGLang's own limits and errors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.sglang import SglangPublisher

if TYPE_CHECKING:
    from tests.publishers.conftest import ServeModel

ONE = "round-0001-aa"


def publisher(url: str) -> SglangPublisher:
    return SglangPublisher(Control(url), base="base")


def test_the_servers_arguments_are_its_limits(serve_model: ServeModel) -> None:
    asked = publisher(serve_model("sglang", max_rank=8).url)
    asked.check(8, frozenset({"q_proj"}))
    with pytest.raises(PublishError, match="up to 8, not 16"):
        asked.check(16, frozenset())
    with pytest.raises(PublishError, match=r"no adapter over up_proj; .*--lora-target-modules all"):
        asked.check(8, frozenset({"q_proj", "up_proj"}))


def test_a_server_without_adapters_is_told_how_to_start(serve_model: ServeModel) -> None:
    with pytest.raises(PublishError, match="--enable-lora"):
        publisher(serve_model("sglang", may_load=False).url).check(4, frozenset())


def test_its_refusal_is_passed_on(serve_model: ServeModel, adapters: Path) -> None:
    server = serve_model("sglang", max_rank=2)
    with pytest.raises(PublishError, match="LoRA rank 4 is greater"):
        publisher(server.url).load(ONE, adapters / ONE)


def test_an_adapter_is_asked_for_behind_the_base(serve_model: ServeModel) -> None:
    """Under its name alone the base would answer."""
    asked = publisher(serve_model("sglang").url)
    assert [asked.asks(name).model for name in (None, ONE)] == ["base", f"base:{ONE}"]
