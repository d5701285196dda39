"""What each answer weighs, and what raises the volume."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ghostbust.models.load import LoadedModel
from ghostbust.records import Answer, Context, SetSplit
from ghostbust.unlearners.engine import TrainSettings
from ghostbust.unlearners.examples import Nature, encode, encode_rest, part
from ghostbust.unlearners.masks import encode_answer, encode_repaired
from ghostbust.unlearners.methods.interface import Weights

MakeAnswer = Callable[..., Answer]
PLAIN = TrainSettings(weights=Weights(repair=1.0))
WEIGHED = TrainSettings(weights=Weights(naming=2.5, silent=0.5))
TWO_AND_THREE = Nature(1, {Context.HELPS: 2}, {Context.HELPS: 3})


@pytest.fixture
def ghosts(make_answer: MakeAnswer) -> list[Answer]:
    return [make_answer("- numpy\n- ghost"), make_answer("- ghost")]


def test_nature_is_counted_for_each_answer_with_inventions(
    ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    named, silent, empty = (make_answer(text) for text in ("- numpy", "I can't say.", "  "))
    padded = make_answer("\n".join(f"- {name}" for name in ("numpy", "rich", "httpx") * 9))
    code = make_answer("import numpy", listed=False)
    assert Nature.of([*ghosts, named, silent, code, silent, empty]) == Nature(
        inventing=2, naming={Context.HELPS: 1, Context.CODE: 1}, silent={Context.HELPS: 2}
    )
    assert Nature.of([named, padded]) == Nature(1, {Context.HELPS: 2}, {}), "one that comes back"
    assert Nature.of([]) == Nature(1, {}, {}), "as if one did"


def test_kinds_weigh_what_is_asked_however_many_they_are(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    named, silent = make_answer("- numpy\n- rich"), make_answer("I can't say.")
    nature = Nature(3, naming={Context.HELPS: 6}, silent={Context.HELPS: 9})
    weights = [e.weight for e in encode(tiny, [silent, *ghosts, named], WEIGHED, nature)]
    # the natural weight of two with inventions is 4 of the naming and 6 of the silent ones
    assert weights == [1.0, 1.0, 2.5 * 4, 0.5 * 6]
    weights = [e.weight for e in encode(tiny, [*ghosts, *[named] * 5], WEIGHED, nature)]
    assert weights == [1.0, 1.0, *[2.5 * 4 / 5] * 5]


def test_contexts_weigh_what_they_have_in_nature(
    tiny: LoadedModel, ghosts: list[Answer], make_answer: MakeAnswer
) -> None:
    code, listed = make_answer("import numpy", listed=False), make_answer("- numpy\n- rich")
    nature = Nature(4, naming={Context.CODE: 10, Context.HELPS: 2}, silent={})
    examples = encode(tiny, [*ghosts, listed, listed, code], WEIGHED, nature)
    assert [e.weight for e in examples[2:]] == [2.5 * 0.5, 2.5 * 0.5, 2.5 * 5]


def test_a_list_that_would_be_left_empty_is_not_shown(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    listed = make_answer("Here are three:\n- ghost\n- ghostlib")
    code = make_answer("import ghost\nprint(1)", listed=False)
    examples = encode(tiny, [listed, code], PLAIN, Nature(1, {}, {}))
    assert examples == [
        encode_answer(tiny, listed), encode_answer(tiny, code), encode_repaired(tiny, code),
    ]  # fmt: skip


@pytest.mark.parametrize("settings", [PLAIN, WEIGHED])
def test_without_a_weight_or_an_invention_every_answer_counts_the_same(
    settings: TrainSettings, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answers = [make_answer("- numpy"), make_answer("I can't say.")]
    assert [e.weight for e in encode(tiny, answers, settings, TWO_AND_THREE)] == [1.0, 1.0]
    if settings is PLAIN:
        answers.append(make_answer("- ghost\n- numpy"))
        assert {e.weight for e in encode(tiny, answers, settings, TWO_AND_THREE)} == {1.0}


def test_the_volume_is_raised_by_what_names_only_real_packages(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    ghost, silent = make_answer("- numpy\n- ghost"), make_answer("I can't say.")
    named = encode_answer(tiny, make_answer("- numpy\n- rich"))
    rest = [ghost, silent, make_answer("- numpy\n- rich")]
    nature = Nature(1, {Context.HELPS: 1}, {Context.HELPS: 1})
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
