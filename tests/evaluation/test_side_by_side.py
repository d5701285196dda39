"""What is compared, and that reading in batches and in slices changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from ghostbust.evaluation import locality as module
from ghostbust.evaluation.locality import answer_passage, side_by_side, text_passage
from ghostbust.models.load import LoadedModel
from ghostbust.models.pair import ModelSide
from ghostbust.records import Answer

JudgedAnswer = Callable[..., Answer]


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
