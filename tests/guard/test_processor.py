"""What the processor does to logits, over tokens that are single bytes."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from ghostbust.errors import UsageError
from ghostbust.guard.continuations import NONE, OTHER, Continuations, Continued
from ghostbust.guard.processor import GuardLogits, only_ends
from ghostbust.guard.reading import Asked, Guard
from ghostbust.models.load import load_model
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.samplers.vocabulary import Vocabulary

END = 256
VOCABULARY = Vocabulary([*(bytes([byte]) for byte in range(256)), b""], frozenset([END]))
CODE = Asked("Write a program.", ecosystem=Ecosystem.PYPI)
INF = math.inf


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard(default_judge(Mode.SNAPSHOT))


@pytest.fixture(scope="module")
def known(guard: Guard) -> Continuations:
    return Continuations(guard, VOCABULARY)


def wanting(text: str) -> torch.Tensor:
    """Logits (1, V) of a model that wants each of the characters, the first one most."""
    logits = torch.zeros(1, END + 1)
    for place, char in enumerate(text.encode()):
        logits[0, char] = 9 - place * 0.1
    return logits


def behind(known: Continuations, text: str, logits: torch.Tensor, asked: Asked) -> torch.Tensor:
    """The logits that the guard makes behind an answer."""
    processor = GuardLogits(known, [asked])
    ids = torch.zeros(1, 1, dtype=torch.long)
    processor(ids, torch.zeros(1, END + 1))
    for byte in text.encode():
        ids = torch.cat([ids, torch.tensor([[byte]])], dim=1)
        made = processor(ids, logits)
    return made


def gains(known: Continuations, text: str, chars: str, asked: Asked = CODE) -> list[float]:
    """By what each of the characters' logits changes behind an answer."""
    logits = wanting(chars)
    change = behind(known, text, logits, asked) - logits
    return [round(float(change[0, char]), 4) for char in chars.encode()]


def test_an_installer_gets_real_names_only(known: Continuations) -> None:
    assert gains(known, "```bash\npip install nump", "yq") == [0, -INF]
    assert gains(known, "```bash\npip install numpy", "\n=!") == [0, 0, 0]
    assert gains(known, "```bash\npip install numpx", "\n") != [0], "no such name ends here"


def test_elsewhere_a_chance_is_a_penalty(known: Continuations) -> None:
    none = round(math.log(NONE), 4)
    assert gains(known, "```python\nimport nump", "yq") == [0, none]
    assert gains(known, "```python\nimport jso", "n@") == [0, none]
    (few,) = gains(known, "```python\nimport numpy_", "a")
    assert none < few < math.log(OTHER), "registered names begin so, none of them well known"
    (dead_end,) = gains(known, "```python\nimport traceback_with_", "v")
    assert dead_end > none, (
        "a name that was begun can be ended, if only by a token of one character"
    )


def test_names_of_the_prompt_and_of_the_answer_are_known(known: Continuations) -> None:
    prompt = Asked("Install zzqqzz-tool, please.", ecosystem=Ecosystem.PYPI)
    assert gains(known, "```bash\npip install zzqqzz-to", "ox", prompt) == [0, -INF]
    assert gains(known, "```bash\npip install zzqqzz-tool", "\n", prompt) == [0]
    words = Asked("Write a zzqqzz tool, please.", ecosystem=Ecosystem.PYPI)
    assert gains(known, "```bash\npip install zzqqzz-", "t", words) == [-INF]
    own = "```python\n# zzqqzz_lib.py\nx = 1\n```\n```python\nfrom zzqqzz_"
    assert gains(known, own, "lx") == [0, round(math.log(NONE), 4)]


@pytest.mark.parametrize(
    "text", ["The import of", "```python\nx = numpy_fo", "pip install -r requ", "```python\ndef f"]
)
def test_logits_are_the_same_object_where_no_name_is_written(
    known: Continuations, text: str
) -> None:
    logits = wanting("oxyz \n(,")
    kept = logits.clone()
    assert behind(known, text, logits, CODE) is logits
    assert torch.equal(logits, kept)


@pytest.mark.parametrize(
    "wish",
    ["pip install fastapi-magic-cache-zz\n", "pip install zzqqzz==1\n", "pip install sklearn\n"],
)
def test_a_stubborn_model_writes_no_invention(
    guard: Guard, known: Continuations, wish: str
) -> None:
    """Greedy decoding of a model that wants one text, and anything else a little."""
    processor = GuardLogits(known, [CODE])
    wish = f"```bash\n{wish}"
    ids, text = torch.zeros(1, 1, dtype=torch.long), ""
    while text.count("\n") < 2 and len(text) < 60:
        logits = wanting("\n -ae")
        logits[0, ord(wish[min(len(text), len(wish) - 1)])] = 20
        logits = processor(ids, logits)
        token = int(logits[0].argmax())
        text += chr(token)
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    assert text.startswith("```bash\npip install ")
    assert text != wish
    assert guard.inventions(text, CODE, truncated=True) == []


class BrokenVocabulary:
    """Tokens whose text can't be read."""

    pieces: Sequence[bytes] = VOCABULARY.pieces
    end_tokens = VOCABULARY.end_tokens
    characters = VOCABULARY.characters

    def text(self, token: int) -> str:
        raise RuntimeError(f"no text of {token}")


@pytest.mark.parametrize("closed", [False, True])
def test_a_guard_that_fails_lets_through_or_ends_and_says_so_once(
    guard: Guard, closed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Continuations(guard, BrokenVocabulary())  # type: ignore[arg-type]
    processor = GuardLogits(broken, [CODE], closed=closed)
    ids, logits = torch.zeros(1, 1, dtype=torch.long), wanting("ab")
    processor(ids, logits)
    with caplog.at_level(logging.WARNING):
        for byte in b"pip install n":
            ids = torch.cat([ids, torch.tensor([[byte]])], dim=1)
            made = processor(ids, logits)
    assert len(caplog.records) == 1
    assert int(made[0].argmax()) == (END if closed else ord("a"))
    assert (made is logits) is not closed


def test_rows_that_change_places_are_refused(known: Continuations) -> None:
    processor = GuardLogits(known, [CODE, CODE])
    logits = torch.zeros(2, END + 1)
    processor(torch.tensor([[1], [2]]), logits)
    with pytest.raises(UsageError, match="one beam"):
        processor(torch.tensor([[2, 5], [1, 5]]), logits)


def test_generate_with_padded_prompts_gives_the_same_tokens(
    guard: Guard, tiny_model_dir: Path
) -> None:
    loaded = load_model(str(tiny_model_dir), tiny_model_dir)
    known = Continuations(guard, Vocabulary.of(loaded.tokenizer, loaded.end_tokens))
    ids = torch.tensor([[0, 0, 40, 41], [42, 43, 44, 45]])
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    options = {"max_new_tokens": 24, "do_sample": False, "pad_token_id": 0}
    given = {"input_ids": ids, "attention_mask": mask}
    model: Any = loaded.model
    plain = model.generate(**given, **options)
    guarded = model.generate(**given, **options, logits_processor=[GuardLogits(known)])
    assert torch.equal(plain, guarded)


def test_a_vocabulary_of_bytes_and_one_of_pieces() -> None:
    class Pieces:
        all_special_ids = [0]  # noqa: RUF012

        def __init__(self, tokens: list[str]) -> None:
            self.tokens = tokens

        def __len__(self) -> int:
            return len(self.tokens)

        def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
            return [self.tokens[i] for i in ids]

    byte_level = Vocabulary.of(Pieces(["<s>", "Ġpip", "Ċ", "Ã", "©"]), [0])
    assert byte_level.read([1, 2, 3, 4]) == " pip\né"
    assert byte_level.text(0) == "\n", "an answer's end ends a name"
    pieces = Vocabulary.of(Pieces(["<s>", "▁pip", "<0x0A>", "<0xC3>", "<0xA9>"]), [0])
    assert pieces.read([1, 2, 3, 4]) == " pip\né"


@pytest.mark.parametrize(
    ("text", "chance"), [("```bash\npip install nump", 0.0), ("```python\nimport nump", NONE)]
)
def test_a_special_token_puts_no_names_end_off(guard: Guard, text: str, chance: float) -> None:
    special = END + 1
    pieces = [*VOCABULARY.pieces, b""]
    answer = Continued(Continuations(guard, Vocabulary(pieces, VOCABULARY.end_tokens)), CODE)
    for byte in text.encode():
        answer.add(byte)
    chances = answer.chances([special, ord("y")])
    assert chances is not None
    assert chances.of == [chance, 1.0]


@pytest.mark.parametrize(
    ("left", "let_through"),
    [
        ("q", "q"),
        ("", ""),
        ("yq", "y"),
    ],
)
def test_what_the_server_rules_out_stays_so(
    known: Continuations, left: str, let_through: str
) -> None:
    """As where a request came with a grammar: behind ``nump`` it may leave an invention only."""
    logits = torch.full((1, END + 1), -INF)
    for char in left:
        logits[0, ord(char)] = 1.0
    made = behind(known, "```bash\npip install nump", logits, CODE)
    allowed = (made[0] > -INF).nonzero().flatten().tolist()
    assert allowed == [ord(char) for char in let_through]


def test_a_guard_that_fails_ends_only_where_the_server_lets_it(known: Continuations) -> None:
    logits = torch.zeros(2, END + 1)
    logits[1, END] = -INF
    made = only_ends(logits, VOCABULARY)
    assert (made[0] > -INF).nonzero().flatten().tolist() == [END]
    assert torch.equal(made[1], logits[1])
