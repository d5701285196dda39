"""The main job once, start to end, on the shipped tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ghostbust.loop.build import (
    gate_sampling,
    runnable_tasks,
    sampling_settings,
    training_settings,
)
from ghostbust.loop.round import RoundOutcome, run_round
from ghostbust.loop.round_steps import RoundPlan
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Found
from ghostbust.prompts import seed_tasks, split
from ghostbust.store.runs import RunKind


@dataclass(frozen=True, slots=True)
class DemoSize:
    """How much is asked. How long that takes is in the README and in docs/log.md."""

    train_tasks: int = 140
    """tasks of the sweep for inventions"""
    train_samples: int = 1
    """completions of each of their prompts"""
    holdout_tasks: int = 50
    """tasks that measure before and after"""


FULL = DemoSize()


def run_demo(
    session: Session,
    seed: int,
    listener: Listener,
    size: DemoSize = FULL,
    found: Found | None = None,
) -> RoundOutcome:
    """Sweeps, then does a round: gates, promotion if they pass, the candidate on held-out tasks.

    ``found`` is called with the sweep's answers as they come.
    """
    training = training_settings(session.config, seed)
    listener.begin(f"load {session.config.model.name}")
    base = session.load_local()
    benchmark = runnable_tasks(session.config, session.cache_dir, listener)
    train, holdout = split(seed_tasks(), session.config.prompts.holdout_share)
    swept = replace(sampling_settings(session.config, seed), samples_per_prompt=size.train_samples)
    measured = gate_sampling(session.config, seed)
    watch = session.watcher(base, swept, listener, weights=False)

    listener.begin(f"sweep {size.train_tasks} tasks for inventions")
    sweep = replace(watch, found=found)
    run_id = sweep.tasks(train[: size.train_tasks], RunKind.DEMO).run_id
    listener.begin(f"ask {size.holdout_tasks} held-out tasks")
    before = replace(watch, settings=measured).tasks(holdout[: size.holdout_tasks], RunKind.DEMO)
    plan = RoundPlan(session, measured, training, listener, benchmark, train_run=run_id)
    return run_round(plan, before, base)
