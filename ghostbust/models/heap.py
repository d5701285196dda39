"""Giving freed memory back to the system.

glibc keeps what is freed on its heap, and blocks of changing size leave holes that the next ones
don't fit: batches of a shrinking and growing number of rows made a process of 0.7 GB one of 7 GB
(2026-11-28, torch 2.13 on the CPU; docs/log.md).
"""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Returns the heap's unused pages to the system. Does nothing where the C library can't."""
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's own; musl has none
    if trim is not None:
        trim(0)
