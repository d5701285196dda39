"""The job, run and round that a log record belongs to. Set around the work, read by the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_NONE: Final[Mapping[str, str | int]] = MappingProxyType({})
_IDS: Final[ContextVar[Mapping[str, str | int]]] = ContextVar("log_ids", default=_NONE)


@contextmanager
def log_ids(**ids: str | int) -> Iterator[None]:
    """Adds ids to the records of the block, in this thread only."""
    before = _IDS.set({**_IDS.get(), **ids})
    try:
        yield
    finally:
        _IDS.reset(before)


def current_ids() -> Mapping[str, str | int]:
    """The ids of a record made now in this thread; empty outside of any work."""
    return _IDS.get()
