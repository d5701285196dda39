"""What counts in a rate, and what is counted apart."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.measure import NameCounts, measure, said_unknown
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Flag,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    Verdict,
)

DAY = datetime(2026, 11, 23, tzinfo=UTC)


def judged(name: str, verdict: Verdict, reason: str = "any", *flags: Flag) -> Judged:
    ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name, flags=frozenset(flags))
    return Judged(ref, Lookup(Ecosystem.PYPI, name, verdict, reason, "made up", "rule", DAY))


def answer(*named: Judged, context: Context = Context.CODE, family: str = "family") -> Answer:
    prompt = Prompt("task", context, Ecosystem.PYPI, family)
    return Answer(Sample(prompt, "text", "fake", None, 0, 0, 0.7, False, 9), named)


INDUCED = answer(
    judged("zz-said", Verdict.ABSENT, "any", Flag.PROMPT_INDUCED),
    judged("zz-held", Verdict.SUSPECT, "any", Flag.PROMPT_INDUCED),
    judged("zz-own", Verdict.ABSENT),
    judged("said", Verdict.REAL, "any", Flag.PROMPT_INDUCED),
    judged("own", Verdict.REAL),
)


def test_what_the_prompt_named_is_in_no_rate_and_no_volume() -> None:
    found = measure([INDUCED])
    assert (found.absent, found.suspect, found.real) == (1, 0, 1)
    assert (found.induced, found.induced_real) == (2, 1)
    assert (found.rate, found.volume, found.refs) == (0.5, 1, 2)


@pytest.mark.parametrize(
    ("context", "family"), [(Context.NEEDS, "family"), (Context.CODE, "suite:libhallubench:1")]
)
def test_where_a_prompt_is_about_the_names_in_it_they_count(context: Context, family: str) -> None:
    found = measure([answer(*INDUCED.judged, context=context, family=family)])
    assert (found.absent, found.suspect, found.real, found.induced) == (2, 1, 2, 0)


def test_a_name_is_the_prompts_wherever_one_place_is() -> None:
    """As an import it isn't flagged, as the package that the prompt named it is."""
    twice = answer(
        judged("said", Verdict.REAL), judged("said", Verdict.REAL, "any", Flag.PROMPT_INDUCED)
    )
    assert NameCounts.of_answer(twice) == NameCounts(answers=1, induced_real=1)


def test_unknown_names_are_told_apart_by_cause() -> None:
    found = measure([
        answer(
            judged("here", Verdict.UNKNOWN, "local-module"),
            judged("made", Verdict.UNKNOWN, "no-mapping"),
            judged("away", Verdict.UNKNOWN, "unreachable"),
        ),
        answer(judged("here", Verdict.UNKNOWN, "local-module")),
    ])  # fmt: skip
    assert (found.unknown, found.local, found.unmapped) == (4, 2, 1)
    said = said_unknown(found.unknown, found.local, found.unmapped)
    assert said == "4: 2 local, 1 unmapped, 1 other"
    assert said_unknown(2, 0, 0) == "2"


@pytest.mark.parametrize("name", ["third_party_packages", "thirdpartypackages"])
def test_an_echo_of_the_prompt_is_no_invention_of_the_model(name: str) -> None:
    prompt = Prompt("Import the third-party packages.", Context.CODE, Ecosystem.PYPI, "family")
    text = f"```python\nimport {name}\n```"
    named = [
        Judged(ref, judged(ref.name or "", Verdict.ABSENT).lookup)
        for ref in extract(text, prompt_text=prompt.text)
    ]
    found = measure([Answer(Sample(prompt, text, "m", None, 0, 0, 0.7, False, 9), tuple(named))])
    assert (found.refs, found.induced) == (0, 1)
