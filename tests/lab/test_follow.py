"""The follower of pages, on a page of plain commands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command_lines import blocks
from tests.lab.follow import differences, follow, steps_of, with_captures

PAGE = """
Save it, and count:

```text title="sub/numbers.txt"
3 of 4
```

```sh
cd sub
export WHO=me
```

```console
$ cat numbers.txt
3 of 4
$ printf '%s is 27\\n …(4) ABSENT\\n' $WHO; pwd
me is 5
 cu…(9) ABSENT
…
$ false
```

<!-- not followed: stands for a file of yours -->
```sh
cat YOURS
```
"""


def followed(text: str, folder: Path) -> tuple[list[str], str]:
    page = folder / "page.md"
    page.write_text(text, "utf-8")
    (folder / "sub").mkdir(exist_ok=True)
    steps = steps_of(list(blocks(page)))
    found = [differences(step) for step in follow(steps, folder, dict(os.environ))]
    return found, with_captures(text, steps)


def test_a_page_that_is_true_is_followed_in_one_shell(tmp_path: Path) -> None:
    found, again = followed(PAGE, tmp_path)
    assert found == [""] * 6
    assert (tmp_path / "sub/numbers.txt").read_text("utf-8") == "3 of 4\n"
    assert again == PAGE, "what is cut on the page stays so"


@pytest.mark.parametrize(
    ("was", "is_"),
    [("3 of 4\n$ printf", "of\n$ printf"), ("me is 5", "you are 5"), ("cd sub", "cd nowhere")],
)
def test_what_is_otherwise_is_told(tmp_path: Path, was: str, is_: str) -> None:
    found, _ = followed(PAGE.replace(was, is_), tmp_path)
    assert any(found)


def test_captures_are_what_was_printed(tmp_path: Path) -> None:
    _, again = followed("```console\n$ echo one; echo two\nzero\n```\n", tmp_path)
    assert again == "```console\n$ echo one; echo two\none\ntwo\n```\n"
