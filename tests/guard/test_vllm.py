"""The vLLM adapter, against objects of the shape that vLLM's documentation gives."""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import Enum, auto
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ghostbust.errors import UsageError


class OfBatches(ABC):
    """``vllm.v1.sample.logits_processor.LogitsProcessor``."""

    @abstractmethod
    def is_argmax_invariant(self) -> bool: ...

    @abstractmethod
    def update_state(self, batch_update: Any) -> None: ...


class OfSlots(ABC):
    """``vllm.v1.worker.gpu.sample.logits_processor.interface.LogitsProcessor``."""

    @abstractmethod
    def apply(self, logits: torch.Tensor, ctx: Any) -> torch.Tensor: ...


class Moves(Enum):
    UNIDIRECTIONAL = auto()
    SWAP = auto()


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The module, beside a vLLM that has nothing but the two interfaces."""
    old, new = "vllm.v1.sample.logits_processor", "vllm.v1.worker.gpu.sample.logits_processor"
    bases = {old: OfBatches, f"{new}.interface": OfSlots}
    for name, base in bases.items():
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            path = ".".join(parts[:count])
            monkeypatch.setitem(sys.modules, path, sys.modules.get(path) or ModuleType(path))
        monkeypatch.setattr(sys.modules[name], "LogitsProcessor", base, raising=False)
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "ghostbust.guard.vllm", raising=False)
    yield importlib.import_module("ghostbust.guard.vllm")
    sys.modules.pop("ghostbust.guard.vllm", None)


@pytest.fixture
def config(tiny_model_dir: Path) -> SimpleNamespace:
    model = SimpleNamespace(
        tokenizer=str(tiny_model_dir),
        tokenizer_revision=None,
        trust_remote_code=False,
        hf_config=SimpleNamespace(eos_token_id=0),
    )
    return SimpleNamespace(speculative_config=None, model_config=model)


@pytest.fixture
def ids(tiny_model_dir: Path) -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model_dir)
    return lambda text: tokenizer(text)["input_ids"]


def level(*likely: int) -> torch.Tensor:
    """Logits (2, V) that like some tokens and know no difference elsewhere."""
    logits = torch.zeros(2, 300)
    logits[:, list(likely)] = 9.0
    return logits


def refused(made: torch.Tensor, token: int) -> bool:
    return bool(made[token] == -torch.inf)


def test_speculative_decoding_is_refused(adapter: ModuleType, config: SimpleNamespace) -> None:
    config.speculative_config = object()
    with pytest.raises(UsageError, match="speculative"):
        adapter.GuardProcessor(config, torch.device("cpu"), False)


def test_rows_of_a_batch_follow_their_requests(
    adapter: ModuleType, config: SimpleNamespace, ids: Any
) -> None:
    made = adapter.GuardProcessor(config, torch.device("cpu"), False)
    assert made.is_argmax_invariant() is False
    (y,), (q,) = ids("y"), ids("q")
    output: list[int] = []
    other: list[int] = []
    update = SimpleNamespace(
        batch_size=2, removed=[], moved=[], added=[(0, None, [1], output), (1, None, None, other)]
    )
    made.update_state(update)
    made.apply(torch.zeros(2, 300))
    output += ids("pip install nump")
    made.update_state(None)
    logits = made.apply(level(y, q))
    assert refused(logits[0], q)
    assert not refused(logits[0], y)
    assert torch.equal(logits[1], level(y, q)[1])
    moved = SimpleNamespace(batch_size=2, removed=[], added=[], moved=[(0, 1, Moves.SWAP)])
    made.update_state(moved)
    logits = made.apply(level(y, q))
    assert refused(logits[1], q)
    assert torch.equal(logits[0], level(y, q)[0])
    output.append(-1)  # not known yet
    assert torch.equal(made.apply(torch.zeros(2, 300)), torch.zeros(2, 300))
    made.update_state(SimpleNamespace(batch_size=1, removed=[1], added=[], moved=[]))
    output[-1:] = []
    assert torch.equal(made.apply(torch.zeros(2, 300)), torch.zeros(2, 300))


def slots(tokens: list[int], prompt: int) -> SimpleNamespace:
    """``LogitsProcRequestState`` with a request in slot 3."""
    table = torch.zeros(4, 64, dtype=torch.int32)
    table[3, : len(tokens)] = torch.tensor(tokens, dtype=torch.int32)
    lengths = np.zeros(4, dtype=np.int32)
    lengths[3] = prompt
    return SimpleNamespace(
        all_token_ids=SimpleNamespace(gpu=table), prompt_len=SimpleNamespace(np=lengths)
    )


def step(tokens: list[int], count: int) -> SimpleNamespace:
    """``LogitsContext`` of a step that fed the request's ``count``-th token."""
    return SimpleNamespace(
        idx_mapping_np=np.array([3]),
        pos=torch.tensor([count - 1]),
        input_ids=torch.tensor([tokens[count - 1]]),
    )


@pytest.mark.parametrize("resumed", [False, True])
def test_rows_of_slots_are_read_token_by_token_or_again(
    adapter: ModuleType, config: SimpleNamespace, ids: Any, resumed: bool
) -> None:
    tokens = [1, 2, *ids("pip install nump")]
    made = adapter.GuardProcessor(config, slots(tokens, 2))
    assert made.add_request(3, None) is True
    (y,), (q,) = ids("y"), ids("q")
    first = len(tokens) if resumed else 1
    for count in range(first, len(tokens) + 1):
        logits = made.apply(level(y, q)[:1], step(tokens, count))
    assert refused(logits[0], q)
    assert not refused(logits[0], y)


@pytest.mark.parametrize("closed", [False, True])
def test_a_layout_that_is_not_known_takes_no_answer_away(
    adapter: ModuleType,
    config: SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    closed: bool,
) -> None:
    monkeypatch.setenv("GHOSTBUST_GUARD__ON_ERROR", "closed" if closed else "open")
    made = adapter.GuardProcessor(config, slots([1], 1))
    logits = made.apply(torch.zeros(1, 300), SimpleNamespace())
    assert int((logits[0] == -torch.inf).sum()) == (299 if closed else 0)
