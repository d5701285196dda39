"""What answers name, as every rate counts it.

A name counts once an answer. A name that the prompt named first (flag ``prompt-induced``), real
or invented, is in no rate and no volume: it isn't the model's own. Two kinds of prompts are about
the names in them, which count there as all others do: code whose packages the model is asked for
(context ``needs``), and those of external suites, which name an invention to see who repeats it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

from ghostbust.records import Answer, Context, Flag, Judged, Prompt, Verdict
from ghostbust.reserved import of_suite

LOCAL, UNMAPPED = str(Flag.LOCAL_MODULE), "no-mapping"
"""reasons of UNKNOWN verdicts that are counted apart"""
_INVENTED = (Verdict.ABSENT, Verdict.SUSPECT)


@dataclass(slots=True)
class Counts:
    """What some answers named, distinct within each."""

    answers: int = 0
    real: int = 0
    """REAL names that the prompt hadn't named"""
    absent: int = 0
    """ABSENT ones"""
    suspect: int = 0
    """SUSPECT ones"""
    unknown: int = 0
    """names that could not be judged, for whatever reason"""
    local: int = 0
    """of these, imports that may mean a module which the answer shows"""
    unmapped: int = 0
    """of these, imports that no table ties to a distribution"""
    induced: int = 0
    """ABSENT and SUSPECT names that the prompt had named"""
    induced_real: int = 0
    """REAL names that the prompt had named"""

    @classmethod
    def of(cls, judged: Iterable[Judged], prompt: Prompt) -> Self:
        """The counts of one answer to the prompt, by what it names."""
        is_asked = prompt.context is Context.NEEDS or of_suite(prompt.family)
        named: dict[Verdict, set[str]] = {verdict: set() for verdict in Verdict}
        prompted: dict[Verdict, set[str]] = {verdict: set() for verdict in Verdict}
        causes: dict[str, set[str]] = {LOCAL: set(), UNMAPPED: set()}
        for one in judged:
            lookup = one.lookup
            named[lookup.verdict].add(lookup.name)
            if not is_asked and Flag.PROMPT_INDUCED in one.ref.flags:
                prompted[lookup.verdict].add(lookup.name)
            if lookup.verdict is Verdict.UNKNOWN and lookup.reason in causes:
                causes[lookup.reason].add(lookup.name)
        return cls(
            answers=1,
            real=len(named[Verdict.REAL] - prompted[Verdict.REAL]),
            absent=len(named[Verdict.ABSENT] - prompted[Verdict.ABSENT]),
            suspect=len(named[Verdict.SUSPECT] - prompted[Verdict.SUSPECT]),
            unknown=len(named[Verdict.UNKNOWN]),
            local=len(causes[LOCAL]),
            unmapped=len(causes[UNMAPPED]),
            induced=sum(len(prompted[verdict]) for verdict in _INVENTED),
            induced_real=len(prompted[Verdict.REAL]),
        )

    @classmethod
    def of_answer(cls, answer: Answer) -> Self:
        """The counts of one answer."""
        return cls.of(answer.judged, answer.sample.prompt)

    @classmethod
    def total(cls, several: Iterable[Counts]) -> Self:
        """The sums of several counts."""
        made = cls()
        for one in several:
            made.add(one)
        return made

    def add(self, other: Counts) -> None:
        """Adds the counts of other answers to these."""
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))

    @property
    def invented(self) -> int:
        """Absent and suspect names: what a rate calls invented."""
        return self.absent + self.suspect

    @property
    def named(self) -> int:
        """Invented and real names: what a rate divides by."""
        return self.invented + self.real


def said_unknown(unknown: int, local: int, unmapped: int) -> str:
    """How many names could not be judged, with the causes: ``7: 4 local, 2 unmapped, 1 other``.

    Without them where none is of the first two, as in what an older version counted.
    """
    if not local + unmapped:
        return f"{unknown}"
    parts = {"local": local, "unmapped": unmapped, "other": unknown - local - unmapped}
    return f"{unknown}: " + ", ".join(f"{n} {cause}" for cause, n in parts.items() if n > 0)
