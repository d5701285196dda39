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


class NamePlace(Protocol):
    """A place in an answer where only some names may stand."""

    def may_follow(self, text: str) -> bool:
        """Whether ``text``, all that stands at the place so far, is such a name or begins one."""
        ...

    def is_written(self, text: str) -> bool:
        """Whether ``text`` goes on behind the name."""
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an answer is taken back to."""

    at: int
    """characters that stay"""
    ends: bool = False
    """True where the answer ends there; else it goes on from there in another way"""
    place: NamePlace | None = None
    """what holds it to some names there; None where it is drawn as before"""


class AnswerReader(Protocol):
    """Reads one answer while it is written."""

    def is_due(self, piece: str) -> bool:
        """Whether a name may have ended with the newest piece of text, so that `cut` is to look."""
        ...

    def cut(self, text: str, *, ended: bool, truncated: bool, last: bool) -> Cut | None:
        """Where the answer so far has to be taken back to; None where it may go on.

        ``ended``: nothing follows; ``truncated``: since the token limit is reached. ``last``: it
        can't be written anew any more, so a cut must end it.
        """
        ...


class AnswerGuard(Protocol):
    """Takes back what must not stand in an answer, while the model writes it."""

    def read(self, prompt: Prompt) -> AnswerReader:
        """The reader of one answer to the prompt."""
        ...


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
