"""``ghostbust dashboard`` without a terminal: the text, and one line where there is nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.home import Home
from ghostbust.store.store import Store
from tests.cli.reading import one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Run


def test_without_a_terminal_plain_prints_the_overview(run: Run, home: Path) -> None:
    Store.open(Home.open(home).database).close()
    result = run("dashboard", "--plain")
    assert result.exit_code == 0
    assert "the base serves" in result.output
    assert "\x1b" not in result.output
    assert "--plain" in one_line(run("dashboard"))


def test_plain_without_a_database_is_an_error(run: Run, home: Path) -> None:
    home.mkdir()
    assert "no database" in one_line(run("dashboard", "--plain"))
    assert not (home / "ghostbust.db").exists()


def test_neither_help_nor_plain_loads_textual() -> None:
    code = (
        "import sys, ghostbust.cli.dashboard, ghostbust.dashboard.overview\n"
        "sys.exit('textual' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
