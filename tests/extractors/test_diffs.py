"""Diffs are read file by file, each as what its name says."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.markdown import split, with_diffs_split
from ghostbust.records import RefKind

REQUIREMENTS = """diff --git a/requirements.txt b/requirements.txt
new file mode 100644
--- a/requirements.txt
+++ b/requirements.txt
@@ -1,2 +1,2 @@
 flask
-requests==2.0
+httpx==0.27
"""
SCRIPT = """diff --git a/run.sh b/run.sh
--- a/run.sh
+++ b/run.sh
@@ -1,2 +1,2 @@
-pip install nose
+pip install pytest
"""
MANIFEST, INSTALL, IMPORT = RefKind.MANIFEST, RefKind.INSTALL, RefKind.IMPORT


def files(text: str) -> list[str]:
    return [block.info for block in with_diffs_split(text, split(text)) if block.is_diff]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (REQUIREMENTS + SCRIPT, ["requirements.txt", "run.sh"]),
        (f"```diff\n{REQUIREMENTS}{SCRIPT}```", ["requirements.txt", "run.sh"]),
        ("```\n--- a/x.py\n+++ b/x.py\n+a\n--- a/y.py\n+++ b/y.py\n+b\n```", ["x.py", "y.py"]),
        ("```diff\n--- a/x.py\t2024\n+++ x.py\t2024\n+a\n```", ["x.py"]),
        ("```diff\n--- a/x.py\n+++ /dev/null\n-a\n```", []),
        ("```diff\n+a\n-b\n```", []),
        ("```python\n--- a/x.py\n+++ b/x.py\n+a\n```", []),
        ("--- a/x.py\n+++ b/x.py\n+a", []),
        ("diff --git is a command +++ x", []),
    ],
)
def test_files(text: str, names: list[str]) -> None:
    assert files(text) == names


@pytest.mark.parametrize("around", ["{}", "Apply:\n\n{}\nDone.", "```diff\n{}```", "```\n{}```"])
@pytest.mark.parametrize("expect_list", [False, True])
def test_each_file_is_read_as_its_name_says(around: str, expect_list: bool) -> None:
    text = around.format(REQUIREMENTS + SCRIPT)
    refs = extract(text, expect_list=expect_list)
    assert [(ref.kind, ref.raw) for ref in refs if ref.raw != "Done"] == [
        (MANIFEST, "flask"),
        (MANIFEST, "httpx"),
        (INSTALL, "pytest"),
    ]
    assert all(text[ref.start : ref.end] == ref.raw for ref in refs)


def test_inline_code_in_a_diff_is_of_the_file() -> None:
    text = "diff --git a/x.py b/x.py\n--- a/x.py\n+++ b/x.py\n-# `pip install nose`\n+import rich\n"
    refs = extract("See `pip install tox`.\n\n" + text)
    assert [(ref.kind, ref.raw) for ref in refs] == [(INSTALL, "tox"), (IMPORT, "rich")]


def test_many_files_end() -> None:
    assert len(extract(SCRIPT * 2000)) == 2000
