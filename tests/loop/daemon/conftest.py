"""A workplace whose model invents a name in each answer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.prompts import Task
from ghostbust.records import Prompt
from ghostbust.sections import DaemonSection, ModelSection, RegistrySection, SamplingSection

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

CONFIG = Config(
    model=ModelSection(name="made-up"),
    sampling=SamplingSection(samples_per_prompt=1),
    registry=RegistrySection(mode="snapshot"),
    daemon=DaemonSection(watch_prompts=40, round_min_new=5),
)


def one_ghost(prompt: Prompt) -> str:
    return f"```bash\npip install zz-ghost-{prompt.id}\n```"


@pytest.fixture
def place(home: Home, tasks: list[Task], scripted: MakeSampler) -> Workplace:
    """Its round command must not run."""
    return Workplace(
        home=home,
        config=CONFIG,
        tasks=tasks,
        open_sampler=lambda _: scripted(one_ghost),
        round_command=["/no/such/program"],
        stopping=threading.Event(),
    )
