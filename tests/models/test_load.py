"""Loading a model folder, putting prompts into its format; precision, heap and cutoffs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from ghostbust.errors import ModelError
from ghostbust.models import load
from ghostbust.models.convert import FORMAT, MANIFEST
from ghostbust.models.fetch import SMOLLM2_GGUF
from ghostbust.models.load import (
    EMBEDDED,
    LoadedModel,
    check_model_name,
    compute_dtype,
    give_back,
    known_cutoff,
    load_model,
    meant,
    multiplies_bfloat16,
    resolve_model,
)


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir), tiny_model_dir, device="cpu")


def copied(folder: Path, to: Path, **tokenizer: object) -> Path:
    """A copy of a model folder whose tokenizer config has these entries instead."""
    shutil.copytree(folder, to)
    path = to / "tokenizer_config.json"
    config = {**json.loads(path.read_text()), **tokenizer}
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
    return to


def test_a_folder_loads_for_inference(tiny: LoadedModel, tiny_model_dir: Path) -> None:
    assert (tiny.name, tiny.folder) == (str(tiny_model_dir), str(tiny_model_dir))
    assert tiny.device == torch.device("cpu")
    assert all(torch.equal(p, p.to(torch.bfloat16).to(p.dtype)) for p in tiny.model.parameters())
    assert not any(p.requires_grad for p in tiny.model.parameters())
    assert not tiny.model.training
    assert tiny.decode([tiny.end_token]) == ""


def test_a_prompt_ends_where_the_answer_begins(tiny: LoadedModel) -> None:
    ids = tiny.encode_prompt("größe 🎉")
    raw = tiny.tokenizer.decode(ids, skip_special_tokens=False)
    assert raw == "<|user|>größe 🎉<|end|><|assistant|>"
    assert ids.count(tiny.end_token) == 1


def test_earlier_turns_come_first_in_the_models_format(tiny: LoadedModel) -> None:
    ids = tiny.encode_prompt("now the file", ("write it", "import numpy"))
    raw = tiny.tokenizer.decode(ids, skip_special_tokens=False)
    assert raw == (
        "<|user|>write it<|end|><|assistant|>import numpy<|end|>"
        "<|user|>now the file<|end|><|assistant|>"
    )


def test_text_goes_there_and_back(tiny: LoadedModel) -> None:
    text = "import numpy as np\n# größe 🎉  , x .\n"
    assert tiny.decode(tiny.encode(text)) == text
    assert tiny.encode("") == []


def test_a_model_without_a_template_gets_the_text_and_a_newline(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = copied(tiny_model_dir, tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    loaded = load_model(str(folder), tmp_path, device="cpu")
    assert loaded.encode_prompt("import numpy") == loaded.encode("import numpy\n")
    assert loaded.encode_prompt("rich", ("a", "b")) == loaded.encode("a\nb\nrich\n")


def test_a_model_without_an_end_token_is_refused_when_it_matters(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = copied(tiny_model_dir, tmp_path / "endless", eos_token=None)
    loaded = load_model(str(folder), tmp_path, device="cpu")
    loaded.model.generation_config.eos_token_id = None
    with pytest.raises(ModelError, match="has no end token"):
        _ = loaded.end_token


def test_all_end_tokens_end_an_answer_and_the_template_says_which_one_is_written(
    tiny_model_dir: Path, tmp_path: Path
) -> None:
    """As in Llama 3 and Phi 3: the generation config has several, the tokenizer one of them."""
    folder = copied(tiny_model_dir, tmp_path / "several", eos_token="<|user|>")
    loaded = load_model(str(folder), tmp_path, device="cpu")
    own, written = (loaded.tokenizer.convert_tokens_to_ids(t) for t in ("<|user|>", "<|end|>"))
    loaded.model.generation_config.eos_token_id = [written, 7]
    assert loaded.end_tokens == {own, written, 7}
    assert loaded.end_token == written


@pytest.mark.parametrize("broken", ["missing", "empty", "weights", "config"])
def test_what_cannot_be_loaded_is_one_line(
    broken: str, tiny_model_dir: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    if broken == "empty":
        folder.mkdir()
    elif broken != "missing":
        shutil.copytree(tiny_model_dir, folder)
        name = "model.safetensors" if broken == "weights" else "config.json"
        (folder / name).write_text("{ nothing")
    with pytest.raises(ModelError, match="can't load the model") as caught:
        load_model(str(folder), tmp_path, device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["./nosuchfolder", "a/b/c", "nosuch/"])
def test_a_folder_that_is_not_there_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    """Without a word about how the hub's names are spelt."""
    with pytest.raises(ModelError, match="there is no such folder; --model takes 'smollm2'"):
        load_model(name, tmp_path, device="cpu")


def test_a_file_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_text("")
    with pytest.raises(ModelError, match="it is a file; --model takes"):
        check_model_name(str(file))


def test_a_name_like_the_embedded_models_gets_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"\(did you mean 'smollm2'\? --model takes 'smollm2', a"):
        load_model("smollm3", tmp_path, device="cpu")
    assert [meant(name) for name in ("smollm2", "gpt2", "org/other-model")] == ["", "", ""]
    assert meant("SmolLM2-135M") == meant("smolm2") == "did you mean 'smollm2'? "


@pytest.mark.parametrize("broken", ["missing", "config", "weights"])
def test_a_broken_adapter_is_one_line(broken: str, tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "adapter"
    if broken != "missing":
        folder.mkdir()
        config = "{" if broken == "config" else '{"peft_type": "LORA", "task_type": "CAUSAL_LM"}'
        (folder / "adapter_config.json").write_text(config)
        (folder / "adapter_model.safetensors").write_text("no weights")
    with pytest.raises(ModelError, match="can't load the adapter") as caught:
        load_model(str(tiny_model_dir), tmp_path, adapter=folder, device="cpu")
    assert "\n" not in str(caught.value)


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def pickled_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "a.bin")
    (folder / "b.safetensors").touch()
    index = {"metadata": {}, "weight_map": {"lm_head.weight": "a.bin"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def an_adapters(folder: Path) -> None:
    """transformers would load the base that it names, and lay the adapter upon it."""
    config = {"peft_type": "LORA", "base_model_name_or_path": "/elsewhere"}
    (folder / "adapter_config.json").write_text(json.dumps(config))


def with_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "acme",
        "auto_map": {"AutoConfig": "c.C", "AutoModel": "c.M"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "c.py").write_text("open('ran', 'w')")


def deep(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / name).write_text('{"a":' * 100_000)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (pickled, "its weights are a pickle"),
        (pickled_shard, "files that aren't safetensors"),
        (an_adapters, "it is an adapter"),
        (with_code, "can't load the model"),
        (deep("config.json"), "can't load the model"),
        (deep("tokenizer.json"), "can't load the model"),
        (deep("tokenizer_config.json"), "can't load the model"),
        (deep("model.safetensors.index.json"), "files that aren't safetensors"),
    ],
)
def test_a_folder_that_holds_more_than_a_model_is_one_line(
    spoil: Callable[[Path], None],
    said: str,
    tiny_model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    shutil.copytree(tiny_model_dir, folder)
    spoil(folder)
    with pytest.raises(ModelError, match=said) as caught:
        load_model(str(folder), tmp_path, device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("config", [{"megatron_config": {"a": 1}}, {"target_modules": "(a+)+$"}])
def test_an_adapter_that_would_do_more_is_refused_before_peft_reads_it(
    config: dict[str, object], tiny_model_dir: Path, tmp_path: Path, make_lora: Callable[..., Path]
) -> None:
    made, folder = make_lora(tmp_path / "a", tiny_model_dir), tmp_path / "b"
    shutil.copytree(made, folder, ignore=shutil.ignore_patterns("ghostbust.json"))
    load_model(str(tiny_model_dir), tmp_path, adapter=folder, device="cpu")
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    with pytest.raises(ModelError, match=r"can't load the adapter .*adapter_config\.json"):
        load_model(str(tiny_model_dir), tmp_path, adapter=folder, device="cpu")


def test_names_resolve_to_folders(tmp_path: Path) -> None:
    assert resolve_model("some/model", tmp_path) == "some/model"
    folder = tmp_path / "models" / "SmolLM2-135M-Instruct"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / MANIFEST).write_text(json.dumps({
        "format": FORMAT, "gguf_sha256": SMOLLM2_GGUF.sha256, "sizes_bytes": {"config.json": 2},
    }))  # fmt: skip
    assert resolve_model(EMBEDDED, tmp_path) == str(folder)


def test_importing_it_loads_no_torch() -> None:
    check = "import sys, ghostbust.models.load; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("names", "fast"),
    [
        ({"avx2": True, "avx512_bf16": True}, True),
        ({"bf16": True, "neon": True}, True),
        ({"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"architecture": "x86_64", "sve_max_length": 0}, False),
    ],
)
def test_the_cpus_own_names_tell(
    names: dict[str, object], fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: names, raising=False)
    assert multiplies_bfloat16() is fast


def test_a_slow_cpu_computes_in_fp32_where_there_is_room(
    tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.model
    monkeypatch.setattr(load, "multiplies_bfloat16", lambda: False)
    assert compute_dtype(model, CPU) is torch.float32
    assert compute_dtype(model, GPU) is torch.bfloat16
    weights = sum(parameter.numel() for parameter in model.parameters())
    monkeypatch.setattr(load, "_memory_bytes", lambda: 4 * weights / load.MOST - 1)
    assert compute_dtype(model, CPU) is torch.bfloat16
    monkeypatch.setattr(load, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(load, "_memory_bytes", lambda: 1e12)
    assert compute_dtype(model, CPU) is torch.bfloat16


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap is Linux's")
def test_pages_below_a_block_in_use_go_back() -> None:
    """The last block pins the top of the heap, so that glibc returns nothing by itself."""
    if "musl" in Path("/proc/self/maps").read_text("utf-8"):
        pytest.skip("musl has no malloc_trim")
    blocks = [torch.ones(25_000) for _ in range(2000)]  # 100 kB each: on the heap
    pin = blocks[-1]
    del blocks
    kept_mb = _resident_mb()
    give_back()
    assert kept_mb - _resident_mb() > 150
    assert float(pin.sum()) == len(pin)


def _resident_mb() -> float:
    status = Path("/proc/self/status").read_text("utf-8")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
    return int(kilobytes) / 1024


@pytest.mark.parametrize(
    ("model", "day"),
    [
        ("smollm2", date(2024, 11, 1)),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", date(2024, 11, 1)),
        ("qwen/qwen2.5-coder-0.5b-instruct", date(2024, 11, 12)),
        ("meta-llama/Llama-3.1-8B-Instruct", date(2023, 12, 31)),
        ("somebody/Qwen2.5-Coder-0.5B-tuned", None),
        ("Qwen/Qwen3-Coder-Next", None),
        ("bigcode/starcoder3", None),
        ("bigcode/starcoder2-15b-instruct-v0.1", None),
        ("deepseek-ai/DeepSeek-Coder-V2-Instruct-0724", None),
        ("/models/smollm2", None),
        ("", None),
    ],
)
def test_known_models(model: str, day: date | None) -> None:
    assert known_cutoff(model) == day


def test_every_row_has_a_day_its_basis_and_a_source() -> None:
    head, *lines = (files("ghostbust.data") / "model_cutoffs.tsv").read_text().splitlines()
    assert head.split("\t") == ["model", "cutoff", "basis", "source"]
    rows = [line.split("\t") for line in lines]
    assert len({row[0].lower() for row in rows}) == len(rows) > 15
    for model, day, basis, source in rows:
        assert date(2022, 1, 1) < date.fromisoformat(day) < date(2026, 11, 24), model
        assert basis in ("stated", "published")
        assert day[:4] in source
