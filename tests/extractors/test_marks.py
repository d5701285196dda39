"""Flags that need the whole answer or the prompt."""

from __future__ import annotations

import sys

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import split
from ghostbust.extractors.marks import _PromptNames, local_modules, local_packages
from ghostbust.records import Flag


def test_prompt_induced_by_distribution_name() -> None:
    (ref,) = extract("```python\nimport cv2\n```", prompt_text="Use opencv-python.")
    assert Flag.PROMPT_INDUCED in ref.flags


def test_javascript_imports_are_marked_too() -> None:
    text = "```js\nimport a from 'tiny-lib/sub'\nimport b from '@x1/y"
    induced, cut = extract(text, truncated=True, prompt_text="import z from 'tiny-lib/z'")
    assert induced.flags == {Flag.PROMPT_INDUCED}
    assert cut.flags == {Flag.TRUNCATED}


def test_a_prompt_of_endless_dots_is_read_in_its_length() -> None:
    assert len(_PromptNames("a." * 50_000).names) < 20


CODE = "```python\nx = 1\n```"


def shown(text: str) -> set[str]:
    """The modules that a text shows."""
    return set(local_modules(text, split(text)).places)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("```python title=\"mine.py\"\nx\n```", {"mine"}),
        ("```python:app/mine.py\nx\n```", {"app", "mine"}),
        ("```mine.py\nx\n```", {"mine"}),
        ("```python\n# mine.py\nx\n```", {"mine"}),
        ("```python\n# file: app/mine.py\nx\n```", {"app", "mine"}),
        ("```python\n# src/shop/cart.py\nx\n```", {"src", "shop", "cart"}),
        ("```python\n# shop/__init__.py\nx\n```", {"shop"}),
        ("```python\n# one.py\nx\n\n# two.py\ny\n```", {"one", "two"}),
        ("```python\n%%writefile mine.py\nx\n```", {"mine"}),
        ("```bash\ncat > mine.py <<EOF\nx\nEOF\n```", {"mine"}),
        ("```bash\ncat <<'EOF' | tee lib/mine.py\nx\nEOF\n```", {"lib", "mine"}),
        (f"Create a file named `mine.py`:\n{CODE}", {"mine"}),
        (f"Save this as mine.py.\n{CODE}", {"mine"}),
        (f"**mine.py**\n\n{CODE}", {"mine"}),
        (f"## 2. `mine.py`\n\n{CODE}", {"mine"}),
        (f"### Step 3: `mine.py`\n\n{CODE}", {"mine"}),
        (f"`mine.py`:\n\n{CODE}", {"mine"}),
        (f"- `mine.py`\n{CODE}", {"mine"}),
        ("```python\n# --- mine.py ---\nx\n```", {"mine"}),
        ("```python\n# In app/mine.py (new)\nx\n```", {"app", "mine"}),
        (f"First the settings, in `mine.py`:\n{CODE}", {"mine"}),
    ],
)  # fmt: skip
def test_a_file_is_shown(text: str, names: set[str]) -> None:
    assert shown(text) == names


@pytest.mark.parametrize(
    "text",
    [
        f"Do not call your script mine.py:\n{CODE}",
        f"Never name a file `mine.py`.\n{CODE}",
        f"Don’t save it as mine.py:\n{CODE}",
        f"Rename mine.py, since it shadows the package:\n{CODE}",
        f"Create a file named `mine.py`. Then:\n\nRun this:\n{CODE}",
        f"{CODE}\nSave this as mine.py.",
        f"If you have a file called mine.py:\n{CODE}",
        f"Create `one.py` and `two.py`:\n{CODE}",
        "Create a file named `mine.py`:\n```bash\npip install rich\n```",
        "The mine.py project is well known.",
        "Create a file named `mine.py`.",
        "**mine.py**",
        "```python\n# this uses mine.py to do things\n```",
        "```python\n# run mine.py\nx\n```",
        "```python\nx\n# mine.py\n```",
        "```\nproject/\n├── mine.py\n└── main.py\n```",
        "```bash\npython mine.py <<EOF\n1\nEOF\n```",
        "No file here",
    ],
)
def test_what_is_only_said_of_a_file_shows_none(text: str) -> None:
    assert shown(text) == set()


def test_the_flag_is_for_imports_of_it_only_and_not_in_the_file_itself() -> None:
    text = (
        "```python\n# mine.py\nimport mine\n```\n```python\n# json.py\nx\n```\nThen\n"
        "```python\nimport mine, other, json\n```\nand `pip install mine`."
    )
    flagged = [(ref.raw, Flag.LOCAL_MODULE in ref.flags) for ref in extract(text)]
    assert flagged == [
        ("mine", False), ("mine", True), ("other", False), ("json", False), ("mine", False),
    ]  # fmt: skip


def test_a_sentence_hides_no_import() -> None:
    text = "Do not call your script fastjsonx.py.\n\n```python\nimport fastjsonx\n```\n"
    (ref,) = extract(text)
    assert ref.flags == frozenset()


def test_a_file_of_a_package_may_import_from_it() -> None:
    (ref,) = extract("```python\n# shop/cart.py\nfrom shop.models import Cart\n```")
    assert ref.flags == {Flag.LOCAL_MODULE}


def test_package_whose_name_ends_in_py_is_no_local_module() -> None:
    text = "```python\n# discord.py\nx = 1\n```\n```python\nimport discord\n```"
    (ref,) = extract(text)
    assert ref.flags == frozenset()


def test_many_files_of_one_name_are_looked_up_without_passing_over_all() -> None:
    text = "```python\n" + "# mine.py\nimport mine\n" * 2_000
    found = local_modules(text, split(text))
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        assert not found.hold("mine", len(text) - 2)
    finally:
        sys.setprofile(None)
    assert steps < 100


TSCONFIG = '```json\n{"compilerOptions": {"paths": {"@db1/*": ["./x"], "*": []}}}\n```'


@pytest.mark.parametrize(
    ("text", "specifier", "expected"),
    [
        ('```json\n{"name": "@mine1/ui", "version": "1.0.0"}\n```', "@mine1/ui/button", True),
        ('```json\n{"name": "@mine1/ui"}\n```', "@mine1/ui-kit", False),
        (TSCONFIG, "@db1/x", True),
        (TSCONFIG, "other", False),
        ('```json\n{"name": 1, "compilerOptions": {"paths": []}}\n```', "x", False),
        ('```json\n{"name": "x",\n```', "x", False),
        ('```json\n["name"]\n```', "name", False),
        ('Name: {"name": "x"}', "x", False),
        ("```js title=\"db1/models.js\"\n1\n```", "db1/models", True),
        ("```ts:src/db1/index.ts\n1\n```", "db1", True),
        ("```js\n// db1.js\n1\n```", "db1", True),
        ("```js\n// File: db1.js\n1\n```", "db1", True),
        ("```js\n/* db1.js */\n1\n```", "db1", True),
        ("```js\n// uses db1.js for that\n1\n```", "db1", False),
        ("```js\n1\n// db1.js\n```", "db1", False),
        ("Create `db1.js`.", "db1", False),
    ],
)  # fmt: skip
def test_what_an_answer_defines(text: str, specifier: str, expected: bool) -> None:
    assert local_packages(text, split(text)).hold(specifier, len(text)) is expected


def test_a_file_is_not_its_own_module() -> None:
    text = "```js\n// three.js\nimport 'three'\n```\n```js\nimport 'three'\n```"
    assert [Flag.LOCAL_MODULE in ref.flags for ref in extract(text)] == [False, True]


def test_builtins_and_installs_are_never_local() -> None:
    text = '```json\n{"name": "zlib"}\n```\n```js\nrequire("zlib")\n// npm install zlib\n```'
    assert [ref.flags for ref in extract(text)] == [frozenset(), frozenset()]
