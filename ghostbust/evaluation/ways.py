"""The names of what benches compare; imports nothing, for the command line."""

from __future__ import annotations

from enum import StrEnum


class Way(StrEnum):
    """How a round builds on those before it."""

    REFIT = "refit"
    """a fresh adapter of the base, from a sample of all that was answered so far"""
    CONTINUE = "continue"
    """the last round's adapter trains further"""
    STACK = "stack"
    """a fresh adapter, trained on top of the former ones; their sum serves, of a rank that grows"""
    MERGE = "merge"
    """the same, the sum brought down to the rank of one"""
    STATIC = "static"
    """no rounds: a fresh adapter of the base, from as many of the base's own answers as the rounds
    so far learnt from"""

    @property
    def fresh(self) -> bool:
        """True where each round trains an adapter of the base that begins with nothing."""
        return self in (Way.REFIT, Way.STATIC)


class Search(StrEnum):
    """How a bench chooses what to ask."""

    UNIFORM = "uniform"
    """the seed prompts, each as likely as any other"""
    BLIND = "blind"
    """discovery's own operators and wordings, chosen without regard to what paid"""
    ADAPTIVE = "adaptive"
    """as the daemon does"""
