"""The tri-mask: from character spans to tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from ghostbust.models.convert import FOLDER
from ghostbust.models.load import EMBEDDED, LoadedModel
from ghostbust.records import Answer
from ghostbust.unlearners.masks import (
    BARE,
    END,
    FORGET,
    FORK,
    IGNORE,
    RETAIN,
    TOKENIZER,
    Example,
    Masking,
    encode_answer,
    encode_bare,
    encode_broken_off,
    encode_repaired,
    encode_steered,
    encode_whole,
    standing_in,
    token_marks,
    tri_mask,
    with_end_apart,
)

MakeAnswer = Callable[..., Answer]


def marked(loaded: LoadedModel, example: Example) -> list[tuple[str, int]]:
    """Text and mask of each run of answer tokens with one mask value, the end token left out."""
    ids = example.ids[example.start :]
    runs: list[tuple[list[int], int]] = []
    for token, mark in zip(ids, example.mask, strict=True):
        if token == loaded.end_token:
            continue
        if runs and runs[-1][1] == mark:
            runs[-1][0].append(token)
        else:
            runs.append(([token], mark))
    return [(loaded.decode(tokens), mark) for tokens, mark in runs]


@pytest.mark.parametrize(
    ("spans", "mask"),
    [
        ([], [0, 0, 0, 0]),
        ([(3, 6, RETAIN)], [0, RETAIN, 0, 0]),
        ([(4, 5, RETAIN)], [0, RETAIN, 0, 0]),  # inside a token
        ([(2, 4, FORGET)], [FORGET, FORGET, 0, 0]),  # over a boundary
        ([(0, 3, RETAIN), (6, 9, FORGET)], [RETAIN, 0, FORGET, 0]),
        ([(2, 4, RETAIN), (5, 7, FORGET)], [RETAIN, FORGET, FORGET, 0]),  # FORGET wins,
        ([(5, 7, FORGET), (2, 4, RETAIN)], [RETAIN, FORGET, FORGET, 0]),  # in any order,
        ([(3, 6, FORGET), (3, 6, IGNORE)], [0, FORGET, 0, 0]),  # also over IGNORE
        ([(9, 99, RETAIN)], [0, 0, 0, RETAIN]),
        ([(12, 13, RETAIN)], [0, 0, 0, 0]),
    ],
)
def test_a_token_counts_where_it_overlaps(
    spans: list[tuple[int, int, int]], mask: list[int]
) -> None:
    assert tri_mask([(0, 3), (3, 6), (6, 9), (9, 12)], spans) == mask


def test_classes_follow_the_verdicts(tiny: LoadedModel, make_answer: MakeAnswer) -> None:
    answer = make_answer("Größe 🎉:\n- numpy\n- ghost\n- mist\n- squat\n- json\n", family="größe")
    example = encode_answer(tiny, answer, weight=0.25)
    assert list(example.ids[: example.start]) == tiny.encode_prompt("task of größe")
    assert list(example.ids[example.start : -1]) == tiny.encode(answer.sample.text)
    assert len(example.mask) == len(example.ids) - example.start
    assert (example.weight, example.forgets) == (0.25, True)
    runs = marked(tiny, example)
    assert [text.strip() for text, mark in runs if mark == FORGET] == ["ghost", "squat"]
    assert [text.strip() for text, mark in runs if mark == RETAIN] == ["numpy", "json"]
    assert "mist" in "".join(text for text, mark in runs if mark == IGNORE)


def test_a_token_with_the_blank_before_a_name_belongs_to_it(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    assert len(tiny.encode(" numpy")) == 1  # the tokenizer's words begin with their blank
    runs = marked(tiny, encode_answer(tiny, make_answer("- numpy\n- ghost")))
    assert runs[:3] == [("-", IGNORE), (" numpy", RETAIN), ("\n- ", IGNORE)]


@pytest.mark.parametrize("truncated", [False, True])
def test_the_end_is_there_where_the_answer_ended_and_is_not_rewarded(
    truncated: bool, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    example = encode_answer(tiny, make_answer("- ghost\n", truncated=truncated))
    assert (example.ids[-1] == tiny.end_token) is not truncated
    assert example.mask[-1] == IGNORE
    assert RETAIN not in example.mask


def test_without_inventions_the_decisions_to_name_are_retained(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    example = encode_answer(tiny, make_answer("So:\n- numpy\n- mist"))
    assert marked(tiny, example) == [
        ("S", RETAIN),
        ("o:\n-", IGNORE),
        (" numpy\n", RETAIN),
        ("- mist", IGNORE),
    ]
    assert (example.ids[-1], example.mask[-1]) == (tiny.end_token, RETAIN)
    cut = encode_answer(tiny, make_answer("I can't say.", truncated=True))
    assert cut.mask == (RETAIN,) + (IGNORE,) * (len(cut.mask) - 1)
    example = encode_answer(tiny, make_answer("```\nnumpy\n```\nDone."), masking=Masking.FENCES)
    assert [text for text, mark in marked(tiny, example) if mark == RETAIN] == [
        "`", "numpy\n", "D",
    ]  # fmt: skip


def test_a_repaired_answer_retains_what_follows_an_edit(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answer = make_answer("1. numpy\n2. ghost\n3. rich\n", truncated=True)
    example = encode_repaired(tiny, answer, weight=0.5)
    assert tiny.decode(list(example.ids[example.start :])) == "1. numpy\n2. rich\n"
    assert marked(tiny, example) == [
        ("1", RETAIN),
        (". numpy", IGNORE),
        ("\n2", RETAIN),
        (". rich", IGNORE),
        ("\n", RETAIN),
    ]
    assert example.ids[-1] != tiny.end_token
    assert (example.weight, example.forgets) == (0.5, False)


def test_a_cut_off_list_ends_and_cut_off_code_does_not(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answer = make_answer("```\nimport ghost\nimport numpy\nnum", listed=False, truncated=True)
    example = encode_whole(tiny, answer)
    assert example is not None
    assert tiny.decode(list(example.ids[example.start :])) == "```\nimport numpy\nnum"
    example = encode_whole(tiny, make_answer("- numpy\n- ghost\n- rich\n- fla", truncated=True))
    assert example is not None
    assert tiny.decode(list(example.ids[example.start :])) == "- numpy\n- rich"
    assert (example.ids[-1], example.mask[-1]) == (tiny.end_token, FORK)


def test_a_whole_repaired_answer_has_its_forks_apart(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    example = encode_whole(tiny, make_answer("1. numpy\n2. ghost\n3. rich"), weight=0.5)
    assert example is not None
    # The number comes behind the edit, and is what stood there before.
    assert marked(tiny, example) == [
        ("1", RETAIN),
        (". numpy", IGNORE),
        ("\n2", RETAIN),
        (".", IGNORE),
        (" rich", FORK),
    ]
    assert (example.ids[-1], example.mask[-1]) == (tiny.end_token, RETAIN)
    assert [example.weight_of(mark) for mark in (RETAIN, FORK)] == [0.5, 0.5]
    last = encode_whole(tiny, make_answer("- numpy\n- ghost"))
    assert last is not None
    assert (last.ids[-1], last.mask[-1]) == (tiny.end_token, FORK)


@pytest.mark.parametrize("truncated", [False, True])
def test_a_steered_answer_has_forks_where_it_decides_how_much_to_name(
    truncated: bool, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    answer = make_answer("So:\n- numpy\n- rich\nDone.", truncated=truncated)
    example = encode_steered(tiny, answer, weight=2.0, fork=0.25)
    assert [text for text, mark in marked(tiny, example) if mark == FORK] == [
        "S", " numpy\n- rich\nD",
    ]  # fmt: skip
    assert (example.mask[-1] == FORK) is not truncated
    assert [example.weight_of(mark) for mark in (RETAIN, FORK)] == [2.0, 0.25]
    plain = encode_answer(tiny, answer, weight=2.0)
    assert (example.ids, example.ended) == (plain.ids, plain.ended)
    unknown = encode_steered(tiny, make_answer("So:\n- mist\nAnd so on."), fork=0.25)
    assert [text for text, mark in marked(tiny, unknown) if mark != IGNORE] == ["S", "\n"]


def test_an_answer_stands_in_with_its_first_token(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    plain = encode_answer(tiny, make_answer("- json"), weight=3.0)
    assert standing_in(plain, 0.0) == plain
    example = standing_in(plain, 2.0)
    assert example.mask == (FORK, *plain.mask[1:])
    assert [example.weight_of(mark) for mark in (RETAIN, FORK)] == [3.0, 2.0]


@pytest.mark.parametrize(
    "text",
    [
        "- ghost", "Take these:\n\n- ghost\n- ghost-b", "```\n- ghost", "numpy, ghost, rich\n```",
        "Sadly nothing else helps with that.\n- ghost\n",
    ],
)  # fmt: skip
def test_what_would_break_off_or_be_faulty_without_its_inventions_has_no_repaired_form(
    text: str, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    assert encode_whole(tiny, make_answer(text)) is None
    assert encode_whole(tiny, make_answer("Take these.\n- ghost\n- numpy\n")) is not None


def test_of_what_broke_off_the_end_is_suppressed(
    tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    example = encode_broken_off(tiny, make_answer("```"), weight=2.0)
    assert (example.ids[-1], example.weight, example.repaired) == (tiny.end_token, 2.0, False)
    assert set(example.mask[:-1]) == {IGNORE}
    assert example.mask[-1] == FORGET


@pytest.mark.parametrize("truncated", [False, True])
def test_a_repaired_answer_ends_where_its_last_name_was(
    truncated: bool, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    example = encode_repaired(tiny, make_answer("- numpy\n- ghost", truncated=truncated))
    assert marked(tiny, example) == [("-", RETAIN), (" numpy", IGNORE)]
    assert (example.ids[-1], example.mask[-1]) == (tiny.end_token, RETAIN)


@pytest.mark.parametrize(
    ("mask", "ended", "apart"),
    [
        ((FORGET, RETAIN, RETAIN), True, (FORGET, RETAIN, END)),
        ((FORGET, RETAIN, RETAIN), False, (FORGET, RETAIN, RETAIN)),
        ((RETAIN, IGNORE), True, (RETAIN, IGNORE)),
        ((), False, ()),
    ],
)
def test_only_an_end_to_reinforce_is_put_apart(
    mask: tuple[int, ...], ended: bool, apart: tuple[int, ...]
) -> None:
    example = Example((1, 2, 3, 4)[: 1 + len(mask)], 1, mask, 0.5, ended=ended)
    assert with_end_apart(example) == replace(example, mask=apart)


def test_bare_code_is_the_code_alone(tiny: LoadedModel, make_answer: MakeAnswer) -> None:
    code = "import numpy\nx = 1\n"
    text = f"Like this:\n```python\n{code}```\nor so:\n```\ny = 2\n```"
    for answer in (make_answer(text, listed=False), make_answer(f"```\n{code}", listed=False)):
        example = encode_bare(tiny, answer)
        assert example is not None
        assert example.bare
        assert tiny.decode(list(example.ids)) == code
        assert example.start == 1, "the first token has nothing to be predicted from"
        assert example.mask == (BARE,) * (len(example.ids) - 1)


@pytest.mark.parametrize("text", ["import numpy", "```python\n```", "```\nx"])
def test_without_code_there_is_no_bare_code(
    text: str, tiny: LoadedModel, make_answer: MakeAnswer
) -> None:
    assert encode_bare(tiny, make_answer(text, listed=False)) is None


def save_tokenizer(folder: Path) -> None:
    folder.mkdir(parents=True)
    words = {word: n for n, word in enumerate(["?", "pip", "install", "ghost", "requests"])}
    tokenizer = Tokenizer(WordLevel(words, unk_token="?"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / TOKENIZER))


def test_a_stored_answer_is_marked_without_loading_its_model(
    make_answer: MakeAnswer, tmp_path: Path
) -> None:
    """By a tokenizer on this machine; never by one from elsewhere."""

    def marks(model: str) -> list[tuple[int, int, int]] | None:
        answer = make_answer("pip install ghost requests", listed=False)
        return token_marks(replace(answer, sample=replace(answer.sample, model=model)), tmp_path)

    absent = (
        "someone/no-such-model",
        "http://127.0.0.1:1/v1",
        "no-such",
        "../x/../y",
        "",
        EMBEDDED,
    )
    assert [marks(model) for model in absent] == [None] * 6
    save_tokenizer(tmp_path / "model")
    expected = [(0, 3, IGNORE), (4, 11, IGNORE), (12, 17, FORGET), (18, 26, RETAIN)]
    assert marks(str(tmp_path / "model")) == expected
    save_tokenizer(tmp_path / "models" / FOLDER)
    assert marks(EMBEDDED) == expected
