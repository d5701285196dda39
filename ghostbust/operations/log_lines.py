"""Log records as lines: for people, or one JSON object each. Neither can hold what it shouldn't.

A record's text may hold what a model, a server or a file said. Whatever it is, it becomes one
line, no character of it moves a terminal, and secrets and prompts are taken out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, Literal

from ghostbust.log_ids import current_ids
from ghostbust.shown import visible

Format = Literal["text", "json"]
IDS: Final = ("job", "run", "round")
"""what a record may belong to, in the order in which a JSON line has it"""


class TextLines(logging.Formatter):
    """``2026-11-24 08:00:12,000 INFO watch: …``: time, level, message."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        """``shown`` takes out what mustn't be seen."""
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._shown = shown

    def format(self, record: logging.LogRecord) -> str:
        """One line, also of a record with a traceback."""
        return visible(self._shown(super().format(record)))


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, job, run, round, message; plain ASCII.

    ``job``, ``run`` and ``round`` are null outside of one; a ``traceback`` is there where the
    record has one. Control characters are spelt out before they are put into JSON, so that they
    stay harmless in what a program unpacks and prints.
    """

    def __init__(self, shown: Callable[[str], str]) -> None:
        """``shown`` takes out what mustn't be seen."""
        super().__init__()
        self._shown = shown

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object without a line break."""
        ids = current_ids()
        at = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            **{key: ids.get(key) for key in IDS},
            "message": visible(self._shown(record.getMessage())),
        }
        if record.exc_info:
            line["traceback"] = visible(self._shown(self.formatException(record.exc_info)))
        return json.dumps(line)


def log_to_stderr(form: Format, shown: Callable[[str], str]) -> None:
    """Lets ghostbust's own log speak; the libraries', of which one tells every request, doesn't."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(shown) if form == "json" else TextLines(shown))
    own = logging.getLogger("ghostbust")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    # Its errors come through the daemon's own line; its warnings tell of jobs that wait.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
