"""A filled home, and an adapter of a tiny model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ghostbust.adapters import write_adapter
from ghostbust.home import Home
from ghostbust.models.load import peft_warnings_silenced
from ghostbust.store.store import Store

MakeLora = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "home")


@pytest.fixture
def store(home: Home, fill_home: Callable[[Home], str]) -> Iterator[Store]:
    """The filled store, which nothing here may write to."""
    fill_home(home)
    with Store.open(home.database, read_only=True) as store:
        yield store


@pytest.fixture
def make_lora(tiny_model_dir: Path, tmp_path: Path) -> MakeLora:
    """Makes a complete adapter folder of the tiny model with seeded weights that all act."""

    def make(*, targets: tuple[str, ...] = ("q_proj", "k_proj", "down_proj"), rslora: bool) -> Path:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(tiny_model_dir, dtype=torch.float32)
        config = LoraConfig(
            r=4,
            lora_alpha=6,
            use_rslora=rslora,
            target_modules=list(targets),
            task_type="CAUSAL_LM",
        )
        with peft_warnings_silenced():
            adapted = get_peft_model(model, config)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for name, weight in adapted.named_parameters():
                if "lora_" in name:
                    weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)

        def save(folder: Path) -> None:
            with peft_warnings_silenced():
                adapted.save_pretrained(str(folder), save_embedding_layers=False)

        folder = tmp_path / "adapters" / "round-0001-tiny"
        write_adapter(folder, model=str(tiny_model_dir), facts={"round": 1}, save=save)
        return folder

    return make
