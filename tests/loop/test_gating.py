"""Every gate stands in the report, in order, whatever it could measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest

from ghostbust.gates.interface import Look
from ghostbust.gates.tasks import CodingTask
from ghostbust.loop.gating import look_of, never_passed, run_gates
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import judge_samples
from ghostbust.prompts import Task
from ghostbust.records import Answer, Context, GateReport, GateVerdict, Sample, Score
from ghostbust.registries.judge import Judge
from ghostbust.sections import GatesSection
from tests.loop.rounds import Heard

Pair = tuple[list[Answer], list[Answer]]
ON_ANSWERS = ("hallucination", "volume", "unknown", "faults")
GATES = [*ON_ANSWERS, "likelihood", "coding"]


class Speaks:
    """A model that completes every function with ``return 1`` and finds all code as likely."""

    chats = False

    def __init__(self, nll: float = 10.0) -> None:
        self.nll = nll
        self.completed: list[str] = []

    def complete(
        self, texts: Sequence[str], *, max_new_tokens: int, stop: Sequence[str]
    ) -> list[str]:
        self.completed += texts
        return ["    return 1\n"] * len(texts)

    def answer(self, messages: Sequence[str], *, max_new_tokens: int) -> list[str]:
        raise AssertionError("it has no chat template")

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[Score]:
        return [Score(self.nll, 10)] * len(pairs)


def benchmark(count: int) -> list[CodingTask]:
    prompt = 'def one() -> int:\n    """Returns 1."""\n'
    test = "def check(candidate):\n    assert candidate() == 1\n"
    return [CodingTask(f"t/{n}", prompt, "    return 1\n", test, "one") for n in range(count)]


@pytest.fixture
def answers(judge: Judge, tasks: list[Task]) -> Pair:
    """A base that invents half of what it names, and a candidate that invents nothing."""
    sides = []
    for second in ("zz-quux-sensorlib", "flask"):
        text = f"1. requests\n2. {second}\n"
        samples = [
            Sample(task.prompt(Context.HELPS), text, "m", None, 0, number, 0.7, False, 9)
            for task in tasks
            for number in (0, 1)
        ]
        sides.append(judge_samples(samples, judge))
    return sides[0], sides[1]


def run(
    answers: Pair,
    tasks: int,
    limits: GatesSection,
    models: tuple[Speaks, Speaks] | None = None,
    listener: Silence | None = None,
    gated: int = 0,
) -> GateReport:
    return run_gates(
        limits,
        benchmark(tasks),
        candidate="round-0001-aa",
        models=models or (Speaks(), Speaks()),
        answers=answers,
        seed=0,
        gated=gated,
        listener=listener or Silence(),
    )


def test_every_gate_is_told_and_in_the_report(answers: Pair) -> None:
    heard = Heard()
    report = run(answers, 2, GatesSection(), listener=heard)
    assert [result.gate for result in report.results] == GATES
    assert heard.begun == [f"gate: {name}" for name in GATES]
    assert report.candidate == "round-0001-aa"


def test_without_a_benchmark_nothing_passes(answers: Pair) -> None:
    verdicts = {r.gate: r.verdict for r in run(answers, 0, GatesSection()).results}
    assert verdicts["hallucination"] is GateVerdict.PASS
    assert verdicts["likelihood"] is verdicts["coding"] is GateVerdict.INCONCLUSIVE


def test_without_answers_nothing_passes() -> None:
    report = run(([], []), 2, GatesSection())
    assert {result.verdict for result in report.results} == {GateVerdict.INCONCLUSIVE}
    assert report.verdict is GateVerdict.INCONCLUSIVE


def test_the_settings_limits_are_the_gates_limits(answers: Pair) -> None:
    base, candidate = Speaks(), Speaks(nll=10.3)
    limits = GatesSection(
        min_drop=0.9,
        volume_low=0.5,
        volume_high=3,
        coding_margin=0.03,
        likelihood_margin=0.04,
        alpha=0.1,
    )
    report = run(answers, 3, limits, (base, candidate))
    by_gate = {result.gate: result for result in report.results}
    assert "0.9" in by_gate["hallucination"].margin
    assert "bounds: supported names >= 0.5 of the base's, 0.5 in" in by_gate["volume"].margin
    assert "all names <= 3, 3" in by_gate["volume"].margin
    assert by_gate["coding"].margin == "upper 90 % bound of the pass@1 loss <= 0.03"
    assert "upper 90 % bound" in by_gate["likelihood"].margin
    assert "<= 0.04" in by_gate["likelihood"].margin
    assert len(base.completed) == len(candidate.completed) == 3


def test_a_replaced_invention_is_no_more_volume_but_an_unsupported_name(answers: Pair) -> None:
    report = run(answers, 0, GatesSection())
    verdicts = {r.gate: r.verdict for r in report.results}
    assert verdicts["volume"] is GateVerdict.PASS
    assert verdicts["unknown"] is GateVerdict.FAIL
    wide = run(answers, 0, GatesSection(unknown_margin=0.6))
    assert {r.gate: r.verdict for r in wide.results}["unknown"] is GateVerdict.PASS


@pytest.mark.parametrize(
    ("spend", "mbpp", "look"),
    [
        ("auto", None, Look(0.05, 3)),
        ("auto", "mbpp.jsonl", Look(0.05, 3, spends=True)),
        ("rounds", None, Look(0.05, 3, spends=True)),
        ("none", "mbpp.jsonl", Look(0.05, 3)),
    ],
)
def test_alpha_is_shared_where_it_is_asked_for_or_can_be(
    spend: Literal["auto", "rounds", "none"], mbpp: str | None, look: Look
) -> None:
    assert look_of(GatesSection(spend=spend, mbpp=mbpp), 2) == look


def test_the_look_reaches_both_gates_on_coding_tasks(answers: Pair) -> None:
    report = run(answers, 100, GatesSection(spend="rounds"), gated=4)
    looks = {r.gate: (r.details.get("look"), r.details.get("spend")) for r in report.results}
    assert looks["coding"] == looks["likelihood"] == (5, "rounds")
    assert looks["volume"] == looks["hallucination"] == (5, "rounds")


def test_gates_on_answers_share_alpha_over_the_rounds_unless_told_not_to(answers: Pair) -> None:
    """A daemon that retries would else pass a bad adapter sooner or later (issue 34, point 4)."""
    for spend, said in (("auto", "rounds"), ("none", "none")):
        report = run(answers, 2, GatesSection(spend=spend), gated=4)
        assert {
            r.details["spend"] for r in report.results if r.gate not in ("coding", "likelihood")
        } == {said}


def never(
    base: list[Answer] | None, tasks: int, limits: GatesSection | None = None, gated: int = 0
) -> dict[str, str]:
    """Gates that no candidate can pass, with the reason."""
    found = never_passed(limits or GatesSection(), benchmark(tasks), base, seed=1, gated=gated)
    return {result.gate: result.reason for result in found}


def test_what_has_enough_to_measure_with_may_pass(answers: Pair) -> None:
    assert never(answers[0], 100) == never(None, 100) == {}


def test_too_few_coding_tasks_are_known_before_anything_is_asked() -> None:
    few = "too few tasks: 99, needs 100"
    assert never(None, 99) == {"likelihood": few, "coding": few}


def test_a_margin_that_so_few_tasks_can_not_show_is_known_too() -> None:
    tight = GatesSection(coding_margin=0.01)
    assert list(never(None, 100, tight)) == ["coding"]
    assert "not within 0.01" in never(None, 100, tight)["coding"]
    assert never(None, 300, tight) == {}
    shared = GatesSection(spend="rounds")
    assert never(None, 164, shared) == {}
    assert list(never(None, 164, shared, gated=50)) == ["coding"], "little alpha is left"


def test_answers_that_say_too_little_are_known_before_training(answers: Pair) -> None:
    base, sober = answers
    few = "too few prompt families: 9, needs 10"
    assert never(base[:18], 100) == dict.fromkeys(ON_ANSWERS, few)
    assert never(base[:20], 100) == {"hallucination": "too few names: the base names 40, needs 50"}
    assert list(never(sober, 100)) == ["hallucination"], "it invents nothing"
