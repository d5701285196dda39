"""Flags that need the whole answer or the prompt."""

from __future__ import annotations

import pytest

from ghostbust.extractors import extract
from ghostbust.extractors.markdown import split
from ghostbust.extractors.marks import _names_in, local_modules
from ghostbust.records import Flag


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```python\nimport rich", {"rich": True}),
        ("```python\nimport os, rich.te", {"os": False, "rich": True}),
        ("```python\nimport rich.", {"rich": True}),
        ("```python\nimport rich\n", {"rich": False}),
        ("```python\nimport rich as r", {"rich": False}),
        ("`pip install rich httpx", {"rich": False, "httpx": True}),
        ("`pip install pytest-", {"pytest": True}),
        ("`pip install rich==1", {"rich": False}),
        ("- rich\n- `htt", {"rich": False, "htt": True}),
    ],
)
def test_truncated(text: str, expected: dict[str, bool]) -> None:
    refs = extract(text, truncated=True, expect_list=True)
    assert {ref.raw: Flag.TRUNCATED in ref.flags for ref in refs} == expected
    assert not any(Flag.TRUNCATED in ref.flags for ref in extract(text, expect_list=True))


@pytest.mark.parametrize(
    ("prompt", "induced"),
    [
        ("Use tiny-lib to", True),
        ("Use `Tiny_Lib`.", True),
        ("Use (tiny.lib)!", True),
        ("import tiny_lib.sub", True),
        ("Use tiny-lib-extra", False),
        ("Use the lib of mine", False),
        ("", False),
    ],
)
def test_prompt_induced(prompt: str, induced: bool) -> None:
    (ref,) = extract("```\npip install tiny-lib\n```", prompt_text=prompt)
    assert (Flag.PROMPT_INDUCED in ref.flags) is induced


def test_prompt_induced_by_distribution_name() -> None:
    (ref,) = extract("```python\nimport cv2\n```", prompt_text="Use opencv-python.")
    assert Flag.PROMPT_INDUCED in ref.flags


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("```python title=\"mine.py\"\nx\n```", {"mine"}),
        ("```python:app/mine.py\nx\n```", {"app", "mine"}),
        ("```mine.py\nx\n```", {"mine"}),
        ("```python\n# mine.py\nx\n```", {"mine"}),
        ("```python\n# file: app/mine.py\nx\n```", {"app", "mine"}),
        ("```python\n# this uses mine.py to do things\n```", set()),
        ("Create a file named `mine.py`:", {"mine"}),
        ("Save this as mine.py.", {"mine"}),
        ("**mine.py**", {"mine"}),
        ("The mine.py project is well known.", set()),
        ("No file here", set()),
    ],
)  # fmt: skip
def test_local_modules(text: str, names: set[str]) -> None:
    assert local_modules(text, split(text)) == names


def test_local_module_flag_is_for_imports_of_it_only() -> None:
    text = (
        "Create `mine.py` and `json.py`:\n```python\nx = 1\n```\nThen\n"
        "```python\nimport mine, other, json\n```\nand `pip install mine`."
    )
    flagged = [(ref.raw, Flag.LOCAL_MODULE in ref.flags) for ref in extract(text)]
    assert flagged == [("mine", True), ("other", False), ("json", False), ("mine", False)]


def test_javascript_imports_are_marked_too() -> None:
    text = "```js\nimport a from 'tiny-lib/sub'\nimport b from '@x1/y"
    induced, cut = extract(text, truncated=True, prompt_text="import z from 'tiny-lib/z'")
    assert induced.flags == {Flag.PROMPT_INDUCED}
    assert cut.flags == {Flag.TRUNCATED}


def test_package_whose_name_ends_in_py_is_no_local_module() -> None:
    text = "Create a bot with the discord.py library:\n```python\nimport discord\n```"
    (ref,) = extract(text)
    assert ref.flags == frozenset()


@pytest.mark.parametrize("line", ["## 2. `auth.py`", "### Step 3: `auth.py`", "`auth.py`:"])
def test_a_heading_names_a_file(line: str) -> None:
    text = f"{line}\n\n```python\nx = 1\n```\n\n```python\nfrom auth import x\n```"
    assert Flag.LOCAL_MODULE in extract(text)[0].flags


def test_a_prompts_name_is_known_in_any_spelling_and_a_mere_part_of_it_is_none() -> None:
    for prompt, induced in (("Use Zz_Quux.", True), ("Use zzquux2", False), ("zz-quux-b", False)):
        [ref] = extract("pip install zz-quux", prompt_text=prompt)
        assert (Flag.PROMPT_INDUCED in ref.flags) is induced


def test_a_prompt_of_endless_dots_is_read_in_its_length() -> None:
    assert len(_names_in("a." * 50_000)) < 20
