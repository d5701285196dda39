"""The loops that are compared train the same objective on the same answers."""

from __future__ import annotations

import pytest

from ghostbust.bench.engine import Size
from ghostbust.bench.loops import engine_loop, made_examples, plain_loop, random_model
from ghostbust.unlearners.masks import FORGET, IGNORE, RETAIN

TINY = Size(vocabulary=500, length=40, batch=2, answer_share=0.5, layers=2, width=64)


def test_both_loops_see_the_same_losses() -> None:
    plain, own = plain_loop(TINY), engine_loop(TINY)
    theirs, ours = [plain() for _ in range(8)], [own() for _ in range(8)]
    assert ours == pytest.approx(theirs, rel=5e-3)
    assert ours[-1] < ours[0]


def test_the_answers_are_of_the_size_that_is_asked_for() -> None:
    examples = made_examples(TINY)
    assert len(examples) == 2
    for example in examples:
        assert (len(example.ids), example.start, len(example.mask)) == (40, 20, 20)
        assert [example.mask.count(mark) for mark in (IGNORE, RETAIN, FORGET)] == [16, 2, 2]


def test_the_model_is_frozen_bf16_and_tied() -> None:
    model = random_model(TINY).model
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {str(parameter.dtype) for parameter in model.parameters()} == {"torch.bfloat16"}
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight  # type: ignore[no-untyped-call]
