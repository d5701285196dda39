"""The adapter as a GGUF file, which llama.cpp puts beside a GGUF of the same base (``--lora``).

Written as llama.cpp reads it (``src/llama-adapter.cpp``, 2026-10): ``general.type`` is ``adapter``,
``adapter.type`` is ``lora``, and each weight W of the base has ``W.lora_a`` (R, I) and ``W.lora_b``
(O, R) in float32. It multiplies B A by ``adapter.lora.alpha`` / R; so the alpha written here is the
adapter's own scaling times R, which is right for rank-stabilised adapters, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import numpy as np
from numpy.typing import NDArray

from ghostbust.adapters import read_adapter
from ghostbust.errors import ModelError
from ghostbust.exports.adapters import new_folder, note_origin, write_card
from ghostbust.models.load import resolve_model
from ghostbust.unlearners.adapters import Lora, read_lora

if TYPE_CHECKING:
    from transformers import PretrainedConfig

Floats = NDArray[np.float32]
_PREFIX = "base_model.model."
"""what peft puts in front of the base's own names"""


@dataclass(frozen=True, slots=True)
class _Family:
    """How llama.cpp holds models of an architecture."""

    arch: gguf.MODEL_ARCH
    turned: bool
    """whether the rows of query and key weights are in another order than in transformers"""


FAMILIES = {
    "LlamaForCausalLM": _Family(gguf.MODEL_ARCH.LLAMA, turned=True),
    "MistralForCausalLM": _Family(gguf.MODEL_ARCH.LLAMA, turned=True),
    "Qwen2ForCausalLM": _Family(gguf.MODEL_ARCH.QWEN2, turned=False),
    "Qwen3ForCausalLM": _Family(gguf.MODEL_ARCH.QWEN3, turned=False),
}
"""others differ in more than names; llama.cpp's own ``convert_lora_to_gguf.py`` knows them"""


def export_gguf_lora(adapter: Path, out: Path, cache_dir: Path, card: str = "") -> None:
    """Writes ``NAME.gguf``, by the adapter's name, into a new folder.

    Reads the base's config, not its weights.

    Raises ModelError for an adapter that is no plain or rank-stabilised LoRA, or for a model of
    another family than ``FAMILIES``; UsageError if ``out`` is there already or can't be written.
    """
    manifest = read_adapter(adapter)
    lora = read_lora(adapter)
    config = _config(manifest.model, cache_dir)
    architecture = (getattr(config, "architectures", None) or ["unknown"])[0]
    if architecture not in FAMILIES:
        raise ModelError(
            f"{manifest.model} is a {architecture}, and gguf-lora knows {', '.join(FAMILIES)};"
            " export it merged, or use llama.cpp's convert_lora_to_gguf.py on the peft folder"
        )
    family = FAMILIES[architecture]
    alpha = lora.scaling * lora.rank
    with new_folder(out) as aside:
        writer = gguf.GGUFWriter(
            aside / f"{manifest.name}.gguf", gguf.MODEL_ARCH_NAMES[family.arch]
        )
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, alpha)
        writer.add_name(manifest.name)
        for name, tensor in _tensors(lora, config, family):
            writer.add_tensor(name, np.ascontiguousarray(tensor))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        write_card(aside, card)
        note_origin(aside, "gguf-lora", manifest, {"alpha": alpha, "rank": lora.rank})


def turn(rows: Floats, heads: int) -> Floats:
    """Rows (O, R) of a query or key weight from transformers' order to llama.cpp's: (O, R).

    Rotary embeddings pair row i of a head with row i + half in transformers, with row i + 1 in
    llama.cpp.
    """
    half = rows.shape[0] // heads // 2
    return rows.reshape(heads, 2, half, rows.shape[1]).swapaxes(1, 2).reshape(rows.shape)


def _tensors(lora: Lora, config: Any, family: _Family) -> Iterator[tuple[str, Floats]]:
    """Each layer's pair under llama.cpp's name."""
    names = gguf.get_tensor_name_map(family.arch, config.num_hidden_layers)
    heads = {
        "q_proj": config.num_attention_heads,
        "k_proj": getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
    }
    for layer, (a, b) in lora.layers.items():
        own = layer.removeprefix(_PREFIX)
        name = names.get_name(f"{own}.weight", try_suffixes=(".weight",))
        if name is None or own == "lm_head":
            raise ModelError(f"llama.cpp can't adapt the layer {own}; export it merged instead")
        rows = b.float().numpy()  # (O, R)
        of_heads = heads.get(own.rpartition(".")[2])
        if family.turned and of_heads:
            rows = turn(rows, of_heads)
        yield f"{name}.lora_a", a.float().numpy()  # (R, I)
        yield f"{name}.lora_b", rows


def _config(model: str, cache_dir: Path) -> PretrainedConfig:
    from transformers import AutoConfig

    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(
            resolve_model(model, cache_dir), trust_remote_code=False
        )
    except Exception as exc:  # a folder may hold anything, and the library raises everything
        raise ModelError(f"can't read the config of the model {model!r}: {exc}") from exc
    return config
