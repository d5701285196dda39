"""The score of checkouts counts places, accusations, and what only the second reader finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.cli.bench_checkouts import Spot, score_checkout, second_reading
from ghostbust.registries.judge import Mode, default_judge


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        (
            "a/x.py",
            "import os, yaml\nfrom google.cloud import storage\nfrom . import y\n",
            [(1, "yaml"), (2, "google")],
        ),
        ("a/x.py", "import (", []),
        (
            "package.json",
            '{"dependencies": {"left-pad": "^1", "mine": "workspace:*", "fork": "me/fork"}}',
            [(0, "left-pad")],
        ),
        (
            "requirements-dev.txt",
            "# no\nFlask_Cors[x]>=1 --hash=sha256:00\n-r other.txt\na @ https://x.test/a.whl\n",
            [(2, "flask-cors")],
        ),
        ("notes.md", "import yaml", []),
    ],
)
def test_the_second_reader(name: str, text: str, found: list[tuple[int, str]]) -> None:
    assert list(second_reading(name, text)) == [Spot(name, *one) for one in found]


def test_a_checkout_is_scored(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "mine.py").write_text("import requests\nimport zz_no_such_name_9z\n")
    (tmp_path / "use.py").write_text("import mine\n")
    (tmp_path / "package.json").write_text('{"dependencies": {"react": "18"}}')
    (tmp_path / "odd.py").write_text("if 0:\n    import flask\n")
    with default_judge(Mode.SNAPSHOT) as judge:
        scored = score_checkout(tmp_path, judge)
    assert (scored.files, scored.places) == (4, 5)
    assert scored.verdicts == {"REAL": 3, "ABSENT": 1, "UNKNOWN": 1}
    assert [one.name for one in scored.accused] == ["zz-no-such-name-9z"]
    assert (scored.expected, scored.missed) == (5, [])
