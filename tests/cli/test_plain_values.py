"""Values that are taken as they are: a command ends as it does when typer coerces each of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli import plain_values

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SNAPSHOT = ("--registry", "snapshot")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["check", "requests", "six", *SNAPSHOT, "--quiet"], 0),
        (["check", "requests", "--registry", "Snapshot"], 2),
        (["check", "requests", "--format", "yaml"], 2),
        (["check", "requests", *SNAPSHOT, "--as-of", "2026-11-31"], 2),
        (["check", "-f", "there.txt", "more.txt", *SNAPSHOT], 0),
        (["check", "-f", "none.txt", *SNAPSHOT], 2),
        (["check", "-f", "", *SNAPSHOT], 0),
        (["check", "requests", *SNAPSHOT, "--home", "there.txt/home"], 0),
        (["hook", "test", "pip install requests", *SNAPSHOT], 0),
        (["hook", "install", "--agent", "none"], 2),
        (["sweep", "--samples", "0"], 2),
        (["sweep", "--samples", "many"], 2),
        (["names", "list", "--nothing"], 2),
    ],
)
def test_ends_as_without(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    Path("there.txt").write_text("requests\n")
    Path("more.txt").write_text("six\n")
    ours = run(*arguments)
    monkeypatch.setattr(plain_values, "_KNOWN", "another version")
    theirs = run(*arguments)
    assert ours.exit_code == code, ours.output
    assert (ours.exit_code, ours.stdout, ours.stderr) == (
        theirs.exit_code, theirs.stdout, theirs.stderr,
    )  # fmt: skip
