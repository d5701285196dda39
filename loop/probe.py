"""The look at rate and volume in the middle of training, on train-side prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ghostbust.loop.listener import Listener
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import measure
from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Sample
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.unlearners.trim import Probed


@dataclass(frozen=True)
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

    @property
    def usable(self) -> bool:
        """True where there are prompts, and to such the base names what is real and what isn't."""
        return min(self._expected()) > 0

    def __call__(self, loaded: LoadedModel) -> Probed:
        """What the model names to the prompts; not logged."""
        self.listener.begin(f"measure the volume on {len(self.prompts)} train-side prompts")
        samples: list[Sample] = []
        once = replace(self.settings, samples_per_prompt=1)
        for sample in self.sampler(loaded).sample(self.prompts, once):
            samples.append(sample)
            self.listener.advance(len(samples), len(self.prompts))
        found = measure(judge_samples(samples, self.judge), seed=self.settings.seed)
        real, invented = self._expected()
        rate = found.rate / (invented / (real + invented)) if found.refs else 0.0
        return Probed(found.real / real, rate)

    def _expected(self) -> tuple[float, float]:
        """Real and invented names of the base in one answer to each prompt, on average."""
        named: dict[tuple[Ecosystem, Context], list[tuple[int, int]]] = defaultdict(list)
        for answer in self.base:
            named[_kind(answer.sample.prompt)].append((len(answer.real), len(answer.invented)))
        real = invented = 0.0
        for prompt in self.prompts:
            if counts := named[_kind(prompt)]:
                real += sum(one for one, _ in counts) / len(counts)
                invented += sum(one for _, one in counts) / len(counts)
        return real, invented


def _kind(prompt: Prompt) -> tuple[Ecosystem, Context]:
    return prompt.ecosystem, prompt.context
