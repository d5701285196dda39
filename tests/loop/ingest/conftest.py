"""A memory of read files, as the store keeps it, and what a block says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ghostbust.loop.ingest.files import Files, LogBlock, LogFile


@dataclass(frozen=True)
class Remembered:
    id: int
    device: int
    inode: int
    offset: int
    lines: int
    head_bytes: int
    head: str
    tail: str
    path: str
    at: datetime


@dataclass
class FakeMemory:
    """What the store does for the loop, in a list."""

    files: dict[int, Remembered] = field(default_factory=dict)
    earlier_s: float = 60
    """how long ago everything is said to have been read"""

    def head_sizes(self) -> Iterable[int]:
        return {file.head_bytes for file in self.files.values()}

    def find(self, head_bytes: int, head: str) -> Iterable[Remembered]:
        return [
            file
            for file in self.files.values()
            if (file.head_bytes, file.head) == (head_bytes, head)
        ]

    def last_read(self, path: str) -> datetime | None:
        times = [file.at for file in self.files.values() if file.path == path]
        return max(times, default=None)

    def keep(self, file: LogFile, block: LogBlock) -> None:
        """Remembers how far a file was read, as the loop does with each block."""
        if file.id is None:
            file.id = len(self.files) + 1
        at = datetime.fromtimestamp(datetime.now(UTC).timestamp() - self.earlier_s, UTC)
        self.files[file.id] = Remembered(
            file.id, *file.key, block.end.offset, block.end.lines, block.end.head_bytes,
            block.end.head, block.end.tail, str(file.path), at,
        )  # fmt: skip

    def forget_inodes(self) -> None:
        """As if every file had been moved to another disk."""
        self.files = {n: replace(f, device=0, inode=0) for n, f in self.files.items()}


@pytest.fixture
def memory() -> FakeMemory:
    return FakeMemory()


@dataclass
class Reader:
    """Reads what is new in paths, as often as a test likes."""

    memory: FakeMemory
    notes: list[str] = field(default_factory=list)
    unfinished: int = 0
    line_limit: int = 1 << 20

    def __call__(self, *paths: Path) -> list[str]:
        """The new lines of the paths, in the order in which they were read."""
        files = Files(paths, self.memory, self.line_limit, self.notes.append)
        said: list[str] = []
        for read in files.once():
            if read is not None:
                self.memory.keep(*read)
                said += read[1].data.decode().split()
        self.unfinished = files.unfinished
        return said


@pytest.fixture
def read_new(memory: FakeMemory) -> Reader:
    return Reader(memory)
