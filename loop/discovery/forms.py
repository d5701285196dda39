"""Forms: the wordings a task is asked in, and prompts taken apart into wording and task.

Beside the wordings of ``ghostbust.prompts``, which measurements use, discovery has some of its
own, which elicit other names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ghostbust.prompts import FORMS, LANGUAGES
from ghostbust.records import Context, Ecosystem, Prompt


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
"""which measurements use, too"""
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
"""in which any task can be asked"""
BARE: Final = Form("bare", Context.CODE, "{task}")
"""of a text from elsewhere, such as production traffic: all of it is the task"""
LONGEST_BARE: Final = 400
"""characters; a longer text may hold more than a task"""
FOLLOW_UP: Final = Form("follow-up", Context.HELPS, "{task}")
"""of a question after the model's own answer; it can't be taken apart"""


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
    """The prompt's wording and task.

    None for a question about code, for one with earlier turns, and for a long text in no known
    wording.
    """
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
