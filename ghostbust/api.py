"""What ``import ghostbust`` offers: what the commands do, without the printing.

Every error is a `ghostbust.errors.GhostbustError`; what is returned are records. A test compares
this file with docs/reference/api.md and runs the examples there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from ghostbust.errors import UsageError
from ghostbust.extractors.extract import extract as find_refs
from ghostbust.extractors.interface import Language
from ghostbust.extras import need_local
from ghostbust.prompts import MOST_HOLDOUT
from ghostbust.records import ASKED, Ecosystem, PackageRef
from ghostbust.results import (
    Checked,
    CheckedList,
    FoundRef,
    FoundRefs,
    Swept,
    Unlearned,
    is_builtin_import,
)
from ghostbust.text import Lines

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.figures import Behaviour
    from ghostbust.home import Home
    from ghostbust.loop.signals import Listener

__all__ = ["Unlearned", "check", "evaluate", "extract", "sweep", "unlearn"]

AskedEcosystem = Literal["pypi", "npm", "cargo"]
AskedLanguage = Literal["auto", "python", "javascript", "shell"]
AskedRegistry = Literal["snapshot", "live", "auto"]
AskedSide = Literal["all", "train", "holdout"]
LEAST_HOLDOUT = 10
"""held-out tasks, under which no gate can pass"""


def extract(
    text: str,
    *,
    language: Language | AskedLanguage = Language.AUTO,
    expect_list: bool = False,
    truncated: bool = False,
    prompt_text: str = "",
    ecosystem: Ecosystem | AskedEcosystem | None = None,
    filename: str = "",
    builtins: bool = False,
) -> FoundRefs:
    """Every place where a text names a package, in its order. Asks no registry.

    ``builtins``: also imports of what the language itself provides. Raises UsageError for an
    unknown language or ecosystem, and nothing because of the text.
    """
    if ecosystem is not None:
        ecosystem = Ecosystem(_one_of("ecosystem", ecosystem, ASKED))
    refs = find_refs(
        text,
        language=Language(_one_of("language", language, tuple(Language))),
        expect_list=expect_list,
        truncated=truncated,
        prompt_text=prompt_text,
        ecosystem=ecosystem,
        filename=filename,
    )
    lines = Lines(filename, text)
    return FoundRefs(
        FoundRef.of(ref, lines) for ref in refs if builtins or not is_builtin_import(ref)
    )


def check(
    *packages: str | PackageRef | Iterable[str | PackageRef],
    ecosystem: Ecosystem | AskedEcosystem = Ecosystem.PYPI,
    registry: AskedRegistry | None = None,
    as_of: date | None = None,
    home: Path | None = None,
) -> CheckedList:
    """The verdict on each package, in the order given.

    A package is written as for ``ghostbust check`` (``requests>=2``, ``left-pad@npm``, a purl), or
    is a ref that `extract` found; lists are taken too. ``ecosystem``: of names that don't say it.
    ``registry`` says who is asked; None: the ``registry.mode`` of the home folder's settings or the
    environment. ``as_of`` judges by the newest snapshot that isn't later, and asks nobody. Writes
    nothing and makes no home folder. A registry that can't be asked gives UNKNOWN. Raises
    UsageError for what is no package, SnapshotError where a snapshot is missing or broken.
    """
    from ghostbust.home import Home
    from ghostbust.registries.judge import Mode, asked_of, default_judge
    from ghostbust.registries.nearest import nearest_names

    own = Ecosystem(_one_of("ecosystem", ecosystem, ASKED))
    asked = None if registry is None else Mode(_one_of("registry", registry, tuple(Mode)))
    refs = [
        _ref(one, own)
        for given in packages
        for one in ([given] if isinstance(given, str | PackageRef) else given)
    ]
    place = Home.find(home)
    mode, day = asked_of(asked, as_of, place)
    with default_judge(mode, data_dir=place.registry, as_of=day, npm_project=place.path) as judge:
        lookups = judge.with_versions(judge.refs(refs))
        nearest = nearest_names(judge.snapshots, lookups)
    checked = (Checked.of(ref, lookup, nearest) for ref, lookup in zip(refs, lookups, strict=True))
    return CheckedList(checked, str(mode))


def sweep(
    model: str | None = None,
    *,
    endpoint: str | None = None,
    limit: int | None = None,
    side: AskedSide = "all",
    adapter: str = "deployed",
    seed: int = 0,
    config: Config | None = None,
    home: Path | None = None,
    listener: Listener | None = None,
) -> Swept:
    """Sample the model, judge every package that it names, and log it: the answers and the rate.

    ``model``: ``smollm2``, a GGUF file, a Hugging Face id or a folder; None: the settings'.
    ``endpoint``: base URL of an OpenAI-compatible server to sample instead. ``limit``: ask so many
    tasks, drawn by the seed. ``adapter``: a name, ``deployed`` or ``base``. Resumes the same sweep
    if it was interrupted.
    """
    from ghostbust.loop.signals import Silence
    from ghostbust.loop.sweep import run_sweep

    _one_of("side", side, get_args(AskedSide))
    _at_least("limit", limit, 1)
    place, settings = _settings(model, config, home, endpoint)
    started = time.monotonic()
    watched = run_sweep(
        place, settings, listener or Silence(),
        limit=limit, side=side, adapter=adapter, seed=seed,
    )  # fmt: skip
    return Swept(
        model=settings.model.name,
        adapter=watched.answers[0].sample.adapter if watched.answers else adapter,
        seed=seed,
        registry=settings.registry.mode,
        run_id=watched.run_id,
        answers=watched.answers,
        measurement=watched.measurement,
        wall_s=time.monotonic() - started,
    )


def unlearn(
    model: str | None = None,
    *,
    holdout: int = MOST_HOLDOUT,
    train_anyway: bool = False,
    seed: int = 0,
    config: Config | None = None,
    home: Path | None = None,
    listener: Listener | None = None,
) -> Unlearned:
    """Train an adapter on what is logged, gate it, and let it serve if every gate passes.

    ``holdout``: held-out tasks that measure, at most. ``train_anyway``: train even if a gate can't
    pass. Raises NotReadyError, unless ``train_anyway``, where that is known beforehand, and where
    nothing is logged to learn from.
    """
    need_local("unlearn")
    from ghostbust.loop.round import next_round
    from ghostbust.loop.session import open_session
    from ghostbust.loop.signals import Silence

    _at_least("holdout", holdout, LEAST_HOLDOUT)
    place, settings = _settings(model, config, home)
    started = time.monotonic()
    with open_session(place, settings, purpose="round") as session:
        outcome = next_round(
            session, holdout, seed, listener or Silence(), train_anyway=train_anyway
        )
    return Unlearned(outcome, settings.model.name, seed, time.monotonic() - started)


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

    ``adapters``: names, ``deployed``, or folders; none: the base alone. Each is asked the held-out
    tasks, or ``limit`` of them, drawn by the seed. Raises UsageError where no task is held out, and
    for an unknown adapter.
    """
    from ghostbust.loop.build import draw, make_tasks

    need_local("evaluate")
    from ghostbust.loop.evaluate import EvalPlan, choose_adapters, evaluate_behaviour
    from ghostbust.loop.session import open_session
    from ghostbust.loop.signals import Silence
    from ghostbust.prompts import split

    _at_least("limit", limit, 1)
    for temperature in temperatures:
        _at_least("temperature", temperature, 0)
    place, settings = _settings(model, config, home)
    _, held_out = split(make_tasks(settings), settings.prompts.holdout_share)
    if not held_out:
        raise UsageError("none of the tasks is held out; give more of them")
    tasks = draw(held_out, limit or len(held_out), seed)
    with open_session(place, settings, purpose="eval") as session:
        chosen = choose_adapters(session, adapters)
        plan = EvalPlan(session, tasks, chosen, tuple(temperatures), seed, listener or Silence())
        return evaluate_behaviour(plan)


def _ref(package: str | PackageRef, ecosystem: Ecosystem) -> PackageRef:
    from ghostbust.registries.names import ref_of

    if isinstance(package, PackageRef):
        return package
    ref = ref_of(package, ecosystem)
    if ref is None:
        raise UsageError(f"{package!r} comes from no registry, so none can be asked about it")
    return ref


def _one_of(what: str, value: str, known: Sequence[str]) -> str:
    """The value. Raises UsageError, with the choices, where it isn't one of them."""
    if value not in known:
        raise UsageError(f"{what}: should be one of {', '.join(known)}, not {value!r}")
    return value


def _at_least(what: str, value: float | None, least: int) -> None:
    """Raises UsageError for a smaller value; None is none."""
    if value is not None and value < least:
        raise UsageError(f"{what}: should be at least {least}, not {value}")


def _settings(
    model: str | None, config: Config | None, home: Path | None, endpoint: str | None = None
) -> tuple[Home, Config]:
    """The home folder, and the given settings or those that a command would read there."""
    from ghostbust.config import load_config, override
    from ghostbust.home import Home

    place = Home.open(home)
    settings = config or load_config(None, place)
    return place, override(settings, model__name=model, model__endpoint=endpoint)
