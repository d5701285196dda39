"""The exported model says what the adapter beside the base says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ghostbust.exports.adapters import export_merged
from ghostbust.models.load import load_model
from ghostbust.models.pair import load_apart

MakeLora = Callable[..., Path]
IDS = torch.tensor([[5, 80, 81, 97, 40, 41, 260, 261]])


def test_its_weights_are_those_of_the_gates_and_its_logits_of_adapter_and_base(
    make_lora: MakeLora, tiny_model_dir: Path, tmp_path: Path
) -> None:
    adapter, out = make_lora(rslora=True), tmp_path / "out"
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


def test_it_loads_alone_and_says_what_it_is_made_of(make_lora: MakeLora, tmp_path: Path) -> None:
    adapter, out = make_lora(rslora=False), tmp_path / "out"
    export_merged(adapter, out, tmp_path / "cache")
    tokenizer = AutoTokenizer.from_pretrained(out)
    messages = [{"role": "user", "content": "hi"}]
    assert "<|user|>hi" in str(tokenizer.apply_chat_template(messages, tokenize=False))
    told = json.loads((out / "ghostbust.json").read_text("utf-8"))
    assert (told["kind"], told["adapter"]) == ("merged", "round-0001-tiny")
    weights = (out / "model.safetensors").read_bytes()
    assert told["files"]["model.safetensors"] == hashlib.sha256(weights).hexdigest()
