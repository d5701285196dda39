"""A user's GGUF file as a model: its weights, tokenizer, name in records, and what can't be one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
import torch
from safetensors.torch import load_file

from ghostbust.config import Config, load_config, override
from ghostbust.errors import HomeError, ModelError
from ghostbust.files import sha256_of
from ghostbust.gguf_name import digest_in, find_file, recorded_name, see
from ghostbust.home import Home
from ghostbust.models import convert as convert_module
from ghostbust.models.convert import converted_model
from ghostbust.models.load import check_model_name, load_model
from tests.models.tiny_gguf import WIDTH, write_gguf

Q8 = gguf.GGMLQuantizationType.Q8_0


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose whole content was read for a hash."""
    from ghostbust import gguf_name

    read: list[Path] = []

    def hashed(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr(gguf_name, "SETTLED_NS", 0)
    monkeypatch.setattr(gguf_name, "sha256_of", hashed)
    return read


def test_a_gguf_file_is_a_model_with_its_tokenizer_and_template(tmp_path: Path) -> None:
    file = tmp_path / "tiny-model.gguf"
    unpacked = write_gguf(file, quantised=Q8)
    loaded = load_model(str(file), tmp_path / "cache", device="cpu")
    assert loaded.name == recorded_name(str(file), tmp_path / "cache")
    assert loaded.name.startswith("tiny-model.gguf@")
    assert loaded.decode(loaded.encode("an  größe\n")) == "an  größe\n"
    assert loaded.tokenizer.convert_ids_to_tokens(loaded.encode("an")) == ["an"]
    raw = loaded.tokenizer.decode(loaded.encode_prompt("do"), skip_special_tokens=False)
    assert raw == "<0>do<2><1>"
    assert loaded.end_token == 2

    weights = load_file(Path(loaded.folder) / "model.safetensors")
    for theirs, ours in {
        "token_embd": "model.embed_tokens",
        "output": "lm_head",
        "blk.0.attn_v": "model.layers.0.self_attn.v_proj",
        "blk.0.attn_output": "model.layers.0.self_attn.o_proj",
        "blk.0.ffn_gate": "model.layers.0.mlp.gate_proj",
        "blk.0.ffn_down": "model.layers.0.mlp.down_proj",
    }.items():
        expected = torch.from_numpy(unpacked[theirs]).bfloat16()
        assert torch.equal(weights[f"{ours}.weight"], expected), theirs
    # llama.cpp keeps the rows of a head's rotary halves interleaved
    interleaved = torch.from_numpy(unpacked["blk.0.attn_q"]).bfloat16()
    halves = interleaved.view(2, WIDTH // 4, 2, WIDTH).transpose(1, 2).reshape(WIDTH, WIDTH)
    assert torch.equal(weights["model.layers.0.self_attn.q_proj.weight"], halves)

    # moved, or gone: the name in records still finds the conversion, and nothing is made again
    moved = file.rename(tmp_path / "moved.gguf")
    again = load_model(str(moved), tmp_path / "cache", device="cpu")
    assert again.folder == loaded.folder
    assert again.name != loaded.name
    moved.unlink()
    assert load_model(loaded.name, tmp_path / "cache", device="cpu").folder == loaded.folder
    shutil.rmtree(loaded.folder)
    with pytest.raises(ModelError, match="name the file again with --model") as caught:
        load_model(loaded.name, tmp_path / "cache", device="cpu")
    assert "\n" not in str(caught.value)


def _cut(path: Path) -> None:
    write_gguf(path)
    path.write_bytes(path.read_bytes()[:-5000])


def _head_only(path: Path) -> None:
    write_gguf(path)
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_text("no such thing"), "isn't a GGUF file"),
        (lambda path: path.write_bytes(b""), "isn't a GGUF file"),
        (lambda path: None, "No such file"),
        (_cut, "cut off, damaged"),
        (_head_only, "cut off, damaged"),
        (lambda path: write_gguf(path, architecture="clip"), "architecture clip is not supported"),
        (lambda path: write_gguf(path, tokenizer=False), "no tokenizer"),
        (lambda path: write_gguf(path, parts=3), "one of several parts"),
    ],
)
def test_what_cannot_become_a_model_is_one_line(
    make: Callable[[Path], object], why: str, tmp_path: Path
) -> None:
    file = tmp_path / "odd.gguf"
    make(file)
    with pytest.raises(ModelError, match=why) as caught:
        load_model(str(file), tmp_path / "cache", device="cpu")
    assert "\n" not in str(caught.value)
    assert "odd.gguf" in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list((tmp_path / "cache").glob("models/gguf-*")), "nothing half-done"


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    (tmp_path / "cache").touch()
    with pytest.raises(HomeError, match="can't write to"):
        load_model(str(tmp_path / "a.gguf"), tmp_path / "cache", device="cpu")


def test_a_name_is_the_files_and_its_contents(tmp_path: Path, counted: list[Path]) -> None:
    one, other = tmp_path / "a.gguf", tmp_path / "b" / "a.GGUF"
    other.parent.mkdir()
    one.write_bytes(b"GGUF one")
    other.write_bytes(b"GGUF two")
    names = [recorded_name(str(path), tmp_path) for path in (one, other, one)]
    assert names[0] == names[2] != names[1]
    assert all(name.startswith("a.gguf@") and digest_in(name) for name in names)
    assert counted == [one, other], "the second time its times are enough"
    assert recorded_name(names[0], tmp_path) == names[0]
    check_model_name(names[0])
    for name in ("smollm2", "owner/name", "no.gguf", str(tmp_path)):
        assert recorded_name(name, tmp_path) == name
        assert digest_in(name) is None


@pytest.mark.parametrize("how", ["written to", "replaced", "written to with its old times"])
def test_a_changed_file_has_another_name(how: str, tmp_path: Path, counted: list[Path]) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF one")
    before, stat = recorded_name(str(file), tmp_path), file.stat()
    time.sleep(0.02)
    if how == "replaced":
        (tmp_path / "new").write_bytes(b"GGUF two")
        (tmp_path / "new").replace(file)
    else:
        file.write_bytes(b"GGUF two")
    if how != "written to":
        os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert recorded_name(str(file), tmp_path) != before
    assert len(counted) == 2
    assert find_file(str(digest_in(before)), tmp_path) is None


def test_a_file_that_was_just_written_is_read_again(tmp_path: Path) -> None:
    """Its times may be too coarse to show a second write (a racy entry, as git calls it)."""
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF one")
    stat, before = file.stat(), see(file, tmp_path)
    file.write_bytes(b"GGUF two")
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert see(file, tmp_path) != before


def test_a_broken_note_is_no_matter(tmp_path: Path) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF one")
    seen = see(file, tmp_path)
    (note,) = (tmp_path / "models" / "gguf").iterdir()
    for content in ("{", "[]", '{"path": 3}'):
        note.write_text(content)
        assert find_file(seen.sha256[:12], tmp_path) is None
        assert see(file, tmp_path) == seen


def test_a_file_that_changes_while_it_is_converted_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.gguf"
    file.write_bytes(b"GGUF one")

    def change(path: Path, folder: Path, digest: str, *, lock: int) -> None:
        folder.mkdir()
        path.write_bytes(b"GGUF two")

    monkeypatch.setattr(convert_module, "convert", change)
    name = recorded_name(str(file), tmp_path / "cache")
    with pytest.raises(ModelError, match="changed while it was converted"):
        converted_model(name, tmp_path / "cache")
    assert not list((tmp_path / "cache" / "models").glob("gguf-*"))


def test_settings_name_the_file_beside_them_and_keep_its_recorded_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTBUST_CACHE", str(tmp_path / "cache"))
    (tmp_path / "weights").mkdir()
    file = tmp_path / "weights" / "a.gguf"
    file.write_bytes(b"GGUF one")
    (tmp_path / "settings.toml").write_text('[model]\nname = "weights/a.gguf"\n')
    found = load_config(tmp_path / "settings.toml", Home(tmp_path / "home")).model.name
    assert found == recorded_name(str(file), tmp_path / "cache")
    assert override(Config(), model__name=str(file)).model.name == found
    assert override(Config(), model__name="gone.gguf").model.name == "gone.gguf"
