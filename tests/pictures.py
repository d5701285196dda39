"""Pictures of the docs that a test makes and holds to what is shown today.

``SNAPSHOTS=write pytest …`` makes them anew. A PNG carries the words that it shows, so that fonts
and the smoothing of letters may differ from machine to machine.
"""

from __future__ import annotations

import hashlib
import os
import re
import struct
import zlib
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parents[1]
WRITES: Final = os.environ.get("SNAPSHOTS") == "write"
_KEY: Final = b"shows"
_HEAD: Final = 33
"""bytes of a PNG before its second chunk: signature and IHDR"""


def hold(file: Path, png: bytes, words: str) -> None:
    """Asserts that the picture in the docs shows these words; writes it where that is asked for."""
    digest = hashlib.sha256(" ".join(words.split()).encode()).hexdigest().encode()
    if WRITES:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(png[:_HEAD] + _chunk(b"tEXt", _KEY + b"\0" + digest) + png[_HEAD:])
    kept = file.read_bytes()
    assert kept[:_HEAD] == png[:_HEAD], "another size: SNAPSHOTS=write"
    found = re.search(_KEY + rb"\0([0-9a-f]{64})", kept)
    assert found is not None, f"{file.name} was made by something else"
    assert found[1] == digest, f"{file.name} shows other words than the page: SNAPSHOTS=write"


def _chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG (W3C, Portable Network Graphics, section 5)."""
    length, checked = struct.pack(">I", len(content)), zlib.crc32(kind + content)
    return length + kind + content + struct.pack(">I", checked)
