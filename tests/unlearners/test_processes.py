"""Two processes train to the weights of one; only the first writes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ghostbust.adapters import read_adapter
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Candidate, SetSplit
from ghostbust.unlearners.adapters import Former
from ghostbust.unlearners.processes import Processes, together
from ghostbust.unlearners.settings import TrainSettings, Weights
from ghostbust.unlearners.steer import Probed
from ghostbust.unlearners.train import run_worker, unlearn

SETTINGS = TrainSettings(
    rank=4, learning_rate=0.01, warmup_steps=2, epochs=2, answers_per_step=3, micro_batch=2,
    weights=Weights(repair=1.0),
)  # fmt: skip
LAUNCH = [
    sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2",
    "--main_process_port", "0", __file__,
]  # fmt: skip


def make(
    sets: SetSplit,
    settings: TrainSettings,
    folder: Path,
    model: Path,
    processes: Processes | None = None,
    *,
    probed: bool = True,
    former: Former | None = None,
) -> Candidate:
    """An adapter; what the model names while it trains is made up."""
    volumes = iter((1.5, 1.0, 1.0, 1.0))

    def probe(_: LoadedModel) -> Probed:
        return Probed(next(volumes), 0.2)

    return unlearn(
        sets, settings, model=str(model), round_id=1, adapters=folder, cache_dir=folder,
        probe=probe if probed else None, processes=processes, former=former,
    )  # fmt: skip


def main(told: Path) -> None:
    """What each of the launched processes does."""
    sets, settings, folder, model, former = pickle.loads(told.read_bytes())
    with together() as processes:
        assert processes is not None
        if processes.main:
            make(sets, settings, folder, model, processes, former=former)
        else:
            run_worker(processes)
            (folder / "followed").touch()


@pytest.mark.parametrize("sharded", [False, True])
def test_two_processes_train_to_the_weights_of_one(
    make_answer: Callable[..., Answer], tiny_model_dir: Path, tmp_path: Path, sharded: bool
) -> None:
    forget = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(5)]
    retain = [make_answer(f"- rich\n- flask{'!' * n}") for n in range(5)]
    sets, settings = (
        SetSplit(tuple(forget), tuple(retain), ()),
        replace(SETTINGS, checkpointing=sharded, members=1 + sharded),
    )
    first = make(sets, settings, tmp_path / "first", tiny_model_dir, probed=False)
    # The others are told the weights that train on; what lies beneath them they read.
    former = Former(first.path, fixed=not sharded)
    alone = make(
        sets, settings, tmp_path / "alone", tiny_model_dir, probed=not sharded, former=former
    )
    told = tmp_path / "told"
    told.write_bytes(pickle.dumps((sets, settings, tmp_path / "both", tiny_model_dir, former)))
    environment = os.environ | {"ACCELERATE_USE_FSDP": str(sharded).lower()}
    done = subprocess.run(
        [*LAUNCH, str(told)], capture_output=True, text=True, timeout=300, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    both = tmp_path / "both"
    assert {path.name for path in both.iterdir()} == {alone.name, "followed"}
    folders = both / alone.name, alone.path
    ours, theirs = (load_file(folder / "adapter_model.safetensors") for folder in folders)
    for name, weights in theirs.items():
        torch.testing.assert_close(ours[name], weights, atol=3e-3, rtol=0.02)
    facts = [read_adapter(f).facts for f in folders]
    assert facts[0]["losses"] == pytest.approx(facts[1]["losses"], rel=0.01)


def test_a_process_alone_has_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with together() as processes:
        assert processes is None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
