"""Adapter folders are complete or not there, and nobody changes them unnoticed."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from safetensors.numpy import save_file

import ghostbust
from ghostbust import adapters
from ghostbust.adapters import (
    FORGOTTEN,
    MANIFEST,
    Manifest,
    check_config,
    check_loadable,
    check_servable,
    copy_adapter,
    name_key,
    read_adapter,
    read_copy,
    read_forgotten,
    write_adapter,
    write_forgotten,
)
from ghostbust.errors import HomeError, ModelError
from ghostbust.records import Ecosystem

FACTS = {"round": 3, "losses": [0.5, 0.25], "method": "größe"}


def save(folder: Path) -> None:
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text("{}")
    (folder / "README.md").write_text("a card")
    (folder / "adapter_model.bin").write_bytes(b"a pickle")


def written(folder: Path) -> Manifest:
    return write_adapter(folder, model="made-up", facts=FACTS, save=save)


def test_what_is_written_is_read_and_not_there_before(tmp_path: Path) -> None:
    def looks(aside: Path) -> None:
        assert not folder.exists()
        save(aside)

    folder = tmp_path / "adapters" / "round-0001-ab"
    manifest = write_adapter(folder, model="made-up", facts=FACTS, save=looks)
    assert read_adapter(folder) == manifest
    assert (manifest.name, manifest.model) == ("round-0001-ab", "made-up")
    assert (manifest.facts, manifest.version) == (FACTS, ghostbust.__version__)
    kept = {"adapter_config.json", "adapter_model.safetensors"}
    assert set(manifest.files) == kept
    assert {path.name for path in folder.iterdir()} == kept | {MANIFEST}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


class BrokenSaveError(Exception):
    """What a save may raise."""


@pytest.mark.parametrize("error", [OSError(28, "No space left"), BrokenSaveError("half way")])
def test_a_save_that_fails_leaves_nothing(error: Exception, tmp_path: Path) -> None:
    def half(folder: Path) -> None:
        save(folder)
        raise error

    expected = HomeError if isinstance(error, OSError) else BrokenSaveError
    with pytest.raises(expected):
        write_adapter(tmp_path / "a", model="made-up", facts=FACTS, save=half)
    assert list(tmp_path.iterdir()) == []
    written(tmp_path / "a")  # and the name is still free


def test_facts_that_are_no_json_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_adapter(tmp_path / "a", model="made-up", facts={"path": tmp_path}, save=save)
    assert list(tmp_path.iterdir()) == []


def test_a_name_is_never_reused(tmp_path: Path) -> None:
    written(tmp_path / "a")
    with pytest.raises(HomeError, match=r"^the adapter folder .*never reused$"):
        written(tmp_path / "a")
    read_adapter(tmp_path / "a")


def retold(folder: Path, **changes: object) -> Path:
    """The folder with other things in its manifest."""
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text("utf-8")), **changes}), "utf-8")
    return folder


def listed(folder: Path, **more: Path) -> Path:
    """The folder, whose manifest lists more files, with their right hashes."""
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in more.items()}
    return retold(folder, files=files | sums)


def no_weights(folder: Path) -> None:
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    del files["adapter_model.safetensors"]
    (folder / "adapter_model.safetensors").unlink()
    retold(folder, files=files)


def a_pickle(folder: Path) -> Path:
    (folder / "adapter_model.bin").write_bytes(b"\x80\x04N.")
    return folder / "adapter_model.bin"


def a_file_above(folder: Path) -> Path:
    (folder.parent / "x.json").write_text("{}", "utf-8")
    return folder.parent / "x.json"


def a_link(folder: Path, name: str) -> None:
    (folder / name).rename(folder.parent / "elsewhere")
    (folder / name).symlink_to(folder.parent / "elsewhere")


def a_pipe(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()
    os.mkfifo(folder / "adapter_model.safetensors")


FILES = ["adapter_config.json", "adapter_model.safetensors"]


def manifest_of(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / MANIFEST).write_text(text)


SPOILT: dict[str, Callable[[Path], object]] = {
    "no files": lambda folder: retold(folder, files={}),
    "no weights": no_weights,
    "a file missing": lambda folder: (folder / FILES[1]).unlink(),
    "a file changed": lambda folder: (folder / FILES[1]).write_bytes(b"others"),
    "the config changed": lambda folder: (folder / FILES[0]).write_bytes(b"{ }"),
    "a list of files": lambda folder: retold(folder, files=FILES),
    "numbers for hashes": lambda folder: retold(folder, files=dict.fromkeys(FILES, 1)),
    "no facts": lambda folder: retold(folder, facts=None),
    "another name": lambda folder: retold(folder, name="b"),
    "a path for a name": lambda folder: retold(folder, name="../a"),
    "a pickle beside": a_pickle,
    "a pickle listed": lambda folder: listed(folder, **{"adapter_model.bin": a_pickle(folder)}),
    "a folder beside": lambda folder: (folder / "checkpoint").mkdir(),
    "a path above": lambda folder: listed(folder, **{"../x.json": a_file_above(folder)}),
    "an absolute path": lambda folder: listed(
        folder, **{str(folder.parent / "x.json"): a_file_above(folder)}
    ),
    "linked weights": lambda folder: a_link(folder, FILES[1]),
    "a linked manifest": lambda folder: a_link(folder, MANIFEST),
    "a pipe": a_pipe,
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "a deep manifest": manifest_of("[" * 100_000 + "]" * 100_000),
    **{text or "empty": manifest_of(text)
       for text in ("", "{", "[]", "null", "{}", '{"format": 1}', '{"format": 99}')},
}  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_a_folder_that_is_not_what_was_written_is_one_line_and_not_copied(
    spoil: Callable[[Path], object], tmp_path: Path
) -> None:
    folder, copy = tmp_path / "a", tmp_path / "out" / "copy"
    written(folder)
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        read_adapter(folder)
    assert "\n" not in str(caught.value)
    copy.mkdir(parents=True)
    with pytest.raises(ModelError):
        copy_adapter(folder, copy)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["copy"]


def test_a_copy_is_read_under_another_name_and_an_adapter_is_not(tmp_path: Path) -> None:
    manifest = written(tmp_path / "a")
    (tmp_path / "b").mkdir()
    assert copy_adapter(tmp_path / "a", tmp_path / "b") == manifest == read_copy(tmp_path / "b")
    with pytest.raises(ModelError, match="holds the adapter 'a', not 'b'"):
        read_adapter(tmp_path / "b")


def test_a_copy_for_others_has_no_list_of_forgotten_names(tmp_path: Path) -> None:
    def with_list(aside: Path) -> None:
        save(aside)
        write_forgotten(aside, ["0123456789abcdef"])

    whole = write_adapter(tmp_path / "a", model="m", facts={"losses": [1.0]}, save=with_list)
    (tmp_path / "b").mkdir()
    copy = copy_adapter(tmp_path / "a", tmp_path / "b", for_others=True)
    assert read_forgotten(tmp_path / "a") == frozenset({"0123456789abcdef"})
    assert read_forgotten(tmp_path / "b") is None
    assert copy.files == {name: whole.files[name] for name in whole.files if "forgot" not in name}
    assert (copy.name, copy.facts) == (whole.name, whole.facts)


def test_what_is_copied_is_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another program changes the weights between their check and their copy."""
    written(tmp_path / "a")
    (tmp_path / "b").mkdir()
    read = adapters.check_config

    def changing(file: Path) -> Mapping[str, object]:
        (tmp_path / "a" / "adapter_model.safetensors").write_bytes(b"others")
        return read(file)

    monkeypatch.setattr(adapters, "check_config", changing)
    read_copy(tmp_path / "a")
    with pytest.raises(ModelError, match="changed after training"):
        copy_adapter(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "PROMPT_TUNING", "tokenizer_name_or_path": "/elsewhere"},
        {"peft_type": "XLORA", "adapters": {"a": "/elsewhere"}},
        {"megatron_config": {"a": 1}, "megatron_core": "this"},
        {"loftq_config": {"loftq_bits": 4}},
        {"corda_config": {"cache_file": "/elsewhere"}},
        {"layer_replication": [[0, 9000]]},
        {"init_lora_weights": "pissa"},
        {"target_modules": "(a+)+$"},
        {"target_modules": ["(.*.*.*)*x"]},
        {"rank_pattern": {"(a*)*b": 2}},
        {"r": 0},
        {"r": "16"},
        {"r": 10**9},
    ],
)
def test_a_config_by_which_peft_would_do_more_is_refused(
    config: dict[str, object], tmp_path: Path
) -> None:
    folder = lora(tmp_path / "a", config)
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        check_config(folder / "adapter_config.json")
    with pytest.raises(ModelError):
        check_loadable(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, "[]", '{"r": ' + "1" * 5000 + "}", "\xff"])
def test_a_config_that_is_no_json_object_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(text, "latin-1")
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        check_config(tmp_path / "adapter_config.json")


def test_pickled_weights_are_refused_by_name(tmp_path: Path) -> None:
    folder = lora(tmp_path / "a")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ModelError, match="are a pickle"):
        check_loadable(folder)


def test_another_programs_adapter_may_be_made_of_links(tmp_path: Path) -> None:
    """As in the hub client's cache."""
    folder = lora(tmp_path / "blobs")
    (tmp_path / "snapshot").mkdir()
    for file in folder.iterdir():
        (tmp_path / "snapshot" / file.name).symlink_to(file)
    check_loadable(tmp_path / "snapshot")


def test_forgotten_names_are_kept_as_keys_and_guarded_as_the_weights_are(tmp_path: Path) -> None:
    keys = frozenset(name_key(ecosystem, "zz-ghost") for ecosystem in Ecosystem)
    assert len(keys) == len(Ecosystem)

    def save_both(folder: Path) -> None:
        save(folder)
        write_forgotten(folder, [*keys, *keys])

    manifest = write_adapter(tmp_path / "a", model="made-up", facts=FACTS, save=save_both)
    assert FORGOTTEN in manifest.files
    assert read_forgotten(tmp_path / "a") == keys
    assert "zz-ghost" not in (tmp_path / "a" / FORGOTTEN).read_text("utf-8")


def test_an_adapter_that_does_not_say_what_it_forgot_is_none(tmp_path: Path) -> None:
    assert read_forgotten(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "{}", "[1]"])
def test_a_broken_note_of_forgotten_names_is_one_line(text: str, tmp_path: Path) -> None:
    (tmp_path / FORGOTTEN).write_text(text, "utf-8")
    with pytest.raises(ModelError, match=FORGOTTEN):
        read_forgotten(tmp_path)


CONFIG = {
    "peft_type": "LORA", "r": 16, "lora_alpha": 32, "bias": "none", "use_rslora": False,
    "use_dora": False, "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {},
    "target_modules": ["q_proj"],
}  # fmt: skip
LAYER = "base_model.model.model.layers.0.self_attn.q_proj"


def lora(
    folder: Path,
    config: Mapping[str, object] = MappingProxyType({}),
    tensors: Sequence[str] = ("lora_A", "lora_B"),
) -> Path:
    """An adapter folder as peft writes it."""
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps({**CONFIG, **config}), "utf-8")
    weights = {f"{LAYER}.{name}.weight": np.zeros((2, 2), "float32") for name in tensors}
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


@pytest.mark.parametrize("config", [{}, {"use_rslora": True}, {"r": 512}])
def test_plain_and_rank_stabilised_lora_can_be_served(
    config: dict[str, object], tmp_path: Path
) -> None:
    check_servable(lora(tmp_path / "a", config))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"r": 1024}, "its rank 1024 is over 512"),
        ({"use_dora": True}, "DoRA"),
        ({"bias": "all"}, "biases"),
        ({"modules_to_save": ["lm_head"]}, "whole modules"),
        ({"rank_pattern": {"q_proj": 8}}, "differ in rank"),
        ({"target_modules": "all-linear"}, "doesn't list its layers"),
        ({"peft_type": "IA3"}, "it is IA3"),
    ],
)
def test_what_vllm_refuses_is_refused(config: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        check_servable(lora(tmp_path / "a", config))


def test_what_the_server_itself_sets_a_limit_to(tmp_path: Path) -> None:
    folder = lora(tmp_path / "a", {"r": 32, "use_rslora": True})
    with pytest.raises(ModelError, match="its rank 32 is over 16"):
        check_servable(folder, most_rank=16)
    with pytest.raises(ModelError, match="rank-stabilised, and would be served with alpha / rank"):
        check_servable(folder, rslora=False)
    check_servable(lora(tmp_path / "b"), rslora=False)


def test_weights_that_are_no_lora_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="lora_magnitude_vector"):
        check_servable(lora(tmp_path / "a", {}, ["lora_A", "lora_B", "lora_magnitude_vector"]))
    with pytest.raises(ModelError, match="no weights"):
        check_servable(lora(tmp_path / "b", {}, []))
    with pytest.raises(ModelError, match="holds no LoRA adapter"):
        check_servable(tmp_path / "none")
