"""Log records as lines, for people or as JSON, without secrets and without prompts.

A record's text may hold what a model, a server or a file said. It becomes one line without control
characters; secrets and prompts are removed.

Secrets are recognised by value (what the environment holds under a name that says so) or by form (a
bearer token, a URL's credentials, a well-known prefix). A prompt gets into a message when a model
server quotes the request that it turned down.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final, Literal

from ghostbust.errors import UsageError
from ghostbust.loop.signals import current_ids
from ghostbust.text import visible

Format = Literal["text", "json"]
IDS: Final = ("job", "run", "round")
"""what a record may belong to, in the order of a JSON line"""
FILE_BYTES: Final = 10_000_000
"""of a log file; the next line begins a new one"""
KEPT: Final = 5
"""older log files, ``daemon.log.1`` the newest of them"""


class TextLines(logging.Formatter):
    """``2026-11-24 08:00:12,000 INFO watch: …``: time, level, message."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        """``shown`` removes secrets and prompts."""
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._shown = shown

    def format(self, record: logging.LogRecord) -> str:
        """One line, also of a record with a traceback."""
        return visible(self._shown(super().format(record)))


class JsonLines(logging.Formatter):
    """One object a line: time (UTC), level, job, run, round, message; plain ASCII.

    ``job``, ``run`` and ``round`` are null outside of one; ``traceback`` is there if the record has
    one. Control characters are escaped before they become JSON, so that they stay harmless when a
    program decodes and prints them.
    """

    def __init__(self, shown: Callable[[str], str]) -> None:
        """``shown`` removes secrets and prompts."""
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
    """Sends ghostbust's own log to stderr. Libraries stay silent: one of them logs each request."""
    _log_to(logging.StreamHandler(), form, shown)


def log_to_file(path: Path, form: Format, shown: Callable[[str], str]) -> None:
    """Sends ghostbust's own log to a file and ``KEPT`` older ones, of ``FILE_BYTES`` each.

    Raises UsageError where the file can't be written.
    """
    try:
        handler = _PrivateFile(path, maxBytes=FILE_BYTES, backupCount=KEPT, encoding="utf-8")
    except OSError as exc:
        raise UsageError(f"can't write the log to {path}: {exc.strerror}") from exc
    _log_to(handler, form, shown)


class _PrivateFile(RotatingFileHandler):
    """Makes its files for the user alone; one that is there already keeps its mode."""

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding=self.encoding,
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )


def _log_to(handler: logging.Handler, form: Format, shown: Callable[[str], str]) -> None:
    handler.setFormatter(JsonLines(shown) if form == "json" else TextLines(shown))
    own = logging.getLogger("ghostbust")
    own.addHandler(handler)
    own.setLevel(logging.INFO)
    # The daemon logs its errors itself; its warnings are about jobs that wait.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


SECRET: Final = "***"  # noqa: S105 (replaces one)
PROMPT: Final = "[prompt]"
SHORTEST_SECRET: Final = 6
"""characters; a shorter value could be a harmless word"""
PIECE: Final = 16
"""so many equal characters in a row mark a text as part of a prompt"""
STEP: Final = 8
"""pieces begin this far apart, so any PIECE + STEP - 1 characters in a row hold a whole one"""
REMEMBERED: Final = 1000
"""the last prompts; a server's answer quotes one of them"""
LONGEST: Final = 4000
"""characters of a message; a server's error page can be very long"""

_NAMES: Final = re.compile(
    r"(?:^|_)(?:KEY|TOKEN|SECRET|CREDENTIALS?)$|PASSW(?:OR)?D$", re.IGNORECASE
)
_FORMS: Final = (
    (re.compile(r"(?<=://)[^\s/@'\"]+(?=@)"), SECRET),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{6,}"), rf"\1 {SECRET}"),
    (
        re.compile(
            r"(?i)([\w-]*(?:api[_-]?key|token|secret|passw(?:or)?d|signature|access[_-]?key|[?&]key"
            r"|[?&]sig)[\"']?\s*[=:]\s*[\"']?)(?!(?:bearer|basic)\b)[^\s\"'&,;)}\]]{4,}"
        ),
        rf"\1{SECRET}",
    ),
    (
        re.compile(
            r"\b(?:sk-|hf_|npm_|gh[pousr]_|github_pat_|glpat-|xox[abpr]-|whsec_|pypi-AgE|AKIA)"
            r"[\w+/=-]{12,}"
        ),
        SECRET,
    ),
)


class Redactor:
    """Removes secrets and prompts from texts. For any thread."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, variables: Iterable[str] = ()
    ) -> None:
        """``variables`` hold secrets, whatever their names. The environment is read each time."""
        self._environ = environ
        self._variables = frozenset(variables)
        self._asked: deque[str] = deque(maxlen=REMEMBERED)
        self._pieces: dict[str, tuple[str, int]] = {}
        """piece to its prompt and position; replaced as a whole, never changed"""

    def __call__(self, text: str) -> str:
        """The text without secrets and without the last prompts."""
        text = self._without_prompts(text)
        for value in self._secrets():
            text = text.replace(value, SECRET)
        for form, shown in _FORMS:
            text = form.sub(shown, text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"

    def hide(self, prompts: Iterable[str]) -> None:
        """Removes these prompts from now on, as long as they are among the last REMEMBERED."""
        self._asked.extend(dict.fromkeys(prompts))
        self._pieces = {
            prompt[start : start + PIECE]: (prompt, start)
            for prompt in self._asked
            for start in range(0, len(prompt) - PIECE + 1, STEP)
        }

    def _without_prompts(self, text: str) -> str:
        """The text without the parts that it shares with a prompt, each as long as possible."""
        pieces, shown, since, at = self._pieces, [], 0, 0
        while pieces and at + PIECE <= len(text):
            found = pieces.get(text[at : at + PIECE])
            if found is None:
                at += 1
                continue
            prompt, start = found
            begin, end, told = at, at + PIECE, start + PIECE
            while begin > since and start > 0 and text[begin - 1] == prompt[start - 1]:
                begin, start = begin - 1, start - 1
            while end < len(text) and told < len(prompt) and text[end] == prompt[told]:
                end, told = end + 1, told + 1
            shown += [text[since:begin], PROMPT]
            since = at = end
        return "".join([*shown, text[since:]])

    def _secrets(self) -> list[str]:
        """Values, the longest first, so that a shorter one inside doesn't split it."""
        found = {
            value.strip()
            for name, value in self._environ.items()
            if name in self._variables or _NAMES.search(name)
        }
        return sorted((v for v in found if len(v) >= SHORTEST_SECRET), key=len, reverse=True)
