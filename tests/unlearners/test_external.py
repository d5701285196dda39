"""What somebody else's trainer left is looked at closely before anything is done with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.adapters import MANIFEST
from ghostbust.errors import ModelError, TrainingError
from ghostbust.unlearners.external import Metrics, Shape, check_left, read_metrics


@pytest.fixture
def ready(make_lora: Callable[..., Path], talking_model_dir: Path, tmp_path: Path) -> Path:
    folder = make_lora(tmp_path / "ready", talking_model_dir, size=0.1, rank=4)
    (folder / MANIFEST).unlink()
    return folder


def test_a_sound_adapter_tells_its_shape(ready: Path) -> None:
    (ready / "README.md").write_text("made by hand", "utf-8")
    assert check_left(ready, most_rank=4) == Shape(4, frozenset({"q_proj", "v_proj"}))
    with pytest.raises(ModelError, match="its rank 4 is over 3"):
        check_left(ready, most_rank=3)


def test_numbers_that_are_none_and_adapters_that_do_nothing_are_refused(
    make_lora: Callable[..., Path], talking_model_dir: Path, tmp_path: Path
) -> None:
    for size, said in ((0.0, "changes nothing"), (float("inf"), "aren't finite")):
        folder = make_lora(tmp_path / f"made-{size}", talking_model_dir, size=size)
        (folder / MANIFEST).unlink()
        with pytest.raises(ModelError, match=said):
            check_left(folder, most_rank=16)


def test_a_link_is_not_followed(ready: Path) -> None:
    (ready / "more.json").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match=r"'more\.json', which is no plain file"):
        check_left(ready, most_rank=16)


def test_a_folder_is_not_looked_into(ready: Path) -> None:
    (ready / "more").mkdir()
    with pytest.raises(ModelError, match="'more', which is no plain file"):
        check_left(ready, most_rank=16)


def test_metrics_are_read(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    file.write_text(json.dumps({"steps": 2, "losses": [2, 1.5], "train_s": 3}), "utf-8")
    assert read_metrics(file) == Metrics(2, (2.0, 1.5), 3.0)
    for broken in ('{"steps": 2}', '{"steps": 1, "losses": [NaN], "train_s": 1}', "[1]"):
        file.write_text(broken, "utf-8")
        with pytest.raises(TrainingError, match=r"metrics\.json"):
            read_metrics(file)
