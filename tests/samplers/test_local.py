"""Sampling, completing and scoring with a model in this process."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.models.load import LoadedModel, load_model
from ghostbust.records import Context, Ecosystem, Prompt, Sample
from ghostbust.samplers.interface import Cut, SamplingSettings
from ghostbust.samplers.local import LocalSampler, _Guarded, stream_seed
from ghostbust.samplers.vocabulary import Vocabulary


def prompt(text: str) -> Prompt:
    return Prompt(text, Context.HELPS, Ecosystem.PYPI, family=f"family of {text}")


PROMPTS = [
    prompt("plot a chart"),
    prompt("größe 🎉"),
    prompt("read a very long file, line by line"),
]
SETTINGS = SamplingSettings(
    temperature=1, top_k=0, top_p=1, max_new_tokens=60, samples_per_prompt=8, seed=5
)


@pytest.fixture(scope="module")
def local(tiny: LoadedModel) -> LocalSampler:
    return LocalSampler(tiny)


def drawn(sampler: LocalSampler, settings: SamplingSettings = SETTINGS) -> list[Sample]:
    found = list(sampler.sample(PROMPTS, settings))
    return sorted(found, key=lambda each: (PROMPTS.index(each.prompt), each.number))


def test_samples_say_what_they_are(tiny: LoadedModel) -> None:
    found = drawn(LocalSampler(tiny, "round-0001-abcd"))
    assert [(each.prompt, each.number) for each in found] == [
        (asked, number) for asked in PROMPTS for number in range(8)
    ]
    for each in found:
        assert (each.model, each.adapter, each.seed) == (tiny.name, "round-0001-abcd", 5)
        assert each.temperature == 1
        assert each.tokens == 60 if each.truncated else 1 <= each.tokens <= 60
        assert "<|" not in each.text
    assert {each.truncated for each in found} == {True, False}


def test_earlier_turns_are_read(local: LocalSampler) -> None:
    """The answer to a question behind others is another one, and not its private stream alone."""
    greedy = SamplingSettings(temperature=0, max_new_tokens=12)
    turned = replace(PROMPTS[0], turns=("read a file", "import numpy, rich"))
    first, second = (next(iter(local.sample([p], greedy))).text for p in (PROMPTS[0], turned))
    assert first != second


def test_the_same_call_gives_the_same_samples(local: LocalSampler) -> None:
    found = drawn(local)
    assert found == drawn(local, replace(SETTINGS, batch_size=3))
    alone = list(local.sample(PROMPTS[1:2], SETTINGS))
    assert sorted(alone, key=lambda each: each.number) == found[8:16]


def test_streams_are_apart_and_stay_as_they_are() -> None:
    seeds = {stream_seed(s, p, n) for s in range(3) for p in ("a", "b") for n in range(3)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)
    # a change here would make no past sample reproducible
    assert stream_seed(0, "a", 0) == 5702018327209904986


def test_complete_keeps_the_order_and_continues_greedily(
    local: LocalSampler, tiny: LoadedModel
) -> None:
    texts = ["import numpy", "x", "a much longer beginning of a text"]
    found = local.complete(texts, max_new_tokens=7, stop=[])
    for text, continued in zip(texts, found, strict=True):
        ids = tiny.encode(text)
        for _ in range(7):
            with torch.inference_mode():
                ids.append(int(tiny.model(torch.tensor([ids])).logits[0, -1].argmax()))
        assert continued == tiny.decode(ids[len(tiny.encode(text)) :])
    assert found == local.complete(texts, max_new_tokens=7, stop=[], batch_size=1)


def test_an_answer_is_greedy_and_through_the_chat_template(local: LocalSampler) -> None:
    prompts = ["import numpy", "a much longer question"]
    assert local.chats
    greedy = SamplingSettings(temperature=0, max_new_tokens=7)
    asked = [Prompt(text, Context.CODE, Ecosystem.PYPI, family="f") for text in prompts]
    said = {sample.prompt.text: sample.text for sample in local.sample(asked, greedy)}
    found = local.answer(prompts, max_new_tokens=7)
    assert found == [said[text] for text in prompts]
    assert found == local.answer(prompts, max_new_tokens=7, batch_size=1)


PAIRS = [
    ("import numpy", " and rich\n"),
    ("", "import numpy"),
    ("pip install", " flask"),
    ("größe", ""),
    ("a longer beginning than the others have", " and its end 🎉"),
]


def test_scores_are_those_of_a_plain_loop(local: LocalSampler, tiny: LoadedModel) -> None:
    scores = local.score(PAIRS)
    for (head, tail), score in zip(PAIRS, scores, strict=True):
        before, behind = tiny.encode(head), tiny.encode(tail)
        expected = 0.0
        for place in range(len(behind)):
            context = before + behind[:place]
            if context:  # nothing predicts the first token of all
                with torch.inference_mode():
                    logits = tiny.model(torch.tensor([context])).logits[0, -1]
                expected -= float(logits.log_softmax(-1)[behind[place]])
        assert score.tokens == len(behind)
        assert score.nll == pytest.approx(expected, abs=1e-3)


def test_the_batch_does_not_change_a_score(local: LocalSampler) -> None:
    whole = local.score(PAIRS)
    alone = [local.score([pair])[0] for pair in PAIRS]
    assert [each.tokens for each in whole] == [each.tokens for each in alone]
    assert [s.nll for s in whole] == pytest.approx([s.nll for s in alone], abs=1e-3)
    assert local.score([]) == []


def test_scores_behind_a_prompt_are_those_of_the_whole_text(
    local: LocalSampler, tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are read in several batches, and where one is empty."""
    tails = [" numpy\n", " a-much-longer-name\n", "", " rich\n", " x\n"]
    head = tiny.encode_prompt(PROMPTS[0].text) + tiny.encode("-")
    expected = []
    for tail in tails:
        behind = tiny.encode(tail)
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([head + behind])).logits[0].log_softmax(-1)
        places = range(len(head) - 1, len(head) - 1 + len(behind))
        expected.append(-sum(float(logits[p, t]) for p, t in zip(places, behind, strict=True)))
    for at_once in (2, 32):
        monkeypatch.setattr("ghostbust.samplers.local.TAILS_AT_ONCE", at_once)
        found = local.score_behind(PROMPTS[0], "-", tails)
        assert [score.nll for score in found] == pytest.approx(expected, abs=1e-3)
        assert [score.tokens for score in found] == [len(tiny.encode(tail)) for tail in tails]
    assert local.score_behind(PROMPTS[0], "-", []) == []


@pytest.mark.slow
def test_the_real_model_says_what_transformers_says(embedded_model_dir: Path) -> None:
    loaded = load_model(str(embedded_model_dir), embedded_model_dir, device="cpu")
    loaded.model.float()  # type: ignore[no-untyped-call]
    asked = prompt("List five Python packages that help to plot a chart.")
    settings = SamplingSettings(temperature=0, max_new_tokens=24)
    (found,) = LocalSampler(loaded).sample([asked], settings)
    ids = torch.tensor([loaded.encode_prompt(asked.text)])
    output = loaded.model.generate(  # type: ignore[operator]
        ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=24
    )
    assert found.text == loaded.decode(output[0, ids.shape[1] :].tolist())


def test_a_held_name_goes_on_in_text_only() -> None:
    """Bug: a special token writes nothing, so it passed as the rest of any name."""

    class Place:
        def may_follow(self, text: str) -> bool:
            return "abc".startswith(text)

        def is_written(self, text: str) -> bool:
            return False

    class Reader:
        def is_due(self, piece: str) -> bool:
            return True

        def cut(self, text: str, *, ended: bool, truncated: bool, last: bool) -> Cut:
            return Cut(0, place=Place())

    vocabulary = Vocabulary([b"a", b"b", b"ab", b"x", b""], frozenset())
    guarded = _Guarded(Reader(), vocabulary.read, vocabulary)
    assert guarded([3], ended=False, truncated=False, last=False) == (0, False)
    held = guarded.held(torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), [])
    assert held.tolist() == [1.0, -math.inf, 3.0, -math.inf, -math.inf]
