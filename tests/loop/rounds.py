"""A round's plan on the small model, for tests of rounds and of their steps."""

from __future__ import annotations

from dataclasses import replace

from ghostbust.gates.tasks import CodingTask
from ghostbust.loop.build import training_settings
from ghostbust.loop.round_steps import RoundPlan
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Silence
from ghostbust.samplers.interface import SamplingSettings

SAMPLING = SamplingSettings(max_new_tokens=8, seed=1)
BENCHMARK = (
    CodingTask(
        "t/0",
        'def one() -> int:\n    """Returns 1."""\n',
        "    return 1\n",
        "def check(candidate):\n    assert candidate() == 1\n",
        "one",
    ),
)


def plan_of(session: Session, listener: Silence | None = None) -> RoundPlan:
    settings = replace(SAMPLING, seed=2)
    training = training_settings(session.config, 5)
    return RoundPlan(session, settings, training, BENCHMARK, listener or Silence())
