"""Operators that take more than one task: a crossover of two, a question behind an answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ghostbust.loop.operators.forms import EVERY, FOLLOW_UP, Form
from ghostbust.loop.operators.interface import MOST_CHARACTERS, Request
from ghostbust.prompts import LANGUAGES, family_of_both
from ghostbust.records import Prompt

QUESTIONS: Final = (
    "Which other {language} packages could be used for it? List five more, one name per line.",
    "None of these suits me. List five {language} packages that I could take instead, names only.",
    "List the {registry} packages that go well with these, one name per line.",
)
"""what is asked behind the model's answer"""


@dataclass(frozen=True, slots=True)
class Crossover:
    """One task made of two."""

    name: str = "crossover"
    forms: tuple[Form, ...] = EVERY
    question: None = None

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None without a second task of the same ecosystem, and for long ones.

        Private if one of them is. Its family is the one that would be held out first.
        """
        del written
        parent, mate = request.parent, request.mate
        if mate is None or mate.task == parent.task:
            return None
        if mate.prompt.ecosystem is not parent.prompt.ecosystem:
            return None
        if len(parent.task) + len(mate.task) > MOST_CHARACTERS:
            return None
        task = f"{parent.task.rstrip(' .')}, and in the same program: {mate.task}"
        return replace(
            parent.child(self.name, task=task, form=request.form),
            other_parent=mate.prompt.id,
            family=family_of_both(parent.prompt.family, mate.prompt.family),
            private=parent.prompt.private or mate.prompt.private,
        )


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A further question behind the parent and the model's answer to it."""

    name: str = "follow-up"
    forms: tuple[Form, ...] = (FOLLOW_UP,)
    question: None = None

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None where no answer to the parent is at hand, or an empty one."""
        del written
        parent, answer = request.parent.prompt, request.answer
        if answer is None or not answer.text.strip():
            return None
        language, registry, _ = LANGUAGES[parent.ecosystem]
        asked = request.rng.choice(QUESTIONS).format(language=language, registry=registry)
        return replace(
            parent,
            text=request.form.fill(parent.ecosystem, asked),
            context=request.form.context,
            turns=(parent.text, answer.text),
            parent=parent.id,
            other_parent=None,
            operator=self.name,
        )


COMBINING: Final = (Crossover(), FollowUp())
