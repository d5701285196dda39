"""Terms that objectives share."""

from __future__ import annotations

from collections.abc import Callable
from math import log

import pytest
import torch

from ghostbust.unlearners.masks import END, FORGET, RETAIN
from ghostbust.unlearners.methods.interface import Tokens
from ghostbust.unlearners.methods.terms import (
    answer_sums,
    base_log_likelihood,
    log_likelihood,
    of_class,
    reinforced,
    total,
)
from ghostbust.unlearners.settings import Weights

MakeTokens = Callable[..., Tokens]
MASK = (FORGET, RETAIN, FORGET, FORGET, END)
P, BASE = (0.7, 0.4, 0.5, 0.1, 0.25), (0.8, 0.9, 0.25, 0.3, 0.9)


@pytest.fixture
def tokens(make_tokens: MakeTokens) -> Tokens:
    return make_tokens(P, MASK, base=BASE, answer=(0, 0, 2, 2, 2))


def test_likelihoods_are_of_the_rows_that_are_asked_for(tokens: Tokens) -> None:
    rows = of_class(tokens, FORGET)
    assert rows.tolist() == [0, 2, 3]
    logs = [log(p) for p in (0.7, 0.5, 0.1)]
    assert log_likelihood(tokens, rows).tolist() == pytest.approx(logs)
    logs = [log(p) for p in (0.8, 0.25, 0.3)]
    assert base_log_likelihood(tokens, rows).tolist() == pytest.approx(logs)
    assert log_likelihood(tokens, rows[:0]).tolist() == []


def test_values_are_summed_by_answer(tokens: Tokens) -> None:
    """Answer 1 has no token at all."""
    rows = of_class(tokens, FORGET)
    assert answer_sums(torch.tensor([3.0, 5.0, 7.0]), tokens, rows).tolist() == [3, 0, 12]
    assert answer_sums(torch.tensor([]), tokens, rows[:0]).tolist() == [0, 0, 0]


def test_ends_are_reinforced_apart_from_the_rest(tokens: Tokens) -> None:
    parts = reinforced(tokens)
    assert {name: float(part) for name, part in parts.items()} == pytest.approx(
        {"retain": -log(0.4), "end": -log(0.25)}
    )


def test_the_total_is_weighed_by_the_parts_names(tokens: Tokens) -> None:
    parts = {"retain": torch.tensor(2.0), "end": torch.tensor(5.0)}
    loss, told = total(parts, Weights(retain=3, forget=100, end=7), tokens)
    assert float(loss) == 3 * 2 + 7 * 5
    assert told == {"retain": 2.0, "end": 5.0}
