"""What an evaluation compares: which adapters, on what, and how each model is asked.

Answers are logged as those of a watch are. What the store has of an evaluation that was cut off,
or of an earlier one, isn't sampled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.adapters import MANIFEST, WEIGHTS, read_adapter, read_copy
from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import BASE
from ghostbust.home import Home
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import find_adapter, make_sampler, need_model, sampling_settings
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import EVAL_SEEDS, Task, first_prompts
from ghostbust.records import Answer, Prompt, content_id
from ghostbust.samplers.interface import Sampler
from ghostbust.store import RunKind

if TYPE_CHECKING:
    from ghostbust.gates import CodingTask
    from ghostbust.models.apart import Apart
    from ghostbust.samplers.local import LocalSampler

Chosen = tuple[str, Path]
"""an adapter's name and folder"""


@dataclass(frozen=True)
class EvalPlan:
    """What is compared, and on what."""

    session: Session
    tasks: Sequence[Task]
    adapters: Sequence[Chosen]
    temperatures: Sequence[float]
    """the base's code at the first one is what all are asked about; persistence and suites are
    asked at it alone"""
    seed: int
    listener: Listener
    few: Sequence[Task] = ()
    """held-out tasks, which changed models and those under stress are asked"""
    coding: Sequence[CodingTask] = ()
    suites: Mapping[str, Sequence[Prompt]] = field(default_factory=dict)
    """the prompts of each external suite"""


def choose_adapters(session: Session, wanted: Sequence[str]) -> list[Chosen]:
    """Names and folders of the adapters: by name, ``deployed``, or an adapter's folder.

    None for ``deployed`` where the base serves. A folder that ghostbust didn't make is named for
    its weights too, as two runs of the same name have to be of the same weights.

    Raises UsageError where there is no such adapter, and for ``base``, which is always compared.
    """
    chosen: dict[str, Path] = {}
    for name in wanted:
        if name == BASE:
            raise UsageError("the base is always compared; name an adapter, or its folder")
        folder = Path(name)
        if (folder / "adapter_config.json").is_file():
            chosen[_folder_name(session.home, folder)] = folder
        elif found := find_adapter(session.store, session.home, name):
            chosen[found[0]] = found[1]
    return list(chosen.items())


def load_sampler(session: Session, adapter: Chosen | None) -> Sampler:
    """The model of the settings, with the adapter if one is given, from wherever it comes."""
    if session.config.model.servers:
        return make_sampler(session.config, session.cache_dir, adapter=adapter)
    return load_local(session, adapter)


def load_local(session: Session, adapter: Chosen | None) -> LocalSampler:
    """The model in this process, with the adapter merged in if one is given.

    Raises as ``parts.make_sampler``.
    """
    from ghostbust.samplers.local import LocalSampler

    model = session.config.model
    name, folder = adapter or (None, None)
    if adapter is not None:
        need_base(session, adapter)
    return LocalSampler.load(
        model.name, session.cache_dir, adapter=name, adapter_path=folder, device=model.device
    )


def load_beside(session: Session, adapter: Chosen, *, exact: bool = False) -> Apart:
    """The model in this process, the adapter kept apart from its weights, as ``load_apart``."""
    from ghostbust.models.apart import load_apart

    need_base(session, adapter)
    model = session.config.model
    return load_apart(model.name, session.cache_dir, adapter[1], device=model.device, exact=exact)


def need_base(session: Session, adapter: Chosen) -> None:
    """Raises UsageError where it is known that the adapter belongs to another model."""
    if (adapter[1] / MANIFEST).exists():
        need_model(adapter, session.config.model.name)


def ask_tasks(
    plan: EvalPlan, sampler: Sampler, tasks: Sequence[Task], temperature: float, seed: int
) -> tuple[Answer, ...]:
    """The model's answers to the tasks in all contexts; NEEDS quotes its own code."""
    watcher = _watcher(plan, sampler, temperature, seed)
    first = list(first_prompts(tasks))
    _begin(plan, sampler.adapter or BASE, temperature, len(first))
    return (_known(watcher, first) or watcher.tasks(tasks, RunKind.EVAL)).answers


def ask_prompts(
    plan: EvalPlan,
    sampler: Sampler,
    prompts: Sequence[Prompt],
    temperature: float,
    seed: int,
    name: str | None = None,
) -> tuple[Answer, ...]:
    """The model's answers to the prompts; ``name`` it, where its adapter's name doesn't do."""
    if not prompts:
        return ()
    watcher = _watcher(plan, sampler, temperature, seed)
    _begin(plan, name or sampler.adapter or BASE, temperature, len(prompts))
    return (_known(watcher, prompts) or watcher.prompts(prompts, RunKind.EVAL)).answers


def ask_again(plan: EvalPlan, sampler: Sampler, prompts: Sequence[Prompt]) -> tuple[Answer, ...]:
    """The answers at the plan's first temperature, with the seed of the model's side.

    What ``evaluation.persistence`` made of the base is on the base's side.
    """
    of_base, _, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    name = sampler.adapter or BASE
    seed = of_base if name.partition(",")[0] == BASE else of_adapters
    if prompts and (operator := prompts[0].operator):
        name = f"{name} ({operator})"
    return ask_prompts(plan, sampler, prompts, plan.temperatures[0], seed, name)


def _watcher(plan: EvalPlan, sampler: Sampler, temperature: float, seed: int) -> Watcher:
    session = plan.session
    settings = replace(sampling_settings(session.config, seed), temperature=temperature)
    if temperature == 0:
        settings = replace(settings, samples_per_prompt=1)
    return Watcher(
        session.store,
        sampler,
        session.judge,
        settings,
        plan.listener.advance,
        made_by=weights_of(session.config),
    )


def _begin(plan: EvalPlan, name: str, temperature: float, prompts: int) -> None:
    plan.listener.begin(f"ask {name} at temperature {temperature:g}: {prompts} prompts")


def _known(watcher: Watcher, first: Sequence[Prompt]) -> Watched | None:
    """What the store has of it; nothing of a server, whose model may be another one by now."""
    return watcher.known(first, RunKind.EVAL) if watcher.made_by else None


def weights_of(config: Config) -> dict[str, object]:
    """What tells a folder's weights from what was there before; empty for a model server."""
    if config.model.servers:
        return {}
    files = sorted(Path(config.model.name).glob("*.safetensors"))
    stats = [(file.name, file.stat()) for file in files]
    return {"weights": content_id(*(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in stats))}


def _folder_name(home: Home, folder: Path) -> str:
    """What its runs are logged under: the home's own name for the home's own weights only."""
    if (folder / MANIFEST).exists():
        manifest = read_copy(folder)
        own = home.adapters / manifest.name
        same = own.is_dir() and read_adapter(own).files == manifest.files
        return manifest.name if same else f"{manifest.name}-{manifest.files[WEIGHTS][:8]}"
    digest = hashlib.sha256()
    for file in sorted(folder.glob("adapter_model.*")):
        digest.update(file.read_bytes())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"
