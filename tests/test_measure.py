"""Rates and volumes by hand, from answers and from counts of them; the faults of an answer."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ghostbust.answer_faults import blocks, faults_of, is_looping
from ghostbust.extractors.extract import extract
from ghostbust.measure import (
    GROUPS,
    Key,
    NameCounts,
    Tally,
    add_to,
    by_model,
    group_of,
    measure,
    measurement_of,
    said_unknown,
    widened_for_few,
    wilson_interval,
)
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
VERDICTS = {
    "r": Verdict.REAL,
    "a": Verdict.ABSENT,
    "s": Verdict.SUSPECT,
    "u": Verdict.UNKNOWN,
    "b": Verdict.BUILTIN,
}
FENCE = "```"


def judged(name: str, reason: str = "rule", *flags: Flag) -> Judged:
    """A name whose first letter is its verdict."""
    ref = PackageRef(Ecosystem.PYPI, RefKind.LIST, name, 0, len(name), name, flags=frozenset(flags))
    verdict = VERDICTS[name[0]]
    return Judged(ref, Lookup(Ecosystem.PYPI, name, verdict, reason, "made up", "rule", DAY))


def answer(
    names: str = "",
    family: str = "f",
    context: Context = Context.CODE,
    *,
    named: tuple[Judged, ...] | None = None,
    text: str | None = None,
    ecosystem: Ecosystem = Ecosystem.PYPI,
    truncated: bool = False,
) -> Answer:
    """An answer that names these, in order."""
    prompt = Prompt(f"task of {family}", context, ecosystem, family)
    said = names if text is None else text
    sample = Sample(prompt, said, "fake", None, 0, 0, 0.7, truncated, 9)
    return Answer(sample, tuple(map(judged, names.split())) if named is None else named)


def test_hand_computed_figures() -> None:
    found = measure([answer("r1 r2 a1 s1 u1 b1"), answer("r1 a1", "g"), answer("", "h")])
    assert (found.real, found.absent, found.suspect, found.unknown) == (3, 2, 1, 1)
    assert (found.refs, found.answers) == (6, 3)
    assert found.rate == pytest.approx(3 / 6)
    assert found.volume == pytest.approx(3 / 3)


def test_a_name_counts_once_in_an_answer_and_again_in_the_next() -> None:
    loop = measure([answer("a1 " * 20 + "r1 r1 r1 u1 u1")])
    assert (loop.real, loop.absent, loop.unknown, loop.rate) == (1, 1, 1, 0.5)
    assert measure([answer("a1 r1")] * 3).absent == 3


def test_each_context_that_occurs_has_its_own_figures() -> None:
    found = measure([
        answer("r1 a1"), answer("r1 r2 r3 a1", context=Context.HELPS), answer("r1"),
    ])  # fmt: skip
    assert set(found.by_context) == {"code", "helps"}
    assert found.by_context["code"].rate == pytest.approx(1 / 3)
    assert found.by_context["helps"].rate == pytest.approx(1 / 4)
    assert found.by_context["code"].answers == 2
    assert found.by_context["code"].by_context == {}
    assert found.rate == pytest.approx(2 / 7)


@pytest.mark.parametrize("names", [[], [""], ["u1 b1"], ["", "u1"]])
def test_where_nothing_was_named_there_is_no_rate(names: list[str]) -> None:
    found = measure([answer(text) for text in names])
    assert math.isnan(found.rate)
    assert all(math.isnan(end) for end in found.ci95)
    assert (found.refs, found.volume) == (0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_interval_contains_the_rate_and_is_seeded(seed: int) -> None:
    answers = [answer("r1 r2 a1" if n % 3 else "r1 a1 a2 s1", f"f{n}") for n in range(40)]
    found = measure(answers, seed=seed)
    low, high = found.ci95
    assert 0 <= low < found.rate < high <= 1
    assert high - low < 0.3
    assert measure(answers, seed=seed) == found


def test_families_are_resampled_and_not_answers() -> None:
    """Forty copies of a family's answer say no more than one of them."""
    few = [answer("r1 a1", "f0"), answer("r1 r2 r3", "f1"), answer("a1 a2 r1", "f2")]
    assert measure(few * 40).ci95 == pytest.approx(measure(few).ci95)
    apart = [answer(each.sample.text, f"g{n}") for n, each in enumerate(few * 40)]
    narrow, wide = measure(apart).ci95, measure(few * 40).ci95
    assert narrow[1] - narrow[0] < (wide[1] - wide[0]) / 2


@pytest.mark.parametrize(
    ("names", "low", "high"),
    [("a1", 0.207, 1.0), ("r1", 0.0, 0.793), ("r1 a1", 0.055, 0.945)],
)
def test_one_family_has_wilsons_interval_of_one_draw(names: str, low: float, high: float) -> None:
    found = measure([answer(names)] * 40)
    assert found.ci95 == pytest.approx((low, high), abs=0.001)


def test_where_no_family_invents_the_upper_end_is_near_the_rule_of_three() -> None:
    for families in (12, 100):
        low, high = measure([answer("r1 r2", f"f{n}") for n in range(families)]).ci95
        assert low == 0
        assert 2.9 / families < high < 4 / families


def test_few_families_have_no_narrower_interval_than_so_many_draws() -> None:
    few = [answer("r1 a1", f"f{n}") for n in range(9)]
    low, high = measure(few).ci95
    assert (low, high) == pytest.approx((0.22, 0.78), abs=0.05)
    assert widened_for_few((0.4, 0.6), 0.5, 10) == (0.4, 0.6)
    assert widened_for_few((0.1, 0.95), 0.5, 9) == (0.1, 0.95)


def test_families_that_name_nothing_do_not_break_the_interval() -> None:
    answers = [answer("", f"e{n}") for n in range(30)] + [answer("r1 a1", "f")]
    assert measure(answers).ci95 == measure([answer("r1 a1", "f")]).ci95


# What counts

INDUCED = (
    judged("a-said", "any", Flag.PROMPT_INDUCED),
    judged("s-held", "any", Flag.PROMPT_INDUCED),
    judged("a-own"),
    judged("r-said", "any", Flag.PROMPT_INDUCED),
    judged("r-own"),
)


@pytest.mark.parametrize("family", ["family", "suite:fresh:web-services-npm-1"])
def test_what_the_prompt_named_is_in_no_rate_and_no_volume(family: str) -> None:
    found = measure([answer(named=INDUCED, family=family)])
    assert (found.absent, found.suspect, found.real) == (1, 0, 1)
    assert (found.induced, found.induced_real) == (2, 1)
    assert (found.rate, found.volume, found.refs) == (0.5, 1, 2)


@pytest.mark.parametrize(
    ("context", "family"), [(Context.NEEDS, "family"), (Context.CODE, "suite:libhallubench:1")]
)
def test_where_a_prompt_is_about_the_names_in_it_they_count(context: Context, family: str) -> None:
    found = measure([answer(named=INDUCED, context=context, family=family)])
    assert (found.absent, found.suspect, found.real, found.induced) == (2, 1, 2, 0)


def test_a_name_is_the_prompts_wherever_one_place_is() -> None:
    """As an import it isn't flagged, as the package that the prompt named it is."""
    twice = answer(named=(judged("r-said"), judged("r-said", "any", Flag.PROMPT_INDUCED)))
    assert NameCounts.of_answer(twice) == NameCounts(answers=1, induced_real=1)


def test_unknown_names_are_told_apart_by_cause() -> None:
    here = judged("u-here", "local-module")
    others = judged("u-made", "no-mapping"), judged("u-away", "unreachable")
    found = measure([answer(named=(here, *others)), answer(named=(here,))])
    assert (found.unknown, found.local, found.unmapped) == (4, 2, 1)
    said = said_unknown(found.unknown, found.local, found.unmapped)
    assert said == "4: 2 local, 1 unmapped, 1 other"
    assert said_unknown(2, 0, 0) == "2"


@pytest.mark.parametrize("name", ["third_party_packages", "thirdpartypackages"])
def test_an_echo_of_the_prompt_is_no_invention_of_the_model(name: str) -> None:
    prompt = Prompt("Import the third-party packages.", Context.CODE, Ecosystem.PYPI, "family")
    text = f"```python\nimport {name}\n```"
    refs = extract(text, prompt_text=prompt.text)
    named = [Judged(ref, judged("a-name").lookup) for ref in refs]
    found = measure([Answer(Sample(prompt, text, "m", None, 0, 0, 0.7, False, 9), tuple(named))])
    assert (found.refs, found.induced) == (0, 1)


# From counts


def tally(answers: list[Answer]) -> Tally:
    made: Tally = {}
    for one in answers:
        prompt = one.sample.prompt
        add_to(
            made, Key("m", None, prompt.context, group_of(prompt.family)), NameCounts.of_answer(one)
        )
    return made


def drawn(rng: random.Random, family: str, context: Context = Context.CODE) -> Answer:
    """Names of all verdicts, of which a family has its own share of inventions."""
    share = random.Random(family).random()
    names = []
    for n in range(rng.randrange(5)):
        letter = "a" if rng.random() < share else "r"
        names.append(f"{rng.choice([letter, letter, 'u', 's'])}{n}")
    return answer(" ".join(names), family, context)


def test_rate_and_volume_are_those_of_the_answers() -> None:
    rng = random.Random(5)
    answers = [
        drawn(rng, f"f{n % 40}", rng.choice([Context.CODE, Context.HELPS])) for n in range(400)
    ]
    counted, measured = measurement_of(tally(answers)), measure(answers)
    assert set(counted.by_context) == {"code", "helps"}
    for one, other in [(counted, measured), *zip(
        counted.by_context.values(), measured.by_context.values(), strict=True
    )]:  # fmt: skip
        same = replace(one, ci95=other.ci95, by_context=other.by_context)
        assert same == other
        assert one.ci95 == pytest.approx(other.ci95, abs=0.02)


def test_the_interval_is_as_wide_as_the_families_differ() -> None:
    """Many answers of few families say less than as many of many."""
    rng = random.Random(6)
    few = measurement_of(tally([drawn(rng, f"f{n % 10}") for n in range(1500)]))
    many = measurement_of(tally([drawn(rng, f"f{n}") for n in range(1500)]))
    assert few.ci95[1] - few.ci95[0] > 3 * (many.ci95[1] - many.ci95[0])
    truth = measure([drawn(rng, f"f{n}") for n in range(1500)])
    assert many.ci95[1] - many.ci95[0] == pytest.approx(truth.ci95[1] - truth.ci95[0], rel=0.25)


def test_it_doesnt_grow() -> None:
    rng = random.Random(7)
    assert len(tally([drawn(rng, f"f{n}") for n in range(2000)])) == GROUPS


def test_nothing_counted() -> None:
    nothing = measurement_of({})
    assert math.isnan(nothing.rate)
    assert (nothing.answers, nothing.volume, nothing.by_context) == (0, 0.0, {})


def test_by_model_the_most_answers_first() -> None:
    counted = {Key("a", None, "code", 1): NameCounts(1), Key("b", "x", "code", 1): NameCounts(2, 1)}
    assert [(who, m.answers) for who, m in by_model(counted).items()] == [
        (("b", "x"), 2), (("a", None), 1),
    ]  # fmt: skip


# Faults


def fenced(code: str, label: str = "python", *, closed: bool = True) -> str:
    return f"Here it is:\n\n{FENCE}{label}\n{code}\n" + (f"{FENCE}\n" if closed else "")


def test_an_empty_answer_has_no_text_and_no_other_fault() -> None:
    assert faults_of(answer(text=" \n\t")) == ("empty",)
    assert faults_of(answer(text=" \n\t", context=Context.CODE)) == ("empty",)


@pytest.mark.parametrize(
    "text",
    [
        fenced("import os\nprint(os.name)"),
        "import os\nprint(os.name)\n",  # no fence: the whole is the code
        fenced("pip install numpy\nimport numpy"),
        fenced("!pip install numpy\n%matplotlib inline\nimport numpy"),
        fenced("python -m pip install numpy\nimport numpy"),
        fenced("pip install numpy", "bash") + fenced("import numpy"),
        fenced("import numpy", ""),
        fenced("print('\\d')"),  # what Python only warns of
    ],
)
def test_python_that_parses_is_well_formed(text: str) -> None:
    assert faults_of(answer(text=text, context=Context.CODE)) == ()


@pytest.mark.parametrize(
    "text",
    [
        fenced("import os\nprint(os.name"),
        fenced("def f(:\n    pass"),
        fenced("import os") + fenced("import ("),  # one of two
        fenced("pip install numpy", "bash"),  # code was asked for
        "You can use the numpy package for this.",
        fenced("import os", closed=False),
        fenced("print('\0')"),
    ],
)
def test_what_does_not_parse_is_malformed(text: str) -> None:
    assert faults_of(answer(text=text, context=Context.CODE)) == ("malformed",)


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import os\n\ndef f(x):\n    return [\n        x,\n        os.pa", ()),
        ("import os\nfor x in os.listdir():\n    pri", ()),
        ('def f():\n    """What it do', ()),
        ("def f(:\n    x = 1\n    y", ("malformed",)),
        ("if x:\n    a()\nels:\n    b()\nc", ("malformed",)),
    ],
)
def test_what_was_cut_off_must_be_the_beginning_of_code(code: str, found: tuple[str, ...]) -> None:
    text = fenced(code, closed=False).rstrip("\n")
    said = answer(text=text, context=Context.CODE, truncated=True)
    assert faults_of(said) == found
    bare = answer(text=code, context=Context.CODE, truncated=True)
    assert faults_of(bare) == found


@pytest.mark.parametrize(
    ("code", "label", "closed", "found"),
    [
        ("const fs = require('fs');", "javascript", True, ()),
        ("npm install chalk\nimport chalk from 'chalk';", "js", True, ()),
        ("const x: number = 1;", "typescript", True, ()),
        ("const x: number = 1;", "javascript", True, ("malformed",)),
        ("const App = () => <p>hi</p>;", "tsx", True, ()),
        ("const = 1;", "js", True, ("malformed",)),
        ("import os", "python", True, ("malformed",)),  # JavaScript was asked for
        ("function f(a) {\n  g([a, {\n    b: 1,\n    c", "js", False, ()),
        ("function f(a {\n  return = ;\n  c", "js", False, ("malformed",)),
    ],
)
def test_javascript_by_its_grammar(
    code: str, label: str, closed: bool, found: tuple[str, ...]
) -> None:
    said = answer(
        text=fenced(code, label, closed=closed),
        context=Context.CODE,
        ecosystem=Ecosystem.NPM,
        truncated=not closed,
    )
    assert faults_of(said) == found


@pytest.mark.parametrize("context", [Context.HELPS, Context.NEEDS])
def test_a_list_has_an_item_a_name_or_a_package(context: Context) -> None:
    for text in ("1. a thing\n", "These:\n* one of them", "numpy\n", "  - x y"):
        assert faults_of(answer(text=text, context=context)) == ()
    prose = "I can not help with that, sorry."
    assert faults_of(answer(text=prose, context=context)) == ("malformed",)
    named = answer("r-numpy", text="You want numpy here.", context=context)
    assert faults_of(named) == ()
    for empty in (f"{FENCE}\n{FENCE}", f"{FENCE}python\n# nothing here\n{FENCE}", "#\n#", "- ..."):
        assert faults_of(answer(text=empty, context=context)) == ("malformed",)
    open_fence = answer(text=fenced("numpy", closed=False), context=context)
    assert faults_of(open_fence) == ("malformed",)


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("1. requests\n2. requests\n3. requests\n" * 4, True),  # 12 times
        ("1. requests\n2. requests\n3. requests\n" * 3 + "10. requests", False),  # 10 words
        ("- numpy\n- rich\n- flask\n" * 4, True),
        ("- numpy\n- rich\n- flask\n" * 3, False),
        ("intro words here\n" + "the same sentence over again " * 4 + "end", True),
        (" ".join(f"word{n}" for n in range(60)), False),
        ("0 " * 50, False),  # a table of numbers
        ("0\n" * 50, False),
        (f"These:\n\n{FENCE}\n\n{FENCE}\n\n" + f"{FENCE}\n" * 6, True),  # 8 lines of marks
        (f"These:\n{FENCE}\n" + f"\n{FENCE}\n" * 6, False),  # 7
        ("#\n#\n# #\n" * 4, True),
        ("{\n}\n[\n]\n;\n" * 8, False),  # too long a part
        ("x = f(x)\ny = g(y)\n" * 2, False),
        (
            " ".join(f"w{n}" for n in range(41)).join("  ") * 8,
            False,
        ),  # too long a part
    ],
)
def test_loops_are_repeats_without_a_gap(text: str, loops: bool) -> None:
    assert is_looping(text) is loops


def test_fences_nest_by_length_and_kind() -> None:
    text = "~~~md\n```py\nx\n```\n~~~\n````\n```\n````\n```js"
    assert [(b.label, b.code, b.closed) for b in blocks(text)] == [
        ("md", "```py\nx\n```", True),
        ("", "```", True),
        ("js", "", False),
    ]


def test_wilsons_interval_by_hand() -> None:
    low, high = wilson_interval(0.8, 10)
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)
    assert wilson_interval(0.0, 10)[0] == pytest.approx(0, abs=1e-12)
    assert wilson_interval(1.0, 10)[1] == pytest.approx(1, abs=1e-12)


def test_installers_that_exist_are_counted_apart() -> None:
    """SmolLM2's commonest real name is pip (issue 34, point 1)."""
    real = judged("r1")
    pip, missing = (
        replace(one, lookup=replace(one.lookup, name=name))
        for one, name in ((real, "pip"), (judged("a1"), "nvm"))
    )
    found = NameCounts.of_answer(answer(named=(real, pip, missing)))
    assert (found.real, found.installers, found.absent, found.inventing) == (1, 1, 1, 1)
    assert measure([answer(named=(pip,))]).volume == 0


def test_answers_that_invent_are_counted_and_loops_once() -> None:
    found = measure([answer("a1 a2 s1"), answer("a1"), answer("r1")])
    assert (found.inventing, found.absent + found.suspect) == (2, 4)
