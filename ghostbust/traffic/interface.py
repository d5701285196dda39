"""What every reader of a log format looks like, and what it gives: completions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Record = Mapping[str, Any]
"""one line of a log: a JSON object"""


class MalformedError(ValueError):
    """A line that holds no record, or a record that isn't what its keys promise."""


class UnknownFormatError(ValueError):
    """A JSON object that no format takes: nothing in it is where a completion would be."""


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer that a deployed model gave, with what its log says of it."""

    text: str
    """the answer, tool calls included; may be empty"""
    prompt: str | None
    """the user's last message, whole; None where the log doesn't say"""
    turns: tuple[str, ...] = ()
    """earlier messages, the user's and the model's in turn; mostly none"""
    system: str = ""
    """what the operator told the model beforehand; empty for nothing"""
    model: str | None = None
    """as the log spells it; None where it doesn't say"""
    adapter: str | None = None
    """None where the log doesn't say"""
    at: datetime | None = None
    """when it was logged, aware; None where the log doesn't say"""
    key: str | None = None
    """the log's own id of the request; None where there is none"""
    number: int = 0
    """0-based number among the answers to one request"""
    truncated: bool = False
    """True when the token limit ended it"""


class Format(Protocol):
    """Reads one kind of record. Holds no state."""

    name: str

    def takes(self, record: Record) -> bool:
        """True for a record of this kind, by the keys that it has. Never raises."""
        ...

    def read(self, record: Record) -> list[Completion]:
        """The completions of a record that it takes; none for a request that failed.

        Raises MalformedError where a value isn't of the type that its key promises.
        """
        ...


class Known(Protocol):
    """A file that was read before, as far as that is remembered."""

    @property
    def id(self) -> int | None:
        """The number by which it is remembered; none without one is found."""
        ...

    @property
    def device(self) -> int: ...

    @property
    def inode(self) -> int: ...

    @property
    def offset(self) -> int:
        """Bytes passed; of a gz file, as they are unpacked."""
        ...

    @property
    def lines(self) -> int:
        """Lines passed."""
        ...

    @property
    def tail(self) -> str:
        """Hash of the last bytes in front of ``offset``."""
        ...


class Memory(Protocol):
    """What is remembered of the files that were read before."""

    def head_sizes(self) -> Iterable[int]:
        """The distinct numbers of bytes that files are known by."""
        ...

    def find(self, head_bytes: int, head: str) -> Iterable[Known]:
        """The files whose first ``head_bytes`` bytes have the hash ``head``."""
        ...

    def last_read(self, path: str) -> datetime | None:
        """When lines of a file of that name were read last; None where none were."""
        ...
