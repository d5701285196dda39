"""Three answers before and after: which are shown, how they are marked, and what is hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ghostbust.home import Home
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)
from ghostbust.reports.answers import CHARACTERS, pairs_of
from ghostbust.reports.document import AnswerPair
from ghostbust.store.runs import Run, RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store

NAME = "quux-sensor"
AT = datetime(2026, 11, 23, tzinfo=UTC)


def answer(prompt: Prompt, text: str, names: dict[str, Verdict], adapter: str | None) -> Answer:
    judged = []
    for name, verdict in names.items():
        start = text.index(name)
        ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, start, start + len(name), name)
        lookup = Lookup(Ecosystem.PYPI, name, verdict, "why", "", "snapshot", AT)
        judged.append(Judged(ref, lookup))
    return Answer(Sample(prompt, text, "m", adapter, 0, 0, 0.7, False, 9), tuple(judged))


PairsOf = Callable[..., tuple[AnswerPair, ...]]


@pytest.fixture
def pairs(home: Home) -> PairsOf:
    """The pairs of two runs whose answers are given."""

    def made(*sides: list[Answer], reveal: bool = False) -> tuple[AnswerPair, ...]:
        with Store.open(home.database) as store:
            runs: dict[str, Run] = {}
            for name, answers in zip(("base", "new"), sides, strict=True):
                adapter = None if name == "base" else name
                run_id = store.runs.start(RunSpec(RunKind.GATE, "m", adapter, 0))
                store.answers.add(run_id, answers)
                store.runs.finish(run_id, RunStatus.DONE, measure(answers))
                runs[name] = store.runs.get(run_id)
            names = [one.name for one in store.tallies.invented(run.id for run in runs.values())]
            return pairs_of(store, runs, names, reveal=reveal)

    return made


def said(pair: AnswerPair) -> str:
    pieces = (piece.text for several in pair.answers.values() for piece in several)
    return "".join([pair.prompt, *pieces])


PROMPT = Prompt(f"which packages does this need: import {NAME}", Context.NEEDS, Ecosystem.PYPI, "f")
TEXT = """pip install quux-sensor requests
import quux_sensor, QuuxSensorClient
Quux Sensor is great, and python too"""


def test_no_spelling_of_an_invented_name_is_left(pairs: PairsOf) -> None:
    named = {NAME: Verdict.ABSENT, "requests": Verdict.REAL, "python": Verdict.ABSENT}
    base = [answer(PROMPT, TEXT, named, None)]
    after = [answer(PROMPT, "use quux.sensor, written in Python", {}, "new")]
    (hidden,) = pairs(base, after)
    squeezed = said(hidden).casefold()
    for mark in " _-.":
        squeezed = squeezed.replace(mark, "")
    assert "quuxsensor" not in squeezed
    assert "qux…" not in squeezed  # shortened from the front
    assert "Python" in said(hidden), "the shipped tasks have this word, so it is no secret"
    assert [(p.text, p.verdict) for p in hidden.answers["base"] if p.verdict] == [
        ("quu…(11)", Verdict.ABSENT), ("requests", Verdict.REAL), ("pyt…(6)", Verdict.ABSENT),
    ]  # fmt: skip


def test_what_only_another_run_found_is_hidden_too(home: Home, pairs: PairsOf) -> None:
    with Store.open(home.database) as store:
        other = answer(
            replace(PROMPT, text="other"), "zz-lantern", {"zz-lantern": Verdict.ABSENT}, None
        )
        run_id = store.runs.start(RunSpec(RunKind.SWEEP, "m", None, 0))
        store.answers.add(run_id, [other])
        store.runs.finish(run_id, RunStatus.DONE, measure([other]))
    text = f"{NAME}, or zz-lantern"
    (pair,) = pairs(
        [answer(PROMPT, text, {NAME: Verdict.ABSENT}, None)], [answer(PROMPT, "", {}, "new")]
    )
    assert "lantern" not in said(pair)


def test_a_report_that_reveals_shows_them(pairs: PairsOf) -> None:
    base = [answer(PROMPT, TEXT, {NAME: Verdict.ABSENT}, None)]
    (shown,) = pairs(base, [answer(PROMPT, "none", {}, "new")], reveal=True)
    assert said(shown).count("quux") == 3


def test_what_the_second_model_answers_has_no_say_and_users_prompts_are_left_out(
    pairs: PairsOf,
) -> None:
    """One of each context first; what the base got right isn't shown."""
    prompts = [
        Prompt(f"task {n}", context, Ecosystem.PYPI, f"family-{n}")
        for n, context in enumerate([Context.CODE] * 4 + [Context.HELPS] * 2)
    ]
    private = Prompt("a user's own", Context.NEEDS, Ecosystem.PYPI, "own", private=True)
    right = Prompt("right", Context.NEEDS, Ecosystem.PYPI, "right")
    base = [answer(p, f"pip install {NAME}", {NAME: Verdict.ABSENT}, None) for p in prompts]
    base += [answer(private, f"pip install {NAME}", {NAME: Verdict.ABSENT}, None)]
    base += [answer(right, "pip install requests", {"requests": Verdict.REAL}, None)]

    def after(text: str) -> list[Answer]:
        return [
            replace(a, sample=replace(a.sample, text=text, adapter="new"), judged=()) for a in base
        ]

    chosen = pairs(base, after("none"))
    assert [one.context for one in chosen[:2]] == [Context.CODE, Context.HELPS]
    assert len({one.prompt for one in chosen}) == 3
    assert not {one.prompt for one in chosen} & {private.text, right.text}
    assert [one.prompt for one in chosen] == [one.prompt for one in pairs(base, after("other"))]


def test_a_long_answer_is_cut_at_a_blank_and_shows_the_first_name(pairs: PairsOf) -> None:
    text = "word " * 400 + f"\n\npip install {NAME}\n" + f"{NAME} " * 400
    (pair,) = pairs(
        [answer(PROMPT, text, {NAME: Verdict.ABSENT}, None)], [answer(PROMPT, "", {}, "new")]
    )
    pieces = pair.answers["base"]
    assert any(piece.verdict for piece in pieces)
    assert sum(len(piece.text) for piece in pieces) <= CHARACTERS + 10
    assert "quux" not in said(pair)
    assert pair.answers["new"] == ()
