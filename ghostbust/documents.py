"""A record as a JSON document: what `--json` prints and what results give as a dict."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date
from enum import Enum
from pathlib import PurePath


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
