"""Names from arguments, files and standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.commands import source_of_command
from ghostbust.cli.source_text import SourceText
from ghostbust.cli.sources import read_source, read_text
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Flag, RefKind

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM


def named(source: SourceText) -> list[tuple[Ecosystem, str | None]]:
    assert all(source.text[ref.start : ref.end] == ref.raw for ref in source.refs)
    return [(ref.ecosystem, ref.name) for ref in source.refs]


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
    ("name", "text", "said"),
    [
        ("requirements.txt", "requests\nwhat is this\n", "line 2"),
        ("pyproject.toml", "[project]\ndependencies = ['thing'\n", "isn't valid TOML"),
        ("pyproject.toml", '[project]\ndependencies = ["re\\u0071uests>=2"]', "escapes"),
        ("pyproject.toml", '[tool.poetry.dependencies]\n"h\\u0074tpx" = "1"', "escapes"),
        ("package.json", "{", "isn't valid JSON"),
        ("package.json", "[" * 100_000, "isn't valid JSON"),
        ("package.json", '{"dependencies": {"a"', "isn't valid JSON"),
        ("package.json", "[]", "isn't a JSON object"),
        ("package.json", '{"dependencies": []}', "aren't objects"),
        ("package.json", '{"devDependencies": {"e\\u0073c": "1"}}', "escapes"),
        ("package.json", '{"devDependencies": {"@types\\/node": "1"}}', "escapes"),
        ("package.json", '{"devDependencies": {"x": "npm:r\\u0065al@1"}}', "escapes"),
        ("Gemfile.lock", "", "aren't read"),
        ("tox.cfg", "", "aren't read"),
    ],
)
def test_a_dependency_file_that_isnt_what_its_name_says_is_an_error(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=said):
        read_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text", "ecosystem"),
    [
        ("requirements-dev.txt", "thing\n", PYPI),
        ("constraints.in", "thing==3\n", PYPI),
        ("package.json", '\ufeff{"dependencies": {"thing": "1"}}', NPM),
        ("list.txt", '{"dependencies": {"thing": "1"}}', NPM),
        ("list.txt", "thing@npm\n", NPM),
        ("x.txt", "First,\nrun `pip install thing`.\n", PYPI),
        ("answer.md", "```python\nimport os, thing\n```\n", PYPI),
        (
            "pyproject.toml",
            '[project]\ndependencies = ["thing; python_version < \\"3.1\\""]\n',
            PYPI,
        ),
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


def test_read_text_keeps_line_ends_and_replaces_what_is_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"a\r\nb\xff")
    assert read_text(str(file)) == "a\r\nb\ufffd"


@pytest.mark.parametrize("name", ["missing.txt", "", "nul\0.txt"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_text(str(tmp_path / name))
