"""Forms, the wordings of a task, and operators, named ways to make a new prompt of one that paid.

Beside the wordings of ``ghostbust.prompts``, which measurements use, discovery has some of its own,
which elicit other names. Most operators work on the text alone: that costs nothing and never writes
nonsense. A model, the one under watch or another, is asked only for what rules can't do.
"""

from __future__ import annotations

import math
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from ghostbust.prompts import FORMS, LANGUAGES, family_of_both
from ghostbust.records import Context, Ecosystem, Prompt, Sample
from ghostbust.samplers.interface import Sampler, SamplingSettings


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


MOST_CHARACTERS: Final = 400
"""of a task; a longer one gets nothing added"""


@dataclass(frozen=True, slots=True)
class Request:
    """What an operator works on."""

    parent: Parent
    form: Form
    """the wording of the new prompt, one of the operator's"""
    rng: random.Random
    mate: Parent | None = None
    """a second prompt that paid off, of another task; None if there is none"""
    answer: Sample | None = None
    """what the model answered to the parent; None if that isn't at hand"""
    ecosystems: tuple[Ecosystem, ...] = (Ecosystem.PYPI,)
    """those whose registry can say that a name isn't there"""
    written: str | None = None
    """the task that a model wrote, for an operator with a question; None if it wrote none"""


@dataclass(frozen=True, slots=True)
class Operator:
    """A named way to make a new prompt of the parent's side."""

    name: str
    """as it stands in the store"""
    make: Callable[[str, Request], Prompt | None]
    """gets the operator's name"""
    forms: tuple[Form, ...] = EVERY
    """the wordings that its prompts may have"""
    question: str | None = None
    """what a model is asked to do with the task; None: it needs no model"""

    def write(self, request: Request) -> Prompt | None:
        """The new prompt; None if the operator doesn't fit the parent."""
        return self.make(self.name, request)


def _reword(name: str, request: Request) -> Prompt | None:
    """The same task in another wording; None if the parent has that wording already."""
    if request.form == request.parent.form:
        return None
    return request.parent.child(name, form=request.form)


def _hint(hints: tuple[str, ...], name: str, request: Request) -> Prompt | None:
    """The task with one of the hints; None if it has one already, or is long."""
    task = request.parent.task
    if len(task) > MOST_CHARACTERS or any(hint in task for hint in hints):
        return None
    end = "" if task.endswith((".", "!", "?", ":")) else "."
    hint = request.rng.choice(hints)
    return request.parent.child(name, task=f"{task}{end} {hint}", form=request.form)


def _move(name: str, request: Request) -> Prompt | None:
    """The same task for another registry's packages; None if no other can deny a name."""
    parent = request.parent
    others = [eco for eco in request.ecosystems if eco is not parent.prompt.ecosystem]
    if not others:
        return None
    moved = replace(parent, prompt=replace(parent.prompt, ecosystem=request.rng.choice(others)))
    return replace(moved.child(name, form=request.form), parent=parent.prompt.id)


def _cross(name: str, request: Request) -> Prompt | None:
    """One task made of two; None without a second of the same ecosystem, and for long ones.

    Private if one of them is. Of the two families it gets the one that would be held out first.
    """
    parent, mate = request.parent, request.mate
    if (
        mate is None
        or mate.task == parent.task
        or mate.prompt.ecosystem is not parent.prompt.ecosystem
        or len(parent.task) + len(mate.task) > MOST_CHARACTERS
    ):
        return None
    task = f"{parent.task.rstrip(' .')}, and in the same program: {mate.task}"
    return replace(
        parent.child(name, task=task, form=request.form),
        other_parent=mate.prompt.id,
        family=family_of_both(parent.prompt.family, mate.prompt.family),
        private=parent.prompt.private or mate.prompt.private,
    )


def _take_written(name: str, request: Request) -> Prompt | None:
    """The task that a model wrote."""
    if request.written is None:
        return None
    return request.parent.child(name, task=request.written, form=request.form)


QUESTIONS: Final = (
    "Which other {language} packages could be used for it? List five more, one name per line.",
    "None of these suits me. List five {language} packages that I could take instead, names only.",
    "List the {registry} packages that go well with these, one name per line.",
)
"""asked after the model's answer"""


def _follow_up(name: str, request: Request) -> Prompt | None:
    """A further question after the model's answer to the parent; None without such an answer."""
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
        operator=name,
    )


FIELDS: Final = (
    "a bee keeper", "an organ builder", "a railway museum", "a tea plantation", "a lighthouse",
    "a seed bank", "a salt mine", "a puppet theatre", "a fish hatchery", "a glacier station",
    "a bell foundry", "a falconry", "a canal lock", "a shipyard", "a sawmill", "a wind farm",
    "a blood bank", "a ski lift", "a chess federation", "a cheese dairy", "a planetarium",
    "a customs office", "a vineyard", "an avalanche service", "a tide gauge", "a clock maker",
    "a peat bog survey", "a carnival parade", "a bookbinder", "a reindeer herd", "a quarry",
    "a sign language school",
)  # fmt: skip
"""trades that few packages were written for"""
_RARER: Final = (
    "Take less known packages than the usual ones.",
    "Take specialised packages that were made for exactly this.",
    "The packages that everybody takes for it are ruled out.",
)
_NEWER: Final = (
    "Take packages that came out within the last year.",
    "The packages must support the newest release of the language.",
    "It replaces an old package that is no longer maintained.",
)
_BY_MODEL: Final = {
    "paraphrase": "Rewrite this programming task in other words.",
    "narrower": "Write a more specialised version of this programming task.",
    "broader": "Write a bigger programming task that includes this one.",
    "neighbour": "Write a similar programming task for a different field.",
}

# The order decides which operator a seed draws: append, don't sort.
OPERATORS: Final[dict[str, Operator]] = {
    operator.name: operator
    for operator in (
        Operator("reword", _reword, PLAIN),
        Operator("pin", _reword, (PIN,)),
        Operator("agent", _reword, (AGENT,)),
        Operator("alias", _reword, (ALIAS,)),
        Operator("rarer", partial(_hint, _RARER)),
        Operator("newer", partial(_hint, _NEWER)),
        Operator("field", partial(_hint, tuple(f"It is for {field}." for field in FIELDS))),
        Operator("ecosystem", _move, PLAIN),
        Operator("crossover", _cross),
        Operator("follow-up", _follow_up, (FOLLOW_UP,)),
        *(Operator(name, _take_written, question=asked) for name, asked in _BY_MODEL.items()),
    )
}
"""every operator by its name"""


# Which tasks are so much alike that asking both finds nothing new. They are compared as sets of
# words (Jaccard).

TOO_ALIKE: Final = 0.8
"""Jaccard index of the word sets above which two tasks count as one"""
_WORD: Final = re.compile(r"[^\W_]+")


def words(text: str) -> frozenset[str]:
    """The distinct words of a text, in lower case."""
    return frozenset(_WORD.findall(text.lower()))


def alike(one: frozenset[str], other: frozenset[str]) -> bool:
    """True if the two word sets are so similar that asking both finds nothing new."""
    union = len(one | other)
    return union == 0 or len(one & other) / union > TOO_ALIKE


class KnownTasks:
    """Known tasks, in which a near-duplicate is found without comparing with all.

    Two sets that are alike share one of their few first words in any fixed order of words (the
    prefix filter of set-similarity joins). Long words come first, being rare.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
        self._empty = False
        for text in dict.fromkeys(texts):
            self.add(text)

    def add(self, text: str) -> None:
        """One more task."""
        own = words(text)
        self._empty = self._empty or not own
        for word in _first_words(own):
            self._by_word[word].append(own)

    def has_like(self, text: str) -> bool:
        """True if a known task is alike."""
        own = words(text)
        if not own:
            return self._empty
        return any(alike(own, other) for word in _first_words(own) for other in self._by_word[word])


def _first_words(own: frozenset[str]) -> list[str]:
    """So many words that any set alike has one of them among its own first words."""
    ordered = sorted(own, key=lambda word: (-len(word), word))
    return ordered[: len(own) - math.ceil(TOO_ALIKE * len(own)) + 1]


# Tasks that a model writes. A small model often answers a rewriting with code, chatter or an echo,
# so most of what it writes is turned down. Nothing of it is stored as an answer; its tokens count.

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


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote when asked for a task."""

    task: str | None
    """None if it is no task"""
    tokens: int
    """generated tokens"""


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
    """The answer's first line as a task, one sentence; None if it isn't one.

    Turned down: too short or long, chatter, code, advice on packages, an echo of the parent, and a
    text that shares no longer word with it.
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
