"""The shift of each group of tokens by hand; reading in batches and slices changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ghostbust.evaluation import locality as module
from ghostbust.evaluation.figures import Group
from ghostbust.evaluation.locality import (
    Passage,
    answer_passage,
    general_texts,
    locality,
    side_by_side,
    summarize,
    text_passage,
    token_kl,
)
from ghostbust.extractors.extract import extract
from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import ModelSide, load_apart
from ghostbust.records import Answer

JudgedAnswer = Callable[..., Answer]


def logits(*probabilities: float) -> torch.Tensor:
    """Logits of one place, shifted by a constant, which must not matter."""
    return torch.tensor([probabilities]).log() + 3.0


@pytest.mark.parametrize(
    ("base", "adapted", "nats"),
    [
        ((0.5, 0.5), (0.5, 0.5), 0.0),
        ((0.5, 0.5), (0.9, 0.1), 0.5 * math.log(0.5 / 0.9) + 0.5 * math.log(0.5 / 0.1)),
        ((0.9, 0.1), (0.5, 0.5), 0.9 * math.log(1.8) + 0.1 * math.log(0.2)),  # not symmetric
        ((0.5, 0.25, 0.25), (0.25, 0.25, 0.5), 0.25 * math.log(2)),
    ],
)
def test_kl_of_one_place_is_as_computed_by_hand(
    base: tuple[float, ...], adapted: tuple[float, ...], nats: float
) -> None:
    kl = token_kl(logits(*base), logits(*adapted))
    assert kl.shape == (1, 1)
    assert float(kl) == pytest.approx(nats, abs=1e-6)


def test_means_run_over_tokens_and_intervals_over_families() -> None:
    answer = (Group.AROUND, Group.PACKAGES)
    passages = [
        Passage((1, 2, 3, 4), 1, (True, False, True), "a"),
        Passage((1, 2), 1, (True,), "b"),
        Passage((1, 2, 3), 1, (False, False), "c"),
    ]
    told = [
        torch.tensor([[1.0], [0.1], [2.0]]),
        torch.tensor([[6.0]]),
        torch.tensor([[0.0], [0.2]]),
    ]
    found = summarize([answer, answer, (Group.TEXT, Group.TEXT)], passages, told, seed=0)
    by_group = {shift.group: shift for shift in found}
    assert list(by_group) == [Group.PACKAGES, Group.AROUND, Group.TEXT]  # nothing of CODE
    packages = by_group[Group.PACKAGES]
    assert packages.kl == pytest.approx(3.0)  # (1 + 2 + 6) / 3
    assert (packages.tokens, packages.texts) == (3, 2)
    assert packages.ci95 == pytest.approx((1.5, 6.0))  # resamples of a alone, and of b alone
    assert by_group[Group.TEXT].kl == pytest.approx(0.1)
    assert by_group[Group.TEXT].ci95 == pytest.approx((0.1, 0.1))


def test_a_model_against_itself_moved_nowhere(
    tiny: LoadedModel, judged_answer: JudgedAnswer
) -> None:
    side = ModelSide(tiny.model)
    answers = [judged_answer("- numpy\n- ghost\n"), judged_answer("Nothing to install.")]
    found = locality(tiny, side, side, answers, general_texts()[:2] + general_texts()[-2:])
    assert [shift.group for shift in found] == list(Group)
    assert {shift.kl for shift in found} == {0.0}
    assert [shift.texts for shift in found] == [1, 1, 2, 2]


def test_an_adapter_is_measured_against_its_base_in_one_model(
    tiny_model_dir: Path, adapter_dir: Path, judged_answer: JudgedAnswer
) -> None:
    apart = load_apart(str(tiny_model_dir), tiny_model_dir, adapter_dir, device="cpu")
    answers = [judged_answer(f"- numpy\n- ghost-{n}", family=f"f{n}") for n in range(3)]
    found = locality(apart.loaded, apart.base, apart.adapted, answers, general_texts())
    assert [shift.group for shift in found] == list(Group)
    for shift in found:
        assert 0 < shift.ci95[0] <= shift.kl <= shift.ci95[1]


def test_the_shipped_texts_name_no_package() -> None:
    texts = general_texts()
    assert len({text.id for text in texts}) == len(texts)
    assert (
        min(sum(text.group is group for text in texts) for group in (Group.CODE, Group.TEXT)) >= 12
    )
    for text in texts:
        fenced = f"```\n{text.text}\n```" if text.group is Group.CODE else text.text
        for shown in (text.text, fenced):
            assert [ref.raw for ref in extract(shown, expect_list=False) if not ref.builtin] == []
        assert 80 < len(text.text) < 600


# What is compared


def named_text(loaded: LoadedModel, answer: Answer) -> str:
    passage = answer_passage(loaded, answer)
    pairs = zip(passage.ids[passage.start :], passage.named, strict=True)
    return loaded.decode([token for token, named in pairs if named])


def test_names_are_told_from_the_rest(tiny: LoadedModel, judged_answer: JudgedAnswer) -> None:
    answer = judged_answer("Try:\n- numpy\n- json\n- ghost-lib\n")
    assert named_text(tiny, answer).strip() == "numpyghost-lib"  # json is a builtin


@pytest.mark.parametrize("truncated", [False, True])
def test_the_end_is_compared_where_there_is_one(
    truncated: bool, tiny: LoadedModel, judged_answer: JudgedAnswer
) -> None:
    passage = answer_passage(tiny, judged_answer("- numpy", truncated=truncated))
    assert (passage.ids[-1] == tiny.end_token) is not truncated
    assert len(passage.named) == len(passage.ids) - passage.start
    assert list(passage.ids[: passage.start]) == tiny.encode_prompt("task of family")


def test_earlier_turns_stand_before_the_answer(
    tiny: LoadedModel, judged_answer: JudgedAnswer
) -> None:
    answer = judged_answer("- numpy")
    turned = replace(answer.sample.prompt, turns=("write it", "import rich"))
    passage = answer_passage(tiny, replace(answer, sample=replace(answer.sample, prompt=turned)))
    head = tiny.tokenizer.decode(list(passage.ids[: passage.start]))
    assert head == (
        "<|user|>write it<|end|><|assistant|>import rich<|end|>"
        "<|user|>task of family<|end|><|assistant|>"
    )


def test_a_bare_text_has_no_first_prediction(tiny: LoadedModel) -> None:
    passage = text_passage(tiny, "import numpy", "one")
    assert (passage.start, len(passage.named)) == (1, len(tiny.encode("import numpy")) - 1)
    assert not any(passage.named)


def test_long_texts_are_cut(tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_TOKENS", 10)
    passage = text_passage(tiny, "a longer text about nothing at all", "one")
    assert (len(passage.ids), len(passage.named)) == (10, 9)


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_batches_and_slices_give_what_one_pass_over_each_text_gives(
    rows: int, tiny: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROWS_AT_ONCE", rows)
    texts = ["short", "", "x", "somewhat longer text", "import numpy, rich"]
    passages = [text_passage(tiny, text, text) for text in texts]

    def chosen(base: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        assert len(base) <= rows
        torch.testing.assert_close(base, other)
        return base.max(-1, keepdim=True).values

    told = side_by_side(ModelSide(tiny.model), ModelSide(tiny.model), passages, chosen)
    for text, values in zip(texts, told, strict=True):
        ids = tiny.encode(text)
        if len(ids) < 2:
            assert len(values) == 0
            continue
        with torch.inference_mode():
            logits = tiny.model(torch.tensor([ids])).logits[0, :-1]  # (T - 1, V)
        torch.testing.assert_close(values[:, 0], logits.max(-1).values)
