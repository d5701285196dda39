"""``ghostbust dashboard`` without a terminal: the text, and one line where there is nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ghostbust.cli.dashboard import dashboard
from ghostbust.errors import StoreError, UsageError
from ghostbust.home import Home
from ghostbust.store.store import Store


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(dashboard)
    return app


def test_plain_prints_the_overview(app: typer.Typer, tmp_path: Path) -> None:
    with Store.open(Home.open(tmp_path).database):
        pass
    result = CliRunner().invoke(app, ["--home", str(tmp_path), "--plain"])

    assert result.exit_code == 0
    assert "the base serves" in result.output
    assert not re.search(r"\x1b", result.output)


def test_plain_without_a_database_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        dashboard(tmp_path, plain=True)
    assert not (tmp_path / "ghostbust.db").exists()


def test_without_a_terminal_it_says_what_to_do(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--home", str(tmp_path)])

    assert isinstance(result.exception, UsageError)
    assert "--plain" in str(result.exception)


def test_neither_help_nor_plain_loads_textual() -> None:
    code = (
        "import sys, ghostbust.cli.dashboard, ghostbust.dashboard.overview\n"
        "sys.exit('textual' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
