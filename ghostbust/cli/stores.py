"""The store as commands open it: to read, to change what is there, or to begin one.

Only the last makes a home folder, so that a mistyped ``--home`` is an error and no empty home.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from ghostbust.home import Home
    from ghostbust.store import Store


@contextmanager
def open_to_read(path: Path | None) -> Iterator[tuple[Home, Store]]:
    """The home folder and its store, which may lie where nothing can be written.

    Raises StoreError where there is no database, or an older one.
    """
    from ghostbust.home import Home
    from ghostbust.store import Store

    home = Home.find(path)
    with Store.open(home.database, read_only=True) as store:
        yield home, store


@contextmanager
def open_to_change(path: Path | None) -> Iterator[tuple[Home, Store]]:
    """The home folder and its store. Raises StoreError where there is no database."""
    from ghostbust.home import Home
    from ghostbust.store.connection import need_database

    need_database(Home.find(path).database)
    with open_or_make(path) as opened:
        yield opened


@contextmanager
def open_or_make(path: Path | None, *, keep_private: bool = False) -> Iterator[tuple[Home, Store]]:
    """The home folder and its store, made where they aren't there; raises as their ``open``."""
    from ghostbust.home import Home
    from ghostbust.store import Store

    home = Home.open(path)
    with Store.open(home.database, keep_private=keep_private) as store:
        yield home, store
