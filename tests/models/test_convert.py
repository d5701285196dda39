"""A GGUF file becomes a model folder, whole or not at all; the embedded model is made once."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from safetensors import safe_open

from ghostbust.errors import FetchError, HomeError, ModelError
from ghostbust.models.convert import (
    FOLDER,
    FORMAT,
    MANIFEST,
    convert,
    embedded_model,
    is_complete,
)
from ghostbust.models.fetch import PinnedMember
from ghostbust.registries.endpoints import Endpoint
from tests.models.tiny_gguf import VOCABULARY, WIDTH, write_gguf

if TYPE_CHECKING:
    from tests.models.conftest import Index

NOWHERE = Endpoint("http://127.0.0.1:9/simple", "test")
"""nothing listens there; whoever asks it gets a FetchError"""


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """An open descriptor that stands for the held cache lock."""
    descriptor = os.open(tmp_path / "lock", os.O_CREAT)
    yield descriptor
    os.close(descriptor)


def test_a_gguf_becomes_a_folder_of_bf16_safetensors(tmp_path: Path, lock: int) -> None:
    source = tmp_path / "small.gguf"
    write_gguf(source)
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


def test_a_folder_that_cannot_be_written(tmp_path: Path, lock: int) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="can't write to"):
        convert(tmp_path / "any.gguf", tmp_path / "file" / "model", "0" * 64, lock=lock)


@pytest.mark.parametrize("manifest", ["", "{", "[]", '{"format": 1}'])
def test_a_folder_with_a_broken_manifest_is_not_complete(tmp_path: Path, manifest: str) -> None:
    assert not is_complete(tmp_path / "absent", "0" * 64)
    (tmp_path / MANIFEST).write_text(manifest)
    assert not is_complete(tmp_path, "0" * 64)


def complete_folder(cache_dir: Path, sha256: str) -> Path:
    folder = cache_dir / "models" / FOLDER
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    manifest = {"format": FORMAT, "gguf_sha256": sha256, "sizes_bytes": {"config.json": 2}}
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return folder


def test_a_converted_model_needs_no_network_and_no_lock(
    pinned: PinnedMember, tmp_path: Path
) -> None:
    folder = complete_folder(tmp_path, pinned.sha256)
    assert embedded_model(tmp_path, index=NOWHERE, source=pinned) == folder
    assert [path.name for path in folder.parent.iterdir()] == [FOLDER]


def test_a_half_written_model_is_not_taken(pinned: PinnedMember, tmp_path: Path) -> None:
    folder = complete_folder(tmp_path, pinned.sha256)
    (folder / "config.json").write_text("{")
    with pytest.raises(FetchError, match="can't reach"):
        embedded_model(tmp_path, index=NOWHERE, source=pinned)


def test_a_second_process_waits_for_the_first(pinned: PinnedMember, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    waiting = threading.Event()
    found: list[Path] = []

    def second() -> None:
        found.append(
            embedded_model(
                tmp_path, index=NOWHERE, source=pinned, progress=lambda *_: waiting.set()
            )
        )

    with (tmp_path / "models" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(5)
        folder = complete_folder(tmp_path / "other", pinned.sha256)
        folder.replace(tmp_path / "models" / FOLDER)
        assert found == []
    thread.join(5)
    assert found == [tmp_path / "models" / FOLDER]


def test_a_fetched_file_that_is_no_model(
    index: Index, pinned: PinnedMember, tmp_path: Path
) -> None:
    told: list[str] = []
    with pytest.raises(ModelError, match=r"can't convert model\.bin") as caught:
        embedded_model(
            tmp_path,
            index=Endpoint(index.url, "test"),
            source=pinned,
            progress=lambda what, *_: told.append(what),
        )
    assert list(dict.fromkeys(told)) == ["download", "convert"]
    assert "\n" not in str(caught.value)
    left = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert left == [".lock", "model.bin"], "nothing half-done"


@pytest.mark.slow
def test_the_real_model_knows_a_capital(embedded_model_dir: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded_model_dir)
    model = AutoModelForCausalLM.from_pretrained(embedded_model_dir)
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    best = int(model(ids).logits[0, -1].argmax())
    assert tokenizer.decode(best) == " Paris"
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.chat_template
