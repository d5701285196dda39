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
from ghostbust.records import Ecosystem, Flag, RefKind

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


REQUIREMENTS = """\
\ufeff# what we need
requests[socks]>=2.0  # http
Flask_Cors==4 --hash=sha256:00

-r other.txt
-e ./here
./local.whl
https://files.example.test/x.whl
thing @ https://files.example.test/thing.whl
  long-name \\
    >=1
\\
begun-late
cut\\
-name
pkg:npm/%40types/node
left-pad@npm
foo
"""


def test_requirements(tmp_path: Path) -> None:
    file = tmp_path / "requirements-dev.txt"
    file.write_text(REQUIREMENTS)
    source = read_source(str(file))
    assert named(source) == [
        (PYPI, "requests"), (PYPI, "flask-cors"), (PYPI, "long-name"), (PYPI, "begun-late"),
        (PYPI, "cut-name"), (NPM, "@types/node"), (NPM, "left-pad"), (PYPI, "foo"),
    ]  # fmt: skip
    assert {ref.kind for ref in source.refs} == {RefKind.MANIFEST}
    assert {ref.flags for ref in source.refs} == {frozenset()}
    assert [ref.raw for ref in source.refs] == [
        "requests", "Flask_Cors", "long-name", "begun-late", "cut\\\n-name",
        "pkg:npm/%40types/node", "left-pad", "foo",
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["-i https://x.example.test", "--index-url=https://x.test"])
def test_requirements_with_an_index_of_their_own(tmp_path: Path, option: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"{option}\nours\n")
    (ref,) = read_source(str(file)).refs
    assert ref.flags == {Flag.PRIVATE_INDEX}


def test_a_line_of_requirements_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("requests\nwhat is this\n")
    with pytest.raises(UsageError, match="line 2"):
        read_source(str(file))


def test_package_json(tmp_path: Path) -> None:
    file = tmp_path / "package.json"
    file.write_text(
        '{"name": "me", "dependencies": {"left-pad": "^1", "mine": "workspace:*",'
        ' "fork": "github:a/b", "short": "a/b", "other": "npm:real@2", "sc": "npm:@s/r@1",'
        ' "bare": "npm:bare-name"},'
        ' "devDependencies": {"@types/node": "*", "p": "file:..\\\\p"}}'
    )
    names = [ref.name for ref in read_source(str(file)).refs]
    assert names == ["left-pad", "real", "@s/r", "bare-name", "@types/node"]


@pytest.mark.parametrize(
    ("name", "text", "ecosystem"),
    [
        ("pyproject.toml", "[project]\ndependencies = ['thing']\n", PYPI),
        ("Pipfile", '[packages]\nthing = "*"\n', PYPI),
        ("setup.cfg", "[options]\ninstall_requires = thing\n", PYPI),
        ("environment.yml", "dependencies:\n  - thing\n", Ecosystem.CONDA),
        ("Dockerfile", "RUN pip install thing\n", PYPI),
        ("app.py", "import thing\n", PYPI),
        ("x.ipynb", '{"cells": [{"cell_type": "code", "source": ["import thing"]}]}', PYPI),
    ],
)
def test_a_file_is_read_by_its_name(
    tmp_path: Path, name: str, text: str, ecosystem: Ecosystem
) -> None:
    (tmp_path / name).write_text(text)
    assert named(read_source(str(tmp_path / name))) == [(ecosystem, "thing")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("requirements.txt", "foo\nyour-package\n"),
        ("pyproject.toml", "[project]\ndependencies = ['foo', 'your-package>=1']\n"),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfoo = "1"\nyour-package = "1"\n'),
        ("Pipfile", '[packages]\nfoo = "*"\nyour-package = "*"\n'),
        ("package.json", '{"dependencies": {"foo": "1", "your-package": "1", "<package>": "1"}}'),
        ("setup.cfg", "[options]\ninstall_requires =\n  foo\n  your-package\n  <package>\n"),
        (
            "setup.py",
            "from setuptools import setup\nsetup(install_requires=['foo', 'your-package'])",
        ),
        ("environment.yml", "dependencies:\n  - foo\n  - pip:\n    - your-package\n    - <x>\n"),
    ],
)
def test_what_stands_in_a_dependency_file_is_no_placeholder(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    found = read_source(str(tmp_path / name)).refs
    assert [ref.name for ref in found if ref.name != "setuptools"] == ["foo", "your-package"]


@pytest.mark.parametrize(
    "text",
    [r'[project]' "\n" r'dependencies = ["re\u0071uests>=2"]',
     "[tool.poetry.dependencies]\n" r'"h\u0074tpx" = "1"'],
)  # fmt: skip
def test_a_name_that_escapes_hide_in_toml_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match="escapes"):
        read_source(str(tmp_path / "pyproject.toml"))


def test_escapes_behind_a_name_in_toml_hide_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project]\ndependencies = ["tomli; python_version < \\"3.11\\""]\n')
    assert named(read_source(str(file))) == [(PYPI, "tomli")]


def test_broken_toml_is_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['thing'\n")
    with pytest.raises(UsageError, match="isn't valid TOML"):
        read_source(str(tmp_path / "pyproject.toml"))


@pytest.mark.parametrize(
    "text", ["{", '{"dependencies": []}', '{"dependencies": {"a"', "[]", "[" * 100_000]
)
def test_a_package_json_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "package.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"package\.json"):
        read_source(str(file))


@pytest.mark.parametrize(
    "entry", [r'"e\u0073c": "1"', r'"@types\/node": "1"', r'"x": "npm:r\u0065al@1"']
)
def test_a_name_that_escapes_hide_is_not_passed_over(tmp_path: Path, entry: str) -> None:
    file = tmp_path / "package.json"
    file.write_text('{"x": "esc", "devDependencies": {' + entry + "}}")
    with pytest.raises(UsageError, match="escapes"):
        read_source(str(file))


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


@pytest.mark.parametrize("name", ["Cargo.toml", "Gemfile.lock", "tox.cfg"])
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
