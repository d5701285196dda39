"""Only a file whose code the answer shows is a module of its own."""

from __future__ import annotations

import sys

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import split
from ghostbust.extractors.marks import local_modules
from ghostbust.records import Flag

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
