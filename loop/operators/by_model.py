"""Operators for which a model writes the task, the one under watch or another, and what passes.

A small model often answers a rewriting with code, chatter or an echo, so most of what it says is
turned down. Nothing here is logged as an answer of the model; its tokens are counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from ghostbust.loop.likeness import alike, words
from ghostbust.loop.operators.forms import EVERY, Form, Parent
from ghostbust.loop.operators.interface import Request
from ghostbust.records import Context, Prompt, Sample
from ghostbust.samplers.interface import Sampler, SamplingSettings

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
class Rewritten:
    """A task that the model wrote."""

    name: str
    question: str
    forms: tuple[Form, ...] = EVERY

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None where the model wrote no task."""
        if written is None:
            return None
        return request.parent.child(self.name, task=written, form=request.form)


BY_MODEL: Final = (
    Rewritten("paraphrase", "Rewrite this programming task in other words."),
    Rewritten("narrower", "Write a more specialised version of this programming task."),
    Rewritten("broader", "Write a bigger programming task that includes this one."),
    Rewritten("neighbour", "Write a similar programming task for a different field."),
)


@dataclass(frozen=True, slots=True)
class Written:
    """What came of asking the model for a task."""

    task: str | None
    """None where it wrote none"""
    tokens: int
    """that it generated"""


def rewrite(
    rewriter: Sampler, wanted: Sequence[tuple[Parent, str, str]], seed: int
) -> list[Written]:
    """A new task for each (parent, operator, question), in order."""
    questions = [_question(*one) for one in wanted]
    settings = SamplingSettings(temperature=0.8, max_new_tokens=48, seed=seed)
    answers: dict[str, Sample] = {}
    if questions:
        asked = list({q.id: q for q in questions}.values())
        answers = {sample.prompt.id: sample for sample in rewriter.sample(asked, settings)}
    made = []
    for question, (parent, _, _) in zip(questions, wanted, strict=True):
        answer = answers.get(question.id)
        task = None if answer is None else clean(answer, parent.task)
        made.append(Written(task, 0 if answer is None else answer.tokens))
    return made


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


def _question(parent: Parent, operator: str, question: str) -> Prompt:
    """What the model is asked, as a prompt of the parent's family."""
    text = f"{question} Answer with one sentence.\n\nTask: {parent.task}"
    return replace(
        parent.prompt,
        text=text,
        context=Context.CODE,
        parent=parent.prompt.id,
        other_parent=None,
        operator=operator,
    )
