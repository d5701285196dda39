"""docs/reference/cli.md has every command, option and exit code, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from ghostbust.cli import edge
from ghostbust.cli.app import app
from ghostbust.errors import GhostbustError

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command and group that a user can call, with its full name."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, f"{path} {name}")


COMMANDS = dict(commands(get_command(app), "ghostbust"))


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    missing = sorted(set(COMMANDS) - set(SECTIONS))
    unknown = sorted(set(SECTIONS) - set(COMMANDS))
    assert not missing, f"docs/reference/cli.md lacks a section '## `…`' for: {missing}"
    assert not unknown, f"docs/reference/cli.md describes what isn't there: {unknown}"


def test_every_option_stands_in_its_commands_table() -> None:
    documented, there = set(), set()
    for name, command in COMMANDS.items():
        # Taken from the first column of the section's table: | `--file`, `-f` | … |
        rows = re.findall(r"^\| (`[^|]+`) \|", SECTIONS.get(name, ""), re.M)
        documented |= {(name, word) for row in rows for word in re.findall(r"`([^`]+)`", row)}
        for one in command.params:
            if one.param_type_name == "option":
                words = {*one.opts, *one.secondary_opts} - {"--help"}
            else:
                words = {re.sub(r"[^A-Z_]", "", one.metavar or one.name.upper())}
            there |= {(name, word) for word in words}
    assert not sorted(there - documented), "docs/reference/cli.md lacks them"
    assert not sorted(documented - there), "docs/reference/cli.md has what isn't"


def test_every_exit_code_is_there() -> None:
    def codes(kind: type[GhostbustError]) -> set[int]:
        return {kind.exit_code}.union(*(codes(child) for child in kind.__subclasses__()))

    there = codes(GhostbustError) | {
        0,
        edge.NOT_LOOKED_AT,
        edge.BUG,
        edge.INTERRUPTED,
        edge.READER_LEFT,
    }
    table = TEXT.partition("## Exit codes")[2].partition("\n## ")[0]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.M)} == there
