"""What serves, measured as a client gets it; and as the daemon's own watches saw it."""

from __future__ import annotations

from pathlib import Path

from ghostbust.config import Config
from ghostbust.home import Home
from ghostbust.loop.build import make_endpoint, make_judge, make_tasks, sampling_settings
from ghostbust.loop.trial.settings import Size
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import measure
from ghostbust.prompts import first_prompts, split
from ghostbust.records import Measurement
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

OUTSIDE_SEED = 771_000
"""no watch, round or gate draws with it"""


def measure_outside(config: Config, folder: Path, adapter: str | None, size: Size) -> Measurement:
    """The adapter, or the base, on held-out prompts through the server; always the same ones.

    ``folder``: a home of its own, so that nothing of this reaches the daemon's. Raises
    EndpointError.
    """
    _, holdout = split(make_tasks(config), config.prompts.holdout_share)
    prompts = list(first_prompts(holdout))[: size.measured]
    sampler = make_endpoint(config, adapter)
    home = Home.open(folder)
    with Store.open(home.database) as store, make_judge(config, home, store) as judge:
        samples = sampler.sample(prompts, sampling_settings(config, OUTSIDE_SEED))
        return measure(judge_samples(samples, judge), seed=0)


def measure_watches(store: Store, model: str, adapter: str | None) -> Measurement | None:
    """All finished watches of the adapter, or the base, pooled; None where there is none."""
    runs = store.runs.recent(
        -1, kinds=[RunKind.WATCH], model=model, adapters=[adapter], measured=True
    )
    answers = [answer for run in runs for answer in store.answers.read(run_id=run.id)]
    return measure(answers, seed=0) if runs else None
