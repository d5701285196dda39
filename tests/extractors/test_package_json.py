"""package.json."""

from __future__ import annotations

import json

import pytest

from ghostbust.extractors.requirements import GROUPS, PackageJsonExtractor, is_package_json
from ghostbust.records import Ecosystem, Flag, PackageRef

FILE = """\
{
  "name": "mine", "version": "1.0.0",
  "dependencies": {
    "a1": "^1", "@b/c": "~2", "d1": "npm:e1@2", "f1": "npm:@g/h@1",
    "i1": "workspace:*", "j1": "file:../x", "k1": "user/repo", "l1": "git+ssh://git.example.test",
    "m1": "catalog:", "n1": ">=1 <2"
  },
  "devDependencies": {"o1": "latest"},
  "peerDependencies": {"p1": "*"},
  "optionalDependencies": {"q1": ""},
  "overrides": {"r1": "1"},
  "engines": {"node": ">=20"}
}
"""


def found(text: str) -> list[PackageRef]:
    refs = list(PackageJsonExtractor().find(text, 3))
    assert all(text[ref.start - 3 : ref.end - 3] == ref.raw == ref.name for ref in refs)
    return refs


def test_a_file() -> None:
    refs = found(FILE)
    assert " ".join(ref.raw for ref in refs) == "a1 @b/c e1 @g/h m1 n1 o1 p1 q1"
    assert {ref.ecosystem for ref in refs} == {Ecosystem.NPM}


def test_every_prefix_of_a_file_gives_what_is_there() -> None:
    whole = {(ref.start, ref.raw) for ref in found(FILE)}
    for end in range(len(FILE)):
        for ref in found(FILE[:end]):
            # as long as its value isn't there, a key may come from elsewhere
            is_early = Flag.TRUNCATED in ref.flags or FILE[ref.end - 3 : end].count('"') < 3
            assert is_early or (ref.start, ref.raw) in whole


def test_a_cut_off_name_says_so() -> None:
    text = '{"dependencies": {"a1": "1", "lod'
    assert [(ref.raw, bool(ref.flags)) for ref in found(text)] == [("a1", False), ("lod", True)]


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_quoted_part(group: str) -> None:
    assert [ref.raw for ref in found(f'"{group}": {{\n "a1": "1", // c\n "b1": "2",\n}}')] == [
        "a1",
        "b1",
    ]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (FILE, True),
        ('{"dependencies": {"a": "1"}}', True),
        ('{"dependencies": ["a"]}', False),
        ('{"require": {"a/b": "1"}}', False),
        ('{"packages": {"": {"dependencies": {"a": "1"}}}}', False),
        ("", False),
    ],
)
def test_what_is_one(text: str, is_one: bool) -> None:
    assert is_package_json(text) is is_one


def test_names_are_what_the_registry_takes() -> None:
    names = ["foo", "name.json", "x_", "JSONStream", "@your-org/x", "<package>", "a b", ".x", "@x"]
    text = json.dumps({"dependencies": dict.fromkeys(names, "1")})
    assert [ref.raw for ref in PackageJsonExtractor().find(text, 0)] == names[:5]
