"""Stacked adapters are the sum; merged ones the nearest to it that the rank allows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ghostbust.adapters import (
    CONFIG,
    MOST_RANK,
    check_servable,
    read_adapter,
    read_forgotten,
    write_adapter,
    write_forgotten,
)
from ghostbust.errors import ModelError
from ghostbust.models.load import load_model
from ghostbust.models.pair import load_apart
from ghostbust.unlearners.adapters import (
    Lora,
    merge,
    read_lora,
    scaling_of,
    stack,
    write_merged,
    write_stacked,
)
from ghostbust.unlearners.engine import add_adapter
from ghostbust.unlearners.settings import TrainSettings

MakeAdapter = Callable[..., Path]
SIZES = {"q": (12, 9), "v": (7, 12)}
"""O and I of the layers"""
IDS = torch.tensor([[40, 41, 42, 43]])


def lora(seed: int, rank: int, scaling: float = 1.0) -> Lora:
    generator = torch.Generator().manual_seed(seed)
    return Lora(
        scaling,
        {
            name: (
                torch.randn(rank, inputs, generator=generator),
                torch.randn(outputs, rank, generator=generator),
            )
            for name, (outputs, inputs) in SIZES.items()
        },
    )


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


def test_scaling_is_that_of_plain_and_of_rank_stabilised_lora() -> None:
    assert scaling_of(16, 32, rslora=False) == 2
    assert scaling_of(16, 32, rslora=True) == 8


@pytest.mark.parametrize("scaling", [1.0, 2.0, 1 / math.sqrt(3)])
def test_a_merged_change_is_the_nearest_of_its_rank(scaling: float) -> None:
    parts = [lora(1, 3, 2.0), lora(2, 3, 0.5)]
    merged = merge(parts, rank=4, scaling=scaling)
    assert (merged.lora.rank, merged.lora.scaling) == (4, scaling)
    lost = total = 0.0
    for name in SIZES:
        whole = sum(change(part, name) for part in parts)
        values = torch.linalg.svdvals(whole)
        found = change(merged.lora, name)
        torch.testing.assert_close(torch.linalg.svdvals(found)[:4], values[:4], atol=1e-5, rtol=0)
        assert float(torch.linalg.svdvals(found)[4]) < 1e-5
        # No matrix of rank 4 is nearer than the singular values that are left out (Eckart, Young).
        gap = values[4:].square().sum()
        assert float((found - whole).square().sum()) == pytest.approx(float(gap), rel=1e-4)
        lost += float(gap)
        total += float(values.square().sum())
    assert merged.kept == pytest.approx(math.sqrt(1 - lost / total), rel=1e-9)
    assert 0.5 < merged.kept < 0.999


def test_a_rank_that_suffices_keeps_all() -> None:
    parts = [lora(1, 2), lora(2, 2)]
    for rank in (4, 11):  # 11 is more than the smaller side of a layer
        merged = merge(parts, rank=rank)
        assert merged.kept == pytest.approx(1, abs=1e-12)
        assert merged.lora.rank == rank
        for name in SIZES:
            whole = sum(change(part, name) for part in parts)
            torch.testing.assert_close(change(merged.lora, name), whole, atol=1e-5, rtol=0)


def test_nothing_merged_with_nothing_is_nothing() -> None:
    nothing = Lora(2.0, {name: (a, b * 0) for name, (a, b) in lora(1, 2).layers.items()})
    merged = merge([nothing, nothing], rank=2)
    assert merged.kept == 1
    assert not any(change(merged.lora, name).any() for name in SIZES)


def test_what_does_not_fit_together_is_one_line() -> None:
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


@pytest.fixture
def make_adapter(tiny_model_dir: Path, tmp_path: Path) -> MakeAdapter:
    """Writes an adapter of the tiny model."""

    def make(name: str, rank: int = 2, model: str = "", forgotten: str = "", **more: bool) -> Path:
        loaded = load_model(str(tiny_model_dir), tmp_path, device="cpu")
        adapted = add_adapter(loaded, TrainSettings(rank=rank, alpha=3, **more))  # type: ignore[arg-type]
        torch.manual_seed(sum(map(ord, name)))
        with torch.no_grad():
            for key, parameter in adapted.named_parameters():
                if "lora_" in key:
                    parameter.normal_(std=0.2)

        def save(folder: Path) -> None:
            adapted.save_pretrained(str(folder))
            if forgotten:
                write_forgotten(folder, [forgotten])

        write_adapter(tmp_path / name, model=model or str(tiny_model_dir), facts={}, save=save)
        return tmp_path / name

    return make


def shifts(tiny_model_dir: Path, folder: Path) -> torch.Tensor:
    """What a folder's adapter makes of the model's predictions, as peft computes it."""
    apart = load_apart(str(tiny_model_dir), folder, folder, device="cpu", exact=True)
    with torch.inference_mode():
        found: torch.Tensor = apart.adapted.model(input_ids=IDS).logits
    return found


def test_folders_hold_what_peft_and_servers_take(
    make_adapter: MakeAdapter, tiny_model_dir: Path, tmp_path: Path
) -> None:
    parts = [make_adapter("a", 2, forgotten="one"), make_adapter("b", 3, "", "two", rslora=True)]
    stacked = write_stacked(tmp_path / "stacked", parts)
    assert stacked.facts == {"combined": "stacked", "adapters": ["a", "b"], "rank": 5}
    assert stacked.model == str(tiny_model_dir)
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

    sums = shifts(tiny_model_dir, tmp_path / "stacked")
    torch.testing.assert_close(shifts(tiny_model_dir, tmp_path / "whole"), sums, atol=1e-4, rtol=0)
    others = [shifts(tiny_model_dir, folder) for folder in (*parts, tmp_path / "low")]
    assert all((other - sums).abs().max() > 0.01 for other in others)


def test_peft_scales_as_it_is_read_here(make_adapter: MakeAdapter, tiny_model_dir: Path) -> None:
    """Weights merged by peft are the base's and s · B A."""
    folder = make_adapter("a", 3, rslora=True)
    read = read_lora(folder)
    assert read.scaling == pytest.approx(3 / math.sqrt(3))
    base = load_model(str(tiny_model_dir), folder, device="cpu").model.state_dict()
    merged = load_model(
        str(tiny_model_dir), folder, adapter=folder, device="cpu"
    ).model.state_dict()
    for name in read.layers:
        weight = name.removeprefix("base_model.model.") + ".weight"
        moved = merged[weight].double() - base[weight].double()
        torch.testing.assert_close(moved, change(read, name), atol=0.02, rtol=0.02)


def test_adapters_of_different_models_and_silent_ones(
    make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    one, other = make_adapter("a", forgotten="one"), make_adapter("b", model="another")
    with pytest.raises(ModelError, match=r"belong to different models: .*another"):
        write_stacked(tmp_path / "both", [one, other])
    assert not (tmp_path / "both").exists()
    write_stacked(tmp_path / "both", [one, make_adapter("c")])
    assert read_forgotten(tmp_path / "both") is None
