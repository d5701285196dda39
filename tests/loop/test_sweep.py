"""A sweep asks the side that it is told to, and says where there is nothing to ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.signals import Silence
from ghostbust.loop.sweep import run_sweep
from ghostbust.prompts import side_of
from ghostbust.records import Side


def test_the_asked_side_and_no_other_is_sampled(talking_model_dir: Path, home: Home) -> None:
    config = Config(
        model={"name": str(talking_model_dir), "device": "cpu"},
        sampling={"samples_per_prompt": 1, "max_new_tokens": 4},
        registry={"mode": "snapshot"},
    )
    found = run_sweep(home, config, Silence(), limit=3, side="holdout")
    families = {answer.sample.prompt.family for answer in found.answers}
    share = config.prompts.holdout_share
    assert len(families) == 3
    assert {side_of(family, share) for family in families} == {Side.HOLDOUT}


def test_a_side_without_tasks_is_one_line(home: Home, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.txt"
    tasks.write_text("", "utf-8")
    config = Config(prompts={"files": (tasks,), "holdout_share": 0.5})
    with pytest.raises(UsageError):
        run_sweep(home, config, Silence(), side="holdout")
