"""A GGUF file of a llama with random weights, a byte-level tokenizer and a chat template."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
from tokenizers import pre_tokenizers

WIDTH, HEADS, VOCABULARY = 32, 2, 300
TEMPLATE = (
    "{% for message in messages %}<0>{{ message.content }}<2>{% endfor %}"
    "{% if add_generation_prompt %}<1>{% endif %}"
)


def write_gguf(
    path: Path,
    *,
    architecture: str = "llama",
    tokenizer: bool = True,
    quantised: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    parts: int = 1,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """Writes the file. Returns its matrices as ``gguf.quants`` unpacks them, by their GGUF names.

    ``tokenizer``: False leaves it out. ``parts``: of how many files it says to be.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny")
    writer.add_context_length(256)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_block_count(1)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)
    if parts > 1:
        writer.add_uint16("split.count", parts)
    if tokenizer:
        _add_tokenizer(writer)
    random = np.random.default_rng(seed)
    shapes = {"token_embd": (VOCABULARY, WIDTH), "output": (VOCABULARY, WIDTH)}
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{name}"] = (WIDTH, WIDTH)
    unpacked = {}
    for name, shape in shapes.items():
        packed = gguf.quants.quantize(random.normal(size=shape).astype(np.float32), quantised)
        writer.add_tensor(f"{name}.weight", packed, raw_dtype=quantised)
        unpacked[name] = gguf.quants.dequantize(packed, quantised)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unpacked


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [(one, other) for one in "abcdefg" for other in "nopqrs"][: VOCABULARY - 3 - 256]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["<0>", "<1>", "<2>", *bytes_, *(one + other for one, other in pairs)])
    writer.add_token_merges([f"{one} {other}" for one, other in pairs])
    writer.add_token_types([3] * 3 + [1] * (VOCABULARY - 3))
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
