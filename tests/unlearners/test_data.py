"""What each answer weighs, how answers are dealt to steps, and what a micro-batch holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.data import (
    Nature,
    Totals,
    cut,
    deal_steps,
    encode,
    encode_rest,
    make_batch,
    micro_batches,
)
from ghostbust.unlearners.masks import (
    BARE,
    FORGET,
    FORK,
    IGNORE,
    RETAIN,
    Example,
    encode_answer,
    encode_repaired,
)
from ghostbust.unlearners.settings import TrainSettings, Weights

MakeAnswer = Callable[..., Answer]
PLAIN = TrainSettings(weights=Weights(repair=1.0))
WEIGHED = TrainSettings(weights=Weights(naming=2.5, silent=0.5))


@pytest.fixture
def ghosts(make_answer: MakeAnswer) -> list[Answer]:
    return [make_answer("- numpy\n- ghost"), make_answer("- ghost")]


def test_nature_is_counted_for_each_answer_with_inventions(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    named, silent, empty = (make_answer(text) for text in ("- numpy", "I can't say.", "  "))
    padded = make_answer("\n".join(f"- {name}" for name in ("numpy", "rich", "httpx") * 9))
    assert Nature.of([*ghosts, named, silent, silent, silent, empty]) == Nature(0.5, 1.5)
    assert Nature.of([named, named, padded]) == Nature(3, 0), "a name that comes back is one"
    assert Nature.of([]) == Nature(0, 0)


def test_kinds_weigh_what_is_asked_however_many_they_are(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    named, silent = make_answer("- numpy\n- rich"), make_answer("I can't say.")
    nature = Nature(naming=2.0, silent=3.0)
    weights = [e.weight for e in encode(tiny, [silent, *ghosts, named], WEIGHED, nature)]
    # the natural weight of two with inventions is 4 of the naming and 6 of the silent ones
    assert weights == [1.0, 1.0, 2.5 * 4, 0.5 * 6]
    weights = [e.weight for e in encode(tiny, [*ghosts, *[named] * 5], WEIGHED, nature)]
    assert weights == [1.0, 1.0, *[2.5 * 4 / 5] * 5]


@pytest.mark.parametrize("settings", [PLAIN, WEIGHED])
def test_without_a_weight_or_an_invention_every_answer_counts_the_same(
    settings: TrainSettings, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answers = [make_answer("- numpy"), make_answer("I can't say.")]
    assert [e.weight for e in encode(tiny, answers, settings, Nature(2, 3))] == [1.0, 1.0]
    if settings is PLAIN:
        answers.append(make_answer("- ghost"))
        assert {e.weight for e in encode(tiny, answers, settings, Nature(2, 3))} == {1.0}


def test_the_volume_is_raised_by_what_names_only_real_packages(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    ghost, silent = make_answer("- numpy\n- ghost"), make_answer("I can't say.")
    named = encode_answer(tiny, make_answer("- numpy\n- rich"))
    rest, nature = [ghost, silent, make_answer("- numpy\n- rich")], Nature(1, 1)
    assert encode_rest(tiny, rest, PLAIN, nature, None) == [named] * 3
    plain = [encode_answer(tiny, ghost), encode_answer(tiny, silent)]
    assert encode_rest(tiny, rest, PLAIN, nature, 2.0) == [
        plain[0],
        named,
        plain[1],
        encode_repaired(tiny, ghost, weight=2),
    ]
    only = encode_rest(tiny, rest[:2], PLAIN, nature, None)
    assert only == plain, "there is nothing to raise it by"


def test_each_share_has_its_part_of_each_kind(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    clean = [make_answer(f"- numpy\n{number} times") for number in range(10)]
    sets = SetSplit(tuple(ghosts * 5), tuple(clean), ())
    parts = cut(sets, (0.3, 0.5, 0.2), seed=1)
    for kind in (True, False):
        assert [sum(bool(a.invented) is kind for a in some) for some in parts] == [3, 5, 2]
    texts = sorted(a.sample.text for some in parts for a in some)
    assert texts == sorted(a.sample.text for a in sets.forget + sets.retain)
    assert parts != cut(sets, (0.3, 0.5, 0.2), seed=2)


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
    ("count", "most", "sizes"), [(5, 4, [2, 3]), (4, 4, [4]), (7, 2, [1, 2, 2, 2])]
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
    assert [len(none.row), len(none.mask), len(none.targets)] == [0, 0, 0]
