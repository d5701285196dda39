"""The name under which records keep a GGUF file's model: its file name and its content's hash.

The name stays the same where the file moves, and two files never share one. The cache folder notes
where a file of that content was seen last, so that its name alone finds it.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ghostbust.documents import parse_json
from ghostbust.files import sha256_of, write_whole

SUFFIX: Final = ".gguf"
DIGITS: Final = 12
"""hexadecimal digits of the SHA-256 in a name"""
SETTLED_NS: Final = 2_000_000_000
"""age of a file's last change before its times are trusted: a file system may count in seconds, so
a file that is hashed and written to at once could keep them (git calls such an entry racy)"""
_RECORDED: Final = re.compile(rf".+\{SUFFIX}@([0-9a-f]{{{DIGITS}}})")


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A GGUF file and the hash of its content, as it was seen last."""

    path: Path
    sha256: str
    """hexadecimal SHA-256 of the whole file"""


def recorded_name(name: str, cache_dir: Path) -> str:
    """``FILE.gguf@HASH`` for the path of a GGUF file that can be read; any other name unchanged."""
    path = Path(name).expanduser()
    if path.suffix.lower() != SUFFIX or not path.is_file():
        return name
    try:
        seen = see(path.resolve(), cache_dir)
    except OSError:  # whoever loads the model says so
        return name
    return f"{path.stem}{SUFFIX}@{seen.sha256[:DIGITS]}"


def digest_in(name: str) -> str | None:
    """The beginning of the SHA-256 in a recorded name; None for the names of other models."""
    found = _RECORDED.fullmatch(name)
    return found[1] if found else None


def see(path: Path, cache_dir: Path) -> SeenFile:
    """The file with its hash. It is read again only where its times or its inode have changed.

    The time of the last status change is among them, which no program can set back. Raises OSError
    where the file can't be read; a note that can't be written is left out.
    """
    note = _notes(cache_dir) / f"{sha256(os.fsencode(path)).hexdigest()[:16]}.json"
    state = _state(path)
    with suppress(OSError, ValueError, KeyError, TypeError):
        kept = parse_json(note.read_text("utf-8"))
        if kept["path"] == str(path) and kept["state"] == state:
            return SeenFile(path, str(kept["sha256"]))
    digest = sha256_of(path)
    settled = state == _state(path) and time.time_ns() - max(state[1:3]) > SETTLED_NS
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        entry = {"path": str(path), "state": state if settled else None, "sha256": digest}
        write_whole(note, json.dumps(entry) + "\n")
    return SeenFile(path, digest)


def find_file(digest: str, cache_dir: Path) -> SeenFile | None:
    """A file whose hash begins so now; None where none of those that were seen has it any more."""
    for note in sorted(_notes(cache_dir).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = parse_json(note.read_text("utf-8"))
            if str(kept["sha256"]).startswith(digest):
                seen = see(Path(kept["path"]), cache_dir)
                if seen.sha256.startswith(digest):
                    return seen
    return None


def _notes(cache_dir: Path) -> Path:
    return cache_dir / "models" / "gguf"


def _state(path: Path) -> list[int]:
    """Size, times of the last change of content and of status, inode, device."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]
