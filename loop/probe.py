"""The look at the volume in the middle of training, on train-side prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ghostbust.loop.listener import Listener
from ghostbust.loop.watch import judge_samples
from ghostbust.models.load import LoadedModel
from ghostbust.prompts import prompts_of
from ghostbust.records import Answer, Sample
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.unlearners.sets import FEWEST_PROBES


@dataclass(frozen=True)
class VolumeProbe:
    """Asks a model under training what the base was asked, and compares how much they name."""

    base: Sequence[Answer]
    """the base's answers, any number for each prompt"""
    judge: Judge
    settings: SamplingSettings
    """each prompt is asked once, whatever they say"""
    listener: Listener
    sampler: Callable[[LoadedModel], Sampler] = LocalSampler

    @property
    def usable(self) -> bool:
        """True where the base's answers are enough to compare with."""
        names = sum(len(answer.real) for answer in self.base)
        return min(len(prompts_of(self.base)), names) >= FEWEST_PROBES

    def __call__(self, loaded: LoadedModel) -> float:
        """Real names per answer as a multiple of the base's on the same prompts; not logged."""
        prompts = prompts_of(self.base)
        self.listener.begin(f"measure the volume on {len(prompts)} train-side prompts")
        samples: list[Sample] = []
        once = replace(self.settings, samples_per_prompt=1)
        for sample in self.sampler(loaded).sample(prompts, once):
            samples.append(sample)
            self.listener.advance(len(samples), len(prompts))
        named = sum(len(answer.real) for answer in judge_samples(samples, self.judge))
        return named / self._expected()

    def _expected(self) -> float:
        """Real names of the base in one answer to each prompt, on average."""
        counts: dict[str, list[int]] = {}
        for answer in self.base:
            counts.setdefault(answer.sample.prompt.id, []).append(len(answer.real))
        return sum(sum(each) / len(each) for each in counts.values())
