"""GATE: what a candidate shows on held-out prompts and on coding tasks, against the base."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from ghostbust.adapters import read_copy
from ghostbust.documents import parse_json
from ghostbust.errors import HomeError
from ghostbust.evaluation.figures import BASE
from ghostbust.files import write_whole
from ghostbust.gates.coding import CodingGate, TaskResults
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Completer, Look, Scorer, Subject
from ghostbust.gates.likelihood import LikelihoodGate, TaskScores
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.volume import volume_gate
from ghostbust.loop.build import benchmark_tasks
from ghostbust.loop.evaluate import Chosen, load_local, weights_of
from ghostbust.loop.session import Session
from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import NameCounts, measure
from ghostbust.models.load import LoadedModel
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    GateReport,
    GateResult,
    GateVerdict,
    Prompt,
    Sample,
    Score,
    content_id,
)
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.sections import GatesSection
from ghostbust.unlearners.sets import Group, group_of, grouped
from ghostbust.unlearners.steer import LEAST, Probed

ON_TASKS = ("likelihood", "coding")
"""the gates on coding tasks; the others are on held-out answers"""


class Gates(Protocol):
    """What says whether a candidate may serve; `run_gates` but where a round itself is tested."""

    def __call__(
        self,
        limits: GatesSection,
        benchmark: Sequence[CodingTask],
        *,
        candidate: str,
        models: tuple[Subject, Subject],
        answers: tuple[Sequence[Answer], Sequence[Answer]],
        seed: int,
        gated: int,
        listener: Listener,
    ) -> GateReport:
        """The report on the candidate."""


def run_gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    *,
    candidate: str,
    models: tuple[Subject, Subject],
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    seed: int,
    gated: int,
    listener: Listener,
) -> GateReport:
    """Every gate's result, in a fixed order. A gate that can't measure is INCONCLUSIVE.

    ``models`` and ``answers`` are the base's and the candidate's; ``seed`` draws the bootstraps;
    ``gated`` counts the earlier rounds that were compared with this base.
    """
    gates = _gates(limits, benchmark, answers, models, models, seed=seed, gated=gated)
    results = []
    for name, gate in gates.items():
        listener.begin(f"gate: {name}")
        results.append(gate())
    return GateReport(candidate, tuple(results))


def never_passed(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    base: Sequence[Answer] | None,
    *,
    seed: int,
    gated: int,
) -> list[GateResult]:
    """The gates that no candidate can pass, each with the reason; known before any training.

    They are those that stay INCONCLUSIVE where the candidate answers just as the base does, and
    both solve every coding task: they have too little to measure with. ``base``: its held-out
    answers; None: not asked yet, so only the gates on coding tasks are tried.
    """
    solved = {task.task_id: True for task in benchmark}
    scores = {task.task_id: Score(1.0, 1) for task in benchmark}
    gates = _gates(
        limits, benchmark, (base or (), base or ()), (solved, solved), (scores, scores),
        seed=seed, gated=gated,
    )  # fmt: skip
    tried = ON_TASKS if base is None else tuple(gates)
    results = [gates[name]() for name in tried]
    return [result for result in results if result.verdict is GateVerdict.INCONCLUSIVE]


def _gates(
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    solving: tuple[Completer | TaskResults, Completer | TaskResults],
    scoring: tuple[Scorer | TaskScores, Scorer | TaskScores],
    *,
    seed: int,
    gated: int,
) -> dict[str, Callable[[], GateResult]]:
    """The gates by name, in the order in which they are run. Each pair: base, candidate."""
    look = look_of(limits, gated)
    coding = CodingGate(
        benchmark,
        margin=limits.coding_margin,
        look=look,
        max_new_tokens=limits.max_new_tokens,
        layers=limits.sandbox_layers,
    )
    likelihood = LikelihoodGate(benchmark, margin=limits.likelihood_margin, look=look, seed=seed)
    volume = partial(
        volume_gate,
        low=limits.volume_low,
        high=limits.volume_high,
        context_low=limits.volume_context_low,
        context_high=limits.volume_context_high,
    )
    return {
        "hallucination": lambda: rate_gate(*answers, min_drop=limits.min_drop, seed=seed),
        "volume": lambda: volume(*answers, seed=seed),
        "faults": lambda: faults_gate(*answers, margin=limits.faults_margin, seed=seed),
        "likelihood": lambda: likelihood.run(*scoring),
        "coding": lambda: coding.run(*solving),
    }


def look_of(limits: GatesSection, gated: int) -> Look:
    """The look that follows ``gated`` others, and whether all of them share alpha."""
    spends = limits.spend == "rounds" or (limits.spend == "auto" and limits.mbpp is not None)
    return Look(limits.alpha, gated + 1, spends)


# --- scoring
# SCORE: how likely base and adapters find the canonical solutions, once each.


def score_known_code(
    session: Session, models: Sequence[Chosen | None], listener: Listener
) -> dict[str, TaskScores]:
    """The scores of each model's canonical solutions, by adapter; None is the base.

    Kept in the home folder, and taken from there where model, adapter and tasks are the same. No
    scores where the tasks can't be fetched.
    """
    tasks = benchmark_tasks(session.config, session.cache_dir, listener)
    found: dict[str, TaskScores] = {}
    for chosen in models:
        name = BASE if chosen is None else chosen[0]
        found[name] = {}
        if not tasks:
            continue
        file = kept_scores(session, chosen)
        known = _read(file)
        if known is None:
            listener.begin(f"score {len(tasks)} canonical solutions with {name}")
            known = LikelihoodGate(tasks).measure(load_local(session, chosen))
            _write(file, known)
        found[name] = known
    return found


def kept_scores(session: Session, chosen: Chosen | None) -> Path:
    """Where a model's scores are kept: named for the weights and the tasks, not for the adapter."""
    model, gates = session.config.model.name, session.config.gates
    tasks = f"humaneval {gates.humaneval_tasks} mbpp {gates.mbpp} {gates.mbpp_tasks}"
    weights = [weights_of(session.config), {} if chosen is None else read_copy(chosen[1]).files]
    key = content_id(model, json.dumps(weights, sort_keys=True), tasks)
    return session.home.path / "scores" / f"{key}.json"


def are_numbers(scores: TaskScores) -> bool:
    """False where a model's predictions are NaN or without bound: it can't be sampled either."""
    return all(math.isfinite(score.nll) for score in scores.values())


def _read(file: Path) -> TaskScores | None:
    """None where nothing is kept. Raises HomeError for a file that is damaged."""
    try:
        rows = parse_json(file.read_text("utf-8"))
        return {task: Score(float(nll), int(tokens)) for task, (nll, tokens) in rows.items()}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError, TypeError, AttributeError) as exc:
        raise HomeError(f"can't read {file}: {exc}; remove it") from exc


def _write(file: Path, scores: TaskScores) -> None:
    rows = {task: (score.nll, score.tokens) for task, score in scores.items()}
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(file, json.dumps(rows) + "\n")
    except OSError as exc:
        raise HomeError(f"can't write {file}: {exc.strerror or exc}") from exc


# --- probe
# The look at rate and volume in the middle of training, on train-side prompts.

LOOK_SEED = 7_919
"""between the seeds of looks that draw anew"""


@dataclass
class Probe:
    """Asks a model under training, and compares how much it names with the base."""

    prompts: Sequence[Prompt]
    base: Sequence[Answer]
    """all that the base answered, to whatever prompts. What it names to a kind of prompt on
    average says more than its one answer to each of ``prompts``: of SmolLM2's, two answers to one
    prompt are hardly more alike than two to any of its kind (docs/log.md)"""
    judge: Judge
    settings: SamplingSettings
    """each prompt is asked once, whatever they say"""
    listener: Listener
    sampler: Callable[[LoadedModel], Sampler] = LocalSampler
    anew: bool = False
    """each look draws other answers: for a training that learns from them"""
    most_looks: int | None = None
    """that all trainings together take at most; None: not known"""
    looks: int = 0
    """that were taken"""

    @property
    def usable(self) -> bool:
        """True where there are prompts, and to such the base names what is real and what isn't."""
        return min(self._expected(self.prompts)) > 0

    def __call__(self, loaded: LoadedModel) -> Probed:
        """What the model names to the prompts; not logged."""
        seed = self.settings.seed + LOOK_SEED * self.looks * self.anew
        self.looks += 1
        of = "" if self.most_looks is None else f" of at most {self.most_looks}"
        self.listener.begin(
            f"measure the volume on {len(self.prompts)} train-side prompts: look {self.looks}{of}"
        )
        samples: list[Sample] = []
        once = replace(self.settings, samples_per_prompt=1, seed=seed)
        for sample in self.sampler(loaded).sample(self.prompts, once):
            samples.append(sample)
            self.listener.advance(len(samples), len(self.prompts))
        answers = judge_samples(samples, self.judge)
        found = measure(answers, seed=self.settings.seed)
        real, invented = self._expected(self.prompts)
        rate = found.rate / (invented / (real + invented)) if found.refs else 0.0
        volume = found.real / real
        volumes = self._volumes(answers)
        # Halfway between the whole and the context: few answers say little.
        excess = {
            group: (math.log(max(volume, LEAST)) + math.log(max(seen, LEAST))) / 2
            for group, seen in volumes.items()
        }
        return Probed(volume, rate, tuple(answers), excess)

    def _volumes(self, answers: Sequence[Answer]) -> dict[Group, float]:
        """Real names as a multiple of the base's, where the base names any."""
        volumes: dict[Group, float] = {}
        for group, some in grouped(answers).items():
            real, _ = self._expected([answer.sample.prompt for answer in some])
            if real:
                volumes[group] = sum(NameCounts.of_answer(answer).real for answer in some) / real
        return volumes

    def _expected(self, prompts: Sequence[Prompt]) -> tuple[float, float]:
        """Real and invented names of the base in one answer to each prompt, on average."""
        named: dict[tuple[Ecosystem, Context], list[tuple[int, int]]] = defaultdict(list)
        for answer in self.base:
            counts = NameCounts.of_answer(answer)
            named[group_of(answer.sample.prompt)].append((counts.real, counts.invented))
        real = invented = 0.0
        for prompt in prompts:
            if pairs := named[group_of(prompt)]:
                real += sum(one for one, _ in pairs) / len(pairs)
                invented += sum(one for _, one in pairs) / len(pairs)
        return real, invented
