"""What a sampler is: prompts in, samples out. ``local.py`` and ``endpoint.py`` are the back-ends.

A sampler that can't reach its model raises an error of ``errors.py``; an empty answer is a sample
with an empty text, never an error.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from ghostbust.records import Prompt, Sample


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """How to draw completions. Temperature, top_k and top_p are the paper's by default."""

    temperature: float = 0.7
    """0 is greedy; then top_k, top_p and the seed don't matter"""
    top_k: int = 20
    """keep the k most likely tokens; 0 keeps all"""
    top_p: float = 0.9
    """keep the most likely tokens that together have this probability, in (0, 1]"""
    max_new_tokens: int = 96
    samples_per_prompt: int = 1
    seed: int = 0
    batch_size: int = 32
    """completions computed at once by ``local``; ``endpoint`` has its own concurrency"""
    first_number: int = 0
    """number of a prompt's first completion, where those before were drawn already"""

    @property
    def numbers(self) -> range:
        """The numbers of each prompt's completions."""
        return range(self.first_number, self.first_number + self.samples_per_prompt)


class Sampler(Protocol):
    """A model that answers prompts."""

    model: str
    """the model id, folder or endpoint model as the user gave it"""
    adapter: str | None
    """name of the active adapter; None for the base"""

    def sample(self, prompts: Sequence[Prompt], settings: SamplingSettings) -> Iterator[Sample]:
        """Samples as they finish, in any order; each names its prompt and its number.

        Closing the iterator early stops the work.
        """
        ...

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The greedy continuation of each bare text, in the order given, no chat template.

        Each ends before the first of the ``stop`` texts, or after ``max_new_tokens``.
        """
        ...

    @property
    def chats(self) -> bool:
        """Whether prompts go through a chat template or a chat endpoint."""
        ...

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """The greedy answer to each user message, in the order given; for a model that `chats`."""
        ...


def cut_at_stop(text: str, stop: Sequence[str]) -> str:
    """The text before the first of the stop texts."""
    return text[: min((at for mark in stop if (at := text.find(mark)) >= 0), default=None)]


def reckoned(text: str, tokens: int) -> int:
    """Tokens that an answer counts as: a quarter of its characters where the engine doesn't count
    them (0)."""
    return tokens or max(1, len(text) // 4)


@contextmanager
def reading(samples: Iterator[Sample]) -> Iterator[Iterator[Sample]]:
    """The samples; after the block their sampler has stopped, even if some weren't read."""
    try:
        yield samples
    finally:
        if isinstance(samples, Generator):
            samples.close()
