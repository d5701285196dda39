"""PROBE: the volume and the rate of a model under training, on train-side prompts."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ghostbust.loop.signals import Listener
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import NameCounts, measure
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Prompt, Sample
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.unlearners.sets import Group, group_of, grouped
from ghostbust.unlearners.steer import LEAST, Probed

LOOK_SEED = 7_919
"""between the seeds of looks that draw anew"""


@dataclass
class VolumeProbe:
    """Samples a model under training, and compares how much it names with the base."""

    prompts: Sequence[Prompt]
    base: Sequence[Answer]
    """all that the base answered, to whatever prompts. What it names to a kind of prompt on
    average says more than its one answer to each of ``prompts``: of SmolLM2's, two answers to one
    prompt are hardly more alike than two to any of its kind (docs/log.md)"""
    judge: Judge
    settings: SamplingSettings
    """each prompt is asked once, whatever they say"""
    listener: Listener
    sampler: Callable[[LoadedModel], Sampler]
    anew: bool = False
    """each look draws other answers: for a training that learns from them"""
    most_looks: int | None = None
    """that all trainings together take at most; None: not known"""
    looks: int = 0
    """taken so far"""

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
        # Few answers say little about one context: halfway between the whole's volume and its own.
        excess = {
            group: (math.log(max(volume, LEAST)) + math.log(max(seen, LEAST))) / 2
            for group, seen in self._volumes(answers).items()
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
        named: dict[Group, list[tuple[int, int]]] = defaultdict(list)
        for answer in self.base:
            counts = NameCounts.of_answer(answer)
            named[group_of(answer.sample.prompt)].append((counts.real, counts.invented))
        real = invented = 0.0
        for prompt in prompts:
            if pairs := named[group_of(prompt)]:
                real += sum(one for one, _ in pairs) / len(pairs)
                invented += sum(one for _, one in pairs) / len(pairs)
        return real, invented
