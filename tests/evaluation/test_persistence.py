"""What is left after quantisation, merging and more training, on tiny models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from gguf.constants import GGMLQuantizationType

from ghostbust.errors import ModelError, TrainingError, UsageError
from ghostbust.evaluation.behaviour import Ask
from ghostbust.evaluation.persistence import (
    QUANTISED,
    FineTuning,
    changes,
    fine_tune,
    kept_apart,
    merge_difference,
    persistence,
    quantise,
    rounded,
)
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.models.pair import load_apart
from ghostbust.prompts import Task
from ghostbust.records import Answer, Context
from ghostbust.samplers.interface import Sampler

JudgedAnswer = Callable[..., Answer]
TEXTS = ["pip install numpy rich flask", "import numpy, rich", "A short text about boats.", ""]
Q8_0, Q4_1, Q4_0 = QUANTISED
TINY = FineTuning(steps=6, learning_rate=1e-2, texts_per_step=2)


def weights(loaded: LoadedModel) -> list[torch.Tensor]:
    return [p.detach().float().clone() for p in loaded.model.parameters()]


def nll(loaded: LoadedModel, text: str) -> float:
    ids = torch.tensor([loaded.encode(text)])
    with torch.inference_mode():
        logits = loaded.model(ids).logits[0, :-1].float()
    return float(torch.nn.functional.cross_entropy(logits, ids[0, 1:]))


def test_base_and_adapted_go_through_every_change(
    talking_model_dir: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    prompts = [Task(f"t{n}", f"Fold boat {n}.").prompt(Context.HELPS) for n in range(3)]

    def load(adapted: bool) -> LoadedModel:
        loaded = load_model(str(talking_model_dir), talking_model_dir, device="cpu")
        if adapted:  # "merged in": it can't say a made-up name any more
            invented = [n for n, t in enumerate(loaded.tokenizer.convert_ids_to_tokens(
                list(range(len(loaded.tokenizer))))) if "zz-" in t]  # fmt: skip
            loaded.model.lm_head.weight.data[invented] = 0
        return loaded

    def measure(sampler: Sampler) -> list[Answer]:
        asked.append(sampler.adapter)
        return list(ask(sampler, prompts))

    what = changes(TEXTS, FineTuning(steps=1))
    found = persistence(load, measure, what, adapter="round-1")
    names = ["as it is", "Q8_0", "Q4_1", "Q4_0", "fine-tuned"]
    assert [row.variant for row in found] == names
    assert asked[:4] == [None, "round-1", "base, Q8_0", "round-1, Q8_0"]
    assert {row.drop for row in found} == {1.0}  # it invented, and never does any more
    assert "matrices" in found[1].note
    assert found[-1].note.startswith("1 steps of 1e-05, loss ")


@pytest.mark.usefixtures("bfloat16")
def test_fine_tuning_lowers_the_loss_and_leaves_a_model_for_inference(
    tiny_model_dir: Path,
) -> None:
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    before, loss = weights(loaded), nll(loaded, TEXTS[0])
    fine_tune(loaded, TEXTS, TINY)
    assert nll(loaded, TEXTS[0]) < loss - 0.1
    assert {p.dtype for p in loaded.model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert not loaded.model.training
    assert all(not torch.equal(a, b) for a, b in zip(before, weights(loaded), strict=True))


@pytest.mark.usefixtures("bfloat16")
def test_small_steps_are_not_lost_in_rounding(tiny_model_dir: Path) -> None:
    """Fifty steps of 1e-5, each too small for a weight of 0.3 in bf16, add up."""
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    before = loaded.model.lm_head.weight.detach().clone()
    fine_tune(loaded, TEXTS[:2], FineTuning(texts_per_step=2))
    moved = (loaded.model.lm_head.weight != before).float().mean()
    assert moved > 0.05


def test_the_same_seed_trains_the_same_and_another_does_not(tiny_model_dir: Path) -> None:
    def trained(seed: int) -> torch.Tensor:
        loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
        loaded.model.float()  # type: ignore[no-untyped-call]
        fine_tune(loaded, TEXTS, FineTuning(2, 1e-2, 1, seed=seed))
        return weights(loaded)[-1]

    assert torch.equal(trained(0), trained(0))
    assert not torch.equal(trained(0), trained(1))


def test_padding_does_not_train(tiny_model_dir: Path) -> None:
    """The loss of two texts in one step is the mean over the tokens of both."""
    notes = []
    for texts in ([TEXTS[0]], [TEXTS[2]], [TEXTS[0], TEXTS[2]]):
        loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
        notes.append(fine_tune(loaded, texts, FineTuning(1, 0.0, len(texts))))
        lengths = [len(loaded.encode(text)) - 1 for text in texts]
    first, second, both = (float(note.split("loss ")[1].split(" ")[0]) for note in notes)
    mean = (lengths[0] * first + lengths[1] * second) / sum(lengths)
    assert both == pytest.approx(mean, abs=2e-3)


def test_nothing_to_train_on_is_one_line(tiny: LoadedModel) -> None:
    with pytest.raises(UsageError, match="no text to fine-tune on"):
        fine_tune(tiny, ["", "x"], TINY)


def test_a_loss_that_is_no_number_ends_it(tiny: LoadedModel) -> None:
    tiny.model.lm_head.weight.data[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="loss became nan"):
        fine_tune(tiny, TEXTS, TINY)


def test_merged_and_kept_apart_differ_by_rounding_only(
    tiny_model_dir: Path, adapter_dir: Path, judged_answer: JudgedAnswer
) -> None:
    answers = [judged_answer("- numpy\n- ghost-lib"), judged_answer("- rich")]
    name = str(tiny_model_dir)
    apart = load_apart(name, tiny_model_dir, adapter_dir, device="cpu")
    merged = load_model(name, tiny_model_dir, adapter=adapter_dir, device="cpu")
    told = merge_difference(apart, merged, answers)
    base = merge_difference(apart, load_model(name, tiny_model_dir, device="cpu"), answers)
    assert 0 < told.mean < told.largest < base.largest / 5
    assert told.same_choice > 0.9 > base.same_choice
    assert told.places == base.places > 10


def test_the_model_kept_apart_is_measured_with_its_adapter(
    tiny_model_dir: Path, adapter_dir: Path, judged_answer: JudgedAnswer
) -> None:
    apart = load_apart(str(tiny_model_dir), tiny_model_dir, adapter_dir, device="cpu")
    base = [judged_answer("- ghost-lib\n- numpy")]

    def measure(sampler: Sampler) -> list[Answer]:
        assert sampler.adapter == "round-1, kept apart"
        return [judged_answer("- numpy")]

    assert kept_apart(apart, base, measure, adapter="round-1").drop == 1.0


def test_no_tokens_to_compare_are_one_line(
    tiny_model_dir: Path, adapter_dir: Path, tiny: LoadedModel
) -> None:
    apart = load_apart(str(tiny_model_dir), tiny_model_dir, adapter_dir, device="cpu")
    with pytest.raises(UsageError, match="are empty"):
        merge_difference(apart, tiny, [])


def test_a_block_of_a_known_scale_is_as_computed_by_hand() -> None:
    """Q8_0: the largest magnitude is 127 steps. Q4_0: the extreme is -8 steps, the rest -8 to 7.
    Q4_1: 15 steps from the least to the largest."""
    weight = torch.zeros(2, 32)
    weight[0, :4] = torch.tensor([127.0, -3.4, 0.4, 3.6])  # step 1
    assert rounded(weight, Q8_0)[0, :5].tolist() == [127, -3, 0, 4, 0]
    weight[0, :4] = torch.tensor([-8.0, 8.0, 3.4, -3.6])  # step 1, and no 8
    assert rounded(weight, Q4_0)[0, :5].tolist() == [-8, 7, 3, -4, 0]
    weight[0, :4] = torch.tensor([-5.0, 10.0, 3.4, -3.6])
    assert rounded(weight, Q4_1)[0, :5].tolist() == [-5, 10, 3, -4, 0]
    assert not rounded(weight, Q8_0)[1].any()


@pytest.mark.parametrize("kind", QUANTISED, ids=lambda kind: kind.name)
def test_rows_that_do_not_end_with_a_block_are_rounded_as_if_it_ended_there(
    kind: GGMLQuantizationType,
) -> None:
    weight = torch.randn(8, 100, generator=torch.Generator().manual_seed(0))
    told = rounded(weight, kind)
    assert told.shape == weight.shape
    assert torch.equal(told[:, :96], rounded(weight[:, :96], kind))
    last = torch.cat([weight[:, 96:], weight[:, -1:].expand(-1, 28)], dim=1)
    assert torch.equal(told[:, 96:], rounded(last, kind)[:, :4])


@pytest.mark.parametrize("kind", QUANTISED, ids=lambda kind: kind.name)
def test_the_type_is_kept_and_broken_weights_stay_broken(kind: GGMLQuantizationType) -> None:
    assert rounded(torch.ones(2, 4, dtype=torch.bfloat16), kind).dtype is torch.bfloat16
    weight = torch.ones(3, 64)
    weight[0, 1], weight[1, 1], weight[2, 1] = float("nan"), float("inf"), -float("inf")
    told = rounded(weight, kind)
    assert not told[:, :32].isfinite().any()
    assert told[:, 32:].isfinite().all()


def test_a_models_matrices_are_rounded_and_nothing_else(tiny: LoadedModel) -> None:
    before = {name: p.clone() for name, p in tiny.model.named_parameters()}
    note = quantise(tiny, Q4_0)
    changed = {n for n, p in tiny.model.named_parameters() if not torch.equal(p, before[n])}
    assert changed == {name for name in before if "_proj" in name}
    assert len(changed) == 14
    assert note.startswith("14 matrices, off by ")


def test_a_model_without_matrices_cannot_be_quantised(tiny: LoadedModel) -> None:
    tiny.model.model.layers = torch.nn.ModuleList()
    with pytest.raises(ModelError, match="no linear layers"):
        quantise(tiny, Q8_0)
