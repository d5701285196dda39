"""What the tutorial shows of commands that need no model is what they print."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ghostbust.cli.app import app
from tests.command_lines import ROOT, SESSION, Block, blocks

TUTORIAL = [*blocks(ROOT / "docs" / "tutorial.md")]
ANSWER = next(block.text for block in TUTORIAL if "pip install requests" in block.text)
PRIVATE = [*blocks(ROOT / "docs" / "guides" / "private-registries.md")]


def shown(wanted: str, among: list[Block]) -> Iterator[str]:
    """The lines that a page shows below a command, without empty ones."""
    text = next(b.text for b in among if b.label == SESSION and b.text.startswith(f"$ {wanted}\n"))
    return (line for line in text.splitlines()[1:] if line)


def printed(output: str) -> list[str]:
    """The lines that a command prints, as a page shows them: without white space behind."""
    return [line for line in map(str.rstrip, output.splitlines()) if line]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the tutorial's answer, and a home with the guide's names to vouch for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path / "home"))
    (tmp_path / "answer.md").write_text(ANSWER, "utf-8")
    (tmp_path / "home").mkdir()
    vouched = next(block.text for block in PRIVATE if block.text.startswith("[check]"))
    (tmp_path / "home" / "ghostbust.toml").write_text(vouched, "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "among", "code"),
    [
        ("ghostbust extract answer.md", TUTORIAL, 0),
        ("ghostbust check -f answer.md", TUTORIAL, 1),
        ("ghostbust check acme-core billing-core @acme/ui@npm requests", PRIVATE, 0),
    ],
)
def test_it_prints_what_the_page_shows(
    folder: Path, wanted: str, among: list[Block], code: int
) -> None:
    done = CliRunner().invoke(app, wanted.split()[1:])
    assert done.exit_code == code
    assert printed(done.output) == list(shown(wanted, among))
