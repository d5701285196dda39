"""``ghostbust bench discovery``: what adaptive discovery finds beside uniform sampling."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.bench_tasks import (
    HoldoutShareOption,
    check_plot,
    report_plots,
    settings_of,
)
from ghostbust.cli.context import load_settings
from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.eval import print_tables
from ghostbust.cli.options import (
    AskedEcosystem,
    ConfigOption,
    EcosystemOption,
    EndpointOption,
    HomeOption,
    JsonOption,
    KeepPromptsOption,
    ModelOption,
    PromptsOption,
    QuietOption,
    RegistryModeOption,
)
from ghostbust.cli.output import Output, Stages
from ghostbust.evaluation.ways import Search

if TYPE_CHECKING:
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.loop.compare_discovery import FindingPlan
    from ghostbust.loop.session import Session


def discovery(
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
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, help="Compare with so many seeds, from 0.")
    ] = 3,
    seed: Annotated[
        list[int] | None,
        typer.Option("--seed", min=0, help="Compare with this seed; may be repeated."),
    ] = None,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    prompts: PromptsOption = None,
    keep_prompts: KeepPromptsOption = False,
    ecosystem: EcosystemOption = "pypi",
    holdout_share: HoldoutShareOption = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="DIR", help="Write what is found by tokens, as SVG."),
    ] = None,
    registry: RegistryModeOption = None,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare adaptive discovery with uniform sampling of the same seed prompts, at equal tokens.

    Tokens of rewriting count. Asks the base on training tasks, in HOME/bench. Exits with 0 when it
    came to its end.
    """
    from ghostbust.config import override
    from ghostbust.evaluation.comparisons import draw_search, search_tables
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.home import Home
    from ghostbust.loop.compare_discovery import compare_finding
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    check_plot(plot)
    place = Home.open(home)
    settings = settings_of(
        load_settings(config, place),
        model=model,
        prompts=prompts,
        keep_prompts=keep_prompts,
        holdout_share=holdout_share,
        samples=samples,
        registry=registry,
    )
    settings = override(settings, model__endpoint=endpoint, daemon__watch_prompts=wave)
    started = time.monotonic()
    with (
        on_interrupt("what was sampled is kept; the same command goes on from there"),
        Stages(output) as stages,
        open_session(place.open_bench(), settings, purpose="bench") as session,
    ):
        chosen = list(dict.fromkeys(way or Search))
        numbers = seed or list(range(seeds))
        plan = _plan(session, chosen, numbers, answers, ecosystem, stages)
        found = compare_finding(plan)
    section = EvaluationSection("discovery", search_tables(found), lambda: draw_search(found))
    _report(output, plan, section, plot, time.monotonic() - started)


def _plan(
    session: Session,
    ways: Sequence[Search],
    seeds: Sequence[int],
    answers: int,
    ecosystem: AskedEcosystem,
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


def _report(
    output: Output, plan: FindingPlan, found: EvaluationSection, plot: Path | None, wall_s: float
) -> None:
    print_tables(output, found.tables)
    plots = report_plots(output, found, plot)
    session = plan.session
    output.document(
        {
            "model": session.config.model.name,
            "rewriter": plan.rewriter and plan.rewriter.model,
            "ways": list(plan.ways),
            "seeds": list(plan.seeds),
            "answers": plan.answers,
            "wave": plan.rules.budget,
            "samples": session.config.sampling.samples_per_prompt,
            "temperature": session.config.sampling.temperature,
            "registry": session.config.registry.mode,
            "tasks": len(plan.tasks),
            "tables": list(found.tables),
            "home": session.home.path,
            "plots": plots,
            "wall_s": round(wall_s, 1),
        }
    )
