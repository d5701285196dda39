"""What ``import ghostbust`` offers: the functions that the commands call, without the printing.

Each raises what it meets as a `ghostbust.errors.GhostbustError`, and returns the records of
`ghostbust.records` and of the loop. Described with examples in docs/reference/api.md, which a test
runs and compares with what stands here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ghostbust.extractors import extract
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.records import Ecosystem, Lookup, PackageRef, RefKind

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.figures import Behaviour
    from ghostbust.home import Home
    from ghostbust.loop.listener import Listener
    from ghostbust.loop.round import RoundOutcome
    from ghostbust.loop.watch import Watched

__all__ = ["Unlearned", "check", "evaluate", "extract", "sweep", "unlearn"]

AskedRegistry = Literal["snapshot", "live", "auto"]
AskedSide = Literal["all", "train", "holdout"]


@dataclass(frozen=True, slots=True)
class Unlearned:
    """What `unlearn` did."""

    before: Watched
    """the base on the held-out prompts"""
    outcome: RoundOutcome
    """the adapter, its gates, ``after`` on the same prompts, and whether it serves now"""


def check(
    *packages: str | PackageRef,
    ecosystem: Ecosystem | Literal["pypi", "npm"] = Ecosystem.PYPI,
    registry: AskedRegistry = "auto",
    as_of: date | None = None,
    home: Path | None = None,
) -> list[Lookup]:
    """The verdict on each package, in the order given.

    A package is a name of the ``ecosystem``, or a ref that `extract` found. ``registry`` says who
    is asked, as ``ghostbust check --registry`` does; ``as_of`` judges by the newest snapshot that
    isn't later, and asks nobody. Nothing is written, and no home folder made. A registry that
    can't be asked gives UNKNOWN; raises SnapshotError where a snapshot is missing or broken.
    """
    from ghostbust.home import Home
    from ghostbust.registries.judge import Mode, default_judge

    mode = Mode(registry) if as_of is None else Mode.SNAPSHOT
    own = Ecosystem(ecosystem)
    refs = [_ref(own, one) if isinstance(one, str) else one for one in packages]
    place = Home.find(home)
    with default_judge(mode, data_dir=place.registry, as_of=as_of, npm_project=place.path) as judge:
        return [judged.lookup for judged in judge.refs(refs)]


def sweep(
    model: str | None = None,
    *,
    limit: int | None = None,
    side: AskedSide = "all",
    adapter: str = "deployed",
    seed: int = 0,
    config: Config | None = None,
    home: Path | None = None,
    listener: Listener | None = None,
) -> Watched:
    """Sample the model, judge every package that it names, and log it: the answers and the rate.

    ``model`` is ``smollm2``, a Hugging Face id or a folder; None, the settings' one. ``limit``: ask
    so many tasks, drawn by the seed. ``adapter`` is a name, ``deployed`` or ``base``. Goes on with
    the same sweep that was interrupted.
    """
    from ghostbust.loop.listener import Silence
    from ghostbust.loop.sweep import run_sweep

    place, settings = _settings(model, config, home)
    return run_sweep(
        place, settings, listener or Silence(),
        limit=limit, side=side, adapter=adapter, seed=seed,
    )  # fmt: skip


def unlearn(
    model: str | None = None,
    *,
    holdout: int = MOST_HOLDOUT,
    seed: int = 0,
    config: Config | None = None,
    home: Path | None = None,
    listener: Listener | None = None,
) -> Unlearned:
    """Train an adapter on what is logged, gate it, and let it serve if every gate passes.

    ``holdout``: held-out tasks that measure, at most. Raises TrainingError where nothing is logged
    that could be learnt from.
    """
    from ghostbust.loop.listener import Silence
    from ghostbust.loop.round import next_round
    from ghostbust.loop.session import open_session

    place, settings = _settings(model, config, home)
    with open_session(place, settings, purpose="round") as session:
        return Unlearned(*next_round(session, holdout, seed, listener or Silence()))


def evaluate(
    *adapters: str,
    model: str | None = None,
    limit: int | None = None,
    temperatures: Sequence[float] = (0.0, 0.7),
    seed: int = 0,
    config: Config | None = None,
    home: Path | None = None,
    listener: Listener | None = None,
) -> Behaviour:
    """What adapters changed in what the model recommends, beside the base and the base again.

    ``adapters`` are names, ``deployed``, or folders; none: the base alone. All are asked the
    held-out tasks, or ``limit`` of them, drawn by the seed. Raises UsageError where no task is held
    out, or there is no such adapter.
    """
    from ghostbust.errors import UsageError
    from ghostbust.loop.eval_plan import EvalPlan, choose_adapters
    from ghostbust.loop.evaluate import evaluate_behaviour
    from ghostbust.loop.listener import Silence
    from ghostbust.loop.parts import draw, make_tasks
    from ghostbust.loop.session import open_session
    from ghostbust.prompts import split

    place, settings = _settings(model, config, home)
    _, held_out = split(make_tasks(settings), settings.prompts.holdout_share)
    if not held_out:
        raise UsageError("none of the tasks is held out; give more of them")
    tasks = draw(held_out, limit or len(held_out), seed)
    with open_session(place, settings, purpose="eval") as session:
        chosen = choose_adapters(session, adapters)
        plan = EvalPlan(session, tasks, chosen, tuple(temperatures), seed, listener or Silence())
        return evaluate_behaviour(plan)


def _ref(ecosystem: Ecosystem, name: str) -> PackageRef:
    from ghostbust.registries.names import canonical_name

    canonical = canonical_name(ecosystem, name)
    return PackageRef(ecosystem, RefKind.MANIFEST, name, 0, len(name), canonical)


def _settings(model: str | None, config: Config | None, home: Path | None) -> tuple[Home, Config]:
    """The home folder, and the given settings or those that a command would read there."""
    from ghostbust.config import load_config, override
    from ghostbust.home import Home

    place = Home.open(home)
    return place, override(config or load_config(None, place), model__name=model)
