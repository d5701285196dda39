"""The SGLang adapter, against objects of the shape that SGLang's own code has."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import proxy

import pytest
import torch

PLACE = "sglang.srt.sampling.custom_logit_processor"


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The module, beside an SGLang that has nothing but the interface."""
    parts = PLACE.split(".")
    for count in range(1, len(parts) + 1):
        path = ".".join(parts[:count])
        monkeypatch.setitem(sys.modules, path, ModuleType(path))
    monkeypatch.setattr(
        sys.modules[PLACE], "CustomLogitProcessor", type("Base", (), {}), raising=False
    )
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "ghostbust.guard.sglang", raising=False)
    yield importlib.import_module("ghostbust.guard.sglang")
    sys.modules.pop("ghostbust.guard.sglang", None)


@pytest.fixture
def tokenizer(tiny_model_dir: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model_dir)


@dataclass
class Request:
    """What the guard reads of SGLang's ``Req``."""

    tokenizer: Any
    origin_input_ids: list[int]
    output_ids: list[int] = field(default_factory=list)
    eos_token_ids: set[int] | None = field(default_factory=lambda: {0})
    inflight_middle_chunks: int = 0


def params(request: Request) -> dict[str, Any]:
    """``custom_params`` as SGLang completes them."""
    return {"__req__": proxy(request)}


def drawn(adapter: ModuleType, request: Request, tokens: list[int]) -> None:
    """Lets the server draw these tokens, one a step."""
    for token in tokens:
        adapter.RequestGuard()(torch.zeros(1, 300), [params(request)])
        request.output_ids.append(token)


def test_a_request_is_held_to_real_names_and_others_stay(
    adapter: ModuleType, tokenizer: Any
) -> None:
    (y,), (q,) = tokenizer("y")["input_ids"], tokenizer("q")["input_ids"]
    request = Request(tokenizer, [1], inflight_middle_chunks=1)
    adapter.RequestGuard()(torch.zeros(1, 300), [params(request)])  # half of the prompt
    request.inflight_middle_chunks = 0
    drawn(adapter, request, tokenizer("pip install nump")["input_ids"])
    logits = torch.zeros(2, 300)
    logits[:, [y, q]] = 9.0
    before = logits.clone()
    other = Request(tokenizer, [1])
    made = adapter.RequestGuard()(logits, [params(other), params(request)])
    assert torch.equal(made[0], before[0])
    assert made[1, q] == -torch.inf
    assert made[1, y] == 9.0


@pytest.mark.parametrize("closed", [False, True])
def test_a_server_that_draws_ahead_is_told_once(
    adapter: ModuleType,
    tokenizer: Any,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    closed: bool,
) -> None:
    monkeypatch.setenv("GHOSTBUST_GUARD__ON_ERROR", "closed" if closed else "open")
    request = Request(tokenizer, [1])
    with caplog.at_level(logging.WARNING):
        for _ in range(3):  # the overlap schedule: the first token isn't known yet
            made = adapter.RequestGuard()(torch.zeros(1, 300), [params(request)])
    assert "--disable-overlap-schedule" in caplog.text
    assert len(caplog.records) == 1
    assert int((made[0] == -torch.inf).sum()) == (299 if closed else 0)


def test_several_rows_of_one_request_are_told(
    adapter: ModuleType, tokenizer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(tokenizer, [1])
    made = adapter.RequestGuard()(torch.zeros(2, 300), [params(request)] * 2)
    assert "speculative" in caplog.text
    assert torch.equal(made, torch.zeros(2, 300))


@pytest.mark.parametrize(
    ("given", "said"), [([None], "custom_params"), ([{"other": 1}], "custom_params")]
)
def test_a_request_without_params_goes_on(
    adapter: ModuleType, caplog: pytest.LogCaptureFixture, given: list[Any], said: str
) -> None:
    for _ in range(2):
        made = adapter.RequestGuard()(torch.zeros(1, 300), given)
    assert torch.equal(made, torch.zeros(1, 300))
    assert len(caplog.records) == 1
    assert said in caplog.text


def test_a_server_without_a_tokenizer_is_told_once(
    adapter: ModuleType, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(None, [1])
    for token in (5, 6):
        adapter.RequestGuard()(torch.zeros(1, 300), [params(request)])
        request.output_ids.append(token)
    assert len(caplog.records) == 1
    assert "--skip-tokenizer-init" in caplog.text
