"""``ghostbust daemon``: watch, round and recheck on a schedule, beside the deployed model."""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.cli.options import ConfigOption, HomeOption
from ghostbust.shown import visible

if TYPE_CHECKING:
    from ghostbust.home import Home
    from ghostbust.loop.jobs import Workplace


def daemon(home: HomeOption = None, config: ConfigOption = None) -> None:
    """Watch the deployed model, and train a round when enough new inventions are logged.

    Runs in the foreground and logs to standard error. SIGTERM and Ctrl-C stop it within 30 s,
    exit code 0; what it was doing goes on at the next start. One daemon for a home folder.
    """
    from ghostbust.loop.daemon import Daemon

    place = workplace(home, config, threading.Event())
    log_to_stderr()
    ended = Daemon(place).run()
    if not ended:
        logging.getLogger("ghostbust").warning("daemon: left a job half-way; it goes on next time")
        logging.shutdown()
        os._exit(0)  # a normal exit would wait for the job's thread


def workplace(home: Path | None, config: Path | None, stopping: threading.Event) -> Workplace:
    """What the jobs work with, by the settings."""
    from ghostbust.config import load_config
    from ghostbust.home import Home, cache_dir
    from ghostbust.loop.jobs import Workplace
    from ghostbust.loop.parts import make_sampler, make_tasks

    place = Home.open(home)
    settings = load_config(config, place)
    return Workplace(
        home=place,
        config=settings,
        tasks=make_tasks(settings),
        open_sampler=lambda adapter: make_sampler(settings, cache_dir(), adapter=adapter),
        round_command=_round_command(place, config),
        stopping=stopping,
    )


def _round_command(home: Home, config: Path | None) -> list[str]:
    """A round in the same home, with the same settings, by the same interpreter."""
    command = [sys.executable, "-m", "ghostbust", "round", "--home", str(home.path), "--json"]
    return command if config is None else [*command, "--config", str(config)]


class _OneLine(logging.Formatter):
    """One line a record, whatever a model, a file or a server put into it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record without characters that end a line or move a terminal."""
        return visible(super().format(record))


def log_to_stderr() -> None:
    """Lets ghostbust's own log speak; the libraries', of which one tells every request, doesn't."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    own = logging.getLogger("ghostbust")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    # Its errors come through the daemon's own line; its warnings tell of jobs that wait.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
