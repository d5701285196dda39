"""Rewriting a task by the model that is watched: small named operators, and what passes as a task.

A small model often answers a rewriting with code, chatter or an echo, so most of what it says is
turned down. Nothing here is logged as an answer of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ghostbust.prompts import FORMS, LANGUAGES
from ghostbust.records import Context, Ecosystem, Prompt, Sample
from ghostbust.samplers.interface import Sampler, SamplingSettings

OPERATORS: Final = {
    "paraphrase": "Rewrite this programming task in other words.",
    "narrower": "Write a more specialised version of this programming task.",
    "broader": "Write a bigger programming task that includes this one.",
    "neighbour": "Write a similar programming task for a different field.",
}
"""name of a rewriting to the instruction that the model gets"""
REWORD: Final = "reword"
"""operator of the same task in another of its forms; needs no model"""
TOO_ALIKE: Final = 0.8
"""Jaccard index of the word sets above which two tasks count as one"""

_MIN_CHARACTERS, _MAX_CHARACTERS, _MIN_WORDS = 24, 240, 5
_MAX_COMMAS = 6
_TOPIC_LETTERS = 5
# Words with which a small model begins what is no task (SmolLM2-135M, 2026-11-24).
_NO_TASK: Final = frozenset(
    ("a", "an", "as", "code", "dear", "hello", "here", "hey", "hi", "i", "if", "in", "it", "once",
     "question", "script", "scripts", "sure", "syntax", "that", "the", "there", "these", "this",
     "to", "we", "what", "you", "your")
)  # fmt: skip
_DRIVEL: Final = ("```", "install ", "import ", "packages", "librar", " module", "sorry", "i'm ")
_LEAD: Final = re.compile(
    r"""^[\s>*#"'`_\-]*(?:\d+[.)]\s*)?(?:(?:\w+ )?(?:task|answer)\s*:\s*)?""", re.I
)
_TAIL: Final = " \t*\"'`_"
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)")
_WORD: Final = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Parent:
    """A prompt to be followed up, taken apart."""

    prompt: Prompt
    form: str
    """the wording it was asked in"""
    task: str
    """the task's own text"""

    def child(self, task: str, operator: str, form: str | None = None) -> Prompt:
        """The task in the parent's form, or another, as a prompt of the same family."""
        text = _fill(form or self.form, self.prompt.ecosystem, task)
        return replace(self.prompt, text=text, parent=self.prompt.id, operator=operator)

    def other_forms(self) -> list[Prompt]:
        """The same task in the context's other wordings."""
        forms = FORMS[self.prompt.context]
        return [self.child(self.task, REWORD, form) for form in forms if form != self.form]


def take_apart(prompt: Prompt) -> Parent | None:
    """The prompt's form and task; None for NEEDS, which quotes code, and for any other text."""
    if prompt.context is not Context.NEEDS:
        for form in FORMS[prompt.context]:
            # every form of a task ends with the task
            head = _fill(form, prompt.ecosystem, "")
            if prompt.text.startswith(head):
                return Parent(prompt, form, prompt.text[len(head) :])
    return None


def rewrite(rewriter: Sampler, wanted: Sequence[tuple[Parent, str]], seed: int) -> list[str | None]:
    """A new task for each (parent, operator), in order; None where the model wrote none."""
    questions = [_question(parent, operator) for parent, operator in wanted]
    settings = SamplingSettings(temperature=0.8, max_new_tokens=48, seed=seed)
    answers = {
        sample.prompt.id: sample
        for sample in rewriter.sample(list({q.id: q for q in questions}.values()), settings)
    }
    return [
        clean(answers[question.id], parent.task) if question.id in answers else None
        for question, (parent, _) in zip(questions, wanted, strict=True)
    ]


def clean(answer: Sample, parent_task: str) -> str | None:
    """The answer's first line as a task, one sentence; None where it isn't one.

    Turned down: too short or long, chatter, code, advice on packages, an echo of the parent, and
    what has no longer word in common with it.
    """
    lines = [_LEAD.sub("", line).strip(_TAIL) for line in answer.text.splitlines()]
    lines = [line for line in lines if line and not line.endswith(":")]
    if not lines:
        return None
    text = " ".join(lines[0].split())
    end = _SENTENCE_END.search(text)
    if end is not None:
        text = text[: end.end()]
    elif answer.truncated and len(lines) == 1:
        return None
    return text if _is_task(text, parent_task) else None


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """True where two word sets are so much the same that asking both tells nothing new."""
    union = len(one | other)
    return union == 0 or len(one & other) / union > TOO_ALIKE


def _is_task(text: str, parent_task: str) -> bool:
    found = _WORD.findall(text.lower())
    topic = {word for word in words(parent_task) if len(word) >= _TOPIC_LETTERS}
    return (
        _MIN_CHARACTERS <= len(text) <= _MAX_CHARACTERS
        and len(found) >= _MIN_WORDS
        and found[0] not in _NO_TASK
        and text.count(",") <= _MAX_COMMAS
        and not text.endswith("?")
        and text.isprintable()
        and not any(word in text.lower() for word in _DRIVEL)
        and not alike(words(text), words(parent_task))
        and bool(topic & words(text) or not topic)
    )


def _question(parent: Parent, operator: str) -> Prompt:
    """What the model is asked, as a prompt of the parent's family."""
    text = f"{OPERATORS[operator]} Answer with one sentence.\n\nTask: {parent.task}"
    return replace(
        parent.prompt, text=text, context=Context.CODE, parent=parent.prompt.id, operator=operator
    )


def _fill(form: str, ecosystem: Ecosystem, task: str) -> str:
    language, registry, install = LANGUAGES[ecosystem]
    return form.format(language=language, registry=registry, install=install, task=task)
