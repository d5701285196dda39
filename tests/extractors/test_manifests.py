"""Dependency files that people write: whole, broken and cut off."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Extractor, Language
from ghostbust.extractors.manifests import (
    GROUPS,
    MANIFESTS,
    environment_refs,
    has_header,
    hidden_names,
    is_environment,
    is_package_json,
    is_pyproject,
    is_setup_cfg,
    looks_like_requirements,
    package_json_refs,
    pyproject_refs,
    requirement_lines,
    requirements_refs,
    script_header_refs,
    setup_cfg_refs,
    setup_py_refs,
)
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

REQUIREMENTS = """\
\ufeff# what we need
requests[socks]>=2.0,<3  # http
Flask_Cors==4.0 --hash=sha256:00 \\
    --hash=sha256:11

-r other.txt
-c limits.txt
-e ./here
--no-binary :all:
./local.whl
local-1.0-py3-none-any.whl
https://files.example.test/x.whl
git+https://git.example.test/a/b
thing @ https://files.example.test/thing.whl
tomli ; python_version < "3.11"
long-name \\
    >=1
old (>=1.2)
your-package
"""


CFG = """\
[metadata]
name = mine
[options]
packages = find:
install_requires =
    a1>=2
    b1 ; python_version < "3"  # c
python_requires = >=3
[options.extras_require]
dev = c1
    d1
; e1
[tool:pytest]
addopts = -q
"""


ENVIRONMENT = """\
name: x
channels:
  - conda-forge
dependencies:
  - python=3.11
  - conda-forge::numpy >=1  # c
  - 'PyTables'
  - pip
  - pip:
    - rich==1
    - -r more.txt
    - "httpx[http2]>=1"
  - scipy
variables:
  - no
"""


PACKAGE_JSON = """\
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


PYPROJECT = """\
[project]
name = "Mine"
dependencies = [
  "a1>=2", # c1
  'b1[x]; python_version<"3"',
  "mine[dev]", "c1 @ https://files.example.test/a.whl",
]

[project.optional-dependencies]
dev = ["d1"]

[dependency-groups]
test = ["e1", {include-group = "dev"}]

[build-system]
requires = ["f1>=1"]

[tool.poetry.dependencies]
python = "^3"
g1 = "^2"
"h1" = {version = "4", optional = true}
i1 = {git = "https://git.example.test"}
j1 = {version = "1", source = "mine"}
k1.version = "1"

[tool.poetry.dependencies.l1]
version = "1"

[tool.poetry.group.dev.dependencies]
m1 = "*"

[tool.uv]
dev-dependencies = ["n1"]

[tool.uv.sources]
e1 = { path = "../x" }
n1 = { index = "x" }

[tool.hatch.envs.default]
dependencies = ["o1"]

[tool.ruff]
select = ["E"]
"""


SCRIPT = """\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "httpx<1",
#   'rich',
# ]
# ///
# dependencies = ["no"]
import httpx
"""


SAMPLES = [
    "Make `requirements.txt`:\n\n```\na1\nb1>=2\n```\n\n```\npip install c1\n```\n",
    "```toml\n[project]\ndependencies = ['a1', \"b1\"] # x\n```\nthen `pip install c1`.",
    '```json\n{"dependencies": {"a1": "^1", "b1": "npm:c1@2"}, "scripts": {"s": "npx d1"}}\n```',
    "```bash\ncat > requirements.txt <<'EOF'\na1\nb1\nEOF\npython - <<EOF\nimport rich\nEOF\n```",
    '```dockerfile\nFROM x\nRUN pip install a1 \\\n # c\n  b1\nCMD ["npx", "c1"]\n```',
    "```yaml\nsteps:\n  - run: |\n      pip install a1 b1\n  - run: npx c1\n```",
    "```python\n# /// script\n# dependencies = ['a1']\n# ///\nimport b1\n"
    "setup(install_requires=['c1'])",
    "```console\n$ pip install a1\nSuccessfully installed x-1\n(venv) $ npm i @b/c\n```",
    "PS C:\\> uv add 'a1>=2' --group dev; conda install c::b1\n",
]


def found(reader: Extractor, text: str) -> list[PackageRef]:
    """The refs in the order of the text, whose places are checked."""
    refs = sorted(reader(text, 3), key=lambda ref: ref.start)
    assert all(text[ref.start - 3 : ref.end - 3] == ref.raw for ref in refs)
    assert {ref.kind for ref in refs} <= {RefKind.MANIFEST}
    return refs


@pytest.mark.parametrize(
    ("reader", "text", "names", "flagged"),
    [
        (
            requirements_refs,
            REQUIREMENTS,
            "requests Flask_Cors tomli long-name old your-package",
            "",
        ),
        (setup_cfg_refs, CFG, "a1 b1 c1 d1", ""),
        (environment_refs, ENVIRONMENT, "python numpy PyTables pip rich httpx scipy", ""),
        (package_json_refs, PACKAGE_JSON, "a1 @b/c e1 @g/h m1 n1 o1 p1 q1", ""),
        (pyproject_refs, PYPROJECT, "a1 b1 d1 e1 f1 g1 h1 j1 k1 l1 m1 n1 o1", "e1 j1 n1"),
        (script_header_refs, SCRIPT, "httpx rich", ""),
    ],
)
def test_a_file(reader: Extractor, text: str, names: str, flagged: str) -> None:
    refs = found(reader, text)
    assert " ".join(ref.raw for ref in refs) == names
    assert " ".join(ref.raw for ref in refs if ref.flags == {Flag.PRIVATE_INDEX}) == flagged
    assert not any(ref.flags for ref in refs if ref.raw not in flagged.split())


@pytest.mark.parametrize(
    ("reader", "text", "early"),
    [
        # as long as its value isn't there, a key may come from elsewhere
        (package_json_refs, PACKAGE_JSON, "d1 f1 i1 j1 k1 l1"),
        # what later lines say of a name can't be known yet
        (pyproject_refs, PYPROJECT, "e1 i1 mine c1 m Mine_"),
        (script_header_refs, SCRIPT, ""),
    ],
)
def test_every_prefix_of_a_file_gives_what_is_there(
    reader: Extractor, text: str, early: str
) -> None:
    whole = {(ref.start, ref.raw) for ref in found(reader, text)}
    for end in range(len(text)):
        for ref in found(reader, text[:end]):
            is_known = (ref.start, ref.raw) in whole or Flag.TRUNCATED in ref.flags
            assert is_known or ref.raw in early.split()


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_prefix_of_an_answer_is_read(sample: str) -> None:
    for end in range(len(sample)):
        assert all(sample[ref.start : ref.end] == ref.raw for ref in extract(sample[:end]))


@pytest.mark.parametrize(
    ("is_one", "text", "expected"),
    [
        (is_setup_cfg, CFG, True),
        (is_setup_cfg, "[options]\npackages = find:\n", False),
        (is_environment, ENVIRONMENT, True),
        (is_environment, "dependencies:\n- pip:\n  - rich", True),
        (is_environment, "dependencies:\n- name: redis\n  version: 1", False),
        (is_environment, "dependencies:\n  flutter:\n    sdk: x", False),
        (is_environment, "on: push\njobs: x", False),
        (is_package_json, PACKAGE_JSON, True),
        (is_package_json, '{"dependencies": {"a": "1"}}', True),
        (is_package_json, '{"dependencies": ["a"]}', False),
        (is_package_json, '{"require": {"a/b": "1"}}', False),
        (is_package_json, '{"packages": {"": {"dependencies": {"a": "1"}}}}', False),
        (is_package_json, "", False),
        (is_pyproject, PYPROJECT, True),
        (is_pyproject, '[build-system]\nrequires = ["a"]', True),
        (is_pyproject, '[tool.poetry.dependencies]\na = "1"', True),
        (is_pyproject, '[dependencies]\nserde = "1"', False),
        (is_pyproject, "[options]\ninstall_requires = a", False),
        (is_pyproject, "[a, b]\nc = 1", False),
        (has_header, SCRIPT, True),
    ],
)
def test_what_a_text_looks_like(is_one: Callable[[str], bool], text: str, expected: bool) -> None:
    assert is_one(text) is expected


@pytest.mark.parametrize(
    ("reader", "text", "cut"),
    [
        (package_json_refs, '{"dependencies": {"a1": "1", "lod', "lod"),
        (pyproject_refs, '[project]\ndependencies = ["req', "req"),
        (pyproject_refs, '[project]\ndependencies = ["requests>=', ""),
        (pyproject_refs, "[tool.poetry.dependencies]\nreq", "req"),
    ],
)
def test_a_cut_off_name_says_so(reader: Extractor, text: str, cut: str) -> None:
    refs = found(reader, text)
    assert "".join(ref.raw for ref in refs if ref.flags == {Flag.TRUNCATED}) == cut


@pytest.mark.parametrize("option", ["-i https://x.test", "--extra-index-url=https://x.test"])
def test_an_index_holds_for_the_whole_file(option: str) -> None:
    refs = found(requirements_refs, f"a1\n{option}\nb1\n")
    assert [ref.flags for ref in refs] == [{Flag.PRIVATE_INDEX}] * 2


def test_a_line_that_is_none_does_not_hide_the_others() -> None:
    refs = found(requirements_refs, "a1\nwhat is this\n=2\nb1")
    assert [ref.raw for ref in refs] == ["a1", "b1"]


def test_lines_have_numbers_and_join_what_continues() -> None:
    lines = [(line.number, line.words.value) for line in requirement_lines("a1 \\\n>=1\n\n# x\nb1")]
    assert lines == [(1, "a1 >=1"), (5, "b1")]


@pytest.mark.parametrize(
    ("text", "named", "is_one"),
    [
        ("a1==1\nb1", False, True),
        ("-r x.txt\na1>=1 # c", False, True),
        ("a1\nb-1\nc_1", False, False),
        ("a1\nb1", True, True),
        ("pip install a1", True, False),
        ("a1==1\nrun it now", False, False),
        ("x = 1", True, False),
        ("", True, False),
        ("docs.zz-quux.dev", False, False),
        ("one@zz-quux.dev\ntwo@zz-quux.dev", False, False),
        ("- a1==1\n- b1", False, False),
        ("a1 @ https://files.example.test/a1.whl\nb1==1", False, True),
    ],
)
def test_what_looks_like_one(text: str, named: bool, is_one: bool) -> None:
    assert looks_like_requirements(text, named=named) is is_one


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("setup(install_requires=['a1>=1', \"b1\"])", ["a1", "b1"]),
        ("setup(extras_require={'dev': ['a1'], \"x\": ['b1', 'c1']})", ["a1", "b1", "c1"]),
        ("setup(setup_requires=('a1',), tests_require=['b1'])", ["a1", "b1"]),
        ("install_requires = [\n  'a1',  # b1\n]", ["a1"]),
        ("setup(**{'install_requires': ['a1']})", ["a1"]),
        ("setup(install_requires=['a1', 'b", ["a1", "b"]),
        ("setup(install_requires=read('x.txt'))", []),
        ("setup(packages=['a1'])", []),
        ("# install_requires=['a1']", []),
    ],
)
def test_setup_py(code: str, names: list[str]) -> None:
    assert [ref.raw for ref in found(setup_py_refs, code)] == names


def test_a_conda_environment_has_packages_of_two_ecosystems() -> None:
    refs = found(environment_refs, ENVIRONMENT)
    assert [ref.raw for ref in refs if ref.ecosystem is Ecosystem.PYPI] == ["rich", "httpx"]
    assert refs[2].name == "pytables"
    for end in range(len(ENVIRONMENT)):
        found(environment_refs, ENVIRONMENT[:end])
    text = "dependencies:\n- a1\n- pip:\n  - --index-url x\n  - b1\n"
    (conda, pypi) = found(environment_refs, text)
    assert not conda.flags, "the index is pip's"
    assert pypi.flags == {Flag.PRIVATE_INDEX}


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_a_quoted_part_of_a_package_json(group: str) -> None:
    text = f'"{group}": {{\n "a1": "1", // c\n "b1": "2",\n}}'
    assert [ref.raw for ref in found(package_json_refs, text)] == ["a1", "b1"]


def test_names_are_what_the_registry_takes() -> None:
    names = ["foo", "name.json", "x_", "JSONStream", "@your-org/x", "<package>", "a b", ".x", "@x"]
    text = json.dumps({"dependencies": dict.fromkeys(names, "1")})
    assert [ref.raw for ref in found(package_json_refs, text)] == names[:5]


@pytest.mark.parametrize(
    ("source", "indexes"),
    [
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"', [("y", False)]),
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"\ndefault = true', [("y", True)]),
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"\nexplicit = true', []),
        ('[[tool.uv.index]]\nname = "x"\nurl = "y"\nexplicit = true\n[tool.uv.sources]\n'
         'a1 = {index = "x"}', [("y", True)]),
        ('[tool.uv.sources]\na1 = {git = "y"}', [("git y", True)]),
        ('[tool.poetry.dependencies]\nA_1 = "1"\na1 = {path = "y"}', [("path y", True)]),
        ('[[tool.poetry.source]]\nname = "x"\nurl = "y"', [("y", True)]),
        ('[[tool.poetry.source]]\nname = "x"\npriority = "explicit"', []),
        ('[[tool.poetry.source]]\nname = "PyPI"', []),
        ('[[tool.poetry.source]]\nname = "x"\nurl = "y"\n[[tool.poetry.source]]\nname = "PyPI"',
         [("y", False)]),
        ('[[tool.pdm.source]]\nname = "x"\nurl = "y"', [("y", False)]),
    ],
)  # fmt: skip
def test_another_index(source: str, indexes: list[tuple[str, bool]]) -> None:
    ref = found(pyproject_refs, f'[project]\ndependencies = ["a1"]\n{source}\n')[0]
    assert [(one.address, one.replaces) for one in ref.indexes] == indexes
    assert ref.flags == ({Flag.PRIVATE_INDEX} if indexes else frozenset())


def test_pipfile() -> None:
    refs = found(
        pyproject_refs,
        '[[source]]\nname = "pypi"\nurl = "x"\n[packages]\na1 = "*"\nb1 = {index = "y"}\n'
        'c1 = {path = "."}\n[dev-packages]\nd1 = "*"\n[requires]\npython_version = "3"\n',
    )
    assert [(ref.raw, bool(ref.flags)) for ref in refs] == [
        ("a1", False), ("b1", True), ("d1", False),
    ]  # fmt: skip


def test_names_that_escapes_hide() -> None:
    text = r"""[project]
dependencies = ["re\u0071uests>=2", "plain", "tomli; python_version < \"3.11\""]
[tool.poetry.dependencies]
"h\u0074tpx" = "1"
rich = "1"
[tool.other]
x = "h\u0074tpx"
"""
    assert hidden_names(text) == ["requests>=2", "httpx"]
    assert hidden_names("") == []


@pytest.mark.parametrize(
    "text", ["", '# dependencies = ["a1"]', '# /// other\n# dependencies = ["a1"]\n# ///']
)
def test_a_comment_that_is_no_header(text: str) -> None:
    assert list(script_header_refs(text, 0)) == []
    assert not has_header(text)


def test_a_header_that_nothing_closes_ends_with_its_comment() -> None:
    text = '# /// script\n# dependencies = ["a1"]\n\ndependencies = ["b1"]\n'
    assert [ref.raw for ref in script_header_refs(text, 0)] == ["a1"]


@pytest.mark.parametrize("label", [*MANIFESTS, "python", "dockerfile", "ipynb"])
def test_random_text_breaks_no_reader(label: str) -> None:
    rng = random.Random(label)
    marks = ["[", "]", "{", "}", '"', "'", '"""', "\\", "\n", "=", ":", ",", "#", "- ", " ", "a1",
             "dependencies", "[project]\n", '"dependencies": ', "\\u00", "<<E\n", "\r", "\ud800",
             "\u2028", "npm:", "@", "-r ", "pip:", "é😀"]  # fmt: skip
    for _ in range(150):
        text = "".join(rng.choices(marks, k=rng.randrange(40)))
        extract(text, filename=f"x.{label}" if "." not in label else label)
        extract(text, language=rng.choice(list(Language)))
