"""Names from arguments, files and standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.sources import (
    Source,
    read_source,
    read_text,
    source_of_command,
    source_of_name,
)
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM


def named(source: Source) -> list[tuple[Ecosystem, str | None]]:
    assert all(source.text[ref.start : ref.end] == ref.raw for ref in source.refs)
    return [(ref.ecosystem, ref.name) for ref in source.refs]


def test_a_name() -> None:
    assert named(source_of_name("left-pad@npm")) == [(NPM, "left-pad")]
    assert named(source_of_name("thing @ https://files.example.test/thing.whl")) == []
    assert source_of_name("requests").path is None


def test_a_command() -> None:
    assert named(source_of_command("sudo npm i -D @a/b && pip install x==1")) == [
        (NPM, "@a/b"),
        (PYPI, "x"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("requirements-dev.txt", "flask\n", (PYPI, "flask")),
        ("constraints.in", "flask==3\n", (PYPI, "flask")),
        ("package.json", '\ufeff{"dependencies": {"left-pad": "1"}}', (NPM, "left-pad")),
        ("answer.md", "Run `pip install flask`.\n", (PYPI, "flask")),
        ("list.txt", '{"dependencies": {"left-pad": "1"}}', (NPM, "left-pad")),
    ],
)
def test_a_file_is_read_by_what_it_is(
    tmp_path: Path, name: str, text: str, found: tuple[Ecosystem, str]
) -> None:
    (tmp_path / name).write_text(text)
    source = read_source(str(tmp_path / name))
    assert named(source) == [found]
    assert source.path == str(tmp_path / name)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("pip install foo bar", [(PYPI, "foo"), (PYPI, "bar")]),
        ("pip  install\tFoo[x]==1 requests your-package", [
            (PYPI, "foo"), (PYPI, "requests"), (PYPI, "your-package"),
        ]),
        ("npm i @foo/bar foo@1", [(NPM, "@foo/bar"), (NPM, "foo")]),
        ("pip install <package>", []),
    ],
)  # fmt: skip
def test_a_command_that_is_asked_about_has_no_placeholders(
    command: str, names: list[tuple[Ecosystem, str]]
) -> None:
    assert named(source_of_command(command)) == names


def test_a_text_file_is_a_list_of_names_or_an_answer(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("requests\nleft-pad@npm\n")
    assert named(read_source(str(file))) == [(PYPI, "requests"), (NPM, "left-pad")]
    file.write_text("First,\nrun `pip install requests`.\n")
    assert named(read_source(str(file))) == [(PYPI, "requests")]


def test_an_answer_without_its_built_in_imports(tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    file.write_text("```python\nimport os, numpy\n```\n")
    assert named(read_source(str(file))) == [(PYPI, "numpy")]


@pytest.mark.parametrize("name", ["pyproject.toml", "poetry.lock", "setup.cfg"])
def test_a_manifest_that_is_not_read_is_not_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="aren't read"):
        read_source(str(tmp_path / name))


def test_read_text_keeps_line_ends_and_replaces_what_is_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"a\r\nb\xff")
    assert read_text(str(file)) == "a\r\nb\ufffd"


@pytest.mark.parametrize("name", ["missing.txt", "", "nul\0.txt"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_text(str(tmp_path / name))
