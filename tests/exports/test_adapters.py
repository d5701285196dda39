"""An adapter copied, or merged into its model; its folder appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ghostbust.adapters import read_adapter, read_copy
from ghostbust.errors import ModelError, UsageError
from ghostbust.exports.adapters import export_merged, export_peft, new_folder
from ghostbust.models.load import load_model
from ghostbust.models.pair import load_apart

if TYPE_CHECKING:
    from tests.exports.conftest import MakeAdapter

IDS = torch.tensor([[5, 80, 81, 97, 40, 41, 260, 261]])


def test_merged_weights_are_those_of_the_gates_and_its_logits_of_adapter_and_base(
    make_adapter: MakeAdapter, tiny_model_dir: Path, tmp_path: Path
) -> None:
    adapter, out = make_adapter(rslora=True), tmp_path / "out"
    export_merged(adapter, out, tmp_path / "cache")
    exported = AutoModelForCausalLM.from_pretrained(out)
    assert exported.dtype == torch.bfloat16
    gated = load_model(str(tiny_model_dir), tmp_path / "cache", adapter=adapter, device="cpu")
    apart = load_apart(str(tiny_model_dir), tmp_path / "cache", adapter, device="cpu", exact=True)
    measured = gated.model.state_dict()
    assert all(torch.equal(value.to(measured[name]), measured[name]) for name, value in
               exported.state_dict().items())  # fmt: skip
    with torch.inference_mode():
        logits = exported.float()(IDS).logits  # type: ignore[no-untyped-call]
        with apart.adapted.active():
            beside = apart.adapted.model(IDS).logits
        with apart.base.active():
            base = apart.base.model(IDS).logits
    effect = (beside - base).abs().mean()
    assert (logits - beside).abs().mean() < 0.1 * effect  # the rounding to bf16


def test_a_merged_model_loads_alone_and_says_what_it_is_made_of(
    make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    adapter, out = make_adapter(rslora=False), tmp_path / "out"
    export_merged(adapter, out, tmp_path / "cache")
    tokenizer = AutoTokenizer.from_pretrained(out)
    messages = [{"role": "user", "content": "hi"}]
    assert "<|user|>hi" in str(tokenizer.apply_chat_template(messages, tokenize=False))
    told = json.loads((out / "ghostbust.json").read_text("utf-8"))
    assert (told["kind"], told["adapter"]) == ("merged", "round-0001-tiny")
    weights = (out / "model.safetensors").read_bytes()
    assert told["files"]["model.safetensors"] == hashlib.sha256(weights).hexdigest()


def test_the_copy_is_a_complete_adapter(make_adapter: MakeAdapter, tmp_path: Path) -> None:
    adapter = make_adapter(rslora=False)
    export_peft(adapter, tmp_path / "out")
    assert read_copy(tmp_path / "out") == read_adapter(adapter)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("left-behind.txt", r"holds \['left-behind.txt'\], which its manifest"),
        ("adapter_config.json", "changed after training"),
    ],
)
def test_a_changed_adapter_is_refused_and_nothing_is_left(
    make_adapter: MakeAdapter, tmp_path: Path, file: str, said: str
) -> None:
    adapter = make_adapter(rslora=False)
    with (adapter / file).open("a") as changed:
        changed.write(" ")
    with pytest.raises(ModelError, match=said):
        export_peft(adapter, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]


def test_a_folder_appears_when_all_is_written(tmp_path: Path) -> None:
    with new_folder(tmp_path / "deep" / "out") as aside:
        (aside / "file").write_text("x", "utf-8")
        assert not (tmp_path / "deep" / "out").exists()
    assert [path.name for path in (tmp_path / "deep" / "out").iterdir()] == ["file"]


def test_one_that_is_there_stays_and_what_cant_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", "utf-8")
    for out, said in ((tmp_path, "is there already"), (tmp_path / "file" / "out", "can't write")):
        with pytest.raises(UsageError, match=said), new_folder(out):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
