"""Loss and gradient chunk by chunk are those of all tokens at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import logits_at
from ghostbust.records import Answer
from ghostbust.unlearners import data as chunking
from ghostbust.unlearners.data import Batch, Totals, backward, chunks, make_batch
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN, Example, encode_answer
from ghostbust.unlearners.methods.au_repair import METHOD
from ghostbust.unlearners.methods.interface import Method, Tokens, Weights
from ghostbust.unlearners.methods.terms import log_likelihood, of_class
from ghostbust.unlearners.settings import TrainSettings

ALL = frozenset({IGNORE, RETAIN, FORGET})
WEIGHTS = Weights(retain=1.0, forget=0.5, anchor=2.0)
VOCABULARY = 286


def by_answer(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
    """Not a sum over tokens: the square of each answer's summed log p, and 1 for each answer."""
    rows = of_class(tokens, FORGET)
    sums = torch.zeros(len(tokens.answer_share)).index_add(
        0, tokens.answer[rows], log_likelihood(tokens, rows)
    )
    return (tokens.answer_share * (1 + sums**2)).sum(), {}


METHODS = [METHOD, Method("by-answer", by_answer)]


@pytest.fixture
def examples(tiny: LoadedModel, make_answer: Callable[..., Answer]) -> list[Example]:
    texts = ["- numpy\n- ghost\n- ghost-two", "- rich\n- flask", "pip install ghost numpy\n"]
    return [encode_answer(tiny, make_answer(text), weight=n + 1) for n, text in enumerate(texts)]


@pytest.fixture
def batch(examples: list[Example]) -> Batch:
    return make_batch(examples, Totals.of(examples), ALL, torch.device("cpu"))


@pytest.fixture
def model(tiny: LoadedModel) -> PeftModel:
    """An adapter that isn't the base any more."""
    adapted = add_adapter(tiny, TrainSettings(rank=4))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.05, generator=generator)
    return adapted


def gradients(model: PeftModel) -> list[torch.Tensor]:
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    model.zero_grad()
    return found


def plainly(model: PeftModel, batch: Batch, method: Method) -> torch.Tensor:
    """The loss of all tokens at once, with its gradient left in the model."""
    causal = cast("PreTrainedModel", model.get_base_model())
    mask = torch.zeros_like(batch.ids)
    for row, column in zip(batch.row, batch.column, strict=True):
        mask[row, : column + 1] = 1
    inputs = {"input_ids": batch.ids, "attention_mask": mask}
    with torch.no_grad(), model.disable_adapter():
        base = logits_at(causal, inputs, batch.places)
    tokens = Tokens(
        logits_at(causal, inputs, batch.places), base if method.reads_base(WEIGHTS) else None,
        batch.targets, batch.mask, batch.share, batch.row, batch.answer_share, batch.ends,
    )  # fmt: skip
    loss, _ = method.loss(tokens, WEIGHTS)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_chunks_do_not_change_loss_and_gradient(
    method: Method, rows: int, model: PeftModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunking, "BLOCK", rows * VOCABULARY)
    expected, wanted = plainly(model, batch, method), gradients(model)
    loss, got = backward(model, batch, method, WEIGHTS), gradients(model)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    assert len(got) == len(wanted) == 2 * 2 * 7
    for ours, theirs in zip(got, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)


def test_no_logits_of_all_tokens_at_once(
    model: PeftModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunking, "BLOCK", 4 * VOCABULARY)
    seen: list[tuple[int, bool]] = []

    def heard(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
        seen.append((len(tokens.logits), len(set(tokens.mask.tolist())) == 1))
        return METHOD.loss(tokens, weights)

    backward(model, batch, replace(METHOD, loss=heard), WEIGHTS)
    assert sum(size for size, _ in seen) == len(batch.row)
    assert all(size <= 4 and of_one_class for size, of_one_class in seen)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_token_is_in_one_chunk(method: Method, batch: Batch) -> None:
    rows = torch.cat(list(chunks(batch, method, VOCABULARY)))
    assert sorted(rows.tolist()) == list(range(len(batch.row)))


def test_a_method_of_answers_gets_them_whole(batch: Batch) -> None:
    made = list(chunks(batch, METHODS[1], 10**9))
    assert [sorted(set(batch.row[rows].tolist())) for rows in made] == [[0], [1], [2]]


def test_a_batch_without_tokens_is_nothing(model: PeftModel, examples: list[Example]) -> None:
    batch = make_batch(examples, Totals.of(examples), frozenset(), torch.device("cpu"))
    assert backward(model, batch, METHOD, WEIGHTS) == 0
    assert not any(gradient.any() for gradient in gradients(model))
