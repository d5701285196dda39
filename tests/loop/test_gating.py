"""Every gate stands in the report, in order, whatever it could measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
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
    judged: Mapping[str, int] | None = None,
    blocks: Iterable[Pair] | None = None,
) -> GateReport:
    return run_gates(
        limits,
        benchmark(tasks),
        candidate="round-0001-aa",
        models=models or (Speaks(), Speaks()),
        blocks=[answers] if blocks is None else blocks,
        seed=0,
        gated=gated,
        judged=judged or {},
        listener=listener or Silence(),
    )


def test_every_gate_is_told_and_in_the_report(answers: Pair) -> None:
    heard = Heard()
    report = run(answers, 2, GatesSection(unknown_margin=0.6), listener=heard)
    assert [result.gate for result in report.results] == GATES
    assert heard.begun == [f"gate: {name}" for name in GATES]
    assert report.candidate == "round-0001-aa"


def test_without_a_benchmark_nothing_passes(answers: Pair) -> None:
    verdicts = {
        r.gate: r.verdict for r in run(answers, 0, GatesSection(unknown_margin=0.6)).results
    }
    assert verdicts["hallucination"] is GateVerdict.PASS
    assert verdicts["likelihood"] is verdicts["coding"] is GateVerdict.INCONCLUSIVE


def test_coding_tasks_are_not_asked_once_another_gate_has_failed(answers: Pair) -> None:
    heard, models = Heard(), (Speaks(), Speaks())
    report = run(answers, 100, GatesSection(), models, heard)
    by_gate = {result.gate: result for result in report.results}
    assert by_gate["unknown"].verdict is report.verdict is GateVerdict.FAIL
    assert heard.begun == [f"gate: {name}" for name in ON_ANSWERS]
    assert models[0].completed == models[1].completed == []
    for name in ("likelihood", "coding"):
        assert by_gate[name].verdict is GateVerdict.INCONCLUSIVE
        assert by_gate[name].reason.startswith("not run, since")
        assert "unknown failed" in by_gate[name].reason


def in_blocks(whole: Pair, most: int, read: list[int]) -> Iterator[Pair]:
    """The same answers again in each block, numbered on; ``read`` gets the blocks asked for."""
    for block in range(1, most + 1):
        read.append(block)
        yield (
            [
                Answer(replace(a.sample, number=a.sample.number + 2 * n), a.judged)
                for n in range(block)
                for a in whole[0]
            ],
            [
                Answer(replace(a.sample, number=a.sample.number + 2 * n), a.judged)
                for n in range(block)
                for a in whole[1]
            ],
        )


@pytest.mark.parametrize(
    ("limits", "blocks", "verdict"),
    [
        (GatesSection(samples=2, unknown_margin=0.6), 1, GateVerdict.PASS),
        (GatesSection(samples=2), 1, GateVerdict.FAIL),
        (GatesSection(samples=2, min_drop=1, unknown_margin=0.6), 3, GateVerdict.INCONCLUSIVE),
    ],
)
def test_more_answers_are_asked_only_while_a_gate_can_not_tell(
    answers: Pair, limits: GatesSection, blocks: int, verdict: GateVerdict
) -> None:
    read: list[int] = []
    report = run(answers, 0, limits, blocks=in_blocks(answers, limits.blocks, read))
    results = [r for r in report.results if r.gate in ON_ANSWERS]
    assert read == list(range(1, blocks + 1))
    assert {r.details["block"] for r in results} == {f"{blocks} of 3"}
    assert {r.details["answers"] for r in results} == {blocks * len(answers[0])}
    assert GateReport("", tuple(results)).verdict is verdict


def test_what_is_supported_is_the_same_in_every_block(answers: Pair) -> None:
    """One of ``samples`` - 1 others, however many there are by then."""
    read: list[int] = []
    limits = GatesSection(samples=2, min_drop=1, unknown_margin=0.6)
    report = run(answers, 0, limits, blocks=in_blocks(answers, 3, read))
    volume = next(r for r in report.results if r.gate == "volume")
    assert (read, volume.details["support"]) == ([1, 2, 3], 1)


def test_families_that_judged_before_are_said_once(answers: Pair) -> None:
    families = sorted({answer.sample.prompt.family for answer in answers[0]})
    report = run(answers, 0, GatesSection(), judged={families[0]: 3, families[1]: 1, "else": 9})
    first, *others = report.results
    said = f"2 of the {len(families)} prompt families judged earlier candidates"
    assert f"{said}, the most used 3 of them" in first.reason
    assert first.details["families_reused"] == 2
    assert not any("judged earlier" in other.reason for other in others)


def test_answers_that_cannot_be_paired_are_inconclusive(answers: Pair) -> None:
    """Each gate says why, and its own condition."""
    compared = run(answers, 2, GatesSection())
    report = run((answers[0], []), 2, GatesSection())
    assert report.verdict is GateVerdict.INCONCLUSIVE
    assert {result.verdict for result in report.results} == {GateVerdict.INCONCLUSIVE}
    on_answers = [result for result in report.results if result.gate in ON_ANSWERS]
    assert {result.reason for result in on_answers} == {
        f"not run: {len(answers[0])} answers of the base, 0 of the candidate"
    }
    assert [r.margin for r in report.results] == [r.margin for r in compared.results]
    assert len({result.margin for result in on_answers}) == len(ON_ANSWERS)


def test_the_settings_limits_are_the_gates_limits(answers: Pair) -> None:
    base, candidate = Speaks(), Speaks(nll=10.3)
    limits = GatesSection(
        min_drop=0.9,
        volume_low=0.5,
        volume_high=3,
        unknown_margin=0.6,
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
    report = run(answers, 100, GatesSection(spend="rounds", unknown_margin=0.6), gated=4)
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
    once, few = GatesSection(blocks=1), "too few names: the base names 40, needs 50"
    assert never(base[:20], 100, once) == {"hallucination": few}
    assert never(base[:20], 100) == {}, "further blocks may tell"
    assert list(never(sober, 100)) == ["hallucination"], "it invents nothing"
