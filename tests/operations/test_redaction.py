"""Secrets and prompts are taken out; what only looks alike stays."""

from __future__ import annotations

import pytest

from ghostbust.operations.logs import LONGEST, Redactor

PROMPT = "Please read the tide gauge at pier seven, and plot every low water since 1987."


@pytest.fixture
def redactor() -> Redactor:
    environ = {
        "OPENAI_API_KEY": "abc-key-123",
        "LONGER_API_KEY": "abc-key-123-longer",
        "PGPASSWORD": "hunter22",
        "MY_HEADER": "header-value",
        "PATH": "/usr/bin",
        "MONKEY": "banana",
        "SHORT_KEY": "no",
    }
    return Redactor(environ, ["MY_HEADER"])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("key abc-key-123 refused", "key *** refused"),
        ("abc-key-123-longer", "***"),
        ("hunter22 and header-value", "*** and ***"),
        ("http://bob:s3cr3t@host/x", "http://***@host/x"),
        ("https://t0ken@host/", "https://***@host/"),
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer ***"),
        ("GET /hook?key=abcdefgh&x=1", "GET /hook?key=***&x=1"),
        ('{"api_key": "abcdefgh"}', '{"api_key": "***"}'),
        ("access_token=abcdefgh, x", "access_token=***, x"),
        ("it got sk-abcdefghijklmnop1234", "it got ***"),
        ("hf_ABCDEFGHIJKLMNOPQRST", "***"),
        ("pypi-AgEIcHlwaS5vcmcCJDk0", "***"),
    ],
)
def test_secrets(redactor: Redactor, said: str, shown: str) -> None:
    assert redactor(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "/usr/bin banana no",
        "2,048 tokens in 61 s, rate 0.112 (0.071 to 0.160)",
        "pypi-simple and npm_packages are names",
        "http://host:8000/v1/models",
        "round-0002-1a2b3c4d serves now",
        "daemon.watch_tokens was 5, is 6",
    ],
)
def test_what_is_none_stays(redactor: Redactor, said: str) -> None:
    assert redactor(said) == said


def test_a_prompt_that_a_server_quotes(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    said = redactor(f"400: input '{PROMPT[:60]}…' is too long")
    assert said == "400: input '[prompt]…' is too long"
    assert redactor(f"a {PROMPT} b {PROMPT} c") == "a [prompt] b [prompt] c"


def test_pieces_from_anywhere_in_a_prompt(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    for start in range(len(PROMPT) - 23):
        assert redactor(PROMPT[start : start + 23]) == "[prompt]", start


def test_words_that_a_prompt_has_too_stay(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    said = "watch: run 13 done: 128 answers, every low rate"
    assert redactor(said) == said


def test_the_last_prompts_are_remembered(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    redactor.hide(f"another question, number {n}" for n in range(999))
    assert redactor(PROMPT) == "[prompt]"
    redactor.hide(["one more question than it remembers"])
    assert redactor(PROMPT) == PROMPT


def test_a_book_is_cut(redactor: Redactor) -> None:
    assert len(redactor("x " * LONGEST)) == LONGEST + 1
