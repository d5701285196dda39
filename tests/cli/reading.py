"""What tests read of a command that ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

Run = Callable[..., Result]


def document(result: Result, code: int = 0) -> Any:
    """The one JSON document on standard output of a command that ended with this code."""
    assert result.exit_code == code, result.stderr
    return json.loads(result.stdout)


def one_line(result: Result, code: int = 2) -> str:
    """The last line on standard error, which is ours; nothing was printed on standard output."""
    assert (result.exit_code, result.stdout) == (code, ""), result.stderr
    assert "Traceback" not in result.stderr
    line = result.stderr.splitlines()[-1]
    assert line.startswith("ghostbust: ")
    return line
