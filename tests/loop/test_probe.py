"""The look at the volume while a model is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ghostbust.loop.probe import VolumeProbe
from ghostbust.loop.signals import Silence
from ghostbust.loop.watch import judge_samples
from ghostbust.prompts import Task
from ghostbust.records import Answer, Context, Ecosystem, Prompt, Sample
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.samplers.local import LocalSampler
from ghostbust.unlearners.steer import LEAST

SETTINGS = SamplingSettings(samples_per_prompt=3, seed=5)
PROMPTS = [Task(f"task-{n}", f"Plot what sensor{n} says.").prompt(Context.HELPS) for n in range(40)]
Say = Callable[[Prompt, int], str]


def answers(prompts: Sequence[Prompt], each: int, say: Say, judge: Judge) -> list[Answer]:
    samples = [
        Sample(prompt, say(prompt, number), "made-up", None, 0, number, 0.7, False, 9)
        for prompt in prompts
        for number in range(each)
    ]
    return judge_samples(samples, judge)


class Heard(Silence):
    """A listener that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def begin(self, what: str) -> None:
        self.said.append(what)

    def advance(self, done: int, total: int) -> None:
        self.said.append((done, total))


def test_the_volume_is_of_the_names_that_the_base_names_to_such_prompts(
    scripted: Callable[..., Any], judge: Judge
) -> None:
    def base(prompt: Prompt, number: int) -> str:
        return "\n".join(["- numpy", "- rich\n- zzz-not-there"][: number + 1])

    code = [Task("code", "Plot it.").prompt(Context.CODE)]
    logged = answers(PROMPTS[:20], 2, base, judge) + answers(PROMPTS[20:], 1, base, judge)
    logged += answers(code, 1, lambda *_: "```\nimport numpy, rich, flask\n```", judge)
    sampler = scripted(lambda _: "- flask\n- numpy\n- zzz-not-there\n- rich")
    heard = Heard()
    probe = VolumeProbe(
        PROMPTS[:30], logged, judge, SETTINGS, heard, lambda _: sampler, most_looks=12, looks=2
    )
    # the base: 40 answers with 1 name, 20 with 2 and an invented one, to prompts of that kind
    probed = probe(None)  # type: ignore[arg-type]
    assert probed.volume == pytest.approx(3 / (80 / 60))
    assert probed.rate == pytest.approx((1 / 4) / (20 / 100))
    assert len(sampler.asked) == len(set(sampler.asked)) == 30
    assert heard.said[0] == "measure the volume on 30 train-side prompts: look 3 of at most 12"
    assert heard.said[-1] == (30, 30)


def test_what_names_nothing_has_no_volume(scripted: Callable[..., Any], judge: Judge) -> None:
    base = answers(PROMPTS, 1, lambda *_: "- numpy\n- zzz-not-there", judge)
    silent = scripted(lambda _: "")
    probe = VolumeProbe(PROMPTS, base, judge, SETTINGS, Silence(), lambda _: silent)
    probed = probe(None)  # type: ignore[arg-type]
    assert (probed.volume, probed.rate) == (0, 0)
    assert probed.excess == {(Ecosystem.PYPI, Context.HELPS): math.log(LEAST)}


@pytest.mark.parametrize("anew", [False, True])
def test_each_look_hands_on_what_was_said_and_draws_anew_if_asked_to(
    anew: bool, scripted: Callable[..., Any], judge: Judge
) -> None:
    base = answers(PROMPTS, 1, lambda *_: "- numpy\n- zzz-not-there", judge)
    code = [Task("code", "Plot it.").prompt(Context.CODE)]
    base += answers(code, 1, lambda *_: "```\nimport numpy, rich\n```", judge)
    sampler = scripted(
        lambda prompt: "```\nimport numpy\n```" if prompt in code else "- numpy\n- rich"
    )
    prompts = [*PROMPTS[:31], *code]
    probe = VolumeProbe(prompts, base, judge, SETTINGS, Silence(), lambda _: sampler, anew=anew)
    first, second = probe(None), probe(None)  # type: ignore[arg-type]
    assert [len(seen.answers) for seen in (first, second)] == [32, 32]
    seeds = [{answer.sample.seed for answer in seen.answers} for seen in (first, second)]
    assert len(seeds[0] | seeds[1]) == 1 + anew
    assert first.volume == pytest.approx(63 / 33)
    assert first.excess == {
        (Ecosystem.PYPI, Context.HELPS): pytest.approx((math.log(63 / 33) + math.log(2)) / 2),
        (Ecosystem.PYPI, Context.CODE): pytest.approx((math.log(63 / 33) - math.log(2)) / 2),
    }


@pytest.mark.parametrize(
    ("prompts", "text", "usable"),
    [
        (PROMPTS, "- numpy\n- zzz-not-there", True),
        (PROMPTS, "- numpy", False),
        (PROMPTS, "- zzz-not-there", False),
        ([], "- numpy\n- zzz-not-there", False),
    ],
)
def test_without_prompts_or_names_there_is_nothing_to_steer_by(
    prompts: list[Prompt], text: str, usable: bool, judge: Judge
) -> None:
    base = answers(PROMPTS, 1, lambda *_: text, judge)
    assert VolumeProbe(prompts, base, judge, SETTINGS, Silence(), LocalSampler).usable is usable
