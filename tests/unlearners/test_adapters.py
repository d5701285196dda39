"""Adapters: fresh ones, those that go on from another, blank ones, stacks and merges."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from ghostbust.adapters import (
    CONFIG,
    MOST_RANK,
    WEIGHTS,
    check_servable,
    read_adapter,
    read_forgotten,
    write_adapter,
    write_forgotten,
)
from ghostbust.errors import HomeError, ModelError, TrainingError
from ghostbust.models.load import LoadedModel, load_model, peft_warnings_silenced
from ghostbust.models.pair import load_apart
from ghostbust.records import Answer
from ghostbust.unlearners.adapters import (
    BENEATH,
    Lora,
    add_adapter,
    compute_in_place,
    merge,
    read_lora,
    scaling_of,
    stack,
    write_blank,
    write_merged,
    write_stacked,
)
from ghostbust.unlearners.engine import Trainer
from ghostbust.unlearners.masks import encode_answer
from ghostbust.unlearners.settings import Former, TrainSettings, Weights, check_former

MakeAdapter = Callable[..., Path]
Load = Callable[[], LoadedModel]
SETTINGS = TrainSettings(
    rank=4, alpha=8, learning_rate=0.02, warmup_steps=1, answers_per_step=2, seed=3,
    weights=Weights(repair=0.0),
)  # fmt: skip
IDS = torch.tensor([[40, 41, 42, 43]])


@torch.inference_mode()
def logits(model: Any) -> torch.Tensor:
    found: torch.Tensor = model(input_ids=IDS).logits
    return found


def scramble(model: nn.Module, std: float, seed: int = 9) -> None:
    """Random second matrices, so that the adapter changes the model."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name and parameter.requires_grad:
                parameter.normal_(std=std, generator=generator)


@pytest.fixture(scope="module")
def make_adapter(load_tiny: Load, tmp_path_factory: pytest.TempPathFactory) -> MakeAdapter:
    """Writes an adapter that changes the tiny model."""

    def make(settings: TrainSettings = SETTINGS, *, model: str = "tiny", forgot: str = "") -> Path:
        folder = tmp_path_factory.mktemp("adapters") / "a"
        adapted = add_adapter(load_tiny(), settings)
        scramble(adapted, std=0.1, seed=settings.seed)

        def save(folder: Path) -> None:
            adapted.save_pretrained(str(folder))
            if forgot:
                write_forgotten(folder, [forgot])

        write_adapter(folder, model=model, facts={}, save=save)
        return folder

    return make


def test_a_fresh_adapter_changes_nothing(tiny: LoadedModel) -> None:
    before = logits(tiny.model)
    model = add_adapter(tiny, SETTINGS)
    torch.testing.assert_close(logits(model), before, atol=0, rtol=0)
    adapted = {n.split(".lora_")[0] for n, p in model.named_parameters() if p.requires_grad}
    assert len(adapted) == 2 * 7, "all projections of both layers"


def test_a_model_with_other_layer_names_gets_its_linear_layers_adapted(tiny: LoadedModel) -> None:
    config = GPTNeoXConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32,
    )  # fmt: skip
    model = add_adapter(replace(tiny, model=GPTNeoXForCausalLM(config)), SETTINGS)
    adapted = {n.split(".")[-4] for n, p in model.named_parameters() if p.requires_grad}
    assert adapted == {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"}


def test_a_model_that_cannot_checkpoint_says_so(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(tiny.model), "supports_gradient_checkpointing", False)
    with pytest.raises(TrainingError, match=r"set training\.checkpointing to false"):
        add_adapter(tiny, replace(SETTINGS, checkpointing=True))


@pytest.mark.parametrize("fixed", [False, True])
def test_the_model_begins_as_the_former_adapter_left_it(
    load_tiny: Load, make_adapter: MakeAdapter, fixed: bool
) -> None:
    folder, loaded = make_adapter(), load_tiny()
    base = logits(loaded.model)
    model = add_adapter(loaded, SETTINGS, Former(folder, fixed))
    merged = load_model(loaded.folder, folder, adapter=folder, device="cpu")
    with_it = logits(merged.model.float())  # type: ignore[no-untyped-call]
    assert (with_it - base).abs().max() > 0.1
    torch.testing.assert_close(logits(model), with_it, atol=0.05, rtol=0.02)
    with model.disable_adapter():  # the reference of the losses
        torch.testing.assert_close(logits(model), base, atol=0, rtol=0)
    if not fixed:
        stored = load_file(folder / WEIGHTS)
        trained = {
            n.replace(".default", ""): p for n, p in model.named_parameters() if p.requires_grad
        }
        assert trained.keys() == stored.keys()
        assert all(torch.equal(trained[name], stored[name]) for name in stored)


def test_a_fixed_adapter_stays_as_it_is(
    load_tiny: Load,
    make_adapter: MakeAdapter,
    make_answer: Callable[..., Answer],
    tmp_path: Path,
) -> None:
    folder, loaded = make_adapter(), load_tiny()
    model = add_adapter(loaded, SETTINGS, Former(folder, fixed=True))
    examples = [encode_answer(loaded, make_answer("- numpy\n- ghost", family=f)) for f in "abcd"]
    trainer = Trainer(model, SETTINGS)
    trainer.run(examples)
    assert trainer.result().moved > 0
    stored = load_file(folder / WEIGHTS)
    beneath = {n: p for n, p in model.named_parameters() if f".{BENEATH}." in n}
    assert len(beneath) == len(stored)
    for name, parameter in beneath.items():
        assert torch.equal(parameter, stored[name.replace(f".{BENEATH}", "")])
    model.save_pretrained(str(tmp_path / "own"), selected_adapters=["default"])
    own = load_file(tmp_path / "own" / WEIGHTS)
    assert own.keys() == stored.keys()
    assert not any(torch.equal(own[n], stored[n]) for n in stored if "lora_B" in n)


def test_what_training_cannot_go_on_from_is_one_line(
    load_tiny: Load, make_adapter: MakeAdapter
) -> None:
    folder = make_adapter()
    for other, said in (
        (replace(SETTINGS, rank=8), r"has rank 4: set \[training\] to the same, or training.start"),
        (replace(SETTINGS, alpha=4, rslora=True), "has alpha 8, rslora False"),
    ):
        with pytest.raises(TrainingError, match=said) as caught:
            check_former(Former(folder), other, "tiny")
        assert "\n" not in str(caught.value)
        assert check_former(Former(folder, fixed=True), other, "tiny")
    assert check_former(Former(folder), SETTINGS, "tiny")
    with pytest.raises(ModelError, match="belongs to the model 'tiny', not 'other'"):
        check_former(Former(folder), SETTINGS, "other")

    stored = load_file(folder / WEIGHTS)
    save_file({n: tensor for n, tensor in stored.items() if "q_proj" in n}, folder / WEIGHTS)
    with pytest.raises(ModelError, match="changed after training"):
        check_former(Former(folder), SETTINGS, "tiny")
    with pytest.raises(TrainingError, match="it adapts other layers"):
        add_adapter(load_tiny(), SETTINGS, Former(folder))
    save_file({n: tensor[:, :3].contiguous() for n, tensor in stored.items()}, folder / WEIGHTS)
    with pytest.raises(TrainingError, match="its weights have other sizes"):
        add_adapter(load_tiny(), SETTINGS, Former(folder))


@pytest.mark.parametrize(
    "settings",
    [
        TrainSettings(weights=Weights()),
        TrainSettings(weights=Weights(), rank=4, rslora=True, checkpointing=True),
    ],
)
def test_a_blank_adapter_has_the_shape_of_a_trained_one_and_changes_nothing(
    tiny_model_dir: Path, tmp_path: Path, settings: TrainSettings
) -> None:
    loaded = load_model(str(tiny_model_dir), tmp_path)
    before = [name for name, _ in loaded.model.named_modules()]
    state = torch.random.get_rng_state()
    write_blank(tmp_path / "blank", loaded, settings)
    assert [name for name, _ in loaded.model.named_modules()] == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert read_adapter(tmp_path / "blank").facts == {"blank": True, "rank": settings.rank}
    with_it = load_model(str(tiny_model_dir), tmp_path, adapter=tmp_path / "blank")
    assert torch.equal(logits(with_it.model), logits(loaded.model))

    add_adapter(loaded, settings).save_pretrained(str(tmp_path / "trained"))
    blank, trained = (load_file(tmp_path / name / WEIGHTS) for name in ("blank", "trained"))
    assert {n: part.shape for n, part in blank.items()} == {
        n: part.shape for n, part in trained.items()
    }
    ours, theirs = (json.loads((tmp_path / n / CONFIG).read_text()) for n in ("blank", "trained"))
    for config in (ours, theirs):
        config["target_modules"].sort()
    assert ours == theirs


def test_nothing_is_left_of_a_blank_adapter_that_no_server_takes(
    tiny: LoadedModel, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="rank 1024 is over 512"):
        write_blank(tmp_path / "blank", tiny, TrainSettings(weights=Weights(), rank=1024))
    assert not list(tmp_path.iterdir())
    (tmp_path / "blank").mkdir()
    with pytest.raises(HomeError, match="never reused"):
        write_blank(tmp_path / "blank", tiny, TrainSettings(weights=Weights()))


SIZES = {"q": (12, 9), "v": (7, 12)}
"""O and I of the layers"""


def lora(seed: int, rank: int, scaling: float = 1.0) -> Lora:
    generator = torch.Generator().manual_seed(seed)
    layers = {
        name: (
            torch.randn(rank, inputs, generator=generator),
            torch.randn(outputs, rank, generator=generator),
        )
        for name, (outputs, inputs) in SIZES.items()
    }
    return Lora(scaling, layers)


def change(one: Lora, name: str) -> torch.Tensor:
    """ΔW: (O, I)."""
    a, b = one.layers[name]
    return one.scaling * b.double() @ a.double()


def test_a_stacked_change_is_the_sum_and_its_rank_the_sum_of_ranks() -> None:
    parts = [lora(1, 3, 2.0), lora(2, 2, 0.5), lora(3, 4, 8.0)]
    stacked = stack(parts)
    assert (stacked.rank, stacked.scaling) == (9, 1.0)
    for name in SIZES:
        whole = sum(change(part, name) for part in parts)
        torch.testing.assert_close(change(stacked, name), whole, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("scaling", [1.0, 1 / math.sqrt(3)])
def test_a_merged_change_is_the_nearest_of_its_rank(scaling: float) -> None:
    parts = [lora(1, 3, 2.0), lora(2, 3, 0.5)]
    merged, kept = merge(parts, rank=4, scaling=scaling)
    assert (merged.rank, merged.scaling) == (4, scaling)
    lost = total = 0.0
    for name in SIZES:
        whole = sum(change(part, name) for part in parts)
        values = torch.linalg.svdvals(whole)
        found = change(merged, name)
        torch.testing.assert_close(torch.linalg.svdvals(found)[:4], values[:4], atol=1e-5, rtol=0)
        assert float(torch.linalg.svdvals(found)[4]) < 1e-5
        # No matrix of rank 4 is nearer than the singular values that are left out (Eckart, Young).
        gap = values[4:].square().sum()
        assert float((found - whole).square().sum()) == pytest.approx(float(gap), rel=1e-4)
        lost += float(gap)
        total += float(values.square().sum())
    assert kept == pytest.approx(math.sqrt(1 - lost / total), rel=1e-9)
    assert 0.5 < kept < 0.999


@pytest.mark.parametrize("rank", [4, 11])  # 11 is more than the smaller side of a layer
def test_a_rank_that_suffices_keeps_all(rank: int) -> None:
    parts = [lora(1, 2), lora(2, 2)]
    merged, kept = merge(parts, rank=rank)
    assert merged.rank == rank
    assert kept == pytest.approx(1, abs=1e-12)
    for name in SIZES:
        whole = sum(change(part, name) for part in parts)
        torch.testing.assert_close(change(merged, name), whole, atol=1e-5, rtol=0)
    nothing = Lora(2.0, {name: (a, b * 0) for name, (a, b) in lora(1, 2).layers.items()})
    merged, kept = merge([nothing, nothing], rank=rank)
    assert kept == 1
    assert not any(change(merged, name).any() for name in SIZES)


def test_adapters_that_do_not_fit_together_are_one_line() -> None:
    other = Lora(1.0, {"k": lora(1, 2).layers["q"]})
    for combine in (stack, lambda parts: merge(parts, rank=2)):
        with pytest.raises(ModelError, match="change different layers"):
            combine([lora(1, 2), other])
    a, b = lora(1, 2).layers["v"]
    narrow = Lora(1.0, {**lora(1, 2).layers, "v": (a[:, 1:], b)})
    with pytest.raises(ModelError, match="weights of v have different sizes"):
        stack([lora(1, 2), narrow])
    with pytest.raises(ModelError, match=f"rank {MOST_RANK + 1}, over {MOST_RANK}: merge them"):
        stack([lora(1, MOST_RANK), lora(2, 1)])


def test_combined_folders_hold_what_peft_and_servers_take(
    make_adapter: MakeAdapter, tiny_model_dir: Path, tmp_path: Path
) -> None:
    parts = [
        make_adapter(replace(SETTINGS, rank=2), forgot="one"),
        make_adapter(replace(SETTINGS, rank=3, rslora=True, seed=4), forgot="two"),
    ]
    stacked = write_stacked(tmp_path / "stacked", parts)
    assert stacked.facts == {"combined": "stacked", "adapters": ["a", "a"], "rank": 5}
    assert stacked.model == "tiny"
    assert read_adapter(tmp_path / "stacked") == stacked
    check_servable(tmp_path / "stacked", most_rank=8)
    assert read_forgotten(tmp_path / "stacked") == frozenset({"one", "two"})

    whole = write_merged(tmp_path / "whole", parts, rank=5, alpha=20, rslora=True)
    assert whole.facts["kept_norm"] == 1
    low = write_merged(tmp_path / "low", parts, rank=2, alpha=4)
    assert (low.facts["combined"], low.facts["rank"]) == ("merged", 2)
    assert 0.3 < low.facts["kept_norm"] < 0.99
    config = json.loads((tmp_path / "low" / CONFIG).read_text("utf-8"))
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (2, 4, False)

    def adapted(folder: Path) -> torch.Tensor:
        """The model's predictions with a folder's adapter, as peft computes them."""
        return logits(
            load_apart(str(tiny_model_dir), folder, folder, device="cpu", exact=True).adapted.model
        )

    sums = adapted(tmp_path / "stacked")
    torch.testing.assert_close(adapted(tmp_path / "whole"), sums, atol=1e-4, rtol=0)
    assert all((adapted(folder) - sums).abs().max() > 0.01 for folder in (*parts, tmp_path / "low"))


def test_peft_scales_as_this_code_does(make_adapter: MakeAdapter, tiny_model_dir: Path) -> None:
    """Weights merged by peft are the base's and s · B A."""
    assert scaling_of(16, 32, rslora=False) == 2
    folder = make_adapter(replace(SETTINGS, rank=3, alpha=3, rslora=True))
    read = read_lora(folder)
    assert read.scaling == pytest.approx(3 / math.sqrt(3))
    base, merged = (
        load_model(str(tiny_model_dir), folder, adapter=one, device="cpu").model.state_dict()
        for one in (None, folder)
    )
    for name in read.layers:
        weight = name.removeprefix("base_model.model.") + ".weight"
        moved = merged[weight].double() - base[weight].double()
        torch.testing.assert_close(moved, change(read, name), atol=0.02, rtol=0.02)


def test_adapters_of_different_models_and_one_that_does_not_say_what_it_forgot(
    make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    one = make_adapter(forgot="one")
    with pytest.raises(ModelError, match=r"belong to different models: .*another"):
        write_stacked(tmp_path / "both", [one, make_adapter(model="another")])
    assert not (tmp_path / "both").exists()
    write_stacked(tmp_path / "both", [one, make_adapter()])
    assert read_forgotten(tmp_path / "both") is None


class Two(nn.Module):
    """Two layers; the second adapted layer's input needs a gradient."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.one = nn.Linear(24, 40, dtype=dtype)
        self.two = nn.Linear(40, 8, bias=False, dtype=dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.two(torch.nn.functional.silu(self.one(x)))
        return result


def passed(
    dtype: torch.dtype, x: torch.Tensor, *, in_place: bool
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Result and gradients of the adapter, and of the input."""
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=12, target_modules=["one", "two"], init_lora_weights=False)
    model = get_peft_model(Two(dtype), config)
    if in_place:
        compute_in_place(model)
    x = x.clone().requires_grad_()
    result = model(x)
    (result.float() ** 2).sum().backward()
    assert x.grad is not None
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return result.detach(), grads | {"input": x.grad}


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-5), (torch.float32, 1e-5), (torch.bfloat16, 0.03)]
)
@pytest.mark.parametrize("shape", [(5, 24), (2, 3, 24)])
def test_in_place_result_and_gradients_are_those_of_peft(
    dtype: torch.dtype, tolerance: float, shape: tuple[int, ...]
) -> None:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(2)).to(dtype)
    theirs, their_grads = passed(dtype, x, in_place=False)
    ours, grads = passed(dtype, x, in_place=True)
    assert ours.dtype is theirs.dtype is dtype
    assert (ours - theirs).float().norm() <= tolerance * theirs.float().norm()
    assert grads.keys() == their_grads.keys()
    assert len(grads) == 5
    for name, grad in grads.items():
        assert grad.dtype == their_grads[name].dtype, name
        assert (grad - their_grads[name]).float().norm() <= tolerance * grad.float().norm(), name


@pytest.mark.usefixtures("bfloat16")
def test_the_weights_and_their_gradients_stay_fp32_on_a_bf16_base(tiny_model_dir: Path) -> None:
    loaded = load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")
    model = add_adapter(loaded, SETTINGS)
    asked: list[object] = []
    for name, module in model.named_modules():
        if name.endswith("q_proj.lora_A.default"):
            module.register_forward_hook(lambda *_: asked.append(1))
    model(input_ids=IDS).logits.float().sum().backward()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert {p.dtype for p in trained} == {p.grad.dtype for p in trained if p.grad is not None}
    assert {p.dtype for p in trained} == {torch.float32}
    assert not asked, "peft's own computation was used"


def test_a_saved_adapter_is_the_same_in_peft(
    load_tiny: Load, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    tiny = load_tiny()
    before = logits(tiny.model)
    model = add_adapter(tiny, replace(SETTINGS, rslora=True))
    scramble(model, std=1.0)
    after = logits(model)
    with model.disable_adapter():
        torch.testing.assert_close(logits(model), before, atol=0, rtol=0)
    model.save_pretrained(str(tmp_path / "adapter"))
    with peft_warnings_silenced():
        theirs = PeftModel.from_pretrained(load_tiny().model, str(tmp_path / "adapter"))
    torch.testing.assert_close(logits(theirs), after, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(after, before, atol=0.1)
