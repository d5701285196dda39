"""Scripts and prose cut into words, and the install commands in them; see also assets/rows."""

from __future__ import annotations

import sys

import pytest

from ghostbust.extractors.shell import (
    command_list_refs,
    prose_words,
    read_script,
    shell_refs,
)


def test_name_is_canonical_and_raw_is_as_written() -> None:
    (ref,) = shell_refs("pip install Ruamel.YAML_x[jinja2]==1", 0)
    assert (ref.raw, ref.name) == ("Ruamel.YAML_x", "ruamel-yaml-x")
    assert (ref.start, ref.end, ref.import_name) == (12, 25, None)


def test_span_counts_code_points() -> None:
    (ref,) = shell_refs("echo 'größe 🎉'; pip install rich", 0)
    assert (ref.start, ref.end) == (28, 32)


def test_lists_of_strings_are_commands_in_files_of_any_kind() -> None:
    text = 'commands = [["pip", "install", "a1"], ["pytest"]]\nx = ["npm install b1"]\ny = ["c1"]'
    refs = list(command_list_refs(text, 7))
    assert [(ref.raw, text[ref.start - 7 : ref.end - 7]) for ref in refs] == [("a1", "a1")]


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
        # continuations of other shells, and broken ones
        ("a \\ \t\n b", [["a", "b"]]),
        ("a \\\n # c\n  # d\n b", [["a", "b"]]),
        ("a \\\n# c", [["a"]]),
        ("a `\nb", [["a", "b"]]),
        ("x=`a`\nb", [["a"], ["x=$()"], ["b"]]),
        ("a \\", [["a", "\\"]]),
        # what is filled in stays in its word
        ("a $(b c) d", [["b", "c"], ["a", "$()", "d"]]),
        ("a x==$(b `c`) d", [["c"], ["b", "$()"], ["a", "x==$()", "d"]]),
        ("a <(b) >(c) @(d) e", [["b"], ["c"], ["d"], ["a", "$()", "$()", "$()", "e"]]),
        ("x=$(a \\\n b)\nc", [["a", "b"], ["x=$()"], ["c"]]),
        ("(a; b) && c", [["a"], ["b"], ["c"]]),
        ("a `b", [["a", "`b"]]),
        ("a $(b", [["b"], ["a", "$()"]]),
        ("a) b", [["a"], ["b"]]),
        ("a ${{ m.x }} b", [["a", "${{}", "b"]]),
        ("a x=={{ m }}.0 b", [["a", "x=={{}.0", "b"]]),
        ("a ${X:-1 2}/c b", [["a", "${}/c", "b"]]),
        ("a {{ b", [["a", "{{", "b"]]),
        ("a 2>&1 b &> c & d", [["a", "2>&1", "b", "&>", "c"], ["d"]]),
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


@pytest.mark.parametrize(
    "line",
    ["WARNING: a", "[notice] a", "npm notice a", "Collecting a", "Requirement already satisfied",
     "Successfully installed a-1", "REM a", "  :: a", "ERROR: a; b"],
)  # fmt: skip
def test_output_and_comments_of_cmd_are_passed_over(line: str) -> None:
    assert [[word.value for word in row] for row in read_script(f"{line}\nb").commands] == [["b"]]


@pytest.mark.parametrize(
    ("script", "bodies", "commands"),
    [
        ("cat <<EOF > f\na\nb\nEOF\nc", ["a\nb\n"], [["cat", ">", "f"], ["c"]]),
        ("cat << 'EOF'\na\nEOF", ["a\n"], [["cat"]]),
        ("cat <<-EOF\n\ta\n\tEOF\nb", ["\ta\n"], [["cat"], ["b"]]),
        ("cat <<A <<B\n1\nA\n2\nB\n", ["1\n", "2\n"], [["cat"]]),
        ("cat <<EOF\na", [], [["cat", "<<EOF"], ["a"]]),
        ("cat <<< x", [], [["cat", "<<<", "x"]]),
    ],
)
def test_here_documents(script: str, bodies: list[str], commands: list[list[str]]) -> None:
    read = read_script(script)
    assert [script[d.start : d.end] for d in read.documents] == bodies
    assert [[word.value for word in row] for row in read.commands] == commands


def test_prose_words_keep_repeated_words_apart() -> None:
    assert [word.at[0] for word in prose_words("xx a a", 3, 6)] == [3, 5]


@pytest.mark.parametrize("text", ["$(" * 20_000, "(" * 20_000 + "`" * 20_000, "{{" * 20_000])
def test_open_brackets_are_read_in_their_length(text: str) -> None:
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        read_script(text)
    finally:
        sys.setprofile(None)
    assert steps < 60 * len(text)
