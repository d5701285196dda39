"""A record as a JSON document: what `--json` prints and what results give as a dict."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any


def json_text(document: Mapping[str, object], *, indent: int | None = None) -> str:
    """A JSON object in plain ASCII."""
    return json.dumps(plain(document), indent=indent, allow_nan=False)


def plain(value: object) -> object:
    """A record, or what holds records, as what JSON knows; NaN and infinity become null.

    Raises TypeError for anything else.
    """
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case date():  # a datetime too
            return value.isoformat()
        case PurePath():
            return str(value)
        case Mapping():
            return {str(plain(key)): plain(item) for key, item in value.items()}
        case frozenset() | set():
            return sorted(str(plain(item)) for item in value)
        case list() | tuple():
            return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    raise TypeError(f"{type(value).__name__} has no JSON form")


# --- parsing
# JSON and TOML from outside: one error for whatever can't be parsed.
#
# The standard parsers raise more than their own error: RecursionError for deep nesting, ValueError
# for bytes that aren't UTF-8 and for numbers of thousands of digits.


class ParseError(ValueError):
    """A text that is no JSON or TOML. Its message is a few words, with the place if it is known."""


def parse_json(text: str | bytes) -> Any:
    """The value that a JSON text holds. Raises ParseError, whatever is wrong with the text."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as exc:
        line = f"line {exc.lineno}, " if exc.lineno > 1 else ""
        raise ParseError(f"{exc.msg} at {line}column {exc.colno}") from exc
    except (ValueError, RecursionError) as exc:
        raise ParseError(_reason(exc)) from exc


def parse_row(text: str) -> Any:
    """As `parse_json`, for what is kept: every text in it can be written as UTF-8.

    JSON may hold half of a surrogate pair (``"\\ud83d"``).
    """
    row = parse_json(text)
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as exc:
        raise ParseError(_reason(exc)) from exc
    return row


def parse_toml(text: str) -> dict[str, Any]:
    """The tables that a TOML text holds. Raises ParseError, whatever is wrong with the text."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise ParseError(str(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise ParseError(_reason(exc)) from exc


def _reason(exc: Exception) -> str:
    """What is wrong where the parser doesn't say it in its own error."""
    match exc:
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            return "it isn't UTF-8"
        case UnicodeEncodeError():
            return "it holds half of a character"
    return "a number has too many digits"
