"""Values of a record, checked: texts without lone surrogates, times, ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ghostbust.traffic.interface import MalformedError, Record

MOST_LABEL = 200
"""characters of a model's, an adapter's or a request's name; what is longer is cut"""
_MILLISECONDS_FROM = 1e11
"""a number of at least this many is no time in seconds: that would be in the year 5138"""


def text_of(value: Any, key: str) -> str:
    """A text that can be written as UTF-8. Raises MalformedError for anything else than a text."""
    if not isinstance(value, str):
        raise MalformedError(f'"{key}" is no text')
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON may hold half of a surrogate pair: \ud83d
        return value.encode("utf-8", "replace").decode()
    return value


def label(record: Record, *keys: str) -> str | None:
    """The first of the keys that names something, as text; None where none does."""
    for key in keys:
        value = record.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value.strip():
            return text_of(value, key).strip()[:MOST_LABEL]
    return None


def time_of(record: Record, *keys: str) -> datetime | None:
    """The first of the keys that is a time: ISO 8601, or seconds or milliseconds since 1970.

    None where none is: a time that can't be read is no reason to lose a completion. One without
    a zone is taken for UTC.
    """
    for key in keys:
        value = record.get(key)
        try:
            if isinstance(value, str):
                at = datetime.fromisoformat(value)
                return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
            if isinstance(value, int | float) and not isinstance(value, bool):
                seconds = value / 1000 if value >= _MILLISECONDS_FROM else value
                return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            continue
    return None
