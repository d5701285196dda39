"""The tokenizer: POSIX quoting, comments, operators and where each character stands."""

from __future__ import annotations

import pytest

from ghostbust.extractors.shell_words import prose_words, read_script


@pytest.mark.parametrize(
    ("script", "commands"),
    [
        ("a b  c", [["a", "b", "c"]]),
        ("a;b&&c||d|e&f\ng", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"]]),
        ("a 'b c' \"d e\"", [["a", "b c", "d e"]]),
        ("a '' b", [["a", "", "b"]]),
        (r"a b\ c \"d", [["a", "b c", '"d']]),
        (r'"a \" \\ \n"', [[r'a " \ ' + r"\n"]]),
        ("a \\\nb", [["a", "b"]]),
        ("ab\\\ncd", [["abcd"]]),
        ("a ^\r\nb", [["a", "b"]]),
        ("a # b\nc", [["a"], ["c"]]),
        ("a#b", [["a#b"]]),
        ("it's\nb", [["it's"], ["b"]]),
        ("(a b)", [["a", "b"]]),
        ("a\\", [["a\\"]]),
        ("", []),
    ],
)
def test_commands(script: str, commands: list[list[str]]) -> None:
    assert [[word.value for word in row] for row in read_script(script).commands] == commands


def test_every_character_knows_its_place() -> None:
    script = "x 'a b'\"c\"\\d \\\n e # f"
    for row in read_script(script).commands:
        for word in row:
            assert "".join(script[index] for index in word.at) == word.value


def test_span_is_none_across_quotes() -> None:
    (command,) = read_script("ab'cd'").commands
    (word,) = command
    assert word.value == "abcd"
    assert word.span(0, 2) == (0, 2)
    assert word.span(2, 4) == (3, 5)
    assert word.span(0, 4) is None


def test_comments_stand_without_their_mark() -> None:
    script = "a # one\n#two"
    assert [script[start:end] for start, end in read_script(script).comments] == [" one", "two"]


def test_prose_words_keep_repeated_words_apart() -> None:
    assert [word.at[0] for word in prose_words("xx a a", 3, 6)] == [3, 5]
