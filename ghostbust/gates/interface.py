"""What gates ask of a model, and the result of one that could not be carried out.

The protocols are as narrow as the gates' needs, so that the sampler of a local model
and a fake of three lines both fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ghostbust.records import GateResult, GateVerdict, Score


class Completer(Protocol):
    """A model that goes on with a text."""

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        """The greedy continuation of each text, as raw text without a chat template.

        Ends at ``max_new_tokens`` or before the first stop string, which isn't part of it.
        """
        ...


class Scorer(Protocol):
    """A model that says how likely it finds a text."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        """The score of each pair's second text as the continuation of its first."""
        ...


class Subject(Completer, Scorer, Protocol):
    """A model that can be put through every gate."""


def inconclusive(gate: str, reason: str, margin: str) -> GateResult:
    """The result of a gate that measured nothing it may judge by. Never a PASS.

    Also for the caller: a gate that was not run still stands in the report, with why.
    """
    return GateResult(
        gate=gate,
        verdict=GateVerdict.INCONCLUSIVE,
        reason=reason,
        base=None,
        candidate=None,
        ci=None,
        margin=margin,
    )
