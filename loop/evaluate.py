"""EVALUATE: the base and adapters, side by side, a section for each question.

::

    Task ─ask the base─▶ Prompt ─ask each, twice the base─▶ Answer ─measure─▶ Behaviour
    CodingTask ─complete and score, twice the base─▶ MeasuredTasks ─compare─▶ UtilityResult
    Task ─ask the base─▶ Answer ─predict with and without the adapter─▶ Shift
    Task ─ask each, changed or under stress─▶ Answer ─compare─▶ Row
    suite ─ask each─▶ Answer ─compare─▶ Row
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from ghostbust.adapters import read_forgotten
from ghostbust.evaluation.behaviour import Arm, measure_behaviour
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour
from ghostbust.evaluation.stress import stress
from ghostbust.evaluation.suites import compare_suite
from ghostbust.evaluation.variants import Row
from ghostbust.loop.eval_plan import (
    Chosen,
    EvalPlan,
    ask_again,
    ask_prompts,
    ask_tasks,
    load_beside,
    load_local,
    load_sampler,
)
from ghostbust.loop.session import Session
from ghostbust.prompts import EVAL_SEEDS, prompts_of
from ghostbust.records import Answer
from ghostbust.samplers.interface import Sampler

if TYPE_CHECKING:
    from ghostbust.evaluation.locality import Shift
    from ghostbust.evaluation.persistence import Change
    from ghostbust.evaluation.utility import UtilityResult
    from ghostbust.gates import Subject
    from ghostbust.models.load import LoadedModel

Model = TypeVar("Model")
Load = Callable[[Session, Chosen | None], Sampler]
"""the base for None; raises as ``parts.make_sampler``"""
LoadSubject = Callable[[Session, Chosen | None], "Subject"]
"""the same, of a model whose weights are here"""
REORDERED = "base, reordered"
"""the base against itself, where only the order of coding tasks is another"""


def evaluate_behaviour(plan: EvalPlan, load: Load = load_sampler) -> Behaviour:
    """Samples every model at every temperature, and measures what is said.

    Each answers the same prompts, those of the base's own code included, with random numbers of
    its own. At temperature 0 one answer of each is all there is.
    """
    of_base, of_again, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    first, *other_temperatures = plan.temperatures
    base = _load(plan, None, load)
    answers = ask_tasks(plan, base, plan.tasks, first, of_base)
    prompts = prompts_of(answers)
    arms: dict[float, list[Arm]] = {first: [Arm(BASE, answers)]}
    for temperature in other_temperatures:
        arms[temperature] = [Arm(BASE, ask_prompts(plan, base, prompts, temperature, of_base))]
    for temperature in plan.temperatures:
        if temperature > 0:
            again = ask_prompts(plan, base, prompts, temperature, of_again, AGAIN)
            arms[temperature].append(Arm(AGAIN, again))
    del base  # a second model may not fit beside it
    for name, folder in plan.adapters:
        adapted = _load(plan, (name, folder), load)
        forgotten = read_forgotten(folder)
        for temperature in plan.temperatures:
            answers = ask_prompts(plan, adapted, prompts, temperature, of_adapters, name)
            arms[temperature].append(Arm(name, answers, forgotten))
        del adapted
    plan.listener.begin("measure")
    return measure_behaviour(arms, seed=plan.seed)


def evaluate_utility(plan: EvalPlan, load: LoadSubject = load_local) -> list[UtilityResult]:
    """The base against itself in another order, then against each adapter, on the coding tasks.

    Raises SandboxError where the sandbox can't be trusted.
    """
    from ghostbust.evaluation.utility import (
        UtilitySettings,
        compare_utility,
        measure_model,
        measure_reordered,
    )
    from ghostbust.gates import Look

    limits, tasks = plan.session.config.gates, plan.coding
    settings = UtilitySettings(
        coding_margin=limits.coding_margin,
        likelihood_margin=limits.likelihood_margin,
        look=Look(limits.alpha),
        max_new_tokens=limits.max_new_tokens,
        seed=plan.seed,
        layers=limits.sandbox_layers,
    )
    base = _load(plan, None, load)
    plan.listener.begin(f"solve {len(tasks)} coding tasks: {BASE}")
    before = measure_model(base, tasks, settings)
    plan.listener.begin(f"solve {len(tasks)} coding tasks: {REORDERED}")
    after = {REORDERED: measure_reordered(base, tasks, settings)}
    del base
    for chosen in plan.adapters:
        adapted = _load(plan, chosen, load)
        plan.listener.begin(f"solve {len(tasks)} coding tasks: {chosen[0]}")
        after[chosen[0]] = measure_model(adapted, tasks, settings)
        del adapted
    return [
        compare_utility(before, measured, tasks, settings, names=(BASE, name))
        for name, measured in after.items()
    ]


def evaluate_locality(plan: EvalPlan, load: Load = load_sampler) -> dict[str, list[Shift]]:
    """How far each adapter moved the base's predictions, by name, in float32.

    Measured on the base's answers to the tasks at the first temperature, which ``behaviour`` asks
    for, too, and on the shipped general texts.
    """
    from ghostbust.evaluation.locality import general_texts, locality

    answers = ask_tasks(
        plan, _load(plan, None, load), plan.tasks, plan.temperatures[0], plan.seed + EVAL_SEEDS[0]
    )
    found: dict[str, list[Shift]] = {}
    for chosen in plan.adapters:
        plan.listener.begin(f"compare what {chosen[0]} and the base predict in float32")
        apart = load_beside(plan.session, chosen, exact=True)
        found[chosen[0]] = locality(
            apart.loaded, apart.base, apart.adapted, answers, general_texts(), seed=plan.seed
        )
        del apart
    return found


def evaluate_persistence(plan: EvalPlan) -> dict[str, list[Row]]:
    """What is left of each adapter's effect, by name: merged, kept apart, changed, under stress.

    The tasks are the plan's few, at the first temperature. Raises ModelError for a model that
    can't be quantised, TrainingError where fine-tuning fails.
    """
    base = _load(plan, None, load_sampler)
    seed = plan.seed + EVAL_SEEDS[0]
    answers = ask_tasks(plan, base, plan.few, plan.temperatures[0], seed)
    del base
    return {chosen[0]: _what_is_left(plan, chosen, answers) for chosen in plan.adapters}


def evaluate_suites(plan: EvalPlan, load: Load = load_sampler) -> dict[str, dict[str, list[Row]]]:
    """The base and each adapter on each external suite, at the first temperature.

    By suite, then by adapter; without any, the base beside itself.
    """
    models: list[Chosen | None] = [None, *plan.adapters]
    answers: dict[str, list[tuple[Answer, ...]]] = {suite: [] for suite in plan.suites}
    for chosen in models:
        sampler = _load(plan, chosen, load)
        for suite, prompts in plan.suites.items():
            answers[suite].append(ask_again(plan, sampler, prompts))
        del sampler
    names = [name for name, _ in plan.adapters]
    return {
        suite: {
            name: compare_suite(before, one, seed=plan.seed)
            for name, one in (zip(names, after, strict=True) if after else [(BASE, before)])
        }
        for suite, (before, *after) in answers.items()
    }


def _load(
    plan: EvalPlan, chosen: Chosen | None, load: Callable[[Session, Chosen | None], Model]
) -> Model:
    plan.listener.begin(f"load {plan.session.config.model.name if chosen is None else chosen[0]}")
    return load(plan.session, chosen)


def _what_is_left(plan: EvalPlan, chosen: Chosen, answers: Sequence[Answer]) -> list[Row]:
    """The rows of one adapter; ``answers`` are the base's."""
    from ghostbust.evaluation.locality import general_texts
    from ghostbust.evaluation.persistence import changes, kept_apart, merge_difference, persistence

    prompts = prompts_of(answers)

    def measure(sampler: Sampler) -> Sequence[Answer]:
        return answers if sampler.adapter is None else ask_again(plan, sampler, prompts)

    def fresh(adapted: bool) -> LoadedModel:
        return load_local(plan.session, chosen if adapted else None).loaded

    unchanged, *others = changes([text.text for text in general_texts()])
    what = [unchanged, *(_told(plan, change) for change in others)]
    as_it_is, *changed = persistence(fresh, measure, what, adapter=chosen[0], seed=plan.seed)
    apart = load_beside(plan.session, chosen)
    beside = kept_apart(apart, answers, measure, adapter=chosen[0], seed=plan.seed)
    adapted = load_local(plan.session, chosen)
    gap = merge_difference(apart, adapted.loaded, answers)
    note = (
        f"its logits differ from the merged model's by {gap.mean:.2g} on average, {gap.largest:.2g}"
        f" at most; both choose the same token at {gap.same_choice:.2%} of {gap.places} places"
    )
    del apart
    base = load_local(plan.session, None)
    under_stress = stress(
        plan.few, base, adapted, lambda *asked: ask_again(plan, *asked), seed=plan.seed
    )
    return [as_it_is, replace(beside, note=note), *changed, *under_stress]


def _told(plan: EvalPlan, change: Change) -> Change:
    """The change, which says when it begins."""

    def apply(loaded: LoadedModel) -> str:
        plan.listener.begin(f"change a fresh copy: {change.name}")
        return change.apply(loaded)

    return replace(change, apply=apply)
