"""The look at the volume while a model is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ghostbust.loop.listener import Silence
from ghostbust.loop.probe import VolumeProbe
from ghostbust.loop.watch import judge_samples
from ghostbust.prompts import Task
from ghostbust.records import Answer, Context, Prompt, Sample
from ghostbust.registries.judge import Judge
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.unlearners.sets import FEWEST_PROBES

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


def test_the_ratio_is_of_real_names_per_prompt(scripted: Callable[..., Any], judge: Judge) -> None:
    def base(prompt: Prompt, number: int) -> str:
        names = ["- numpy", "- rich", "- zzz-not-there"][: number + 1]
        return "\n".join(names if prompt.family != "task-0" else names[:1])

    mixed = answers(PROMPTS[:20], 2, base, judge) + answers(PROMPTS[20:], 1, base, judge)
    sampler = scripted(lambda _: "- flask\n- numpy\n- zzz-not-there\n- rich")
    heard = Heard()
    probe = VolumeProbe(mixed, judge, SETTINGS, heard, lambda _: sampler)
    # the base: one prompt with 1 name, 19 with 1.5 on average, 20 with 1
    assert probe(None) == pytest.approx(40 * 3 / (1 + 19 * 1.5 + 20))  # type: ignore[arg-type]
    assert len(sampler.asked) == len(set(sampler.asked)) == 40
    assert heard.said[0] == "measure the volume on 40 train-side prompts"
    assert heard.said[-1] == (40, 40)


def test_what_names_nothing_has_no_volume(scripted: Callable[..., Any], judge: Judge) -> None:
    base = answers(PROMPTS, 1, lambda *_: "- numpy", judge)
    silent = scripted(lambda _: "")
    assert VolumeProbe(base, judge, SETTINGS, Silence(), lambda _: silent)(None) == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompts", "text", "usable"),
    [
        (FEWEST_PROBES, "- numpy", True),
        (FEWEST_PROBES - 1, "- numpy\n- rich", False),
        (FEWEST_PROBES, "I can't say.", False),
        (0, "", False),
    ],
)
def test_too_little_is_nothing_to_steer_by(
    prompts: int, text: str, usable: bool, judge: Judge
) -> None:
    base = answers(PROMPTS[:prompts], 1, lambda *_: text, judge)
    assert VolumeProbe(base, judge, SETTINGS, Silence()).usable is usable
