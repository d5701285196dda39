"""`tests/lab/size.py` on a tree whose figures are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import size


def test_a_small_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "def f() -> None:\n" + "    x = 1\n" * 50
    for name, text in {
        "ghostbust/a.py": '"""Doc\nstring."""\n\n# one\nclass Same: ...  # two\nclass _Own: ...\n',
        "ghostbust/b.py": "class Known: ...\n" + "\n" * 500,
        "loop/a.py": f"{long}\nclass Same: ...\nclass Known: ...\nclass _Own: ...\n",
        "loop/notes.txt": "class Same: ...\n",
        "tests/test_a.py": "class Same: ...\n",
        "tests/lab/b.py": "a = 1\nb = 2\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "ghostbust" / "loop").symlink_to("../loop")
    monkeypatch.setattr(size, "REASONS", {"Known": "one of either side"})
    assert size.measure(tmp_path) == size.Size(
        source_files=3,
        source_lines=6 + 501 + 55,
        median_lines=55,
        comment_share=2 / (2 + 4 + 1 + 54),
        long_files=["ghostbust/b.py 501"],
        long_functions=1,
        test_files=2,
        test_lines=3,
        lab_files=1,
        lab_lines=2,
        twice={"Same": ["ghostbust/a.py:5", "loop/a.py:53"]},
        reasons={"Known": "one of either side"},
    )
