"""The settings of a command, and what is said of files in the current folder that don't count."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.shown import visible

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home


def load_settings(config: Path | None, home: Home) -> Config:
    """`load_config`, with a line on standard error for each file that isn't trusted.

    Under ``--quiet`` too: its author has to see why the file changes nothing.
    """
    from ghostbust.config import load_config

    settings = load_config(config, home, note=_say)
    note_npmrc(home)
    return settings


def note_npmrc(home: Home) -> None:
    """The line where the current folder's ``.npmrc`` would say whom to ask, or how."""
    if npmrc_ignored(home):
        _say(
            "./.npmrc isn't trusted: ignored; npm_config_userconfig=.npmrc in the environment"
            f" trusts it, and {home.path / '.npmrc'} is read, too"
        )


def npmrc_ignored(home: Home) -> bool:
    """Whether the current folder has a ``.npmrc`` about registries that isn't read."""
    if not Path(".npmrc").is_file():  # spares what it takes to load npm's settings
        return False
    from ghostbust.registries.npm_config import is_ignored

    return is_ignored(Path(".npmrc"), project=home.path)


def _say(text: str) -> None:
    print(f"ghostbust: {visible(text)}", file=sys.stderr)
