"""What `ghostbust demo` tells while it runs: why each step is taken, and what the model invents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ghostbust.cli.output import Output, Stages
from ghostbust.text import redact, visible

if TYPE_CHECKING:
    from ghostbust.records import Answer, Judged

WHY = {
    "load": "the language model, on this machine",
    "sweep": "it writes code and recommends packages, and each name is looked up in the registry",
    "ask the candidate": "the trained model answers what the base answered",
    "ask": "tasks that never train: they tell whether what was learnt holds elsewhere",
    "select": "answers with an invention are to be unlearnt, sound ones are to be kept",
    "train": "a small adapter on top of the model, which itself stays as it is",
}
"""how a stage begins to why it is there; the first that fits counts"""
MOST_PRINTED = 12
"""inventions that are printed one by one"""
LINE = 60
"""characters of the line of an answer that names an invention"""


def why_of(step: str) -> str:
    """Why a step is taken; empty where there is nothing to say."""
    if step.startswith("gate: "):
        from ghostbust.reports.badges import GATES_ASK

        return GATES_ASK.get(step.removeprefix("gate: "), "")
    return next((why for start, why in WHY.items() if step.startswith(start)), "")


class Story:
    """A listener that also says why, and tells the model's first inventions as they are found.

    A terminal gets their names in full, a log shortened ones, unless ``reveal``.
    """

    def __init__(self, stages: Stages, output: Output, *, reveal: bool) -> None:
        self._stages, self._output = stages, output
        self._reveal = reveal or output.aside.is_terminal
        self._printed: set[str] = set()

    def begin(self, what: str) -> None:
        """The next step, and why it is taken."""
        self._stages.begin(what)
        if why := why_of(what):
            self._output.note(f"  {why}")

    def advance(self, done: int, total: int) -> None:
        """How far the step is."""
        self._stages.advance(done, total)

    def step(self, number: int, of: int, loss: float) -> None:
        """A training step."""
        self._stages.step(number, of, loss)

    def found(self, answers: Sequence[Answer]) -> None:
        """Prints inventions that weren't printed yet, each once, up to `MOST_PRINTED`."""
        for answer in answers:
            for one in answer.judged:
                if not one.lookup.invented:
                    continue
                if one.lookup.name in self._printed or len(self._printed) > MOST_PRINTED:
                    continue
                self._printed.add(one.lookup.name)
                if len(self._printed) > MOST_PRINTED:
                    self._output.note("  … and others: the table at the end has the most frequent")
                    return
                self._output.note(f"  {self._in_words(answer, one)}")

    def _in_words(self, answer: Answer, one: Judged) -> str:
        """Such as ``✗ fastcsv-x: ABSENT, not-registered. It wrote: pip install fastcsv-x``."""
        name, lookup = one.lookup.name, one.lookup
        verdict = f"{lookup.verdict}, {lookup.reason}"
        if not self._reveal:
            return f"✗ {redact(name)}: {verdict}"
        text, ref = answer.sample.text, one.ref
        start = text.rfind("\n", 0, ref.start) + 1
        end = text.find("\n", ref.end)
        line = visible(text[start : end if end >= 0 else len(text)].strip())
        return f"✗ {name}: {verdict}. It wrote: {line[:LINE]}{'…' if len(line) > LINE else ''}"
