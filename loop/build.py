"""The parts of the line, made from the settings."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ghostbust import http
from ghostbust.adapters import MANIFEST, read_copy
from ghostbust.config import HUB, Config
from ghostbust.errors import UnreachableError, UsageError
from ghostbust.extras import need_local
from ghostbust.home import Home
from ghostbust.loop.signals import Listener
from ghostbust.models.load import known_cutoff
from ghostbust.prompts import HOLDOUT_SEED, Task, read_tasks, seed_tasks
from ghostbust.publishers.directory import published
from ghostbust.publishers.kinds import how_to_ask
from ghostbust.records import Ecosystem, content_id
from ghostbust.registries.interface import Meter
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from ghostbust.gates.tasks import CodingTask
    from ghostbust.guard.rewinding import RewindingGuard
    from ghostbust.samplers.endpoint import EndpointSampler
    from ghostbust.samplers.local import LocalSampler
    from ghostbust.unlearners.settings import TrainSettings

Item = TypeVar("Item")
Chosen = tuple[str, Path]
"""an adapter's name and folder"""


def make_tasks(config: Config, ecosystem: Ecosystem = Ecosystem.PYPI) -> list[Task]:
    """The user's own tasks if the settings name files, else the shipped ones.

    ``ecosystem``: of tasks that don't say their language. A text that comes twice, in one file or
    in two, is taken once: under two ids it could be on both sides of the split.
    """
    files = config.prompts.files
    if not files:
        return [replace(task, ecosystem=ecosystem) for task in seed_tasks()]
    own: dict[tuple[Ecosystem, str], Task] = {}
    for task in (task for file in files for task in read_tasks(file, ecosystem)):
        own.setdefault((task.ecosystem, task.text), task)
    return list(own.values())


def draw(items: Sequence[Item], count: int, seed: int) -> list[Item]:
    """``count`` of the items, drawn with the seed; all of them where there are no more."""
    if count >= len(items):
        return list(items)
    return random.Random(seed).sample(list(items), count)  # noqa: S311


def draw_least_used(
    tasks: Sequence[Task], count: int, seed: int, used: Mapping[str, int]
) -> list[Task]:
    """``count`` of the tasks, those first that were ``used`` least often, by id; as `draw`."""
    drawn: list[Task] = []
    for times in sorted({used.get(task.id, 0) for task in tasks}):
        alike = [task for task in tasks if used.get(task.id, 0) == times]
        drawn += draw(alike, count - len(drawn), seed)
    return drawn


def make_judge(config: Config, home: Home, store: Store, meter: Meter | None = None) -> Judge:
    """The judge of the settings, which keeps live verdicts in the store. To be closed.

    ``meter`` counts its requests to live registries; None: they aren't counted.
    """
    as_of = config.registry.as_of
    mode = Mode(config.registry.mode) if as_of is None else Mode.SNAPSHOT
    return default_judge(
        mode,
        cache=store.lookups,
        data_dir=home.registry,
        as_of=as_of,
        cutoff=cutoff_of(config),
        npm_project=home.path,
        meter=meter,
    )


def make_guard(config: Config, home: Home) -> RewindingGuard:
    """What takes back inventions of a model in this process, by the settings' snapshots alone."""
    from ghostbust.guard.reading import Guard
    from ghostbust.guard.rewinding import RewindingGuard

    return RewindingGuard(
        Guard.by_snapshots(
            home.registry,
            as_of=config.registry.as_of,
            cutoff=cutoff_of(config),
            hard=config.guard.hard,
        )
    )


def asks_live(config: Config) -> bool:
    """Whether the settings allow requests to live registries at all."""
    return config.registry.mode != "snapshot" and config.registry.as_of is None


def cutoff_of(config: Config) -> date | None:
    """The knowledge cutoff of the settings' model; None where it isn't known."""
    model = config.model
    return model.cutoff or known_cutoff(model.served_as)


def make_sampler(config: Config, cache_dir: Path, *, adapter: Chosen | None = None) -> Sampler:
    """The endpoint if the settings name one, else the model in this process.

    ``adapter``: the one to sample with; None is the base. Raises UsageError where it belongs to
    another model, and ModelError or EndpointError where a model can't be had.
    """
    if config.model.servers:
        sampler = make_endpoint(config, None if adapter is None else adapter[0])
        sampler.check()
        return sampler
    if adapter is not None:
        need_model(adapter, config.model.name)
    return load_local(config, cache_dir, adapter)


def load_local(config: Config, cache_dir: Path, adapter: Chosen | None = None) -> LocalSampler:
    """The model in this process, with the adapter merged in if one is given.

    Raises UsageError where the adapter's manifest names another model; a folder of other programs
    has none. Raises ModelError where the model can't be had.
    """
    need_local(f"running {config.model.name!r} in this process")
    from ghostbust.samplers.local import LocalSampler

    name, folder = adapter or (None, None)
    if adapter is not None and (adapter[1] / MANIFEST).exists():
        need_model(adapter, config.model.name)
    return LocalSampler.load(
        config.model.name,
        cache_dir,
        adapter=name,
        adapter_path=folder,
        device=config.model.device,
    )


def make_endpoint(config: Config, name: str | None) -> EndpointSampler:
    """The servers of the settings, with the named adapter or, for None, the base.

    How a request names an adapter depends on what serves it, ``publish.kind``. Nothing is requested
    yet, but for the numbers of its adapters from a llama.cpp server.
    """
    from ghostbust.samplers.endpoint import EndpointSampler

    model = config.model
    refuse_guard(config, (server.url for server in model.servers), "the model's server")
    asking = how_to_ask(config, name)
    return EndpointSampler(
        model.servers,
        model.name,
        served_as=asking.model,
        chat=model.chat,
        api_key_env=model.api_key_env,
        adapter=name,
        extra=asking.fields,
    )


def refuse_guard(config: Config, urls: Iterable[str], what: str) -> None:
    """Raises UsageError where one of the addresses is that of the settings' own guard.

    Whoever samples there measures what the guard lets through, not the model.
    """
    if config.guard.upstream is None:
        return

    def place(url: str) -> tuple[str, int | None]:
        found = http.server_url(url, what)
        return {"localhost": "127.0.0.1"}.get(found.host, found.host), found.port

    for url in urls:
        if place(url) == place(config.guard.url):
            raise UsageError(
                f"{what} {url} is the guard's own address, where no invention would be seen: name"
                f" the server behind it, {config.guard.upstream}"
            )


def make_rewriter(config: Config) -> EndpointSampler | None:
    """The other model that rewrites tasks; None where the model under watch rewrites them.

    Nothing is requested yet. Raises UsageError for a URL that can't be used.
    """
    rewriter = config.discovery.rewriter
    if rewriter is None:
        return None
    from ghostbust.samplers.endpoint import EndpointSampler

    return EndpointSampler(rewriter.url, rewriter.model, api_key_env=rewriter.api_key_env)


def need_model(adapter: Chosen, model: str) -> None:
    """Raises UsageError where the adapter was made for another model."""
    made_for = read_copy(adapter[1]).model
    if made_for != model:
        raise UsageError(
            f"the adapter {adapter[0]} belongs to the model {made_for!r}, not to {model!r}; "
            "take the base with --adapter base, or another --home for another model"
        )


def weights_of(config: Config) -> dict[str, object]:
    """Distinguishes a folder's weights from what was there before; empty for a model server."""
    if config.model.servers:
        return {}
    files = sorted(Path(config.model.name).glob("*.safetensors"))
    stats = [(file.name, file.stat()) for file in files]
    return {"weights": content_id(*(f"{n} {s.st_size} {s.st_mtime_ns}" for n, s in stats))}


def deployed_adapter(home: Home) -> Chosen | None:
    """The adapter that serves; None where the base does."""
    return published(home.deployed)


def find_adapter(store: Store, home: Home, wanted: str) -> Chosen | None:
    """The adapter of that name, or what ``deployed`` or ``base`` (None) stands for.

    Raises UsageError where there is no such adapter.
    """
    if wanted == "base":
        return None
    if wanted == "deployed":
        return deployed_adapter(home)
    row = store.rounds.adapter(wanted)
    if row is None:
        raise UsageError(
            f"there is no adapter {wanted!r}; `ghostbust adapters list` shows them, "
            "'deployed' and 'base' are the others"
        )
    return (wanted, row.candidate.path)


def sampling_settings(config: Config, seed: int) -> SamplingSettings:
    """How completions are drawn."""
    section = config.sampling.model_dump()
    return SamplingSettings(batch_size=section.pop("batch_rows"), seed=seed, **section)


def gate_sampling(config: Config, seed: int) -> SamplingSettings:
    """How base and candidate answer the held-out prompts of a round with that seed."""
    drawn = sampling_settings(config, seed + HOLDOUT_SEED)
    return replace(drawn, samples_per_prompt=config.gates.samples)


def training_settings(config: Config, seed: int) -> TrainSettings:
    """How a round trains. Raises UsageError where there is no such method."""
    from ghostbust.unlearners.methods import method_named
    from ghostbust.unlearners.settings import TrainSettings

    training = config.training
    weights = method_named(training.method).weights
    if training.repair is not None:
        weights = replace(weights, repair=training.repair)
    return TrainSettings(
        method=training.method,
        rank=training.rank,
        alpha=training.alpha,
        rslora=training.rslora,
        checkpointing=training.checkpointing,
        learning_rate=training.lr,
        epochs=training.epochs,
        answers_per_step=training.answers_per_step,
        members=training.members,
        max_answers=training.max_answers,
        weights=weights,
        seed=seed,
    )


def runnable_tasks(config: Config, cache_dir: Path, listener: Listener) -> tuple[CodingTask, ...]:
    """The coding tasks of the settings, for models whose answers to them will be run.

    Raises as ``benchmark_tasks``, and SandboxError where there are tasks and the sandbox lacks
    a layer that the settings ask for.
    """
    from ghostbust.gates.layers import require_layers

    tasks = benchmark_tasks(config, cache_dir, listener)
    if tasks:
        require_layers(config.gates.sandbox_layers)
    return tasks


def benchmark_tasks(config: Config, cache_dir: Path, listener: Listener) -> tuple[CodingTask, ...]:
    """The coding tasks of the settings: HumanEval's, then MBPP's where they are named.

    Without HumanEval, where it can't be fetched, there are none at all: the gates then say so.
    MBPP was asked for by name, so UsageError or FetchError is raised before anything is trained.
    """
    from ghostbust.gates.tasks import load_mbpp, load_tasks
    from ghostbust.models.fetch import hub_file, humaneval_tasks

    gates = config.gates
    mbpp: tuple[CodingTask, ...] = ()
    if gates.mbpp is not None:
        on_hub = gates.mbpp.startswith(HUB)
        mbpp = load_mbpp(hub_file(gates.mbpp) if on_hub else Path(gates.mbpp))[: gates.mbpp_tasks]
    if not gates.humaneval_tasks:
        return mbpp
    try:
        humaneval = load_tasks(humaneval_tasks(cache_dir))
    except UnreachableError as exc:
        listener.begin(f"go on without HumanEval, so the gates on coding tasks can't pass: {exc}")
        return ()
    return humaneval[: gates.humaneval_tasks] + mbpp
