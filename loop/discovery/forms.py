"""What an operator is: a prompt that paid off in, a new prompt of the same side out."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Final, Protocol

from ghostbust.prompts import FORMS, LANGUAGES
from ghostbust.records import Context, Ecosystem, Prompt, Sample

# --- forms
# Wordings a task is asked in, and prompts taken apart into wording and task.
#
# Beside the wordings of ``ghostbust.prompts``, in which measurements ask, discovery has some of
# its
# own, which elicit other names.


@dataclass(frozen=True, slots=True)
class Form:
    """One wording."""

    name: str
    context: Context
    text: str
    """ends with the task"""

    def fill(self, ecosystem: Ecosystem, task: str) -> str:
        """The prompt's text."""
        language, registry, install = LANGUAGES[ecosystem]
        return self.text.format(language=language, registry=registry, install=install, task=task)


PLAIN: Final = tuple(
    Form(f"{context}-{number}", context, text)
    for context in (Context.CODE, Context.HELPS)
    for number, text in enumerate(FORMS[context], 1)
)
"""those that measurements ask in, too"""
PIN: Final = Form(
    "pin",
    Context.HELPS,
    "List the {language} packages to install for the task below, each with a pinned version, one "
    "per line.\n\nTask: {task}",
)
AGENT: Final = Form(
    "agent",
    Context.CODE,
    "You work in a {language} repository. Add the dependencies that this change needs: answer with "
    "the {install} command for them.\n\nChange: {task}",
)
ALIAS: Final = Form(
    "alias",
    Context.HELPS,
    "Some {language} packages have another name on {registry} than the one that is imported. List "
    "five packages for this task by their {registry} names, one per line.\n\nTask: {task}",
)
OTHERS: Final = (PIN, AGENT, ALIAS)
EVERY: Final = (*PLAIN, *OTHERS)
"""those that any task can be asked in"""
BARE: Final = Form("bare", Context.CODE, "{task}")
"""of a text that isn't ghostbust's, such as one of production traffic: all of it is the task"""
LONGEST_BARE: Final = 400
"""characters; in a longer one it can't be told what the task is"""
FOLLOW_UP: Final = Form("follow-up", Context.HELPS, "{task}")
"""of a question behind the model's own answer: it can't be taken apart"""


@dataclass(frozen=True, slots=True)
class Parent:
    """A prompt, taken apart."""

    prompt: Prompt
    form: Form
    task: str
    """the task's own text"""

    def child(self, operator: str, *, task: str | None = None, form: Form | None = None) -> Prompt:
        """Another task, or wording, or both, as a prompt of the same family."""
        form = form or self.form
        text = form.fill(self.prompt.ecosystem, self.task if task is None else task)
        return replace(
            self.prompt,
            text=text,
            context=form.context,
            parent=self.prompt.id,
            other_parent=None,
            operator=operator,
        )


def take_apart(prompt: Prompt) -> Parent | None:
    """The prompt's wording and task; None for a question about code, and for one with earlier
    turns or a long text in no known wording."""
    if prompt.turns or prompt.context is Context.NEEDS or prompt.ecosystem not in LANGUAGES:
        return None
    for form in EVERY:
        head = form.fill(prompt.ecosystem, "")
        if form.context is prompt.context and prompt.text.startswith(head):
            return Parent(prompt, form, prompt.text[len(head) :])
    if prompt.context is BARE.context and len(prompt.text) <= LONGEST_BARE:
        return Parent(prompt, BARE, prompt.text)
    return None


def form_name(prompt: Prompt) -> str:
    """The wording's name; the context where the text has none of these wordings."""
    if prompt.turns:
        return FOLLOW_UP.name
    parent = take_apart(prompt)
    return prompt.context if parent is None else parent.form.name


# --- interface
# What an operator is: a prompt that paid off in, a new prompt of the same side out.

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
