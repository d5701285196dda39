"""Operators that change a task's text, or the wording around it, by a rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ghostbust.loop.operators.forms import AGENT, ALIAS, EVERY, PIN, PLAIN, Form
from ghostbust.loop.operators.interface import MOST_CHARACTERS, Request
from ghostbust.records import Prompt

FIELDS: Final = (
    "a bee keeper", "an organ builder", "a railway museum", "a tea plantation", "a lighthouse",
    "a seed bank", "a salt mine", "a puppet theatre", "a fish hatchery", "a glacier station",
    "a bell foundry", "a falconry", "a canal lock", "a shipyard", "a sawmill", "a wind farm",
    "a blood bank", "a ski lift", "a chess federation", "a cheese dairy", "a planetarium",
    "a customs office", "a vineyard", "an avalanche service", "a tide gauge", "a clock maker",
    "a peat bog survey", "a carnival parade", "a bookbinder", "a reindeer herd", "a quarry",
    "a sign language school",
)  # fmt: skip
"""whom a task can be moved to: trades that few packages were written for"""


@dataclass(frozen=True, slots=True)
class Reworded:
    """The same task in another wording."""

    name: str
    forms: tuple[Form, ...]
    question: None = None

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None where the parent has the wording already."""
        del written
        if request.form == request.parent.form:
            return None
        return request.parent.child(self.name, form=request.form)


@dataclass(frozen=True, slots=True)
class Hinted:
    """The task with one more sentence."""

    name: str
    hints: tuple[str, ...]
    """the sentences; one is drawn"""
    forms: tuple[Form, ...] = EVERY
    question: None = None

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None where the task has such a sentence already, or is long."""
        del written
        task = request.parent.task
        if len(task) > MOST_CHARACTERS or any(hint in task for hint in self.hints):
            return None
        end = "" if task.endswith((".", "!", "?", ":")) else "."
        hint = request.rng.choice(self.hints)
        return request.parent.child(self.name, task=f"{task}{end} {hint}", form=request.form)


@dataclass(frozen=True, slots=True)
class Moved:
    """The same task for another registry's packages."""

    name: str
    forms: tuple[Form, ...] = PLAIN
    question: None = None

    def write(self, request: Request, written: str | None = None) -> Prompt | None:
        """None where no other registry can say that a name isn't there."""
        del written
        parent = request.parent
        others = [eco for eco in request.ecosystems if eco is not parent.prompt.ecosystem]
        if not others:
            return None
        moved = replace(parent, prompt=replace(parent.prompt, ecosystem=request.rng.choice(others)))
        return replace(moved.child(self.name, form=request.form), parent=parent.prompt.id)


BY_RULE: Final = (
    Reworded("reword", PLAIN),
    Reworded("pin", (PIN,)),
    Reworded("agent", (AGENT,)),
    Reworded("alias", (ALIAS,)),
    Hinted(
        "rarer",
        (
            "Take less known packages than the usual ones.",
            "Take specialised packages that were made for exactly this.",
            "The packages that everybody takes for it are ruled out.",
        ),
    ),
    Hinted(
        "newer",
        (
            "Take packages that came out within the last year.",
            "The packages must support the newest release of the language.",
            "It replaces an old package that is no longer maintained.",
        ),
    ),
    Hinted("field", tuple(f"It is for {field}." for field in FIELDS)),
    Moved("ecosystem"),
)
