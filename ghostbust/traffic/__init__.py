"""What a deployed model answered in production, read from logs: nothing is sampled.

``read_line`` is the entry for a line, whose format is told from the line itself. To add a format,
write a reader (``interface.Format``) in a file of its own and add it to ``FORMATS``; the first one
that takes a record reads it.

Where lines come from: ``sources`` (which files are meant), ``log_file`` and ``stream`` (one of
them, from its first line or from where it was left), ``blocks`` (whole lines, none too long).
"""

from __future__ import annotations

from ghostbust.parsing import parse_json
from ghostbust.traffic.conversation import Conversation
from ghostbust.traffic.interface import Completion, Format, MalformedError, UnknownFormatError
from ghostbust.traffic.openai_batch import BatchOutput
from ghostbust.traffic.openai_log import RequestLog
from ghostbust.traffic.plain_record import PlainRecord

__all__ = [
    "FORMATS",
    "Completion",
    "Format",
    "MalformedError",
    "UnknownFormatError",
    "read_line",
]

FORMATS: tuple[Format, ...] = (BatchOutput(), RequestLog(), Conversation(), PlainRecord())


def read_line(line: bytes) -> list[Completion]:
    """The completions of one line; none for a request that failed, or has no answer yet.

    Raises MalformedError where it is no JSON object in UTF-8 or its values are of wrong types,
    and UnknownFormatError where no format takes it.
    """
    try:
        record = parse_json(line.decode())
    except ValueError as exc:
        raise MalformedError("no JSON in UTF-8") from exc
    if not isinstance(record, dict):
        raise MalformedError("no JSON object")
    for form in FORMATS:
        if form.takes(record):
            return form.read(record)
    raise UnknownFormatError("no completion, response, output, text, choices or messages")
