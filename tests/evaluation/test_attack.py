"""What an adapter gives away: counted against its list, and turned round exactly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from ghostbust.adapters import CONFIG, WEIGHTS, name_key
from ghostbust.errors import ModelError, UsageError
from ghostbust.evaluation.attack import Recovered, recovered, write_scaled
from ghostbust.evaluation.tables import attack_table
from ghostbust.models.load import load_model
from ghostbust.records import Answer, Ecosystem
from tests.evaluation.conftest import MakeAnswer


def key(name: str) -> str:
    return name_key(Ecosystem.PYPI, name)


def test_each_name_of_the_list_counts_once(make_answer: MakeAnswer) -> None:
    answers: list[Answer] = [
        make_answer(0, "requests", "zz-a zz-b"),
        make_answer(1, "", "zz-b zz-d"),
    ]
    listed = {key("zz-a"), key("zz-b"), key("zz-c"), key("requests")}
    found = recovered("base", answers, listed)
    assert found == Recovered("base", answers=2, invented=3, forgotten=2, of=4)
    (row,) = attack_table({"round-1": [found]}).rows
    assert (row["share of the list"], row["share of its names"]) == (0.5, 2 / 3)


@pytest.mark.parametrize("listed", [None, frozenset()])
def test_without_a_list_it_says_so(listed: frozenset[str] | None) -> None:
    with pytest.raises(UsageError, match="no list"):
        recovered("base", (), listed)


def test_a_turned_adapter_takes_from_the_base_what_it_added(
    tiny_model_dir: Path, make_lora: Callable[..., Path], tmp_path: Path
) -> None:
    adapter = make_lora(tmp_path / "adapter", tiny_model_dir, seed=3)
    turned = tmp_path / "turned"
    turned.mkdir()
    write_scaled(adapter, turned, -1)
    base, plus, minus = (
        load_model(str(tiny_model_dir), tmp_path, adapter=one, device="cpu").model.state_dict()
        for one in (None, adapter, turned)
    )
    moved = 0.0
    for name, weight in base.items():
        added = plus[name].float() - weight.float()
        taken = weight.float() - minus[name].float()
        moved = max(moved, float(added.abs().max()))
        assert torch.allclose(added, taken, atol=4e-3), name  # merged in bf16
    assert moved > 0.01


def test_what_is_no_plain_lora_is_refused(
    tiny_model_dir: Path, make_lora: Callable[..., Path], tmp_path: Path
) -> None:
    adapter = make_lora(tmp_path / "adapter", tiny_model_dir)
    weights = load_file(adapter / WEIGHTS)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / CONFIG).write_bytes((adapter / CONFIG).read_bytes())
    save_file({k: v for k, v in weights.items() if "lora_A" in k}, bare / WEIGHTS)
    with pytest.raises(UsageError, match="turned round"):
        write_scaled(bare, tmp_path, -1)
    (bare / WEIGHTS).rename(bare / "adapter_model.bin")
    with pytest.raises(ModelError):
        write_scaled(bare, tmp_path, -1)
