"""How often the gates on held-out answers say PASS and FAIL, where the truth is known.

The base's answers of a run are a population: its prompt families are drawn with replacement, and
of the answers to each prompt one half, drawn by chance, is the base's and the other the
candidate's. So the candidate is the base, and what is done to its answers is the only truth: names
are taken out, or become unknown, answers become faulty, at rates that put the true figure where the
case says.

    python -m tests.lab.verdicts HOME RUN --replicates 1000
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np

from ghostbust.answer_faults import faults_of
from ghostbust.gates import faults, hallucination, unknown, volume
from ghostbust.gates.interface import Look
from ghostbust.loop.watch import recalled
from ghostbust.measure import NameCounts
from ghostbust.records import Answer, Context, GateResult, GateVerdict, Judged, Verdict
from ghostbust.store.store import Store

ALPHA: Final = 0.05

Gate = Callable[..., GateResult]


@dataclass(frozen=True)
class Change:
    """What is done to the candidate's answers; shares of what is kept, or becomes something."""

    invented: Mapping[Context, float] = field(default_factory=dict)
    """share of the invented names that stay; 1 where nothing is said"""
    real: Mapping[Context, float] = field(default_factory=dict)
    """share of the real names that stay"""
    unknown: float = 0.0
    """share of the names that nobody can judge any more"""
    faulty: float = 0.0
    """share of the answers without a fault that lose their text, though not their names"""

    def made(self, answer: Answer, draw: np.random.Generator) -> Answer:
        """The answer changed. A name stays, goes or becomes unknown as a whole."""
        context = answer.sample.prompt.context
        chances = {
            Verdict.REAL: self.real.get(context, 1.0),
            Verdict.ABSENT: self.invented.get(context, 1.0),
            Verdict.SUSPECT: self.invented.get(context, 1.0),
        }
        verdicts = {one.lookup.name: one.lookup.verdict for one in answer.judged}
        gone, lost = set(), set()
        for name, verdict in verdicts.items():
            if draw.random() >= chances.get(verdict, 1.0):
                gone.add(name)
            elif verdict in chances and draw.random() < self.unknown:
                lost.add(name)
        judged = tuple(
            _unknown(one) if one.lookup.name in lost else one
            for one in answer.judged
            if one.lookup.name not in gone
        )
        sample = answer.sample
        if self.faulty and not _is_faulty(answer) and draw.random() < self.faulty:
            sample = replace(sample, text="")
        return Answer(sample, judged)


def _unknown(one: Judged) -> Judged:
    return dataclasses.replace(
        one, lookup=replace(one.lookup, verdict=Verdict.UNKNOWN, reason="no-mapping")
    )


@functools.cache
def _is_faulty(answer: Answer) -> bool:
    return bool(faults_of(answer))


class AnswerPopulation:
    """The base's answers by family, and the figures that a change has in all of them."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.prompts: dict[str, dict[str, list[Answer]]] = defaultdict(lambda: defaultdict(list))
        for answer in answers:
            prompt = answer.sample.prompt
            self.prompts[prompt.family][prompt.id].append(answer)
        self.samples = min(len(one) for each in self.prompts.values() for one in each.values())
        counts = [
            (answer.sample.prompt.context, NameCounts.of_answer(answer)) for answer in answers
        ]
        self.totals = {
            context: NameCounts.total(c for own, c in counts if own is context)
            for context in Context
            if any(own is context for own, _ in counts)
        }
        self.faulty = sum(map(_is_faulty, answers)) / len(answers)

    def with_drop(self, drop: float) -> Change:
        """The change by which the rate, in each context, falls by ``drop`` in truth."""
        kept = {}
        for context, total in self.totals.items():
            rate = (1 - drop) * total.invented / (total.named or 1)
            kept[context] = rate * total.real / ((1 - rate) * total.invented or 1)
        return Change(invented=kept)

    def with_unknown(self, rise: float) -> Change:
        """The change by which the share of unknown names rises by ``rise`` in truth."""
        whole = NameCounts.total(self.totals.values())
        share = whole.unknown / (whole.named + whole.unknown)
        return Change(unknown=rise / (1 - share))

    def with_faults(self, rise: float) -> Change:
        """The change by which the share of faulty answers rises by ``rise`` in truth."""
        return Change(faulty=rise / (1 - self.faulty))

    def drawn(
        self, families: int, change: Change, draw: np.random.Generator
    ) -> tuple[list[list[Answer]], list[list[Answer]]]:
        """Base and candidate: the answers of each of so many families that were drawn."""
        names = sorted(self.prompts)
        base: list[list[Answer]] = []
        candidate: list[list[Answer]] = []
        half = self.samples // 2
        for copy, place in enumerate(draw.integers(len(names), size=families)):
            sides: tuple[list[Answer], list[Answer]] = ([], [])
            for answers in self.prompts[names[place]].values():
                order = draw.permutation(len(answers))[: 2 * half]
                for number, index in enumerate(order):
                    answer = answers[index]
                    made = answer if number < half else change.made(answer, draw)
                    sides[number >= half].append(_copied(made, copy))
            base.append(sides[0])
            candidate.append(sides[1])
        return base, candidate


def _copied(answer: Answer, copy: int) -> Answer:
    """The answer as that of a family of its own: a family that is drawn twice is two."""
    prompt = answer.sample.prompt
    prompt = replace(prompt, text=f"{copy} {prompt.text}", family=f"{copy} {prompt.family}")
    return Answer(replace(answer.sample, prompt=prompt), answer.judged)


@dataclass(frozen=True)
class Case:
    """A truth, and the gate that has to see it."""

    title: str
    gate: Gate
    change: Change
    harmful: bool
    """the truth is at a limit or beyond: a PASS is an error"""


def cases(population: AnswerPopulation) -> list[Case]:
    """What is tried: each limit itself, a truth beyond it, and harmless candidates."""
    rate, names = hallucination.rate_gate, volume.volume_gate
    moved, faulty = unknown.unknown_gate, faults.faults_gate
    every = list(population.totals)

    def kept(share: float, *contexts: Context) -> Change:
        return Change(real=dict.fromkeys(contexts, share))

    return [
        Case("rate: a drop of 0.50, the limit", rate, population.with_drop(0.5), True),
        Case("rate: a drop of 0.45", rate, population.with_drop(0.45), True),
        Case("rate: a drop of 0.75", rate, population.with_drop(0.75), False),
        Case("rate: a drop of 0.90", rate, population.with_drop(0.9), False),
        Case("volume: 0.90 of the names, the limit", names, kept(0.9, *every), True),
        Case("volume: 0.80 in code alone, the limit", names, kept(0.8, Context.CODE), True),
        Case("volume: 0.50 in code alone", names, kept(0.5, Context.CODE), True),
        Case("volume: as the base", names, Change(), False),
        Case("unknown: 0.10 more, the limit", moved, population.with_unknown(0.1), True),
        Case("unknown: as the base", moved, Change(), False),
        Case("faults: 0.10 more, the limit", faulty, population.with_faults(0.1), True),
        Case("faults: as the base", faulty, Change(), False),
    ]  # fmt: skip


def verdicts(
    population: AnswerPopulation,
    case: Case,
    *,
    families: int,
    blocks: int = 1,
    rounds: int = 1,
    replicates: int,
    seed: int,
) -> Counter[GateVerdict]:
    """How often each verdict comes. Of several rounds PASS counts where any of them passed.

    A round's candidate is asked in ``blocks`` until its verdict is clear, and its rounds share α.
    """
    found: Counter[GateVerdict] = Counter()
    draw = np.random.default_rng(seed)
    ends = [math.ceil(families * block / blocks) for block in range(1, blocks + 1)]
    for _ in range(replicates):
        verdict = GateVerdict.INCONCLUSIVE
        for number in range(1, rounds + 1):
            base, candidate = population.drawn(families, case.change, draw)
            for block, end in enumerate(ends, 1):
                look = Look(ALPHA, number, rounds > 1, block, blocks)
                sides = ([*chain.from_iterable(side[:end])] for side in (base, candidate))
                verdict = case.gate(*sides, look=look).verdict
                if verdict is not GateVerdict.INCONCLUSIVE:
                    break
            if verdict is GateVerdict.PASS:
                break
        found[verdict] += 1
    return found


def main() -> None:
    """Prints the table of docs/concepts/gates.md."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("home", type=Path, help="home folder whose store has the base's answers")
    asked.add_argument("run", type=int, help="number of the base's run")
    asked.add_argument("--families", type=int, default=50, help="prompt families drawn")
    asked.add_argument("--blocks", type=int, default=1)
    asked.add_argument("--rounds", type=int, default=1)
    asked.add_argument("--replicates", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", default="", help="cases whose title begins so")
    given = asked.parse_args()
    population = AnswerPopulation(
        recalled(Store.open(given.home / "ghostbust.db"), given.run).answers
    )
    print("| truth | PASS | FAIL | INCONCLUSIVE |\n| --- | --- | --- | --- |")
    for case in cases(population):
        if not case.title.startswith(given.only):
            continue
        found = verdicts(
            population, case, families=given.families, blocks=given.blocks, rounds=given.rounds,
            replicates=given.replicates, seed=given.seed,
        )  # fmt: skip
        shares = " | ".join(f"{found[one] / given.replicates:.3f}" for one in GateVerdict)
        print(f"| {case.title} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
