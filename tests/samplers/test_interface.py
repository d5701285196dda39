"""What every sampler does, held for each back-end: one in this process, one behind a server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ghostbust.models.load import LoadedModel
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.endpoint import EndpointSampler
from ghostbust.samplers.interface import Sampler, SamplingSettings
from ghostbust.samplers.local import LocalSampler
from tests.lab.model_server import Serving, serve

SAMPLERS = ("local", "endpoint")
PROMPTS = [
    Prompt(text, Context.HELPS, Ecosystem.PYPI, family=text)
    for text in ("plot a chart", "größe 🎉", "read a file")
]
SETTINGS = SamplingSettings(temperature=1, max_new_tokens=12, samples_per_prompt=3, seed=4)


@pytest.fixture(params=SAMPLERS)
def sampler(
    request: pytest.FixtureRequest, tiny: LoadedModel, tiny_model_dir: Path
) -> Iterator[Sampler]:
    if request.param == "local":
        yield LocalSampler(tiny)
        return
    with serve(Serving(tiny_model_dir, "base")) as server:
        # one at a time: the server computes requests together, which moves the last bits
        yield EndpointSampler(server.url, tiny.name, served_as="base", concurrency=1)


def test_every_prompt_gets_its_numbered_samples(sampler: Sampler, tiny: LoadedModel) -> None:
    found = list(sampler.sample(PROMPTS, SETTINGS))
    assert len(found) == 9
    assert {(each.prompt.text, each.number) for each in found} == {
        (prompt.text, number) for prompt in PROMPTS for number in range(3)
    }
    for each in found:
        assert (each.model, each.adapter) == (sampler.model, sampler.adapter) == (tiny.name, None)
        assert (each.seed, each.temperature) == (4, 1)
        assert each.tokens > 0
    assert len({each.text for each in found}) > 6


def test_the_same_call_gives_the_same_samples(sampler: Sampler) -> None:
    first = {each.id for each in sampler.sample(PROMPTS, SETTINGS)}
    assert first == {each.id for each in sampler.sample(PROMPTS[::-1], SETTINGS)}
    assert first.isdisjoint(each.id for each in sampler.sample(PROMPTS, replace(SETTINGS, seed=5)))


def test_further_samples_are_those_of_one_longer_call(sampler: Sampler) -> None:
    whole = {each.id for each in sampler.sample(PROMPTS, SETTINGS)}
    further = replace(SETTINGS, first_number=1, samples_per_prompt=2)
    found = list(sampler.sample(PROMPTS, further))
    assert sorted(each.number for each in found) == [1, 1, 1, 2, 2, 2]
    assert {each.id for each in found} < whole


def test_greedy_samples_are_alike(sampler: Sampler) -> None:
    greedy = SamplingSettings(temperature=0, max_new_tokens=6, samples_per_prompt=2)
    texts = [each.text for each in sampler.sample(PROMPTS[:1], greedy)]
    assert len(texts) == 2
    assert len(set(texts)) == 1


def test_nothing_asked_is_nothing_answered(sampler: Sampler) -> None:
    assert list(sampler.sample([], SETTINGS)) == []
    assert sampler.complete([], max_new_tokens=4, stop=()) == []


def test_closing_early_stops_the_work(sampler: Sampler) -> None:
    samples = sampler.sample(PROMPTS, SETTINGS)
    next(samples)
    samples.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(samples)


def test_completions_are_in_order_and_end_before_a_stop(sampler: Sampler) -> None:
    texts = ["import numpy", "x", "pip install"]
    whole = sampler.complete(texts, max_new_tokens=12, stop=())
    assert len(set(whole)) == 3
    mark = whole[1][3:5]
    cut = sampler.complete(texts, max_new_tokens=12, stop=[mark, "never said"])
    assert cut == [text.split(mark)[0] for text in whole]
    assert cut[1] != whole[1]
