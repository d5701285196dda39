"""Hides this process while model-written programs run.

A program runs as the same user, and where neither Landlock nor namespaces keep it from it the
kernel lets one process of a user read the memory and the open files of another: the checks of
all programs, and what they compare with.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

PR_GET_DUMPABLE, PR_SET_DUMPABLE = 3, 4

_libc = ctypes.CDLL(None)
_lock = threading.Lock()
_hiding: list[int] = []
"""what each batch that is running found; the first one's is what is put back"""


@contextlib.contextmanager
def hidden() -> Iterator[None]:
    """No other process of this user can look into this one meanwhile, nor can a debugger.

    Batches may overlap, in threads: the last one puts back what was before the first.
    """
    with _lock:
        _hiding.append(_libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
        _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        yield
    finally:
        with _lock:
            before = _hiding.pop(0) if len(_hiding) == 1 else _hiding.pop()
            if not _hiding:
                _libc.prctl(PR_SET_DUMPABLE, before, 0, 0, 0)
