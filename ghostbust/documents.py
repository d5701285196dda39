"""Records as JSON documents, and JSON and TOML from outside with one error for both."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def json_text(document: Mapping[str, object], *, indent: int | None = None) -> str:
    """A JSON object in plain ASCII."""
    return json.dumps(plain(document), indent=indent, allow_nan=False)


def document_of(
    record: DataclassInstance, *, without: Collection[str] = (), **changed: object
) -> dict[str, Any]:
    """A dataclass's fields by name, without some of them, with ``changed`` replaced or added."""
    fields = (field.name for field in dataclasses.fields(record) if field.name not in without)
    return {name: getattr(record, name) for name in fields} | changed


def plain(value: object) -> object:
    """A record, or what holds records, as JSON values; NaN and infinity become null.

    Raises TypeError for anything that has no JSON form.
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
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(document_of(value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


class ParseError(ValueError):
    """A text that is no JSON or TOML. Its message is a few words, with the place if it is known."""


# The parsers raise more than their own error: RecursionError for deep nesting, ValueError for
# bytes that aren't UTF-8 and for numbers of thousands of digits.


@contextmanager
def _one_error() -> Iterator[None]:
    try:
        yield
    except (ValueError, RecursionError) as exc:
        raise ParseError(_reason(exc)) from exc


def parse_json(text: str | bytes) -> Any:
    """The value that a JSON text holds. Raises ParseError, whatever is wrong with the text."""
    with _one_error():
        return json.loads(text)


def parse_row(text: str) -> Any:
    """As `parse_json`, for what is stored: every text in it can be written as UTF-8."""
    row = parse_json(text)
    with _one_error():  # JSON may hold half of a surrogate pair, "\ud83d"
        json.dumps(row, ensure_ascii=False).encode()
    return row


def parse_toml(text: str) -> dict[str, Any]:
    """The tables that a TOML text holds. Raises ParseError, whatever is wrong with the text."""
    with _one_error():
        return tomllib.loads(text)


def _reason(exc: Exception) -> str:
    """What is wrong with the text, in a few words."""
    match exc:
        case json.JSONDecodeError():
            line = f"line {exc.lineno}, " if exc.lineno > 1 else ""
            return f"{exc.msg} at {line}column {exc.colno}"
        case tomllib.TOMLDecodeError():
            return str(exc)
        case RecursionError():
            return "it is nested too deeply"
        case UnicodeDecodeError():
            return "it isn't UTF-8"
        case UnicodeEncodeError():
            return "it holds half of a character"
    return "a number has too many digits"
