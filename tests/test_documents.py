"""Whatever a JSON or TOML text holds, there is one error."""

from __future__ import annotations

import pytest

from ghostbust.documents import ParseError, parse_json, parse_row, parse_toml

DEEP = 100_000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * DEEP + "]" * DEEP, "it is nested too deeply"),
        ('{"a":' * DEEP, "it is nested too deeply"),
        ("1" * 5000, "a number has too many digits"),
        (b'{"a": "\xff"}', "it isn't UTF-8"),
        ("{", "Expecting property name enclosed in double quotes at column 2"),
        ("{\n1", "Expecting property name enclosed in double quotes at line 2, column 1"),
        ("", "Expecting value at column 1"),
    ],
)
def test_broken_json_is_a_few_words(text: str | bytes, said: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_json(text)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * DEEP, "it is nested too deeply"),
        ("a = " + "1" * 5000, "a number has too many digits"),
        ("a = ", "Invalid value (at end of document)"),
    ],
)
def test_broken_toml_is_a_few_words(text: str, said: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_toml(text)
    assert str(caught.value) == said


def test_what_is_sound_is_parsed() -> None:
    assert parse_json(b'{"a": [1, null]}') == parse_row('{"a": [1, null]}') == {"a": [1, None]}
    assert parse_toml("a = [1]") == {"a": [1]}


def test_half_a_character_is_no_row() -> None:
    assert parse_json('"\\ud83d"') == "\ud83d"
    assert parse_row('"\\ud83d\\ude00"') == "\U0001f600"
    with pytest.raises(ParseError, match="half of a character"):
        parse_row('{"task": ["\\ud83d"]}')
