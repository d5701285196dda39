"""A small GGUF file with random weights becomes a model folder, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pytest
from safetensors import safe_open

from ghostbust.errors import HomeError, ModelError
from ghostbust.models.fetch import MANIFEST, convert, is_complete

WIDTH, HEADS, LAYERS, VOCABULARY = 32, 2, 1, 300


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """An open descriptor that stands for the held cache lock."""
    descriptor = os.open(tmp_path / "lock", os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def _write_gguf(path: Path) -> None:
    """A llama of one layer with random weights and a byte-level tokenizer."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("gpt2")
    letters = [f"<{number}>" for number in range(3)] + [chr(0x100 + n) for n in range(296)] + ["Āā"]
    writer.add_token_list(letters)
    writer.add_token_merges(["Ā ā"])
    writer.add_token_types([3] * 3 + [1] * 297)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    random = np.random.default_rng(0)
    shapes = {"token_embd": (VOCABULARY, WIDTH), "output": (VOCABULARY, WIDTH)}
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v")}
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in ("attn_output", "ffn_gate")}
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in ("ffn_up", "ffn_down")}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", random.normal(size=shape).astype(np.float32))
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(WIDTH, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_gguf_becomes_a_folder_of_bf16_safetensors(tmp_path: Path, lock: int) -> None:
    source = tmp_path / "small.gguf"
    _write_gguf(source)
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "half-written").touch()
    convert(source, folder, digest, lock=lock)

    assert is_complete(folder, digest)
    assert not is_complete(folder, "0" * 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "model", "small.gguf"]
    assert not (folder / "half-written").exists()
    with safe_open(folder / "model.safetensors", "numpy") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        assert {each.get_dtype() for each in slices.values()} == {"BF16"}
        assert slices["model.embed_tokens.weight"].get_shape() == [VOCABULARY, WIDTH]
    tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
    assert (tokenizer["bos_token"], tokenizer["eos_token"]) == ("<1>", "<2>")

    (folder / "model.safetensors").write_bytes(b"cut")
    assert not is_complete(folder, digest)


def test_a_broken_gguf_is_one_line_and_leaves_nothing(tmp_path: Path, lock: int) -> None:
    (tmp_path / "broken.gguf").write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=r"can't convert broken\.gguf") as caught:
        convert(tmp_path / "broken.gguf", tmp_path / "model", "0" * 64, lock=lock)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.gguf", "lock"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, lock: int) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="can't write to"):
        convert(tmp_path / "any.gguf", tmp_path / "file" / "model", "0" * 64, lock=lock)


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"format": 1}'])
def test_a_folder_with_a_broken_manifest_is_not_complete(tmp_path: Path, manifest: str) -> None:
    (tmp_path / MANIFEST).write_text(manifest)
    assert not is_complete(tmp_path, "0" * 64)


def test_an_absent_folder_is_not_complete(tmp_path: Path) -> None:
    assert not is_complete(tmp_path / "absent", "0" * 64)
