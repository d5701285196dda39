"""A judge for a command that only asks: with the home's snapshots and cache if there is a home.

Makes no home folder, and needs none that can be written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from pathlib import Path

from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup
from ghostbust.registries.asking import LookupCache
from ghostbust.registries.judge import Judge, Mode, default_judge


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
    from ghostbust.store import Store

    for read_only in (False, True):
        with suppress(StoreError):
            store = stack.enter_context(Store.open(database, read_only=read_only))
            return ForgivingCache(store.lookups)
    return None
