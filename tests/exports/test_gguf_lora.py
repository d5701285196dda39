"""What stands in the file is the adapter, in llama.cpp's names and order of rows."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
import pytest
from safetensors.torch import load_file

from ghostbust.errors import ModelError
from ghostbust.exports.gguf_lora import export_gguf_lora, turn

if TYPE_CHECKING:
    from tests.exports.conftest import MakeAdapter


def read(folder: Path) -> tuple[gguf.GGUFReader, dict[str, np.ndarray]]:
    """The file, and its tensors as rows and columns."""
    (file,) = folder.glob("*.gguf")
    reader = gguf.GGUFReader(file)
    return reader, {tensor.name: np.array(tensor.data) for tensor in reader.tensors}


@pytest.mark.parametrize("rslora", [False, True])
def test_its_fields_are_those_that_llama_cpp_asks_for(
    make_adapter: MakeAdapter, tmp_path: Path, rslora: bool
) -> None:
    export_gguf_lora(make_adapter(rslora=rslora), tmp_path / "out", tmp_path)
    reader, tensors = read(tmp_path / "out")
    told = {name: reader.fields[name].contents() for name in reader.fields}
    assert told["general.architecture"] == "llama"
    assert told["general.type"] == "adapter"
    assert told["adapter.type"] == "lora"
    # llama.cpp multiplies by alpha / rank; rank-stabilised adapters by alpha / sqrt(rank)
    assert told["adapter.lora.alpha"] / 4 == pytest.approx(8 / (math.sqrt(4) if rslora else 4))
    assert set(tensors) == {
        f"blk.{layer}.{name}.weight.lora_{side}"
        for layer in (0, 1)
        for name in ("attn_q", "attn_k", "ffn_down")
        for side in "ab"
    }


def test_its_tensors_are_the_adapters(make_adapter: MakeAdapter, tmp_path: Path) -> None:
    adapter = make_adapter(rslora=False)
    export_gguf_lora(adapter, tmp_path / "out", tmp_path)
    _, tensors = read(tmp_path / "out")
    own = load_file(adapter / "adapter_model.safetensors")
    layer = "base_model.model.model.layers.1"

    def weight(name: str) -> np.ndarray:
        return np.asarray(own[f"{layer}.{name}.weight"].numpy())

    down, query = "mlp.down_proj", "self_attn.q_proj"
    assert np.array_equal(tensors["blk.1.ffn_down.weight.lora_a"], weight(f"{down}.lora_A"))
    assert np.array_equal(tensors["blk.1.ffn_down.weight.lora_b"], weight(f"{down}.lora_B"))
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_a"], weight(f"{query}.lora_A"))
    rows, turned = weight(f"{query}.lora_B"), tensors["blk.1.attn_q.weight.lora_b"]
    assert not np.array_equal(turned, rows)
    # head 0 has 4 rows: what transformers pairs as (0, 2), (1, 3) lies side by side
    assert np.array_equal(turned[:4], rows[[0, 2, 1, 3]])


def test_turned_rows_are_what_transformers_turns_back() -> None:
    from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

    rows = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    processor: Any = LlamaTensorProcessor
    back = processor(config={})._reverse_permute_weights(turn(rows, 3), 3, 3)
    assert np.array_equal(back, rows)


def test_other_families_are_refused_with_what_to_do(
    make_adapter: MakeAdapter, tiny_model_dir: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(rslora=False)
    other = tmp_path / "other"
    other.mkdir()
    config = json.loads((tiny_model_dir / "config.json").read_text("utf-8"))
    (other / "config.json").write_text(
        json.dumps(config | {"architectures": ["FalconForCausalLM"]})
    )
    manifest = json.loads((adapter / "ghostbust.json").read_text("utf-8"))
    (adapter / "ghostbust.json").write_text(json.dumps(manifest | {"model": str(other)}))
    with pytest.raises(ModelError, match="merged"):
        export_gguf_lora(adapter, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_layer_that_llama_cpp_cant_adapt_is_refused(
    make_adapter: MakeAdapter, tmp_path: Path
) -> None:
    adapter = make_adapter(rslora=False, targets=("lm_head",))
    with pytest.raises(ModelError, match="lm_head"):
        export_gguf_lora(adapter, tmp_path / "out", tmp_path)
