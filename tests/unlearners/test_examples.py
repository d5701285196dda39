"""What each answer weighs, and what raises the volume."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, SetSplit
from ghostbust.unlearners.data import Nature, encode, encode_rest, part
from ghostbust.unlearners.masks import encode_answer, encode_repaired
from ghostbust.unlearners.methods.interface import Weights
from ghostbust.unlearners.settings import TrainSettings

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


def test_a_part_of_each_kind_is_kept_for_the_trim(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    clean = [make_answer(f"- numpy\n{number} times") for number in range(10)]
    main, rest = part(SetSplit(tuple(ghosts * 5), tuple(clean), ()), seed=1)
    assert [len([a for a in some if a.invented]) for some in (main, rest)] == [7, 3]
    assert [len([a for a in some if not a.invented]) for some in (main, rest)] == [7, 3]
    assert (main, rest) != part(SetSplit(tuple(ghosts * 5), tuple(clean), ()), seed=2)
