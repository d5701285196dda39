"""Training really trains, or says that it doesn't; loss and gradient in chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from ghostbust.errors import TrainingError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.models.pair import logits_at
from ghostbust.records import Answer
from ghostbust.unlearners import engine
from ghostbust.unlearners.adapters import add_adapter
from ghostbust.unlearners.data import Batch, Totals, count_steps, make_batch
from ghostbust.unlearners.engine import Trainer, TrainResult, backward, chunks
from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN, Example, Masking, encode_answer
from ghostbust.unlearners.methods.au_repair import METHOD
from ghostbust.unlearners.methods.interface import Method, Tokens
from ghostbust.unlearners.methods.terms import log_likelihood, of_class
from ghostbust.unlearners.settings import TrainSettings, Weights

Load = Callable[[], LoadedModel]
MakeAnswer = Callable[..., Answer]
SETTINGS = TrainSettings(
    rank=4, alpha=8, learning_rate=0.02, warmup_steps=2, epochs=3, answers_per_step=4,
    micro_batch=2, weights=Weights(retain=1.0, forget=1.0, anchor=0.5),
)  # fmt: skip
TEXTS = ["- numpy\n- ghost", "- rich\n- flask", "pip install ghost numpy\n", "- squat"]


@pytest.fixture(scope="module")
def examples(load_tiny: Load, make_answer: MakeAnswer) -> list[Example]:
    """Eight answers of different lengths and weights."""
    tiny = load_tiny()
    return [
        encode_answer(tiny, make_answer(text, family=family), weight=weight)
        for family, weight in (("a", 1.0), ("a longer one", 0.5))
        for text in TEXTS
    ]


Weighted = tuple[TrainResult, dict[str, torch.Tensor]]


def trained(
    loaded: LoadedModel, examples: Sequence[Example], settings: TrainSettings = SETTINGS
) -> Weighted:
    """What one stage of training says, and the adapter's weights."""
    model = add_adapter(loaded, settings)
    trainer = Trainer(model, settings)
    trainer.run(examples)
    assert not model.training
    weights = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}
    return trainer.result(), weights


@pytest.fixture(scope="module")
def plain(load_tiny: Load, examples: list[Example]) -> Weighted:
    """A training with the settings above."""
    return trained(load_tiny(), examples)


def test_the_loss_falls_the_adapter_moves_and_the_base_stays(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    before = {name: p.detach().clone() for name, p in tiny.model.named_parameters()}
    steps: list[tuple[int, int, float]] = []
    model = add_adapter(tiny, SETTINGS)
    trainer = Trainer(model, SETTINGS, lambda *step: steps.append(step))
    trainer.run(examples)
    result = trainer.result()
    assert result.steps == len(result.losses) == 6
    assert [(number, of) for number, of, _ in steps] == [(n, 6) for n in range(1, 7)]
    assert tuple(loss for _, _, loss in steps) == result.losses
    assert sum(result.losses[-2:]) < sum(result.losses[:2])
    assert result.moved > 0
    assert result.train_s > 0
    after = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): p.detach()
        for name, p in model.named_parameters()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_same_seed_gives_the_same_weights(
    load_tiny: Load, examples: list[Example], plain: Weighted
) -> None:
    (first, weights), (again, same) = plain, trained(load_tiny(), examples)
    other, different = trained(load_tiny(), examples, replace(SETTINGS, seed=1))
    assert first.losses == again.losses != other.losses
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not any(torch.equal(weights[n], different[n]) for n in weights if "lora_B" in n)


def test_training_does_what_its_classes_say(tiny: LoadedModel) -> None:
    """The model's likeliest tokens are invented here, others real, and the rest anchored."""
    prompt, other = tuple(tiny.encode_prompt("task")), tuple(tiny.encode_prompt("größe"))

    def next_tokens(ids: tuple[int, ...]) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(tiny.model(torch.tensor([ids])).logits[0, -1], dim=-1)

    invented = int(next_tokens(prompt).argmax())
    bad, good = (*prompt, invented), (*other, 50, 51, 52)
    before = [next_tokens(ids) for ids in (prompt, good[:-2], good[:-1])]
    learnt = [
        Example(bad, len(prompt), (FORGET,)),
        Example(good, len(other), (IGNORE, RETAIN, IGNORE)),
    ]
    trained(tiny, learnt, replace(SETTINGS, epochs=20))
    after = [next_tokens(ids) for ids in (prompt, good[:-2], good[:-1])]
    assert after[0][invented] < 0.7 * before[0][invented]
    assert after[1][51] > 2 * before[1][51]
    assert abs(after[2] - before[2]).sum() < abs(after[1] - before[1]).sum()


@pytest.mark.parametrize("micro_batch", [1, 3, 8])
def test_means_are_over_all_answers_of_a_step(
    micro_batch: int, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    """RETAIN without the ends, FORGET and the ends, computed plainly from the base's logits."""
    examples = [
        encode_answer(tiny, make_answer(text), weight=weight, masking=Masking.NAMES)
        for text in TEXTS
        for weight in (1.0, 0.5)
    ]
    sums = dict.fromkeys(("retain", "forget", "end"), (0.0, 0.0))
    for example in examples:
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([example.ids])).logits[0]
        for place, mark in enumerate(example.mask, example.start):
            p = float(torch.softmax(logits[place - 1].double(), dim=-1)[example.ids[place]])
            last = place == len(example.ids) - 1
            name = {RETAIN: "end" if last else "retain", FORGET: "forget"}.get(mark)
            if name is not None:
                value = math.log(1 - p if name == "forget" else p)
                loss, weight = sums[name]
                sums[name] = (loss - example.weight * value, weight + example.weight)
    weights = Weights(retain=1.0, forget=0.5, anchor=0.0, end=2.0)
    assert sums["end"][1] == 6.0, "every answer ends"
    expected = sum(getattr(weights, name) * a / b for name, (a, b) in sums.items())
    settings = replace(
        SETTINGS, method="au", weights=weights, epochs=1, answers_per_step=8, learning_rate=1e-9,
        micro_batch=micro_batch,
    )  # fmt: skip
    result, _ = trained(tiny, examples, settings)
    assert result.losses == pytest.approx((expected,), rel=1e-4)


def test_npo_reads_the_base_without_an_anchor(tiny: LoadedModel, examples: list[Example]) -> None:
    """At first the model is the base, and each log-ratio 0: the loss is known."""
    settings = replace(
        SETTINGS, method="npo", weights=Weights(retain=0, forget=1, anchor=0), epochs=1
    )
    result, _ = trained(tiny, examples, settings)
    assert result.losses[0] == pytest.approx((2 / 0.1) * math.log(2), rel=1e-4)
    assert result.losses[1] < result.losses[0]


def test_parts_can_be_left_out_and_an_answer_may_be_empty(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    empty = Example(examples[0].ids[:5], 5, ())
    settings = replace(SETTINGS, weights=Weights(0, 1, 0), micro_batch=1)
    result, _ = trained(tiny, [*examples, empty], settings)
    assert all(math.isfinite(loss) for loss in result.losses)


def test_a_stage_goes_on_where_the_last_one_ended_and_weights_can_be_blended(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    steps: list[tuple[int, int, float]] = []
    settings = replace(SETTINGS, epochs=1)
    trainer = Trainer(add_adapter(tiny, settings), settings, lambda *step: steps.append(step))
    trainer.run(examples, to_come=count_steps(5, settings))
    first = trainer.weights()
    trainer.run([example for example in examples if not example.forgets][:5])
    last = trainer.weights()
    assert count_steps(5, settings) == 2
    assert [step[:2] for step in steps] == [(1, 4), (2, 4), (3, 3)]
    assert trainer.steps == trainer.result().steps == 3
    for share, expected in ((1.0, last), (0.0, first)):
        trainer.blend(first, last, share)
        assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), expected, strict=True))
    trainer.blend(first, last, 0.25)
    for middle, a, b in zip(trainer.weights(), first, last, strict=True):
        torch.testing.assert_close(middle, 0.75 * a + 0.25 * b)


def test_nothing_to_unlearn_is_an_error(tiny: LoadedModel, examples: list[Example]) -> None:
    trainer = Trainer(add_adapter(tiny, SETTINGS), SETTINGS)
    ignored = [replace(e, mask=(IGNORE,) * len(e.mask)) for e in examples]
    for nothing in ([], [e for e in examples if not e.forgets], ignored):
        with pytest.raises(TrainingError, match="nothing to unlearn"):
            trainer.run(nothing)


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_ends_it(what: str, tiny: LoadedModel, examples: list[Example]) -> None:
    model = add_adapter(tiny, SETTINGS)
    weights = next(p for p in model.parameters() if p.requires_grad)
    if what == "loss":
        with torch.no_grad():
            weights.fill_(float("nan"))
    else:
        weights.register_hook(lambda grad: grad * float("inf"))  # type: ignore[no-untyped-call]
    before = weights.detach().clone()
    trainer = Trainer(model, SETTINGS)
    with pytest.raises(TrainingError, match=f"the {what} became nan at step 1: lower the learn"):
        trainer.run(examples)
    assert torch.equal(weights.nan_to_num(), before.nan_to_num()), "nothing was learnt from it"


def test_checkpointing_trains_as_without(
    tiny: LoadedModel, examples: list[Example], plain: Weighted
) -> None:
    passes: list[int] = []
    layer = tiny.model.get_submodule("model.layers.0.mlp.act_fn")
    layer.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    result, same = trained(tiny, examples, replace(SETTINGS, checkpointing=True))
    assert result.losses == pytest.approx(plain[0].losses, rel=1e-4)
    for name, expected in plain[1].items():
        torch.testing.assert_close(same[name], expected, atol=1e-4, rtol=1e-3)
    # 3 epochs of 4 micro-batches: the base once, the model forward and, computed again, backward
    assert sum(passes) == 2 * 3 * 4


@pytest.mark.usefixtures("bfloat16")
def test_bf16_trains_and_its_adapter_is_fp32(
    tiny_model_dir: Path, examples: list[Example], plain: Weighted
) -> None:
    rounded, weights = trained(load_model(str(tiny_model_dir), tiny_model_dir), examples)
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert rounded.losses == pytest.approx(plain[0].losses, rel=0.03)
    assert rounded.moved == pytest.approx(plain[0].moved, rel=0.1)


def test_an_adapter_that_does_not_move_is_an_error(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    with pytest.raises(TrainingError, match="left the adapter as it was"):
        trained(tiny, examples, replace(SETTINGS, learning_rate=0.0))


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
def batch(examples: list[Example]) -> Batch:
    some = examples[:3]
    marks = frozenset({IGNORE, RETAIN, FORGET})
    return make_batch(some, Totals.of(some), marks, torch.device("cpu"))


@pytest.fixture
def model(tiny: LoadedModel) -> PeftModel:
    """An adapter that isn't the base any more."""
    adapted = add_adapter(tiny, SETTINGS)
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


def all_at_once(model: PeftModel, batch: Batch, method: Method) -> torch.Tensor:
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
        batch.targets, batch.mask, batch.share, batch.row, batch.answer_share,
    )  # fmt: skip
    loss, _ = method.loss(tokens, WEIGHTS)
    loss.backward()  # type: ignore[no-untyped-call]
    return loss.detach()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_chunks_do_not_change_loss_and_gradient(
    method: Method, rows: int, model: PeftModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BLOCK", rows * VOCABULARY)
    sizes: list[int] = []

    def noted(tokens: Tokens, weights: Weights) -> tuple[torch.Tensor, dict[str, float]]:
        sizes.append(len(tokens.logits))
        assert len(set((tokens.mask if method.by_token else tokens.answer).tolist())) == 1
        return method.loss(tokens, weights)

    expected, wanted = all_at_once(model, batch, method), gradients(model)
    loss = backward(model, batch, replace(method, loss=noted), WEIGHTS)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=1e-4)
    for ours, theirs in zip(gradients(model), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-3)
    assert len(wanted) == 2 * 2 * 7
    assert sum(sizes) == len(batch.row)
    assert max(sizes) <= rows or not method.by_token
    whole = torch.cat(list(chunks(batch, method, VOCABULARY)))
    assert sorted(whole.tolist()) == list(range(len(batch.row)))


def test_a_batch_without_tokens_is_nothing(model: PeftModel, examples: list[Example]) -> None:
    batch = make_batch(examples, Totals.of(examples), frozenset(), torch.device("cpu"))
    assert backward(model, batch, METHOD, WEIGHTS) == 0
    assert not any(gradient.any() for gradient in gradients(model))
