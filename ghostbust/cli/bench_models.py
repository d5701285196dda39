"""``ghostbust bench unlearners``, ``continual``, ``discovery``: what trains or samples your model.

Each works in HOME/bench, where nothing serves, and goes on from what was sampled and trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.eval import need_plots, show_sections
from ghostbust.cli.options import (
    EcosystemOption,
    EndpointOption,
    KeepPromptsOption,
    ModelOption,
    PlotOption,
    PromptedEcosystem,
    PromptsOption,
    RegistryModeOption,
    SeedOption,
)
from ghostbust.cli.output import Stages
from ghostbust.evaluation.ways import Search, Way
from ghostbust.extras import need_local
from ghostbust.prompts import FRESH
from ghostbust.system import need_linux

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.compare_discovery import FindingPlan
    from ghostbust.loop.session import Session
    from ghostbust.prompts import Task

HoldoutShareOption = Annotated[
    float | None,
    typer.Option(
        "--holdout-share",
        metavar="SHARE",
        show_default="the settings' prompts.holdout_share",
        help="Share of the tasks, by family, that measure and never train.",
    ),
]
HoldoutTasksOption = Annotated[
    int | None,
    typer.Option("--holdout-tasks", min=1, help="Held-out tasks that measure; else all."),
]
FreshOption = Annotated[
    Literal["fresh"] | None,
    typer.Option(
        "--suite", help="Measure on the reserved tasks, fresh, in place of the held-out ones."
    ),
]
TrainSamplesOption = Annotated[
    int | None, typer.Option("--samples", min=1, help="Completions of each training prompt.")
]
HoldoutSamplesOption = Annotated[
    int | None,
    typer.Option(
        "--holdout-samples",
        min=1,
        show_default="the settings' gates.samples",
        help="Completions of each held-out prompt by each model; of the base, twice as many.",
    ),
]
SeedsOption = Annotated[
    int, typer.Option("--seeds", min=1, help="Repeat with so many seeds, from 0.")
]
SeedListOption = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, help="Only with this seed; may be repeated."),
]


@invoked_with("home", "config", "as_json", "quiet")
def unlearners(
    cli: Invocation,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            metavar="NAME",
            show_default="every one",
            help="A method, or `trainer` for the settings' trainer.command; without training, the "
            "base itself: base@0.3 at that temperature, base-instructed or base-instructed-last "
            "with an instruction to name only what exists; or guard: base and adapters under it. "
            "May be repeated. A name that isn't known lists those there are.",
        ),
    ] = None,
    lr: Annotated[
        list[float] | None,
        typer.Option(
            "--lr",
            metavar="RATE",
            show_default="the settings' training.lr",
            help="Learning rate of the methods other than the settings' own; each of them trains "
            "with it. May be repeated.",
        ),
    ] = None,
    seeds: SeedsOption = 3,
    seed: SeedListOption = None,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    train_tasks: Annotated[
        int | None,
        typer.Option("--train-tasks", min=1, help="Training tasks, drawn by each seed; else all."),
    ] = None,
    suite: FreshOption = None,
    holdout_tasks: HoldoutTasksOption = None,
    samples: TrainSamplesOption = None,
    holdout_samples: HoldoutSamplesOption = None,
    equal_steps: Annotated[
        bool,
        typer.Option(
            "--equal-steps",
            help="Smaller batches for methods without repaired answers, which make fewer steps of "
            "the same answers: then they make as many, or more.",
        ),
    ] = False,
    plot: PlotOption = None,
    registry: RegistryModeOption = None,
) -> None:
    """Train by each method on the same answers, and compare the adapters on held-out tasks.

    Beside them stand the base at other temperatures and with an instruction. Tasks are split by
    family; held out is the settings' prompts.holdout_share. Works in HOME/bench, where nothing
    serves. Exits with 0 when it came to its end, whatever it found.
    """
    need_local("comparing methods")
    need_linux("comparing methods, which runs model-written code,")
    from ghostbust.evaluation.comparators import (
        GUARD,
        comparator_named,
        comparators,
        is_comparator,
    )
    from ghostbust.evaluation.comparisons import contest_tables, draw_contest
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.build import make_guard
    from ghostbust.loop.compare import TRAINER, ComparePlan, compare_methods
    from ghostbust.unlearners.methods import METHODS

    need_plots(plot)
    settings = _configure(cli, model, prompts, keep_prompts, holdout_share, samples, registry)
    train, holdout = _sides(settings, ecosystem, holdout_tasks, fresh=suite == FRESH)
    if method:
        methods = [name for name in method if not is_comparator(name)]
        named = [name for name in method if is_comparator(name) and name != GUARD]
        untrained = [comparator_named(name) for name in named]
    else:
        methods = [one.name for one in METHODS] + [TRAINER] * bool(settings.trainer.command)
        untrained = comparators(settings.sampling.temperature)
    with _bench(cli, _without_server(settings)) as (session, stages):
        plan = ComparePlan(
            session,
            list(dict.fromkeys(methods)),
            list(dict.fromkeys(seed or range(seeds))),
            train,
            min(train_tasks or len(train), len(train)),
            holdout,
            equal_steps,
            holdout_samples or settings.gates.samples,
            stages,
            rates=list(dict.fromkeys(lr or ())),
            comparators=list(dict.fromkeys(untrained)),
            guard=make_guard(settings, session.home) if not method or GUARD in method else None,
        )
        found = compare_methods(plan)
    facts = {
        "methods": list(plan.methods),
        "lr": list(plan.rates),
        "comparators": [one.name for one in plan.comparators],
        "guard": plan.guard is not None,
        "seeds": list(plan.seeds),
        "train_tasks": plan.train_tasks,
        "holdout_tasks": len(holdout),
        "holdout_samples": plan.holdout_samples,
        "fresh": suite == FRESH,
        "equal_steps": equal_steps,
        "adapters": session.home.adapters,
    }
    section = EvaluationSection("unlearners", contest_tables(found), lambda: draw_contest(found))
    _report(cli, session, section, plot, facts)


@invoked_with("home", "config", "as_json", "quiet")
def continual(
    cli: Invocation,
    way: Annotated[
        list[Way] | None,
        typer.Option(
            "--way",
            show_default="every one",
            help="How a round builds on the last: refit a fresh adapter on all that was answered, "
            "continue its training, stack a fresh one on it, or merge the two; or static: no "
            "rounds, as much of what the base itself answers. May be repeated.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Rounds of each way.")] = 5,
    seed: SeedOption = 0,
    model: ModelOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    train_tasks: Annotated[
        int | None,
        typer.Option(
            "--train-tasks",
            min=1,
            help="Training tasks in each round, no task twice; else all there are, dealt out.",
        ),
    ] = None,
    suite: FreshOption = None,
    holdout_tasks: HoldoutTasksOption = None,
    samples: TrainSamplesOption = None,
    holdout_samples: HoldoutSamplesOption = None,
    plot: PlotOption = None,
    registry: RegistryModeOption = None,
) -> None:
    """Train several rounds in a row by each way, and compare every round with the base.

    In each round the model as it is answers fresh tasks, and learns. Works in HOME/bench, where
    nothing is gated and nothing serves. Exits with 0 when it came to its end.
    """
    need_local("comparing rounds")
    need_linux("comparing rounds, which runs model-written code,")
    from ghostbust.evaluation.comparisons import continual_tables, draw_continual
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.compare import ContinualPlan, compare_ways

    need_plots(plot)
    settings = _configure(cli, model, prompts, keep_prompts, holdout_share, samples, registry)
    train, holdout = _sides(settings, ecosystem, holdout_tasks, fresh=suite == FRESH)
    each = train_tasks or max(1, len(train) // rounds)
    ways = list(dict.fromkeys(way or Way))
    with _bench(cli, _without_server(settings)) as (session, stages):
        plan = ContinualPlan(
            session,
            ways,
            rounds,
            train,
            each,
            holdout,
            holdout_samples or settings.gates.samples,
            seed,
            stages,
        )
        found = compare_ways(plan)
    facts = {
        "ways": ways,
        "rounds": rounds,
        "seed": seed,
        "train_tasks": each,
        "holdout_tasks": len(holdout),
        "holdout_samples": plan.holdout_samples,
        "fresh": suite == FRESH,
        "adapters": session.home.adapters,
    }
    section = EvaluationSection("continual", continual_tables(found), lambda: draw_continual(found))
    _report(cli, session, section, plot, facts)


@invoked_with("home", "config", "as_json", "quiet")
def discovery(
    cli: Invocation,
    way: Annotated[
        list[Search] | None,
        typer.Option(
            "--way",
            show_default="every one",
            help="What is compared with uniform sampling, which always runs: discovery's own "
            "operators chosen blindly, or as the daemon chooses them. May be repeated.",
        ),
    ] = None,
    answers: Annotated[
        int, typer.Option("--answers", min=1, help="Answers of the uniform way.")
    ] = 3000,
    wave: Annotated[
        int, typer.Option("--wave", min=1, help="Prompts that are chosen at a time.")
    ] = 32,
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="Completions of each prompt.")
    ] = 1,
    seeds: SeedsOption = 3,
    seed: SeedListOption = None,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    plot: PlotOption = None,
    registry: RegistryModeOption = None,
) -> None:
    """Compare adaptive discovery with uniform sampling of the same seed prompts, at equal tokens.

    Tokens of rewriting count. Asks the base on training tasks, in HOME/bench. Exits with 0 when it
    came to its end.
    """
    from ghostbust.evaluation.comparisons import draw_search, search_tables
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.compare_discovery import compare_finding

    need_plots(plot)
    _configure(cli, model, prompts, keep_prompts, holdout_share, samples, registry)
    settings = cli.configure(model__endpoint=endpoint, daemon__watch_prompts=wave)
    with _bench(cli, settings) as (session, stages):
        ways = list(dict.fromkeys(way or Search))
        plan = _search_plan(session, ways, seed or range(seeds), answers, ecosystem, stages)
        found = compare_finding(plan)
    facts = {
        "rewriter": plan.rewriter and plan.rewriter.model,
        "ways": ways,
        "seeds": list(plan.seeds),
        "answers": answers,
        "wave": wave,
        "tasks": len(plan.tasks),
    }
    section = EvaluationSection("discovery", search_tables(found), lambda: draw_search(found))
    _report(cli, session, section, plot, facts)


def _search_plan(
    session: Session,
    ways: Sequence[Search],
    seeds: Sequence[int],
    answers: int,
    ecosystem: PromptedEcosystem,
    stages: Stages,
) -> FindingPlan:
    """The plan, its model loaded; only the chosen ecosystem's packages are asked for."""
    from ghostbust.errors import UsageError
    from ghostbust.loop.build import make_rewriter, make_sampler, make_tasks
    from ghostbust.loop.compare_discovery import FindingPlan
    from ghostbust.loop.discovery.plan import rules_of
    from ghostbust.prompts import split
    from ghostbust.records import Ecosystem

    settings, asked = session.config, Ecosystem(ecosystem)
    tasks = make_tasks(settings, asked)
    if not split(tasks, settings.prompts.holdout_share)[0]:
        raise UsageError("none of the tasks is for training; give more, or another --holdout-share")
    stages.begin(f"load {settings.model.name}")
    sampler = make_sampler(settings, session.cache_dir)
    rules = replace(rules_of(settings, session.judge), ecosystems=(asked,))
    rewriter = make_rewriter(settings)
    if rewriter is not None:
        rewriter.check()
    return FindingPlan(session, sampler, ways, seeds, tasks, answers, rules, stages, rewriter)


def _configure(
    cli: Invocation,
    model: str | None,
    prompts: Sequence[Path] | None,
    keep_prompts: bool,
    holdout_share: float | None,
    samples: int | None,
    registry: str | None,
) -> Config:
    return cli.configure(
        model__name=model,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        prompts__holdout_share=holdout_share,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
    )


def _without_server(settings: Config) -> Config:
    """The settings without model servers: what trains here is sampled here."""
    here = settings.model.model_copy(update={"endpoint": None, "endpoints": ()})
    return settings.model_copy(update={"model": here})


@contextmanager
def _bench(cli: Invocation, settings: Config) -> Iterator[tuple[Session, Stages]]:
    """A session in the bench's own home folder, and its progress on standard error."""
    from ghostbust.loop.session import open_session

    home = cli.make_home().open_bench()
    with (
        on_interrupt("what was sampled and trained is kept; the same command goes on from there"),
        Stages(cli.output) as stages,
        open_session(home, settings, purpose="bench") as session,
    ):
        yield session, stages


def _sides(
    settings: Config, ecosystem: PromptedEcosystem, holdout_tasks: int | None, *, fresh: bool
) -> tuple[list[Task], list[Task]]:
    """The training tasks, and as many held-out ones as `ghostbust eval --limit` takes.

    ``fresh``: the reserved tasks measure in place of the held-out ones.
    """
    from ghostbust.errors import UsageError
    from ghostbust.loop.build import draw, make_tasks
    from ghostbust.loop.compare import HELD_OUT_SEED
    from ghostbust.prompts import fresh_tasks, split
    from ghostbust.records import Ecosystem

    wanted = Ecosystem(ecosystem)
    train, holdout = split(make_tasks(settings, wanted), settings.prompts.holdout_share)
    if fresh:
        holdout = fresh_tasks(wanted)
    for tasks, side in ((train, "for training"), (holdout, "held out")):
        if not tasks:
            raise UsageError(f"none of the tasks is {side}; give more, or another --holdout-share")
    return train, draw(holdout, holdout_tasks or len(holdout), HELD_OUT_SEED)


def _report(
    cli: Invocation,
    session: Session,
    found: EvaluationSection,
    plot: Path | None,
    facts: Mapping[str, object],
) -> None:
    """Tables, plots and the document. ``facts``: what the document has of this bench alone."""
    plots = show_sections(cli.output, [found], plot)
    if "adapters" in facts:
        cli.output.line(f"adapters: {facts['adapters']}")
    config = session.config
    cli.output.document(
        {
            "model": config.model.name,
            "registry": config.registry.mode,
            "samples": config.sampling.samples_per_prompt,
            "temperature": config.sampling.temperature,
            **facts,
            "tables": list(found.tables),
            "home": session.home.path,
            "plots": plots,
            "wall_s": cli.wall_s,
        }
    )
