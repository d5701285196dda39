"""How answers are dealt to steps and micro-batches, and what of them a micro-batch holds."""

from __future__ import annotations

import pytest
import torch

from ghostbust.unlearners.data import Totals, deal_steps, make_batch, micro_batches
from ghostbust.unlearners.masks import BARE, FORGET, FORK, IGNORE, RETAIN, Example

CPU = torch.device("cpu")
ALL = frozenset({IGNORE, RETAIN, FORGET})
FIRST = Example((1, 2, 3, 4), 1, (IGNORE, RETAIN, FORGET), weight=2.0, ended=True)
SECOND = Example((5, 6), 1, (RETAIN,))


def test_every_step_sees_about_as_much_of_each_kind() -> None:
    kinds = [(FORGET, False)] * 8 + [(RETAIN, True)] * 8 + [(RETAIN, False)] * 24
    examples = [Example((1, 2, 3), 2, (mark,), repaired=rep) for mark, rep in kinds]
    steps = list(deal_steps(examples, answers_per_step=5, epochs=2, seed=0))
    assert len(steps) == 2 * 8
    for step in steps:
        assert [sum(e.forgets for e in step), sum(e.repaired for e in step)] == [1, 1]
        assert len(step) == 5


def test_bare_code_comes_on_top_of_what_a_step_holds() -> None:
    examples = [Example((1, 2, number), 2, (RETAIN,)) for number in range(9)]
    code = [Example((1, number), 1, (BARE,)) for number in range(5)]
    steps = list(deal_steps([*code, *examples], answers_per_step=3, epochs=2, seed=0))
    assert [sum(not e.bare for e in step) for step in steps] == [3] * 6
    assert [sum(e.bare for e in step) for step in steps] == [2, 2, 1] * 2
    assert {e.ids for step in steps[:3] for e in step if e.bare} == {e.ids for e in code}


@pytest.mark.parametrize(
    ("count", "most", "sizes"), [(5, 4, [2, 3]), (4, 4, [4]), (7, 2, [1, 2, 2, 2]), (3, 9, [3])]
)
def test_micro_batches_are_of_similar_size_and_length(
    count: int, most: int, sizes: list[int]
) -> None:
    step = [Example(tuple(range(9 - n)), 0, ()) for n in range(count)]
    made = list(micro_batches(step, most))
    assert [len(batch) for batch in made] == sizes
    lengths = [len(example.ids) for batch in made for example in batch]
    assert lengths == sorted(lengths)
    assert len(lengths) == count


def test_the_tensors_of_a_batch() -> None:
    batch = make_batch([FIRST, SECOND], Totals.of([FIRST, SECOND]), ALL, CPU)
    assert batch.ids.tolist() == [[1, 2, 3, 4], [5, 6, 0, 0]]
    assert batch.row.tolist() == [0, 0, 0, 1]
    assert [place.tolist() for place in batch.places] == [[0, 0, 0, 1], [0, 1, 2, 0]]
    assert batch.targets.tolist() == [2, 3, 4, 6]
    assert batch.mask.tolist() == [IGNORE, RETAIN, FORGET, RETAIN]
    assert batch.share.tolist() == pytest.approx([1, 2 / 3, 1, 1 / 3])
    assert batch.answer_share.tolist() == [1, 0]
    assert batch.ends.tolist() == [False, False, True, False]


def test_shares_are_of_the_whole_step() -> None:
    totals = Totals.of([FIRST, SECOND, FIRST])
    shares = [make_batch([one], totals, ALL, CPU) for one in (FIRST, SECOND, FIRST)]
    for mark in ALL:
        assert sum(float(b.share[b.mask == mark].sum()) for b in shares) == pytest.approx(1)
    assert sum(float(b.answer_share.sum()) for b in shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("marks", "fork", "share"),
    [
        ((FORK, FORGET, FORGET), None, 2 / 4),  # beside two tokens to forget
        ((FORK, FORGET, FORGET), 0.5, 0.5 / 4),
        ((FORK, FORGET, FORGET), 6.0, 6 / 6),
        ((FORK, FORK, FORGET), None, 2 / 4),  # among two
        ((FORK, RETAIN, RETAIN), None, 1),
    ],
)
def test_a_fork_weighs_what_a_token_to_forget_does_at_most(
    marks: tuple[int, ...], fork: float | None, share: float
) -> None:
    example = Example((1, 2, 3, 4), 1, marks, weight=2.0, fork=fork)
    batch = make_batch([example], Totals.of([example]), ALL | {FORK}, CPU)
    assert batch.share[0].item() == pytest.approx(share)


def test_tokens_that_no_part_reads_are_left_out() -> None:
    batch = make_batch([FIRST, SECOND], Totals.of([FIRST]), frozenset({FORGET}), CPU)
    assert batch.targets.tolist() == [4]
    none = make_batch([SECOND], Totals.of([SECOND]), frozenset({FORGET}), CPU)
    assert [len(none.row), len(none.mask), len(none.targets), len(none.ends)] == [0, 0, 0, 0]
