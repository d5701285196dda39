"""Names from arguments, files and standard input."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.sources import purl_of, read_text, ref_of, refs_in, refs_of_command
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM


def named(refs: list[PackageRef]) -> list[tuple[Ecosystem, str | None]]:
    return [(ref.ecosystem, ref.name) for ref in refs]


@pytest.mark.parametrize(
    ("spec", "ecosystem", "name"),
    [
        ("requests", PYPI, "requests"),
        ("Flask_Cors", PYPI, "flask-cors"),
        (" requests[socks]>=2 ; python_version > '3.8'", PYPI, "requests"),
        ("left-pad@npm", NPM, "left-pad"),
        ("requests@pypi", PYPI, "requests"),
        ("@types/node@npm", NPM, "@types/node"),
        ("@types/node", NPM, "@types/node"),
        ("pkg:npm/%40types/node", NPM, "@types/node"),
        ("pkg:pypi/Requests@2.0", PYPI, "requests"),
    ],
)
def test_ref_of(spec: str, ecosystem: Ecosystem, name: str) -> None:
    ref = ref_of(spec)
    assert ref is not None
    assert (ref.ecosystem, ref.name) == (ecosystem, name)


def test_what_comes_from_elsewhere_is_no_ref() -> None:
    assert ref_of("thing @ https://files.example.test/thing.whl") is None


@pytest.mark.parametrize(
    "spec",
    ["", "two words", "a@cargo", "a@conda", "pkg:cargo/serde", "pkg:conda/numpy", "pkg:", "-x"],
)
def test_what_is_no_name(spec: str) -> None:
    with pytest.raises(UsageError):
        ref_of(spec)


def test_a_command() -> None:
    assert named(refs_of_command("sudo npm i -D @a/b && pip install x==1")) == [
        (NPM, "@a/b"),
        (PYPI, "x"),
    ]


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
"""


def test_requirements(tmp_path: Path) -> None:
    file = tmp_path / "requirements-dev.txt"
    file.write_text(REQUIREMENTS)
    refs = refs_in(str(file))
    assert named(refs) == [(PYPI, "requests"), (PYPI, "flask-cors"), (PYPI, "long-name")]
    assert {ref.kind for ref in refs} == {RefKind.MANIFEST}
    assert refs[0].flags == frozenset()


@pytest.mark.parametrize("option", ["-i https://x.example.test", "--index-url=https://x.test"])
def test_requirements_with_an_index_of_their_own(tmp_path: Path, option: str) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text(f"{option}\nours\n")
    assert refs_in(str(file))[0].flags == {Flag.PRIVATE_INDEX}


def test_a_line_of_requirements_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("requests\nwhat is this\n")
    with pytest.raises(UsageError, match="line 2"):
        refs_in(str(file))


def test_package_json(tmp_path: Path) -> None:
    file = tmp_path / "package.json"
    file.write_text(
        '{"name": "me", "dependencies": {"left-pad": "^1", "mine": "workspace:*",'
        ' "fork": "github:a/b", "short": "a/b", "other": "npm:real@2", "sc": "npm:@s/r@1",'
        ' "bare": "npm:bare-name"},'
        ' "devDependencies": {"@types/node": "*"}}'
    )
    assert named(refs_in(str(file))) == [
        (NPM, "left-pad"),
        (NPM, "real"),
        (NPM, "@s/r"),
        (NPM, "bare-name"),
        (NPM, "@types/node"),
    ]


def test_names_stand_where_the_refs_say(tmp_path: Path) -> None:
    for name, text in [
        ("requirements.txt", REQUIREMENTS.removeprefix("\ufeff")),
        ("names.txt", "requests\nleft-pad@npm\n"),
        ("package.json", '{"dependencies": {"left-pad": "^1", "other": "npm:real@2"}}'),
    ]:
        (tmp_path / name).write_text(text)
        refs = refs_in(str(tmp_path / name))
        assert refs
        assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


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
    assert named(refs_in(str(tmp_path / name))) == [(ecosystem, "thing")]


def test_broken_toml_is_said(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\ndependencies = ['thing'\n")
    with pytest.raises(UsageError, match="isn't valid TOML"):
        refs_in(str(tmp_path / "pyproject.toml"))


@pytest.mark.parametrize("text", ["{", '{"dependencies": []}', '{"dependencies": {"a"'])
def test_a_package_json_that_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "package.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"package\.json"):
        refs_in(str(file))


def test_a_text_file_is_a_list_of_names_or_an_answer(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("requests\nleft-pad@npm\n")
    assert named(refs_in(str(file))) == [(PYPI, "requests"), (NPM, "left-pad")]
    file.write_text("First,\nrun `pip install requests`.\n")
    assert named(refs_in(str(file))) == [(PYPI, "requests")]


def test_an_answer_without_its_built_in_imports(tmp_path: Path) -> None:
    file = tmp_path / "answer.md"
    file.write_text("```python\nimport os, numpy\n```\n")
    assert named(refs_in(str(file))) == [(PYPI, "numpy")]


@pytest.mark.parametrize("name", ["Cargo.toml", "poetry.lock", "tox.cfg"])
def test_a_manifest_that_is_not_read_is_not_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="aren't read"):
        refs_in(str(tmp_path / name))


def test_read_text_keeps_line_ends_and_replaces_what_is_no_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(b"a\r\nb\xff")
    assert read_text(str(file)) == "a\r\nb\ufffd"


@pytest.mark.parametrize("name", ["missing.txt", ""])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        read_text(str(tmp_path / name))


def test_purl_of() -> None:
    good = PackageRef(NPM, RefKind.LIST, "@a/b", 0, 4, "@a/b")
    assert purl_of(good) == "pkg:npm/%40a/b"
    unmapped = PackageRef(PYPI, RefKind.IMPORT, "x", 0, 1, None, "x")
    built_in = PackageRef(PYPI, RefKind.IMPORT, "os", 0, 2, "os", "os", builtin=True)
    invalid = PackageRef(NPM, RefKind.LIST, "a b", 0, 3, "a b")
    assert [purl_of(ref) for ref in (unmapped, built_in, invalid)] == [None, None, None]
