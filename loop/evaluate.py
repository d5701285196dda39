"""EVALUATE: the base, the base again and adapters, on the same prompts, side by side.

::

    Task ─ask the base─▶ Prompt ─ask each, twice the base─▶ Answer ─measure─▶ Behaviour
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ghostbust.adapters import MANIFEST, read_adapter, read_forgotten
from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import Arm, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour
from ghostbust.loop.listener import Listener
from ghostbust.loop.parts import find_adapter, make_sampler, sampling_settings
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watched, Watcher
from ghostbust.prompts import EVAL_SEEDS, Task, first_prompts, prompts_of
from ghostbust.records import Answer, Prompt, content_id
from ghostbust.samplers.interface import Sampler
from ghostbust.store import RunKind

Chosen = tuple[str, Path]
"""an adapter's name and folder"""
Load = Callable[[Session, Chosen | None], Sampler]
"""the base for None; raises as ``parts.make_sampler``"""


@dataclass(frozen=True)
class EvalPlan:
    """What is compared, and on what."""

    session: Session
    tasks: Sequence[Task]
    adapters: Sequence[Chosen]
    temperatures: Sequence[float]
    """the base's code at the first one is what all are asked about"""
    seed: int
    listener: Listener


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
            chosen[_folder_name(folder)] = folder
        elif found := find_adapter(session.store, session.home, name):
            chosen[found[0]] = found[1]
    return list(chosen.items())


def load_sampler(session: Session, adapter: Chosen | None) -> Sampler:
    """The model of the settings, with the adapter if one is given, from wherever it comes."""
    model = session.config.model
    foreign = adapter is not None and not (adapter[1] / MANIFEST).exists()
    if adapter is None or not foreign or model.endpoint is not None:
        return make_sampler(session.config, session.cache_dir, adapter=adapter)
    from ghostbust.samplers.local import LocalSampler

    return LocalSampler.load(
        model.name,
        session.cache_dir,
        adapter=adapter[0],
        adapter_path=adapter[1],
        device=model.device,
    )


def evaluate_behaviour(plan: EvalPlan, load: Load = load_sampler) -> Behaviour:
    """Samples every model at every temperature, and measures what is said.

    Each answers the same prompts, those of the base's own code included, with random numbers of
    its own. At temperature 0 one answer of each is all there is. What the store has of an
    evaluation that was cut off, or of an earlier one, isn't sampled again.
    """
    of_base, of_again, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    plan.listener.begin(f"load {plan.session.config.model.name}")
    base = load(plan.session, None)
    prompts: tuple[Prompt, ...] = ()
    arms: dict[float, list[Arm]] = {}
    for temperature in plan.temperatures:
        answers = _ask(plan, base, prompts, temperature, of_base, BASE)
        prompts = prompts or prompts_of(answers)
        arms[temperature] = [Arm(BASE, answers)]
        if temperature > 0:
            again = _ask(plan, base, prompts, temperature, of_again, AGAIN)
            arms[temperature].append(Arm(AGAIN, again))
    del base  # a second model may not fit beside it
    for name, folder in plan.adapters:
        plan.listener.begin(f"load {name}")
        adapted = load(plan.session, (name, folder))
        forgotten = read_forgotten(folder)
        for temperature in plan.temperatures:
            answers = _ask(plan, adapted, prompts, temperature, of_adapters, name)
            arms[temperature].append(Arm(name, answers, forgotten))
        del adapted
    plan.listener.begin("measure")
    return measure_behaviour(arms, seed=plan.seed)


def _ask(
    plan: EvalPlan,
    sampler: Sampler,
    prompts: Sequence[Prompt],
    temperature: float,
    seed: int,
    name: str,
) -> tuple[Answer, ...]:
    """The model's answers to the prompts; without any, to the tasks in all contexts."""
    session = plan.session
    settings = replace(sampling_settings(session.config, seed), temperature=temperature)
    if temperature == 0:
        settings = replace(settings, samples_per_prompt=1)
    watcher = Watcher(
        session.store,
        sampler,
        session.judge,
        settings,
        plan.listener.advance,
        made_by=weights_of(session.config),
    )
    first = prompts or list(first_prompts(plan.tasks))
    plan.listener.begin(f"ask {name} at temperature {temperature:g}: {len(first)} prompts")
    watched = _known(watcher, first)
    if watched is None and prompts:
        watched = watcher.prompts(prompts, RunKind.EVAL)
    elif watched is None:
        watched = watcher.tasks(plan.tasks, RunKind.EVAL)
    return watched.answers


def _known(watcher: Watcher, first: Sequence[Prompt]) -> Watched | None:
    """What the store has of it; nothing of a server, whose model may be another one by now."""
    return watcher.known(first, RunKind.EVAL) if watcher.made_by else None


def weights_of(config: Config) -> dict[str, object]:
    """What tells a folder's weights from what was there before; empty for a model server."""
    if config.model.endpoint is not None:
        return {}
    files = sorted(Path(config.model.name).glob("*.safetensors"))
    stats = [(file.name, file.stat()) for file in files]
    return {"weights": content_id(*(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in stats))}


def _folder_name(folder: Path) -> str:
    if (folder / MANIFEST).exists():
        return read_adapter(folder).name
    digest = hashlib.sha256()
    for file in sorted(folder.glob("adapter_model.*")):
        digest.update(file.read_bytes())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"
