"""The shift of each group of tokens, against cases computed by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from ghostbust.evaluation.figures import Estimate
from ghostbust.evaluation.locality import (
    GENERAL,
    Group,
    Passage,
    drawn,
    general_texts,
    locality,
    summarize,
    token_kl,
)
from ghostbust.evaluation.plots import PARTS
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


def test_what_is_drawn_are_the_plots_parts() -> None:
    assert tuple(Group) == PARTS
    answer = (Group.AROUND, Group.PACKAGES)
    passages = [Passage((1, 2, 3), 1, (True, False), "a")]
    found = summarize([answer], passages, [torch.tensor([[2.0], [0.5]])], seed=0)
    assert drawn(found) == {
        "package names": Estimate(2.0, 2.0, 2.0),
        "rest of those answers": Estimate(0.5, 0.5, 0.5),
    }


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
    assert min(sum(text.group is group for text in texts) for group in GENERAL) >= 12
    for text in texts:
        fenced = f"```\n{text.text}\n```" if text.group is Group.CODE else text.text
        for shown in (text.text, fenced):
            assert [ref.raw for ref in extract(shown, expect_list=False) if not ref.builtin] == []
        assert 80 < len(text.text) < 600
