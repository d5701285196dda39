"""A judge for a command that only asks: with the home's snapshots and cache if there is a home.

Makes no home folder, and needs none that can be written.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup
from ghostbust.registries.interface import LookupCache
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.text import visible

if TYPE_CHECKING:
    from pathlib import Path

    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.store.store import Store


# --- settings
# The settings of a command, and what is said of files in the current folder that don't count.


def load_settings(config: Path | None, home: Home) -> Config:
    """`load_config`, with a line on standard error for each file that isn't trusted.

    Under ``--quiet`` too: its author has to see why the file changes nothing.
    """
    from ghostbust.config import load_config

    settings = load_config(config, home, note=_say)
    note_npmrc(home)
    return settings


def note_npmrc(home: Home) -> None:
    """The line where the current folder's ``.npmrc`` would say whom to ask, or how."""
    if npmrc_ignored(home):
        _say(
            "./.npmrc isn't trusted: ignored; npm_config_userconfig=.npmrc in the environment"
            f" trusts it, and {home.path / '.npmrc'} is read, too"
        )


def npmrc_ignored(home: Home) -> bool:
    """Whether the current folder has a ``.npmrc`` about registries that isn't read."""
    if not Path(".npmrc").is_file():  # spares what it takes to load npm's settings
        return False
    from ghostbust.registries.npm_config import NpmSettings

    return NpmSettings(home.path).ignores(Path(".npmrc"))


def _say(text: str) -> None:
    print(f"ghostbust: {visible(text)}", file=sys.stderr)


# --- stores
# The store as commands open it: to read, to change what is there, or to begin one.
#
# Only the last makes a home folder, so that a mistyped ``--home`` is an error and no empty home.


@contextmanager
def open_to_read(path: Path | None) -> Iterator[tuple[Home, Store]]:
    """The home folder and its store, which may lie where nothing can be written.

    Raises StoreError where there is no database, or an older one.
    """
    from ghostbust.home import Home
    from ghostbust.store.store import Store

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
    from ghostbust.store.store import Store

    home = Home.open(path)
    with Store.open(home.database, keep_private=keep_private) as store:
        yield home, store


# --- judging
# A judge for a command that only asks: with the home's snapshots and cache if there is a home.
#
# Makes no home folder, and needs none that can be written.


@contextmanager
def open_judge(mode: Mode, home: Path | None, as_of: date | None = None) -> Iterator[Judge]:
    """The judge of `default_judge`, whose cache is the home's database if it has one.

    A ``.npmrc`` in the working folder isn't read: who wrote what is checked would say who is asked
    about it, and could have the environment's secrets sent there. The home folder's is.
    """
    place = Home.find(home)
    with ExitStack() as stack:
        cache = None
        if mode is not Mode.SNAPSHOT and place.database.is_file():
            cache = _open_cache(place.database, stack)
        yield stack.enter_context(
            default_judge(
                mode,
                cache=cache,
                data_dir=place.registry,
                as_of=as_of,
                npm_project=place.path,
            )
        )


class ForgivingCache:
    """A cache that is as good as empty where its database can't be read or written."""

    def __init__(self, cache: LookupCache) -> None:
        self._cache = cache

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict on a name; None without one, or where it can't be read."""
        with suppress(StoreError):
            return self._cache.get_lookup(ecosystem, name)
        return None

    def put_lookup(self, lookup: Lookup) -> None:
        """Keeps a verdict if it can."""
        with suppress(StoreError):
            self._cache.put_lookup(lookup)


def _open_cache(database: Path, stack: ExitStack) -> LookupCache | None:
    """The database as a cache, read-only if need be; None where it can't be opened at all."""
    from ghostbust.store.store import Store

    for read_only in (False, True):
        with suppress(StoreError):
            store = stack.enter_context(Store.open(database, read_only=read_only))
            return ForgivingCache(store.lookups)
    return None
