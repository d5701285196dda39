"""A sampler that keeps to the day's budgets, to the answer and the token."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence

from ghostbust.loop.allowance import REQUESTS, SAMPLES, TOKENS, Allowance, price
from ghostbust.records import Prompt, Sample
from ghostbust.samplers.interface import Sampler, SamplingSettings, reading, reckoned

log = logging.getLogger(__name__)


class AllowedSampler:
    """Asks as many prompts as all their answers can be paid for, then as many again, then ends.

    An answer is paid for with as many tokens as it may have, and what it didn't need is given back
    once it is there. One whose tokens a server doesn't count costs a quarter of its characters.
    """

    def __init__(self, sampler: Sampler, allowance: Allowance, *, asks_live: bool) -> None:
        """``asks_live``: names in answers may cost requests to registries, so there must be some.

        Answers whose names could not be asked for would be lost.
        """
        self._sampler, self._allowance, self._asks_live = sampler, allowance, asks_live
        self.model = sampler.model
        self.adapter = sampler.adapter

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """The sampler's own samples, of as many prompts as the day's budgets allow."""
        waiting = list(prompts)
        while waiting:
            count = self._affordable(settings, len(waiting))
            day = None
            if count:
                day = self._allowance.take(_price(settings, count))
            if day is None:
                log.info("watch: %d prompts aren't asked: a budget of the day is used up",
                         len(waiting))  # fmt: skip
                return
            asked, waiting = waiting[:count], waiting[count:]
            unused = _price(settings, count)
            try:
                with reading(self._sampler.sample(asked, settings)) as samples:
                    for sample in samples:
                        tokens = reckoned(sample.text, sample.tokens)
                        unused[SAMPLES] -= 1
                        unused[TOKENS] -= min(tokens, settings.max_new_tokens)
                        yield sample
            finally:
                self._allowance.give_back(day, unused)

    def _affordable(self, settings: SamplingSettings, most: int) -> int:
        """How many prompts can be asked now, at most ``most``."""
        left = self._allowance.left()
        if self._asks_live and left[REQUESTS] < 1:
            return 0
        one = _price(settings, 1)
        shares = (left[name] / one[name] for name in (SAMPLES, TOKENS))
        return math.floor(min(most, *shares))

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The sampler's own completions, which no watch asks for and no budget limits."""
        return self._sampler.complete(texts, max_new_tokens=max_new_tokens, stop=stop)


def _price(settings: SamplingSettings, prompts: int) -> dict[str, float]:
    """What the answers to so many prompts cost at most."""
    return price(prompts * settings.samples_per_prompt, settings.max_new_tokens)
