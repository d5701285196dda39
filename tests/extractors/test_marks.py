"""Flags that need the whole answer or the prompt."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.marks import _Said
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


def test_javascript_imports_are_marked_too() -> None:
    text = "```js\nimport a from 'tiny-lib/sub'\nimport b from '@x1/y"
    induced, cut = extract(text, truncated=True, prompt_text="import z from 'tiny-lib/z'")
    assert induced.flags == {Flag.PROMPT_INDUCED}
    assert cut.flags == {Flag.TRUNCATED}


def test_a_prompts_name_is_known_in_any_spelling_and_a_mere_part_of_it_is_none() -> None:
    for prompt, induced in (("Use Zz_Quux.", True), ("Use zzquux2", False), ("zz-quux-b", False)):
        [ref] = extract("pip install zz-quux", prompt_text=prompt)
        assert (Flag.PROMPT_INDUCED in ref.flags) is induced


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Import the third-party packages that it needs.", "third_party_packages"),
        ("Import the Third Party Packages.", "third-party-packages"),
        ("the third-party\npackages", "thirdpartypackages"),
        ("Use third_party_packages", "third-party-packages"),
        ("the `third-party` **packages**", "third_party_packages"),
        ("third-party packages", "third_party_package"),
        ("one third-party package", "third-party-packages"),
        ("numpy/pandas", "pandas"),
        ("google.cloud.x", "google-cloud"),
    ],
)
def test_words_that_follow_each_other_in_the_prompt_are_a_name(prompt: str, name: str) -> None:
    [ref] = extract(f"```\npip install {name}\n```", prompt_text=prompt)
    assert Flag.PROMPT_INDUCED in ref.flags


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a third party, packages", "third-party-packages"),
        ("The third. Party packages", "third-party-packages"),
        ("non-third-party packages", "third-party-packages"),
        ("third-party packages", "party-packages"),
        ("third-party packagesets", "third-party-packages"),
        ("an HTTP request", "requests"),
        ("@acme/tiny-lib", "tiny-lib"),
        ("packages of third parties", "third-party-packages"),
    ],
)
def test_parts_of_words_and_words_apart_are_none(prompt: str, name: str) -> None:
    [ref] = extract(f"```\npip install {name}\n```", prompt_text=prompt)
    assert Flag.PROMPT_INDUCED not in ref.flags


def test_a_prompt_of_endless_dots_is_read_in_its_length() -> None:
    assert len(_Said("a." * 50_000).names) < 20
