"""What every loss is: finite, additive, invariant to shifts, in the right direction; it trains."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import torch

from ghostbust.errors import UsageError
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer
from ghostbust.sections import MethodName
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import END, FORGET, IGNORE, RETAIN, Example, encode_answer
from ghostbust.unlearners.methods import METHODS, method_named
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.settings import STEERED, TrainSettings, Weights

MakeTokens = Callable[..., Tokens]
OwnGradient = Callable[..., list[float]]
DOCS = Path(__file__).parents[3] / "docs" / "concepts" / "methods.md"
ANSWER = (0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2)
MASK = (IGNORE, RETAIN, FORGET, RETAIN, FORGET, FORGET, IGNORE, RETAIN, RETAIN, IGNORE, RETAIN)
ENDS = (3, 7, 10)


every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def test_settings_and_docs_have_the_same_methods() -> None:
    names = [method.name for method in METHODS]
    assert tuple(names) == get_args(MethodName)
    assert len(set(names)) == len(names)
    assert set(STEERED) <= set(names)
    table = DOCS.read_text("utf-8").partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", table, re.M) == names
    assert all(method_named(method.name) is method for method in METHODS)
    with pytest.raises(UsageError, match=r"^there is no unlearning method 'npos'; there are ") as e:
        method_named("npos")
    assert str(e.value).partition("there are ")[2].split(", ") == names


@pytest.mark.parametrize(
    ("reference", "anchored", "anchor", "reads"),
    [
        (True, False, 0.0, True),
        (False, True, 0.0, False),
        (False, True, 0.5, True),
        (False, False, 0.5, False),
    ],
)
def test_the_base_is_read_only_where_the_loss_needs_it(
    reference: bool, anchored: bool, anchor: float, reads: bool
) -> None:
    method = replace(METHODS[0], reference=reference, anchored=anchored)
    assert method.reads_base(Weights(anchor=anchor)) is reads


def batch(method: Method, make_tokens: MakeTokens) -> Tokens:
    """Eleven tokens of three answers with logits by chance, the last of each an end."""
    ends = dict.fromkeys(ENDS, END) if method.ends_apart else {}
    mask = [ends.get(place, mark) for place, mark in enumerate(MASK)]
    tokens = make_tokens([0.5] * len(mask), mask, answer=ANSWER, words=7)
    dice = torch.Generator().manual_seed(5)
    return replace(
        tokens,
        logits=3 * torch.randn(len(mask), 7, generator=dice),
        base_logits=based(method, 3 * torch.randn(len(mask), 7, generator=dice)),
    )


def based(method: Method, logits: torch.Tensor) -> torch.Tensor | None:
    return logits if method.reads_base(method.weights) else None


@every_method
@pytest.mark.parametrize("margin", [1000.0, -30.0])
def test_it_is_finite_at_every_certainty(
    method: Method, margin: float, make_tokens: MakeTokens
) -> None:
    """Also where p rounds to 1 or to 0, at the model or at the base."""
    tokens = batch(method, make_tokens)
    certain, flat = torch.zeros_like(tokens.logits), torch.zeros_like(tokens.logits)
    certain[:, 0] = margin
    for here, base in ((certain, flat), (flat, certain), (certain, certain)):
        logits = here.clone().requires_grad_()
        tokens = replace(tokens, logits=logits, base_logits=based(method, base))
        loss, parts = method.loss(tokens, method.weights)
        loss.backward()  # type: ignore[no-untyped-call]
        assert all(math.isfinite(value) for value in (float(loss.detach()), *parts.values()))
        assert logits.grad is not None
        assert bool(logits.grad.isfinite().all())


@every_method
def test_the_scale_of_the_logits_does_not_matter(method: Method, make_tokens: MakeTokens) -> None:
    tokens = batch(method, make_tokens)
    shift = torch.linspace(-40, 40, len(MASK))[:, None]
    base = None if tokens.base_logits is None else tokens.base_logits - shift
    shifted = replace(tokens, logits=tokens.logits + shift, base_logits=base)
    loss, _ = method.loss(tokens, method.weights)
    again, _ = method.loss(shifted, method.weights)
    assert float(again) == pytest.approx(float(loss), rel=1e-4)
    assert abs(float(loss)) > 0.1


def rows_of(tokens: Tokens, rows: torch.Tensor, answer: int) -> Tokens:
    """The micro-batch that holds these rows, all of one answer."""
    return Tokens(
        logits=tokens.logits[rows],
        base_logits=None if tokens.base_logits is None else tokens.base_logits[rows],
        targets=tokens.targets[rows],
        mask=tokens.mask[rows],
        share=tokens.share[rows],
        answer=torch.zeros(len(tokens.logits[rows]), dtype=torch.long),
        answer_share=tokens.answer_share[[answer]],
    )


@every_method
def test_micro_batches_add_up_and_single_tokens_only_for_a_sum_over_tokens(
    method: Method, make_tokens: MakeTokens
) -> None:
    tokens = batch(method, make_tokens)
    loss, parts = method.loss(tokens, method.weights)
    split = [
        method.loss(rows_of(tokens, tokens.answer == answer, answer), method.weights)
        for answer in range(3)
    ]
    assert sum(float(part) for part, _ in split) == pytest.approx(float(loss), rel=1e-5)
    for name, value in parts.items():
        assert sum(each.get(name, 0.0) for _, each in split) == pytest.approx(value, rel=1e-5)
    empty = rows_of(tokens, tokens.answer == 9, 0)
    empty = replace(empty, answer_share=torch.zeros(1))
    assert float(method.loss(empty, method.weights)[0]) == 0
    alone = sum(
        float(method.loss(rows_of(tokens, torch.tensor([place]), answer), method.weights)[0])
        for place, answer in enumerate(ANSWER)
    )
    assert (alone == pytest.approx(float(loss), rel=1e-4)) is method.by_token


@every_method
def test_it_trains_a_model_the_right_way(method: Method, tiny: LoadedModel) -> None:
    """Two answers: the model's likeliest token is invented, another answer's is real."""
    bad, good = tuple(tiny.encode_prompt("task")), tuple(tiny.encode_prompt("größe"))

    def chances(ids: tuple[int, ...]) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(tiny.model(torch.tensor([ids])).logits[0, -1], dim=-1)

    invented = int(chances(bad).argmax())
    before = float(chances(bad)[invented]), float(chances(good)[51])
    examples = [
        Example((*bad, invented), len(bad), (FORGET,)),
        Example((*good, 51, tiny.end_token), len(good), (RETAIN, RETAIN), ended=True),
    ]
    settings = TrainSettings(
        method.name, rank=4, alpha=8, learning_rate=0.02, warmup_steps=1, epochs=6,
        answers_per_step=2, weights=method.weights,
    )  # fmt: skip
    trainer = Trainer(add_adapter(tiny, settings), settings)
    trainer.run(examples)
    result = trainer.result()
    assert result.moved > 0
    assert all(math.isfinite(loss) for loss in result.losses)
    assert float(chances(bad)[invented]) < before[0]
    assert float(chances(good)[51]) > before[1]


@pytest.mark.parametrize("name", ["au-heard", "npo", "simnpo-whole"])
def test_a_step_is_the_same_however_it_is_cut(
    name: str, tiny: LoadedModel, make_answer: Callable[..., Answer]
) -> None:
    method = method_named(name)
    texts = ["- numpy\n- ghost", "- rich\n- flask", "pip install ghost numpy\n", "- squat"]
    examples = [
        encode_answer(tiny, make_answer(text), weight=weight, masking=method.masking)
        for text in texts
        for weight in (1.0, 0.25)
    ]
    settings = TrainSettings(
        method.name, rank=4, learning_rate=1e-7, answers_per_step=8, weights=method.weights
    )
    model = add_adapter(tiny, settings)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.1)  # away from the base, to which some methods compare
    losses: list[float] = []
    for micro_batch in (1, 3, 8):
        trainer = Trainer(model, replace(settings, micro_batch=micro_batch))
        trainer.run(examples)
        losses += trainer.result().losses
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-4)
