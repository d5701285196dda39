"""Who is asked where a command or a call leaves it open: the trusted settings say."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from ghostbust.home import Home
from ghostbust.registries.judge import Mode

_VARIABLES = ("GHOSTBUST_REGISTRY__MODE", "GHOSTBUST_REGISTRY__AS_OF")


def asked_of(
    registry: Mode | None, day: date | None, home: Home, config: Path | None = None
) -> tuple[Mode, date | None]:
    """Who is asked, and as of which day; None: today.

    What is None comes from ``config``, the home folder's settings or the environment, never from
    the current folder: what is checked can't say who is asked about it. Of a day that has passed
    only a snapshot is. Raises ConfigError.
    """
    if registry is None and day is None and _has_settings(home, config):
        from ghostbust.config import load_config

        section = load_config(config, home, trust_here=False).registry
        registry, day = Mode(section.mode), section.as_of
        if day is not None:
            return Mode.SNAPSHOT, day
    if day is not None and registry in (None, Mode.AUTO):
        return Mode.SNAPSHOT, day
    return registry or Mode.AUTO, day


def _has_settings(home: Home, config: Path | None) -> bool:
    """Whether there are any: it takes 0.2 s to load what reads them."""
    variables = {name.upper() for name, value in os.environ.items() if value}
    return config is not None or home.config.is_file() or not variables.isdisjoint(_VARIABLES)
