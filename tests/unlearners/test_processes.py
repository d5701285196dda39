"""Two processes train to the weights of one; only the first writes."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ghostbust.adapters import read_adapter
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Candidate, SetSplit
from ghostbust.unlearners.processes import Processes, together
from ghostbust.unlearners.settings import Former, TrainSettings, Weights
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
FSDP = "ACCELERATE_USE_FSDP"


@dataclass(frozen=True)
class Job:
    """A training; what the model names meanwhile is made up."""

    sets: SetSplit
    model: Path
    sharded: bool
    former: Former | None = None

    def make(
        self, folder: Path, processes: Processes | None = None, *, probed: bool = True
    ) -> Candidate:
        volumes = iter((1.5, 1.0, 1.0, 1.0))

        def probe(_: LoadedModel) -> Probed:
            return Probed(next(volumes), 0.2)

        settings = replace(SETTINGS, checkpointing=self.sharded, members=1 + self.sharded)
        return unlearn(
            self.sets, settings, model=str(self.model), round_id=1, adapters=folder,
            cache_dir=folder, probe=probe if probed else None, processes=processes,
            former=self.former,
        )  # fmt: skip


def main(folder: Path) -> None:
    """What each of the launched processes does."""
    jobs = [Job(*parts) for parts in pickle.loads((folder / "jobs").read_bytes())]
    with together() as processes:
        assert processes is not None
        for job in jobs:
            os.environ[FSDP] = str(job.sharded).lower()
            if processes.main:
                job.make(folder / f"both-{job.sharded}", processes)
                processes.send(None)
            else:
                run_worker(processes)
        if not processes.main:
            run_worker(processes)
            (folder / "worker-ended").touch()


def test_two_processes_train_to_the_weights_of_one(
    make_answer: Callable[..., Answer], tiny_model_dir: Path, tmp_path: Path
) -> None:
    """With a copy of the model in each on top of a fixed adapter, and with the model sharded from
    an adapter that is trained further; one launch for both, as starting takes longest.
    """
    forget = [make_answer(f"- numpy\n- ghost-{n}", family=str(n)) for n in range(5)]
    retain = [make_answer(f"- rich\n- flask{'!' * n}") for n in range(5)]
    plain = Job(SetSplit(tuple(forget), tuple(retain), ()), tiny_model_dir, sharded=False)
    jobs, alone = [], []
    for sharded in (True, False):
        job = replace(plain, sharded=sharded)
        first = job.make(tmp_path / f"first-{sharded}", probed=False)
        # The others get weights that are trained further from rank 0; fixed ones they read.
        jobs.append(replace(job, former=Former(first.path, fixed=not sharded)))
        # Sharded, rank 0 can't sample the model, so nothing steers.
        alone.append(jobs[-1].make(tmp_path / f"alone-{sharded}", probed=not sharded))
    parts = [(job.sets, job.model, job.sharded, job.former) for job in jobs]
    (tmp_path / "jobs").write_bytes(pickle.dumps(parts))  # this module has another name there
    done = subprocess.run(
        [*LAUNCH, str(tmp_path)], capture_output=True, text=True, timeout=300,
        env=os.environ | {FSDP: "true"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "worker-ended").exists()
    for job, one in zip(jobs, alone, strict=True):
        (both,) = (tmp_path / f"both-{job.sharded}").iterdir()
        assert both.name == one.name
        ours, theirs = (load_file(f / "adapter_model.safetensors") for f in (both, one.path))
        for name, weights in theirs.items():
            torch.testing.assert_close(ours[name], weights, atol=3e-3, rtol=0.02)
        facts = [read_adapter(folder).facts for folder in (both, one.path)]
        assert facts[0]["losses"] == pytest.approx(facts[1]["losses"], rel=0.01)


def test_a_process_alone_has_no_company(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with together() as processes:
        assert processes is None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
