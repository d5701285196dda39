"""Requirements files and package.json, each dependency at its place."""

from __future__ import annotations

import json

import pytest

from ghostbust.cli.manifests import package_json, requirement_lines
from ghostbust.errors import UsageError
from ghostbust.records import Ecosystem, Flag, RefKind

NPM = Ecosystem.NPM

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
pkg:npm/%40types/node
left-pad@npm
"""


def test_requirements() -> None:
    refs = list(requirement_lines("requirements.txt", REQUIREMENTS))
    assert [(ref.ecosystem, ref.name) for ref in refs] == [
        (Ecosystem.PYPI, "requests"),
        (Ecosystem.PYPI, "flask-cors"),
        (Ecosystem.PYPI, "long-name"),
        (Ecosystem.PYPI, "begun-late"),
        (NPM, "@types/node"),
        (NPM, "left-pad"),
    ]
    assert {ref.kind for ref in refs} == {RefKind.MANIFEST}
    assert refs[0].flags == frozenset()
    assert all(REQUIREMENTS[ref.start : ref.end] == ref.raw for ref in refs)
    assert [ref.raw for ref in refs[:4]] == ["requests", "Flask_Cors", "long-name", "begun-late"]


@pytest.mark.parametrize("option", ["-i https://x.example.test", "--index-url=https://x.test"])
def test_requirements_with_an_index_of_their_own(option: str) -> None:
    (ref,) = requirement_lines("requirements.txt", f"{option}\nours\n")
    assert ref.flags == {Flag.PRIVATE_INDEX}


def test_a_line_of_requirements_that_is_none() -> None:
    with pytest.raises(UsageError, match="line 2"):
        list(requirement_lines("requirements.txt", "requests\nwhat is this\n"))


PACKAGE_JSON = """{"name": "me", "version": "dependencies", "x": [{"dependencies": {"no": "1"}}],
  "dependencies": {"left-pad": "^1", "mine": "workspace:*", "fork": "github:a/b", "short": "a/b",
    "other": "npm:real@2", "sc": "npm:@s/r@1", "bare": "npm:bare-name", "e\\u0073c": "1"},
  "scripts": {"not": "one"}, "overrides": {"dependencies": {"deep": "1"}},
  "devDependencies": {"@types/node": "*", "odd": 1, "nested": {"deep": "1"}}}"""


def test_package_json() -> None:
    refs = list(package_json("package.json", PACKAGE_JSON))
    names = ["left-pad", "real", "@s/r", "bare-name", "esc", "@types/node"]
    assert [ref.name for ref in refs] == names
    assert {ref.ecosystem for ref in refs} == {NPM}
    assert all(PACKAGE_JSON[ref.start : ref.end] == ref.raw for ref in refs)
    assert [ref.raw for ref in refs if ref.name != "esc"] == [n for n in names if n != "esc"]


@pytest.mark.parametrize(
    "text", ["{", '{"dependencies": []}', '{"dependencies": {"a"', "[]", "[" * 100_000]
)
def test_a_package_json_that_is_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"package\.json"):
        list(package_json("package.json", text))


def test_the_walk_agrees_with_the_parser() -> None:
    """Whatever the layout, the names are those that the json module finds."""
    tricky = {"a": "}", "b\\": '"', "c,": "{[", "d": "1"}
    for indent in (None, 0, 2):
        text = json.dumps({"k": [1, {"z": "y"}], "dependencies": tricky}, indent=indent)
        assert [ref.name for ref in package_json("x", text)] == list(tricky)
