"""EVALUATE: the base and adapters, side by side, a section for each question.

::

    Task ─ask the base─▶ Prompt ─ask each, twice the base─▶ Answer ─measure─▶ Behaviour
    CodingTask ─complete and score, twice the base─▶ MeasuredTasks ─compare─▶ UtilityResult
    Task ─ask the base─▶ Answer ─predict with and without the adapter─▶ Shift
    Task ─ask each, changed or under stress─▶ Answer ─compare─▶ Row
    suite ─ask each─▶ Answer ─compare─▶ Row
    Task ─ask each─▶ Answer ─score its names by the base─▶ Relevance
    Task ─ask each, and the adapter turned round─▶ Answer ─look in its list─▶ Recovered

Answers are logged as those of a watch are. What the store has of an evaluation, of one that was
interrupted too, isn't sampled again.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ghostbust.adapters import MANIFEST, WEIGHTS, read_adapter, read_copy, read_forgotten
from ghostbust.errors import UsageError
from ghostbust.evaluation.behaviour import ModelAnswers, Row, measure_behaviour
from ghostbust.evaluation.comparators import Comparator, guarded
from ghostbust.evaluation.figures import AGAIN, BASE, Behaviour
from ghostbust.evaluation.suites import compare_suite, stress
from ghostbust.home import Home
from ghostbust.loop.build import Chosen, find_adapter, make_sampler, need_model, sampling_settings
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import EVAL_SEEDS, Task, first_prompts, prompts_of
from ghostbust.records import Answer, Prompt
from ghostbust.samplers.interface import AnswerGuard, Sampler
from ghostbust.store.runs import RunKind

if TYPE_CHECKING:
    from ghostbust.evaluation.attack import Recovered
    from ghostbust.evaluation.locality import Shift
    from ghostbust.evaluation.persistence import ModelChange
    from ghostbust.evaluation.relevance import Relevance
    from ghostbust.evaluation.utility import UtilityResult
    from ghostbust.gates.tasks import CodingTask
    from ghostbust.models.load import LoadedModel
    from ghostbust.models.pair import Apart


Model = TypeVar("Model")
Load = Callable[[Session, Chosen | None], Sampler]
"""loads an adapter, or for None the base; raises as ``build.make_sampler``"""
REORDERED = "base, reordered"
"""the base against itself, where only the order of coding tasks is another"""


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
    comparators: Sequence[Comparator] = ()
    """other ways to ask the base, which stand beside the adapters at the first temperature"""
    guard: AnswerGuard | None = None
    """under which the base and the adapters are asked again, at the first temperature; None: not"""


def choose_adapters(session: Session, wanted: Sequence[str]) -> list[Chosen]:
    """The adapters: by name, ``deployed``, or an adapter's folder.

    There is none for ``deployed`` where the base serves. A folder that ghostbust didn't make is
    named after its weights too: two runs of the same name have to be of the same weights.

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
    """The model of the settings at its servers, else in this process, with the adapter if any."""
    if session.config.model.servers:
        return make_sampler(session.config, session.cache_dir, adapter=adapter)
    return session.load_local(adapter)


def load_beside(session: Session, adapter: Chosen, *, exact: bool = False) -> Apart:
    """The model in this process, the adapter kept apart from its weights, as ``load_apart``."""
    from ghostbust.models.pair import load_apart

    model = session.config.model
    if (adapter[1] / MANIFEST).exists():
        need_model(adapter, model.name)
    return load_apart(model.name, session.cache_dir, adapter[1], device=model.device, exact=exact)


def ask_tasks(
    plan: EvalPlan, sampler: Sampler, tasks: Sequence[Task], temperature: float, seed: int
) -> tuple[Answer, ...]:
    """The model's answers to the tasks in all contexts; NEEDS quotes its own code."""
    prompts = len(list(first_prompts(tasks)))
    watcher = _watcher(plan, sampler, sampler.adapter or BASE, temperature, seed, prompts)
    return watcher.tasks(tasks, RunKind.EVAL, reuse=bool(watcher.made_by)).answers


def ask_prompts(
    plan: EvalPlan,
    sampler: Sampler,
    prompts: Sequence[Prompt],
    temperature: float,
    seed: int,
    name: str | None = None,
    *,
    is_guarded: bool = False,
) -> tuple[Answer, ...]:
    """The model's answers to the prompts. ``name``: how the listener names it; None: as it is."""
    if not prompts:
        return ()
    name = name or sampler.adapter or BASE
    watcher = _watcher(plan, sampler, name, temperature, seed, len(prompts), is_guarded=is_guarded)
    return watcher.prompts(prompts, RunKind.EVAL, reuse=bool(watcher.made_by)).answers


def ask_again(plan: EvalPlan, sampler: Sampler, prompts: Sequence[Prompt]) -> tuple[Answer, ...]:
    """The answers at the plan's first temperature, with the seed of the model's side.

    The base's side includes what ``evaluation.persistence`` made of it.
    """
    of_base, _, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    name = sampler.adapter or BASE
    seed = of_base if name.partition(",")[0] == BASE else of_adapters
    if prompts and (operator := prompts[0].operator):
        name = f"{name} ({operator})"
    return ask_prompts(plan, sampler, prompts, plan.temperatures[0], seed, name)


def _watcher(
    plan: EvalPlan,
    sampler: Sampler,
    name: str,
    temperature: float,
    seed: int,
    prompts: int,
    *,
    is_guarded: bool = False,
) -> Watcher:
    """Asks the model at that temperature.

    Only runs of local weights note them, and only these are reused: the model of a server may be
    another one by now.
    """
    plan.listener.begin(f"ask {name} at temperature {temperature:g}: {prompts} prompts")
    settings = replace(sampling_settings(plan.session.config, seed), temperature=temperature)
    if temperature == 0:
        settings = replace(settings, samples_per_prompt=1)
    return plan.session.watcher(sampler, settings, plan.listener, weights=True, guarded=is_guarded)


def _under_guard(
    plan: EvalPlan,
    sampler: Sampler,
    prompts: Sequence[Prompt],
    forgotten: frozenset[str] | None = None,
) -> list[ModelAnswers]:
    """The answers of the model in this process under the plan's guard; none without one."""
    if plan.guard is None:
        return []
    from ghostbust.samplers.local import LocalSampler

    assert isinstance(sampler, LocalSampler)  # the command line sees to it
    held, name = sampler.guarded(plan.guard), guarded(sampler.adapter)
    seed, first = plan.seed + EVAL_SEEDS[2], plan.temperatures[0]
    answers = ask_prompts(plan, held, prompts, first, seed, name, is_guarded=True)
    return [ModelAnswers(name, answers, forgotten)]


def _folder_name(home: Home, folder: Path) -> str:
    """The name its runs are logged under: the home's name for the home's own weights only."""
    if (folder / MANIFEST).exists():
        manifest = read_copy(folder)
        own = home.adapters / manifest.name
        same = own.is_dir() and read_adapter(own).files[WEIGHTS] == manifest.files[WEIGHTS]
        return manifest.name if same else f"{manifest.name}-{manifest.files[WEIGHTS][:8]}"
    digest = hashlib.sha256()
    for file in sorted(folder.glob("adapter_model.*")):
        digest.update(file.read_bytes())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"


def evaluate_behaviour(plan: EvalPlan, load: Load = load_sampler) -> Behaviour:
    """Samples every model at every temperature, and measures the answers.

    Each answers the same prompts, those of the base's own code included, with random numbers of
    its own. At temperature 0 one answer of each is all there is.
    """
    of_base, of_again, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    first, *other_temperatures = plan.temperatures
    base = _load(plan, None, load)
    answers = ask_tasks(plan, base, plan.tasks, first, of_base)
    prompts = prompts_of(answers)
    arms: dict[float, list[ModelAnswers]] = {first: [ModelAnswers(BASE, answers)]}
    for temperature in other_temperatures:
        arms[temperature] = [
            ModelAnswers(BASE, ask_prompts(plan, base, prompts, temperature, of_base))
        ]
    for temperature in plan.temperatures:
        if temperature > 0:
            again = ask_prompts(plan, base, prompts, temperature, of_again, AGAIN)
            arms[temperature].append(ModelAnswers(AGAIN, again))
    for one in plan.comparators:
        heat = first if one.temperature is None else one.temperature
        sent = [one.sent(prompt) for prompt in prompts]
        said = ask_prompts(plan, base, sent, heat, of_adapters, one.name)
        arms[first].append(ModelAnswers(one.name, one.to_tasks(said, prompts)))
    arms[first] += _under_guard(plan, base, prompts)
    del base  # a second model may not fit beside it
    for name, folder in plan.adapters:
        adapted = _load(plan, (name, folder), load)
        forgotten = read_forgotten(folder)
        for temperature in plan.temperatures:
            answers = ask_prompts(plan, adapted, prompts, temperature, of_adapters, name)
            arms[temperature].append(ModelAnswers(name, answers, forgotten))
        arms[first] += _under_guard(plan, adapted, prompts, forgotten)
        del adapted
    plan.listener.begin("measure")
    return measure_behaviour(arms, seed=plan.seed)


def evaluate_utility(plan: EvalPlan) -> list[UtilityResult]:
    """The base against itself in another order, then against each adapter, on the coding tasks.

    Raises SandboxError where the sandbox can't be trusted.
    """
    from ghostbust.evaluation.utility import compare_utility, measure_model, measure_reordered
    from ghostbust.gates.coding import CodingGate
    from ghostbust.gates.interface import Look
    from ghostbust.gates.likelihood import LikelihoodGate

    limits, tasks = plan.session.config.gates, plan.coding
    look = Look(limits.alpha)
    coding = CodingGate(
        tasks,
        margin=limits.coding_margin,
        look=look,
        max_new_tokens=limits.max_new_tokens,
        budget_s=math.inf,
        layers=limits.sandbox_layers,
    )
    likelihood = LikelihoodGate(tasks, margin=limits.likelihood_margin, look=look, seed=plan.seed)
    base = _load(plan, None, Session.load_local)
    plan.listener.begin(f"solve {len(tasks)} coding tasks: {BASE}")
    before = measure_model(base, coding, likelihood)
    plan.listener.begin(f"solve {len(tasks)} coding tasks: {REORDERED}")
    after = {REORDERED: measure_reordered(base, coding, likelihood)}
    del base
    for chosen in plan.adapters:
        adapted = _load(plan, chosen, Session.load_local)
        plan.listener.begin(f"solve {len(tasks)} coding tasks: {chosen[0]}")
        after[chosen[0]] = measure_model(adapted, coding, likelihood)
        del adapted
    return [
        compare_utility(before, measured, coding, likelihood, names=(BASE, name))
        for name, measured in after.items()
    ]


def evaluate_locality(plan: EvalPlan) -> dict[str, list[Shift]]:
    """How far each adapter moved the base's predictions, by name, in float32.

    Measured on the shipped general texts and on the base's answers to the tasks at the first
    temperature, the same that ``behaviour`` asks for.
    """
    from ghostbust.evaluation.locality import general_texts, locality

    base, seed = _load(plan, None, load_sampler), plan.seed + EVAL_SEEDS[0]
    answers = ask_tasks(plan, base, plan.tasks, plan.temperatures[0], seed)
    del base
    found: dict[str, list[Shift]] = {}
    for chosen in plan.adapters:
        plan.listener.begin(f"compare what {chosen[0]} and the base predict in float32")
        apart = load_beside(plan.session, chosen, exact=True)
        found[chosen[0]] = locality(
            apart.loaded, apart.base, apart.adapted, answers, general_texts(), seed=plan.seed
        )
        del apart
    return found


def evaluate_relevance(plan: EvalPlan) -> list[Relevance]:
    """How much likelier the prompts make the names of each model, by the base's probabilities.

    The answers are those that ``behaviour`` asks for at the first temperature, the base's with
    another seed among them where that isn't 0. Raises UsageError for fewer than two tasks.
    """
    from ghostbust.evaluation.relevance import relevance

    if len(plan.tasks) < 2:
        raise UsageError("--section relevance compares prompts of different tasks; give two tasks")

    of_base, of_again, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    first = plan.temperatures[0]
    base = _load(plan, None, Session.load_local)
    models: dict[str, Sequence[Answer]] = {BASE: ask_tasks(plan, base, plan.tasks, first, of_base)}
    prompts = prompts_of(models[BASE])
    if first > 0:
        models[AGAIN] = ask_prompts(plan, base, prompts, first, of_again, AGAIN)
    models |= {one.name: one.answers for one in _under_guard(plan, base, prompts)}
    del base  # a second model may not fit beside it
    for chosen in plan.adapters:
        adapted = _load(plan, chosen, Session.load_local)
        models[chosen[0]] = ask_prompts(plan, adapted, prompts, first, of_adapters, chosen[0])
        models |= {one.name: one.answers for one in _under_guard(plan, adapted, prompts)}
        del adapted
    scorer = _load(plan, None, Session.load_local)
    plan.listener.begin(f"score the names of {len(prompts)} prompts by the base")
    return relevance(scorer, models, seed=plan.seed)


def evaluate_persistence(plan: EvalPlan) -> dict[str, list[Row]]:
    """What is left of each adapter's effect, by name: merged, kept apart, changed, under stress.

    The tasks are the plan's few, at the first temperature. Raises ModelError for a model that
    can't be quantised, TrainingError where fine-tuning fails.
    """
    base, seed = _load(plan, None, load_sampler), plan.seed + EVAL_SEEDS[0]
    answers = ask_tasks(plan, base, plan.few, plan.temperatures[0], seed)
    del base
    return {chosen[0]: _what_is_left(plan, chosen, answers) for chosen in plan.adapters}


def evaluate_attack(plan: EvalPlan) -> dict[str, list[Recovered]]:
    """What each adapter gives away of the names that it forgot, by its name.

    Asked at the first temperature: the base, twice where that isn't 0, the adapter, and the adapter
    turned round. Raises UsageError for an adapter without a list.
    """
    from ghostbust.evaluation.attack import TURNED, recovered, write_scaled

    of_base, of_again, of_adapters = (plan.seed + more for more in EVAL_SEEDS)
    first = plan.temperatures[0]
    lists = {name: read_forgotten(folder) for name, folder in plan.adapters}
    for name, forgotten in lists.items():
        recovered(name, (), forgotten)  # says so before anything is asked
    base = _load(plan, None, Session.load_local)
    asked = {BASE: ask_tasks(plan, base, plan.tasks, first, of_base)}
    prompts = prompts_of(asked[BASE])
    if first > 0:
        asked[AGAIN] = ask_prompts(plan, base, prompts, first, of_again, AGAIN)
    asked |= {one.name: tuple(one.answers) for one in _under_guard(plan, base, prompts)}
    del base  # a second model may not fit beside it
    found = {}
    for name, folder in plan.adapters:
        of_it = dict(asked)
        with tempfile.TemporaryDirectory() as aside:
            write_scaled(folder, Path(aside), -1)
            for chosen in ((name, folder), (f"{name}, {TURNED}", Path(aside))):
                sampler = _load(plan, chosen, Session.load_local)
                of_it[chosen[0]] = ask_prompts(plan, sampler, prompts, first, of_adapters)
                del sampler
        found[name] = [recovered(*each, lists[name]) for each in of_it.items()]
    return found


def evaluate_suites(plan: EvalPlan) -> dict[str, dict[str, list[Row]]]:
    """The base and each adapter on each external suite, at the first temperature.

    By suite, then by adapter; without any, the base beside itself.
    """
    models: list[Chosen | None] = [None, *plan.adapters]
    answers: dict[str, list[tuple[Answer, ...]]] = {suite: [] for suite in plan.suites}
    for chosen in models:
        sampler = _load(plan, chosen, load_sampler)
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
        return plan.session.load_local(chosen if adapted else None).loaded

    unchanged, *others = changes([text.text for text in general_texts()])

    def announced(change: ModelChange) -> ModelChange:
        def apply(loaded: LoadedModel) -> str:
            plan.listener.begin(f"change a fresh copy: {change.name}")
            return change.apply(loaded)

        return replace(change, apply=apply)

    what = [unchanged, *map(announced, others)]
    as_it_is, *changed = persistence(fresh, measure, what, adapter=chosen[0], seed=plan.seed)
    apart = load_beside(plan.session, chosen)
    beside = kept_apart(apart, answers, measure, adapter=chosen[0], seed=plan.seed)
    adapted = plan.session.load_local(chosen)
    gap = merge_difference(apart, adapted.loaded, answers)
    note = (
        f"its logits differ from the merged model's by {gap.mean:.2g} on average, {gap.largest:.2g}"
        f" at most; both choose the same token at {gap.same_choice:.2%} of {gap.places} places"
    )
    del apart
    base = plan.session.load_local(None)
    under_stress = stress(
        plan.few, base, adapted, lambda *asked: ask_again(plan, *asked), seed=plan.seed
    )
    return [as_it_is, replace(beside, note=note), *changed, *under_stress]
