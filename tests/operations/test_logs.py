"""Whatever a record holds, it is one harmless line without secrets and prompts."""

from __future__ import annotations

import io
import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ghostbust.loop.signals import log_ids
from ghostbust.operations import logs
from ghostbust.operations.logs import (
    LONGEST,
    JsonLines,
    Redactor,
    TextLines,
    log_to_file,
    log_to_stderr,
)

EVIL = [
    "line\nbreak\r\n2026-01-01 00:00:00,000 INFO forged",
    "\x1b[2J\x1b]0;owned\x07",
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "ab\u202egpj.exe",
    "\u2028line separator\u2029",
    "\x00\x08\x7f\x9b31m",
    "\ud800 lone",
    '", "level": "CRITICAL", "x": "',
    "{'%s': %(message)s}",
]


def record(message: str, *args: object, exc_info: Any = None) -> logging.LogRecord:
    return logging.LogRecord("ghostbust.x", logging.INFO, "x.py", 1, message, args, exc_info)


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("formatter", [TextLines(Redactor({})), JsonLines(Redactor({}))])
def test_hostile_text_is_one_line_that_moves_no_terminal(
    formatter: logging.Formatter, evil: str
) -> None:
    line = formatter.format(record("watch: it said %s", evil))
    assert line.isprintable()
    assert len(line.splitlines()) == 1
    line.encode("utf-8")
    if isinstance(formatter, JsonLines):
        told = json.loads(line)
        assert (told["level"], set(told)) == (
            "INFO", {"time", "level", "job", "run", "round", "message"},
        )  # fmt: skip
        assert told["message"].isprintable(), "harmless also when a program unpacks it"
        assert line.isascii()


def test_a_json_line_says_when_and_what_it_belongs_to() -> None:
    formatter = JsonLines(Redactor({}))
    with log_ids(job="watch"), log_ids(run=13):
        told = json.loads(formatter.format(record("done: %d", 3)))
    at = datetime.fromisoformat(told.pop("time"))
    assert at.tzinfo is UTC or at.utcoffset() is not None
    assert abs((datetime.now(UTC) - at).total_seconds()) < 60
    assert told == {
        "level": "INFO", "job": "watch", "run": 13, "round": None, "message": "done: 3",
    }  # fmt: skip
    assert json.loads(formatter.format(record("idle")))["job"] is None


def test_a_traceback_is_a_field_of_the_same_line() -> None:
    try:
        raise RuntimeError("bad\x1b[2J")
    except RuntimeError:
        made = record("oh", exc_info=sys.exc_info())
    told = json.loads(JsonLines(Redactor({})).format(made))
    assert "RuntimeError: bad\\x1b[2J" in told["traceback"]
    assert TextLines(Redactor({})).format(made).isprintable()


@pytest.mark.parametrize("form", ["text", "json"])
def test_secrets_and_prompts_never_reach_a_line(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    redactor = Redactor({"OPENAI_API_KEY": "abc-key-123"})
    redactor.hide(["Plot the low water at pier seven since 1987."])
    log_to_stderr(form, redactor)
    logging.getLogger("ghostbust.loop").warning(
        "watch: http://u:pw@host said %s to %s", "abc-key-123", "Plot the low water at pier seven"
    )
    (line,) = out.getvalue().splitlines()
    assert "watch: http://***@host said *** to [prompt]" in line
    if form == "json":
        assert json.loads(line)["level"] == "WARNING"


def test_a_log_file_begins_anew_at_its_size_and_every_one_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 200)
    before = logging.getLogger("ghostbust").handlers[:]
    log_to_file(tmp_path / "a.log", "text", Redactor({}))
    (handler,) = set(logging.getLogger("ghostbust").handlers) - set(before)
    try:
        for number in range(40):
            logging.getLogger("ghostbust.loop").warning("watch: number %d", number)
    finally:
        logging.getLogger("ghostbust").removeHandler(handler)
        handler.close()
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["a.log", *(f"a.log.{number}" for number in range(1, logs.KEPT + 1))]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert "number 39" in (tmp_path / "a.log").read_text()


PROMPT = "Please read the tide gauge at pier seven, and plot every low water since 1987."


@pytest.fixture
def redactor() -> Redactor:
    environ = {
        "OPENAI_API_KEY": "abc-key-123",
        "LONGER_API_KEY": "abc-key-123-longer",
        "PGPASSWORD": "hunter22",
        "MY_HEADER": "header-value",
        "PATH": "/usr/bin",
        "MONKEY": "banana",
        "SHORT_KEY": "no",
    }
    return Redactor(environ, ["MY_HEADER"])


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("key abc-key-123 refused", "key *** refused"),
        ("abc-key-123-longer", "***"),
        ("hunter22 and header-value", "*** and ***"),
        ("http://bob:s3cr3t@host/x", "http://***@host/x"),
        ("https://t0ken@host/", "https://***@host/"),
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer ***"),
        ("GET /hook?key=abcdefgh&x=1", "GET /hook?key=***&x=1"),
        ('{"api_key": "abcdefgh"}', '{"api_key": "***"}'),
        ("access_token=abcdefgh, x", "access_token=***, x"),
        ("it got sk-abcdefghijklmnop1234", "it got ***"),
        ("hf_ABCDEFGHIJKLMNOPQRST", "***"),
        ("pypi-AgEIcHlwaS5vcmcCJDk0", "***"),
    ],
)
def test_secrets(redactor: Redactor, said: str, shown: str) -> None:
    assert redactor(said) == shown


def test_what_is_none_stays(redactor: Redactor) -> None:
    for said in (
        "/usr/bin banana no",
        "2,048 tokens in 61 s, rate 0.112 (0.071 to 0.160)",
        "pypi-simple and npm_packages are names",
        "http://host:8000/v1/models",
        "round-0002-1a2b3c4d serves now",
        "daemon.watch_tokens was 5, is 6",
    ):
        assert redactor(said) == said
    assert len(redactor("x " * LONGEST)) == LONGEST + 1, "but a book is cut"


def test_a_prompt_that_a_server_quotes_whole_or_in_pieces(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    said = redactor(f"400: input '{PROMPT[:60]}…' is too long")
    assert said == "400: input '[prompt]…' is too long"
    assert redactor(f"a {PROMPT} b {PROMPT} c") == "a [prompt] b [prompt] c"
    for start in range(len(PROMPT) - 23):
        assert redactor(PROMPT[start : start + 23]) == "[prompt]", start


def test_words_that_a_prompt_has_too_stay(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    said = "watch: run 13 done: 128 answers, every low rate"
    assert redactor(said) == said


def test_the_last_prompts_are_remembered(redactor: Redactor) -> None:
    redactor.hide([PROMPT])
    redactor.hide(f"another question, number {n}" for n in range(999))
    assert redactor(PROMPT) == "[prompt]"
    redactor.hide(["one more question than it remembers"])
    assert redactor(PROMPT) == PROMPT
