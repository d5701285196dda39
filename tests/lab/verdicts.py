"""How often the gates on held-out answers say PASS and FAIL, where the truth is known.

A base's answers are a population: prompt families are drawn with replacement, and for each of their
prompts the base's answers and the candidate's, with replacement, from the same answers. So the
candidate is the base, and what is done to its names is the only truth: names are taken out, added
or become unknown, answers become faulty, at rates that put the true figure where the case says.

Only counts matter to the gates, so a draw is a few products of arrays, and a thousand of them take
seconds. `tests/lab/test_verdicts.py` compares them with those of the answers themselves.

    python -m tests.lab.verdicts HOME RUN... --replicates 1000
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb, sqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ghostbust.answer_faults import faults_of
from ghostbust.gates.faults import faults_gate
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Look
from ghostbust.gates.unknown import unknown_gate
from ghostbust.gates.volume import volume_gate
from ghostbust.loop.watch import recalled
from ghostbust.measure import NameCounts, own_real_names
from ghostbust.records import Answer, Context, GateVerdict
from ghostbust.side_by_side import SideBySide
from ghostbust.store.store import Store

ALPHA: Final = 0.05
LIMIT: Final = ", the limit"
"""ends the title of a truth at which a PASS is most often an error"""

Counts = NDArray[np.int64]
Judge = Callable[[SideBySide, Look], GateVerdict]
"""the verdict on what both sides named, at a look"""


@dataclass(frozen=True)
class Change:
    """What is done to the candidate's names and answers."""

    invented: Mapping[Context, float] = field(default_factory=dict)
    """share of the invented names that stay; 1 where nothing is said"""
    real: Mapping[Context, float] = field(default_factory=dict)
    """share of the real names that stay"""
    unknown: float = 0.0
    """share of the real and invented names that nobody can judge any more"""
    added: float = 0.0
    """unknown names that are added, as a share of all"""
    faulty: float = 0.0
    """share of the answers without a fault that get one"""


class AnswerPopulation:
    """What a base named in N answers to each prompt, one prompt a family (F) and context (C)."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        cells: dict[tuple[str, Context], dict[str, list[Answer]]] = defaultdict(
            lambda: defaultdict(list)
        )
        for answer in answers:
            prompt = answer.sample.prompt
            cells[prompt.family, prompt.context][prompt.id].append(answer)
        asked = {cell: max(by_prompt.values(), key=len) for cell, by_prompt in cells.items()}
        self.samples = min(map(len, asked.values()))
        families = sorted({family for family, _ in asked})
        self.contexts = tuple(c for c in Context if any(own is c for _, own in asked))
        shape = (len(families), len(self.contexts), self.samples)
        names = {
            cell: sorted({name for one in found for name in own_real_names(one)})
            for cell, found in asked.items()
        }
        self.asked = np.zeros(shape[:2], dtype=np.int64)  # (F, C)
        self.real = np.zeros((*shape, max(map(len, names.values()))))  # (F, C, N, G), 0 or 1
        self.invented, self.unknown, self.faulty = (np.zeros(shape) for _ in range(3))  # (F, C, N)
        for (family, context), found in asked.items():
            place = families.index(family), self.contexts.index(context)
            self.asked[place] = 1
            for number, answer in enumerate(found[: self.samples]):
                counts = NameCounts.of_answer(answer)
                here = (*place, number)
                for name in own_real_names(answer):
                    self.real[(*here, names[family, context].index(name))] = 1
                self.invented[here], self.unknown[here] = counts.invented, counts.unknown
                self.faulty[here] = bool(faults_of(answer))

    def with_drop(self, drop: float) -> Change:
        """The change by which the rate, in each context, falls by ``drop`` in truth."""
        kept = {}
        for column, context in enumerate(self.contexts):
            invented, real = self.invented[:, column].sum(), self.real[:, column].sum()
            rate = (1 - drop) * invented / ((invented + real) or 1)
            kept[context] = float(rate * real / ((1 - rate) * invented or 1))
        return Change(invented=kept)

    def with_unknown(self, rise: float) -> Change:
        """The change by which the share of unknown names rises by ``rise`` in truth."""
        named = self.invented.sum() + self.real.sum()
        return Change(unknown=float(rise * (named + self.unknown.sum()) / named))

    def with_faults(self, rise: float) -> Change:
        """The change by which the share of faulty answers rises by ``rise`` in truth."""
        share = self.faulty.sum() / (self.asked.sum() * self.samples)
        return Change(faulty=float(rise / (1 - share)))

    def blocks(
        self, families: int, samples: int, blocks: int, change: Change, draw: np.random.Generator
    ) -> Iterator[SideBySide]:
        """Base and candidate after each block of ``samples`` answers a prompt."""
        picked = draw.integers(len(self.asked), size=families)
        keep = [
            np.array([[shares.get(c, 1.0) for c in self.contexts]])  # (1, C)
            for shares in (change.real, change.invented)
        ]
        base, candidate = _Sums(self, picked), _Sums(self, picked)
        for block in range(1, blocks + 1):
            base.more(samples, draw)
            candidate.more(samples, draw, change, keep)
            yield SideBySide(
                tuple(map(str, range(families))),
                self.contexts,
                base.figures(base.naming, block * samples, samples - 1, own=True),
                candidate.figures(base.naming, block * samples, samples - 1, own=False),
                samples - 1,
            )


class _Sums:
    """What one model named so far, in the families that were picked."""

    def __init__(self, population: AnswerPopulation, picked: Counts) -> None:
        self._of, self._picked = population, picked
        self.asked = population.asked[picked]
        self.naming: Counts = np.zeros((*self.asked.shape, population.real.shape[3]), np.int64)
        """answers that name each real name: (F, C, G)"""
        self._sums = {name: np.zeros(self.asked.shape, np.int64) for name in _SUMMED}  # (F, C)

    def more(
        self, samples: int, draw: np.random.Generator, change: Change | None = None,
        keep: Sequence[NDArray[np.float64]] = (),
    ) -> None:  # fmt: skip
        """Adds so many answers to each prompt."""
        of = self._of
        equal = np.full(of.samples, 1 / of.samples)
        times = draw.multinomial(samples, equal, size=self.asked.shape) * self.asked[:, :, None]
        naming = np.rint(
            np.matmul(times[:, :, None, :].astype(float), of.real[self._picked])[:, :, 0]
        ).astype(np.int64)  # (F, C, 1, N) @ (F, C, N, G)
        found = {
            name: np.rint((times * getattr(of, name)[self._picked]).sum(axis=2)).astype(np.int64)
            for name in _SUMMED
        }
        if change is not None:
            every = naming.sum(axis=2) + found["invented"] + found["unknown"]
            naming = draw.binomial(naming, keep[0][:, :, None])
            found["invented"] = draw.binomial(found["invented"], keep[1])
            lost = draw.binomial(naming, change.unknown)
            gone = draw.binomial(found["invented"], change.unknown)
            naming -= lost
            found["invented"] -= gone
            found["unknown"] += lost.sum(axis=2) + gone + draw.binomial(every, change.added)
            whole = samples * self.asked - found["faulty"]
            found["faulty"] += draw.binomial(whole, change.faulty)
        self.naming += naming
        for name, counts in found.items():
            self._sums[name] += counts

    def figures(
        self, naming: Counts, samples: int, support: int, *, own: bool
    ) -> dict[str, NDArray[np.float64]]:
        """As `SideBySide` has them; ``naming``: by how many answers of the base, (F, C, G)."""
        others = samples - own
        held = np.array(
            [1 - comb(others - k, support) / comb(others, support) for k in range(others + 1)]
        )
        real = self.naming.sum(axis=2)
        supported = (self.naming * held[np.maximum(naming - own, 0)]).sum(axis=2)
        named = real + self._sums["invented"]
        none = np.zeros(real.shape)
        return {
            "answers": samples * self.asked.astype(float),
            "real": real.astype(float),
            "named": named.astype(float),
            "all": (named + self._sums["unknown"]).astype(float),
            "supported": supported,
            "unsupported": real - supported,
            **{name: sums.astype(float) for name, sums in self._sums.items()},
            **dict.fromkeys(("inventing", "local", "unmapped", "induced", "installers"), none),
        }


_SUMMED: Final = ("invented", "unknown", "faulty")


def rate(pair: SideBySide, look: Look) -> GateVerdict:
    """The gate on the rate."""
    return rate_gate(pair, look=look).verdict


def volume(pair: SideBySide, look: Look) -> GateVerdict:
    """The gate on volume."""
    return volume_gate(pair, look=look).verdict


def moved(pair: SideBySide, look: Look) -> GateVerdict:
    """The gate on unknown and unsupported names."""
    return unknown_gate(pair, look=look).verdict


def faults(pair: SideBySide, look: Look) -> GateVerdict:
    """The gate on faults."""
    return faults_gate(pair, look=look).verdict


def all_four(pair: SideBySide, look: Look) -> GateVerdict:
    """All of them, as a round does."""
    found = {judge(pair, look) for judge in (rate, volume, moved, faults)}
    if found == {GateVerdict.PASS}:
        return GateVerdict.PASS
    return GateVerdict.FAIL if GateVerdict.FAIL in found else GateVerdict.INCONCLUSIVE


@dataclass(frozen=True)
class Case:
    """A truth, and the gate that has to see it."""

    title: str
    judge: Judge
    change: Change


def cases(population: AnswerPopulation) -> list[Case]:
    """What is tried: each limit itself, a truth beyond it, and harmless candidates."""
    every = population.contexts

    def kept(share: float, *contexts: Context) -> Change:
        return Change(real=dict.fromkeys(contexts, share))

    return [
        Case(f"rate: a drop of 0.50{LIMIT}", rate, population.with_drop(0.5)),
        Case("rate: a drop of 0.45", rate, population.with_drop(0.45)),
        Case("rate: a drop of 0.75", rate, population.with_drop(0.75)),
        Case("rate: a drop of 0.90", rate, population.with_drop(0.9)),
        Case(f"volume: 0.90 of the names{LIMIT}", volume, kept(0.9, *every)),
        Case(f"volume: 0.80 in code alone{LIMIT}", volume, kept(0.8, Context.CODE)),
        Case("volume: 0.50 in code alone", volume, kept(0.5, Context.CODE)),
        Case(f"volume: 1.10 of all names{LIMIT}", volume, Change(added=0.1)),
        Case("volume: as the base", volume, Change()),
        Case(f"unknown: 0.10 more{LIMIT}", moved, population.with_unknown(0.1)),
        Case("unknown: as the base", moved, Change()),
        Case(f"faults: 0.10 more{LIMIT}", faults, population.with_faults(0.1)),
        Case("faults: as the base", faults, Change()),
        Case("all four: a drop of 0.45", all_four, population.with_drop(0.45)),
        Case("all four: a drop of 0.90", all_four, population.with_drop(0.9)),
    ]  # fmt: skip


@dataclass
class Found:
    """What came of many draws."""

    verdicts: Counter[GateVerdict] = field(default_factory=Counter)
    blocks: int = 0
    """blocks of answers that were asked, of all draws"""

    def share(self, verdict: GateVerdict) -> float:
        """How often the verdict came."""
        return self.verdicts[verdict] / self.verdicts.total()


def verdicts(
    population: AnswerPopulation,
    case: Case,
    *,
    families: int = 50,
    samples: int = 6,
    blocks: int = 3,
    replicates: int,
    seed: int,
) -> Found:
    """How often each verdict comes in the first round, whose models answer until it is clear."""
    found = Found()
    draw = np.random.default_rng(seed)
    for _ in range(replicates):
        drawn = population.blocks(families, samples, blocks, case.change, draw)
        verdict, asked = one_round(case, drawn, blocks, 1)
        found.verdicts[verdict] += 1
        found.blocks += asked
    return found


def any_pass(
    population: AnswerPopulation,
    case: Case,
    *,
    rounds: int,
    families: int = 50,
    samples: int = 6,
    blocks: int = 3,
    replicates: int,
    seed: int,
) -> float:
    """The chance that one of so many rounds passes, each with answers and families of its own.

    Rounds that ask the same again pass together more often, so one of them passes less often. Each
    draw is judged as each of the rounds would, as long as it passes: the later ones have less α.
    """
    draw = np.random.default_rng(seed)
    passed = np.zeros(rounds)
    for _ in range(replicates):
        drawn = list(population.blocks(families, samples, blocks, case.change, draw))
        for number in range(1, rounds + 1):
            verdict, _ = one_round(case, drawn, blocks, number)
            if verdict is not GateVerdict.PASS:
                break
            passed[number - 1] += 1
    return float(1 - np.prod(1 - passed / replicates))


def one_round(
    case: Case, drawn: Iterable[SideBySide], blocks: int, number: int
) -> tuple[GateVerdict, int]:
    """The verdict of the model's round of that number, and the blocks that it took."""
    verdict, block = GateVerdict.INCONCLUSIVE, 0
    for block, pair in enumerate(drawn, 1):
        verdict = case.judge(pair, Look(ALPHA, number, True, block, blocks))
        if verdict is not GateVerdict.INCONCLUSIVE:
            break
    return verdict, block


def main() -> None:
    """Prints a table of docs/concepts/gates.md."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("home", type=Path, help="home folder whose store has the base's answers")
    asked.add_argument("run", type=int, nargs="+", help="numbers of the base's runs")
    asked.add_argument("--families", type=int, default=50, help="prompt families drawn")
    asked.add_argument("--samples", type=int, default=6, help="answers to a prompt in a block")
    asked.add_argument("--blocks", type=int, default=3)
    asked.add_argument("--rounds", type=int, default=20)
    asked.add_argument("--replicates", type=int, default=1000)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", default="", help="cases whose title begins so")
    given = asked.parse_args()
    store = Store.open(given.home / "ghostbust.db")
    population = AnswerPopulation(
        [answer for run in given.run for answer in recalled(store, run).answers]
    )
    error = sqrt(ALPHA * (1 - ALPHA) / given.replicates)
    print(
        f"{len(population.asked)} families in {len(population.contexts)} contexts,"
        f" {population.samples} answers a prompt; a share of {ALPHA:g} is known to ±{2 * error:.3f}"
    )
    sizes = {name: getattr(given, name) for name in ("families", "samples", "blocks", "replicates")}
    print("| truth | PASS | FAIL | INCONCLUSIVE | blocks | PASS in any of the rounds |")
    print("| --- " * 6 + "|")
    for case in cases(population):
        if not case.title.startswith(given.only):
            continue
        found = verdicts(population, case, **sizes, seed=given.seed)
        shares = " | ".join(f"{found.share(one):.3f}" for one in GateVerdict)
        several = ""
        if case.title.endswith(LIMIT):
            chance = any_pass(population, case, rounds=given.rounds, **sizes, seed=given.seed + 1)
            several = f"{chance:.3f}"
        mean = found.blocks / given.replicates
        print(f"| {case.title} | {shares} | {mean:.2f} | {several} |", flush=True)


if __name__ == "__main__":
    main()
