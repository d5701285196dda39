"""Comparators that need no training: the base at another temperature, with an instruction, or
under the guard.

What a user can do without ghostbust, so what an adapter has to beat. Imports no model library.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ghostbust.errors import UsageError
from ghostbust.evaluation.figures import BASE
from ghostbust.records import Answer, Prompt

INSTRUCTION: Final = "Name only packages that you are sure exist."
OPERATOR: Final = "instructed"
"""of every prompt that is sent with the instruction"""

GUARD: Final = "guard"
"""the base under the guard; behind an adapter's name, that adapter under it"""

TEMPERATURES: Final = (0.0, 0.3, 0.5)
BEFORE: Final = f"{BASE}-instructed"
AFTER: Final = f"{BASE}-instructed-last"


@dataclass(frozen=True, slots=True)
class Comparator:
    """The base asked in another way. Its answers are measured as an adapter's are."""

    name: str
    temperature: float | None = None
    """None: the base's own"""
    form: str = ""
    """what is sent, with ``{message}`` where the prompt's text stands; empty: the text as it is"""

    def sent(self, prompt: Prompt) -> Prompt:
        """What the model is asked instead of the prompt, of the same family and context."""
        if not self.form:
            return prompt
        text = self.form.replace("{message}", prompt.text)
        return replace(prompt, text=text, parent=prompt.id, operator=OPERATOR)

    def to_tasks(self, answers: Sequence[Answer], prompts: Sequence[Prompt]) -> list[Answer]:
        """The answers to what was sent, as answers to the prompts that it stands for."""
        asked = {self.sent(prompt).id: prompt for prompt in prompts}
        return [
            replace(answer, sample=replace(answer.sample, prompt=asked[answer.sample.prompt.id]))
            for answer in answers
        ]


INSTRUCTED: Final = (
    Comparator(BEFORE, form=f"{INSTRUCTION}\n\n{{message}}"),
    Comparator(AFTER, form=f"{{message}}\n\n{INSTRUCTION}"),
)


def comparators(temperature: float) -> list[Comparator]:
    """All of them, for a base that is measured at that temperature."""
    cooler = [one for one in TEMPERATURES if one != temperature]
    return [*(Comparator(f"{BASE}@{one:g}", one) for one in cooler), *INSTRUCTED]


def guarded(adapter: str | None = None) -> str:
    """What a row of a model under the guard is named; None for the base."""
    return f"{adapter} + {GUARD}" if adapter else GUARD


def is_comparator(name: str) -> bool:
    """Whether the name is for a comparator, rather than for an unlearning method."""
    return name == GUARD or name.startswith(BASE)


def comparator_named(name: str) -> Comparator:
    """The comparator of that name. Raises UsageError that says which there are."""
    for one in INSTRUCTED:
        if one.name == name:
            return one
    at, _, number = name.partition("@")
    try:
        temperature = float(number)
    except ValueError:
        temperature = math.nan
    if at != BASE or not 0 <= temperature < math.inf:
        raise UsageError(
            f"--method: there is no {name!r}; the base without training is {BASE}@T at the "
            f"temperature T, such as {BASE}@0.3, {BEFORE} or {AFTER}"
        )
    return Comparator(f"{BASE}@{temperature:g}", temperature)
