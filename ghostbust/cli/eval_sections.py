"""The sections of ``ghostbust eval``: what each needs, what it measures, and its tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghostbust.evaluation.report import Section
    from ghostbust.evaluation.utility import UtilityResult
    from ghostbust.gates import CodingTask
    from ghostbust.loop.eval_plan import EvalPlan
    from ghostbust.loop.listener import Listener
    from ghostbust.loop.session import Session
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


NEED_WEIGHTS = {
    SectionName.UTILITY: "how likely the model finds a text",
    SectionName.LOCALITY: "what the model predicts",
    SectionName.PERSISTENCE: "the model's weights",
}
"""sections for which a model server won't do, and what it doesn't tell"""
NEED_ADAPTERS = (SectionName.LOCALITY, SectionName.PERSISTENCE)
"""sections that say nothing of the base alone"""


def choose_sections(
    asked: Sequence[SectionName] | None, suites: Sequence[str] | None, endpoint: str | None
) -> tuple[SectionName, ...]:
    """The sections, each once. ``--suite`` alone asks for its own.

    Raises UsageError for one that can't be measured with these options.
    """
    from ghostbust.errors import UsageError

    names = tuple(dict.fromkeys(asked or [_DEFAULT[bool(suites)]]))
    if bool(suites) != (SectionName.SUITES in names):
        raise UsageError("--section suites and --suite NAME go together; give both")
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
    from ghostbust.errors import UsageError

    if SectionName.PERSISTENCE in names and not few:
        raise UsageError("--section persistence asks held-out tasks only, and there are none")
    for name in NEED_ADAPTERS:
        if name in names and not adapters:
            raise UsageError(
                f"--section {name} compares adapters with the base, but none serves and none was"
                " named; give --adapter"
            )


def read_suites(
    asked: Sequence[str] | None, limit: int | None, seed: int
) -> dict[str, list[Prompt]]:
    """The prompts of each suite, ``NAME`` or ``NAME=PATH``, as it was asked for.

    Raises UsageError as ``read_suite`` does.
    """
    from ghostbust.evaluation.suites import read_suite
    from ghostbust.loop.parts import draw

    found = {}
    for one in dict.fromkeys(asked or ()):
        name, _, path = one.partition("=")
        prompts = read_suite(name, Path(path).expanduser() if path else None)
        found[one] = draw(prompts, limit or SUITE_PROMPTS, seed)
    return found


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
    from ghostbust.errors import UsageError
    from ghostbust.loop.parts import draw, runnable_tasks

    if SectionName.UTILITY not in names:
        return []
    tasks = runnable_tasks(session.config, session.cache_dir, listener)
    if not tasks:
        raise UsageError(
            "there are no coding tasks for --section utility: HumanEval can't be fetched, or "
            "gates.humaneval_tasks is 0 and gates.mbpp isn't set"
        )
    return draw(tasks, limit or len(tasks), seed)


def run_sections(names: Sequence[SectionName], plan: EvalPlan) -> list[Section]:
    """Each section's tables, in the order of the names.

    Utility is measured first: the frontier says what it found.
    """
    from ghostbust.loop.evaluate import evaluate_utility

    solved = evaluate_utility(plan) if SectionName.UTILITY in names else []
    return [_run(name, plan, solved) for name in names]


def _run(name: SectionName, plan: EvalPlan, solved: Sequence[UtilityResult]) -> Section:
    """One section. Each gets a case of its own here, and its name in ``SectionName``."""
    from ghostbust.evaluation import section_tables as tables
    from ghostbust.evaluation.plots import locality
    from ghostbust.evaluation.report import Section
    from ghostbust.loop import evaluate

    match name:
        case SectionName.BEHAVIOUR:
            from ghostbust.evaluation.behaviour_plots import draw_behaviour
            from ghostbust.evaluation.tables import behaviour_tables

            found = evaluate.evaluate_behaviour(plan)
            changes = {one.candidate: one.pooled.change_percent for one in solved}
            return Section(name, behaviour_tables(found), lambda: draw_behaviour(found, changes))
        case SectionName.UTILITY:
            return Section(name, tables.utility_tables(solved))
        case SectionName.LOCALITY:
            from ghostbust.evaluation.locality import drawn

            shifts = evaluate.evaluate_locality(plan)
            parts = {adapter: drawn(moved) for adapter, moved in shifts.items()}
            return Section(
                name,
                (tables.locality_table(shifts),),
                lambda: {"locality.svg": locality(parts)},
            )
        case SectionName.PERSISTENCE:
            left = evaluate.evaluate_persistence(plan)
            return Section(name, (tables.variant_table("what is left", left),))
        case SectionName.SUITES:
            asked = evaluate.evaluate_suites(plan)
            made = [tables.variant_table(suite, rows) for suite, rows in asked.items()]
            return Section(name, tuple(made))


_DEFAULT = {True: SectionName.SUITES, False: SectionName.BEHAVIOUR}
