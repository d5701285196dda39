"""Records to column values and back. Times are ISO 8601 in UTC; NaN is NULL."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ghostbust.errors import StoreError
from ghostbust.parsing import ParseError, parse_json
from ghostbust.records import Measurement


def encode_time(at: datetime) -> str:
    """The time as text that sorts. Raises ValueError for a time without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return at.astimezone(UTC).isoformat()


def decode_time(text: str) -> datetime:
    """The aware time that `encode_time` wrote."""
    return datetime.fromisoformat(text)


def decode_optional_time(text: str | None) -> datetime | None:
    """The aware time, or None for NULL."""
    return None if text is None else decode_time(text)


def encode_json(values: Mapping[str, object]) -> str:
    """JSON with sorted keys, so that equal settings are equal texts.

    Raises TypeError or ValueError for what JSON can't hold, NaN included.
    """
    return json.dumps(values, sort_keys=True, allow_nan=False, ensure_ascii=False)


def decode_json(text: str) -> Any:
    """What `encode_json` wrote. Raises StoreError for what it can't have written."""
    try:
        return parse_json(text)
    except ParseError as exc:
        raise StoreError(f"the database is damaged: a value is no JSON ({exc})") from exc


def encode_texts(texts: Sequence[str]) -> str:
    """The texts as a JSON list."""
    return json.dumps(list(texts), ensure_ascii=False)


def decode_texts(text: str | None) -> tuple[str, ...]:
    """What `encode_texts` wrote; empty for NULL."""
    return () if text is None else tuple(decode_json(text))


def encode_measurement(measurement: Measurement) -> str:
    """The measurement, its contexts included, as JSON."""
    return encode_json(_plain(measurement))


def decode_measurement(text: str) -> Measurement:
    """What `encode_measurement` wrote."""
    return _measurement(decode_json(text))


def _plain(measurement: Measurement) -> dict[str, object]:
    return {
        "rate": _number(measurement.rate),
        "ci95": [_number(bound) for bound in measurement.ci95],
        "refs": measurement.refs,
        "real": measurement.real,
        "absent": measurement.absent,
        "suspect": measurement.suspect,
        "unknown": measurement.unknown,
        "answers": measurement.answers,
        "volume": _number(measurement.volume),
        "local": measurement.local,
        "unmapped": measurement.unmapped,
        "induced": measurement.induced,
        "induced_real": measurement.induced_real,
        "by_context": {name: _plain(part) for name, part in measurement.by_context.items()},
    }


def _measurement(plain: dict[str, Any]) -> Measurement:
    low, high = plain["ci95"]
    return Measurement(
        rate=_rate(plain["rate"]),
        ci95=(_rate(low), _rate(high)),
        refs=plain["refs"],
        real=plain["real"],
        absent=plain["absent"],
        suspect=plain["suspect"],
        unknown=plain["unknown"],
        answers=plain["answers"],
        volume=_rate(plain["volume"]),
        by_context={name: _measurement(part) for name, part in plain["by_context"].items()},
        # an older version didn't tell these apart
        **{key: plain.get(key, 0) for key in ("local", "unmapped", "induced", "induced_real")},
    )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rate(value: float | None) -> float:
    return math.nan if value is None else value
