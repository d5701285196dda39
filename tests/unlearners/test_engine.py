"""Training really trains, and says so where it doesn't."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from ghostbust.errors import TrainingError
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Answer
from ghostbust.unlearners.engine import (
    Trainer,
    TrainResult,
    add_adapter,
    count_steps,
)
from ghostbust.unlearners.masks import (
    FORGET,
    IGNORE,
    RETAIN,
    Example,
    Masking,
    encode_answer,
)
from ghostbust.unlearners.methods.au_repair import au_loss
from ghostbust.unlearners.methods.interface import Tokens, Weights
from ghostbust.unlearners.settings import TrainSettings

MakeAnswer = Callable[..., Answer]
SETTINGS = TrainSettings(
    rank=4,
    alpha=8,
    learning_rate=0.02,
    warmup_steps=2,
    epochs=3,
    answers_per_step=4,
    micro_batch=2,
    weights=Weights(retain=1.0, forget=1.0, anchor=0.5),
)
TEXTS = ["- numpy\n- ghost", "- rich\n- flask", "pip install ghost numpy\n", "- squat"]


@pytest.fixture
def examples(tiny: LoadedModel, make_answer: MakeAnswer) -> list[Example]:
    """Eight answers of different lengths and weights."""
    return [
        encode_answer(tiny, make_answer(text, family=family), weight=weight)
        for family, weight in (("a", 1.0), ("a longer one", 0.5))
        for text in TEXTS
    ]


def train(model: PeftModel, examples: Sequence[Example], settings: TrainSettings) -> TrainResult:
    """Train in one stretch."""
    trainer = Trainer(model, settings)
    trainer.run(examples)
    return trainer.result()


def trained(
    loaded: LoadedModel, examples: Sequence[Example], settings: TrainSettings = SETTINGS
) -> tuple[TrainResult, dict[str, torch.Tensor]]:
    """What training says, and the adapter's weights."""
    model = add_adapter(loaded, settings)
    result = train(model, examples, settings)
    return result, {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}


def fresh(folder: Path) -> LoadedModel:
    loaded = load_model(str(folder), folder, device="cpu")
    loaded.model.float()  # type: ignore[no-untyped-call]
    return loaded


def test_the_loss_falls_and_the_adapter_moves(tiny: LoadedModel, examples: list[Example]) -> None:
    heard: list[tuple[int, int, float]] = []
    model = add_adapter(tiny, SETTINGS)
    trainer = Trainer(model, SETTINGS, lambda *step: heard.append(step))
    trainer.run(examples)
    result = trainer.result()
    assert result.steps == len(result.losses) == 6
    assert [(number, of) for number, of, _ in heard] == [(n, 6) for n in range(1, 7)]
    assert tuple(loss for _, _, loss in heard) == result.losses
    assert sum(result.losses[-2:]) < sum(result.losses[:2])
    assert result.moved > 0
    assert result.train_s > 0
    assert not model.training


def test_the_base_stays_bit_for_bit(tiny: LoadedModel, examples: list[Example]) -> None:
    before = {name: p.detach().clone() for name, p in tiny.model.named_parameters()}
    model = add_adapter(tiny, SETTINGS)
    train(model, examples, SETTINGS)
    after = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): p.detach()
        for name, p in model.named_parameters()
        if "lora_" not in name
    }
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_fresh_adapter_changes_nothing(tiny: LoadedModel) -> None:
    ids = torch.tensor([tiny.encode("import numpy")])
    with torch.inference_mode():
        before = tiny.model(ids).logits
        after = add_adapter(tiny, SETTINGS)(input_ids=ids).logits
    torch.testing.assert_close(after, before, atol=0, rtol=0)


def test_the_same_seed_gives_the_same_weights(
    tiny_model_dir: Path, examples: list[Example]
) -> None:
    first, weights = trained(fresh(tiny_model_dir), examples)
    again, same = trained(fresh(tiny_model_dir), examples)
    other, different = trained(fresh(tiny_model_dir), examples, replace(SETTINGS, seed=1))
    assert first.losses == again.losses != other.losses
    assert all(torch.equal(weights[name], same[name]) for name in weights)
    assert not any(torch.equal(weights[n], different[n]) for n in weights if "lora_B" in n)


def test_training_does_what_its_classes_say(tiny: LoadedModel) -> None:
    """The model's likeliest tokens are invented here, others real, and the rest anchored."""
    prompt = tuple(tiny.encode_prompt("task"))
    other = tuple(tiny.encode_prompt("größe"))

    def next_tokens(ids: tuple[int, ...]) -> torch.Tensor:
        with torch.inference_mode():
            return torch.softmax(tiny.model(torch.tensor([ids])).logits[0, -1], dim=-1)

    invented = int(next_tokens(prompt).argmax())
    bad, good = (*prompt, invented), (*other, 50, 51, 52)
    before = [next_tokens(ids) for ids in (prompt, good[:-2], good[:-1])]
    examples = [
        Example(bad, len(prompt), (FORGET,)),
        Example(good, len(other), (IGNORE, RETAIN, IGNORE)),
    ]
    settings = replace(SETTINGS, epochs=20)
    train(add_adapter(tiny, settings), examples, settings)
    after = [next_tokens(ids) for ids in (prompt, good[:-2], good[:-1])]
    assert after[0][invented] < 0.7 * before[0][invented]
    assert after[1][51] > 2 * before[1][51]
    assert abs(after[2] - before[2]).sum() < abs(after[1] - before[1]).sum()


def test_the_first_loss_is_the_objective_of_the_full_logits(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    """The model is the base at first, so the anchor is 0 and the rest can be computed plainly."""
    totals = {
        mark: sum(e.weight * e.mask.count(mark) for e in examples)
        for mark in (IGNORE, RETAIN, FORGET)
    }
    expected = 0.0
    for example in examples:
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([example.ids])).logits[0]
        places = torch.arange(example.start, len(example.ids)) - 1
        tokens = Tokens(
            logits=logits[places],
            base_logits=logits[places],
            targets=torch.tensor(example.ids[example.start :]),
            mask=torch.tensor(example.mask),
            share=torch.tensor([example.weight / totals[mark] for mark in example.mask]),
            answer=torch.zeros(len(places), dtype=torch.long),
            answer_share=torch.ones(1),
            ends=torch.zeros(len(places), dtype=torch.bool),
        )
        expected += float(au_loss(tokens, SETTINGS.weights)[0])
    for micro_batch in (1, 3, 8):
        settings = replace(
            SETTINGS, epochs=1, answers_per_step=8, micro_batch=micro_batch, learning_rate=1e-9
        )
        result, _ = trained(fresh(Path(tiny.folder)), examples, settings)
        assert result.losses == pytest.approx((expected,), rel=1e-4)


@pytest.mark.parametrize("micro_batch", [1, 3, 8])
def test_ends_apart_are_a_class_over_the_whole_step(
    micro_batch: int, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    """Means of RETAIN without the ends and of the ends, of all eight answers and their weights."""
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


def test_npo_hears_the_base_without_an_anchor(tiny: LoadedModel, examples: list[Example]) -> None:
    """At first the model is the base, and each log-ratio 0: the loss is known."""
    settings = replace(
        SETTINGS, method="npo", weights=Weights(retain=0, forget=1, anchor=0), epochs=1
    )
    result, _ = trained(tiny, examples, settings)
    assert result.losses[0] == pytest.approx((2 / 0.1) * math.log(2), rel=1e-4)
    assert result.losses[1] < result.losses[0]


def test_micro_batches_do_not_change_the_step(
    tiny_model_dir: Path, examples: list[Example]
) -> None:
    one, weights = trained(fresh(tiny_model_dir), examples, replace(SETTINGS, micro_batch=1))
    all_at_once, same = trained(fresh(tiny_model_dir), examples, replace(SETTINGS, micro_batch=8))
    assert one.losses == pytest.approx(all_at_once.losses, rel=1e-3)
    first = next(iter(weights))
    torch.testing.assert_close(weights[first], same[first], atol=2e-2, rtol=0.1)


@pytest.mark.parametrize("weights", [Weights(1, 1, 0), Weights(0, 1, 1), Weights(0, 1, 0)])
def test_parts_can_be_left_out(
    weights: Weights, tiny: LoadedModel, examples: list[Example]
) -> None:
    result, _ = trained(tiny, examples, replace(SETTINGS, weights=weights))
    assert all(math.isfinite(loss) for loss in result.losses)


def test_stretches_go_on_where_the_last_one_ended(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    heard: list[tuple[int, int, float]] = []
    settings = replace(SETTINGS, epochs=1)
    trainer = Trainer(add_adapter(tiny, settings), settings, lambda *step: heard.append(step))
    trainer.run(examples, to_come=count_steps(5, settings))
    trainer.run([example for example in examples if not example.forgets][:5])
    assert count_steps(5, settings) == 2
    assert [step[:2] for step in heard] == [(1, 4), (2, 4), (3, 3)]
    assert trainer.steps == trainer.result().steps == 3


def test_weights_can_be_blended(tiny: LoadedModel, examples: list[Example]) -> None:
    trainer = Trainer(add_adapter(tiny, SETTINGS), SETTINGS)
    trainer.run(examples)
    first = trainer.weights()
    trainer.run(examples)
    last = trainer.weights()
    for share, expected in ((1.0, last), (0.0, first)):
        trainer.blend(first, last, share)
        assert all(torch.equal(a, b) for a, b in zip(trainer.weights(), expected, strict=True))
    trainer.blend(first, last, 0.25)
    for middle, a, b in zip(trainer.weights(), first, last, strict=True):
        torch.testing.assert_close(middle, 0.75 * a + 0.25 * b)


def test_nothing_to_unlearn_is_an_error(tiny: LoadedModel, examples: list[Example]) -> None:
    model = add_adapter(tiny, SETTINGS)
    for nothing in ([], [e for e in examples if not e.forgets], [_blank(e) for e in examples]):
        with pytest.raises(TrainingError, match="nothing to unlearn"):
            train(model, nothing, SETTINGS)


def _blank(example: Example) -> Example:
    return replace(example, mask=(IGNORE,) * len(example.mask))


def test_an_answer_without_tokens_is_no_trouble(tiny: LoadedModel, examples: list[Example]) -> None:
    empty = Example(examples[0].ids[:5], 5, ())
    settings = replace(SETTINGS, micro_batch=1)
    result, _ = trained(tiny, [*examples, empty], settings)
    assert all(math.isfinite(loss) for loss in result.losses)


def test_a_loss_that_is_no_number_ends_it(tiny: LoadedModel, examples: list[Example]) -> None:
    model = add_adapter(tiny, SETTINGS)
    with torch.no_grad():
        next(p for p in model.parameters() if p.requires_grad).fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"the loss became nan at step 1: lower the learning"):
        train(model, examples, SETTINGS)


def test_a_gradient_that_is_no_number_ends_it(tiny: LoadedModel, examples: list[Example]) -> None:
    model = add_adapter(tiny, SETTINGS)
    weights = next(p for p in model.parameters() if p.requires_grad)
    weights.register_hook(  # type: ignore[no-untyped-call]
        lambda grad: grad * float("inf")
    )
    before = weights.detach().clone()
    with pytest.raises(TrainingError, match="the gradient became nan at step 1: lower the learn"):
        train(model, examples, SETTINGS)
    assert torch.equal(weights, before), "nothing was learnt from it"


def test_checkpointing_trains_as_without(tiny_model_dir: Path, examples: list[Example]) -> None:
    plain, weights = trained(fresh(tiny_model_dir), examples)
    loaded = fresh(tiny_model_dir)
    again = replace(SETTINGS, checkpointing=True)
    model = add_adapter(loaded, again)
    passes: list[int] = []
    layer = loaded.model.get_submodule("model.layers.0.mlp.act_fn")
    layer.register_forward_hook(lambda *_: passes.append(torch.is_grad_enabled()))
    result = train(model, examples, again)
    same = {n: p.detach() for n, p in model.named_parameters() if p.requires_grad}
    assert result.losses == pytest.approx(plain.losses, rel=1e-4)
    assert result.moved > 0
    for name, expected in weights.items():
        torch.testing.assert_close(same[name], expected, atol=1e-4, rtol=1e-3)
    # 3 epochs of 4 micro-batches: the base once, the model forth and, computed again, back
    assert sum(passes) == 2 * 3 * 4
    assert not model.training


def test_a_model_that_cannot_checkpoint_says_so(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(tiny.model), "supports_gradient_checkpointing", False)
    with pytest.raises(TrainingError, match=r"set training\.checkpointing to false"):
        add_adapter(tiny, replace(SETTINGS, checkpointing=True))


@pytest.mark.usefixtures("bfloat16")
def test_bf16_trains_and_its_adapter_is_fp32(tiny_model_dir: Path, examples: list[Example]) -> None:
    exact, _ = trained(fresh(tiny_model_dir), examples)
    rounded, weights = trained(load_model(str(tiny_model_dir), tiny_model_dir), examples)
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert rounded.losses == pytest.approx(exact.losses, rel=0.03)
    assert rounded.moved == pytest.approx(exact.moved, rel=0.1)


def test_rank_stabilised_updates_are_larger(tiny: LoadedModel) -> None:
    model = add_adapter(tiny, replace(SETTINGS, rslora=True))  # rank 4, alpha 8
    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    assert {layer.scaling["default"] for layer in layers} == {4.0}


def test_an_adapter_that_does_not_move_is_an_error(
    tiny: LoadedModel, examples: list[Example]
) -> None:
    with pytest.raises(TrainingError, match="left the adapter as it was"):
        trained(tiny, examples, replace(SETTINGS, learning_rate=0.0))


def test_every_linear_layer_of_a_llama_is_adapted(tiny: LoadedModel) -> None:
    model = add_adapter(tiny, SETTINGS)
    adapted = {n.split(".lora_")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert len(adapted) == 2 * 7  # layers, and their projections


def test_a_model_with_other_layer_names_gets_its_linear_layers_adapted(tiny: LoadedModel) -> None:
    config = GPTNeoXConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    model = add_adapter(replace(tiny, model=GPTNeoXForCausalLM(config)), SETTINGS)
    adapted = {n.split(".")[-4] for n, p in model.named_parameters() if p.requires_grad}
    assert adapted == {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}
