"""What an operator is: a prompt that paid off in, a new prompt of the same side out."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Protocol

from ghostbust.loop.operators.forms import Form, Parent
from ghostbust.records import Ecosystem, Prompt, Sample

SEED: Final = "seed"
"""stands for a task as it was given, beside the operators"""
AGAIN: Final = "again"
"""stands for a prompt that paid off, asked once more"""
MOST_CHARACTERS: Final = 400
"""of a task; beyond it nothing more is added"""


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator is to work on."""

    parent: Parent
    form: Form
    """the wording that the child is to be asked in, one of the operator's"""
    rng: random.Random
    mate: Parent | None = None
    """a second prompt that paid off, of another task; None where there is none"""
    answer: Sample | None = None
    """what the model answered to the parent; None where that isn't at hand"""
    ecosystems: tuple[Ecosystem, ...] = (Ecosystem.PYPI,)
    """those whose registry can say that a name isn't there"""


class Operator(Protocol):
    """A named way to make a new prompt."""

    @property
    def name(self) -> str:
        """As it stands in the store."""

    @property
    def forms(self) -> tuple[Form, ...]:
        """The wordings that its prompts may have."""

    @property
    def question(self) -> str | None:
        """What the model under watch is asked to do with a task; None: it needs no model."""

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """The new prompt; None where the operator doesn't fit the parent.

        ``written``: the task that the model wrote, for operators that have a question.
        """
