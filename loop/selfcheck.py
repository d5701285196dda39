"""SELFCHECK: is the database sound, is every adapter what it was, is there room?"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator

from ghostbust.adapters import read_adapter
from ghostbust.errors import DataError, HomeError, ModelError, StoreError
from ghostbust.home import Home
from ghostbust.loop.jobs import Stopped, Workplace
from ghostbust.store import Store

log = logging.getLogger(__name__)


def check_house(place: Workplace) -> None:
    """Looks at everything once. Raises DataError, one line, with all that is wrong."""
    faults = list(_faults(place))
    if faults:
        raise DataError("; ".join(faults))
    log.info("selfcheck: database, adapters and disk are sound")


def _faults(place: Workplace) -> Iterator[str]:
    home = place.home
    try:
        lacking_room(home, place.config.selfcheck.free_bytes)
    except HomeError as exc:
        yield str(exc)
    try:
        with Store.open(home.database) as store:
            yield from store.faults()
            adapters = [row.candidate for row in store.rounds.adapters()]
    except StoreError as exc:
        yield str(exc)
        return
    for adapter in adapters:
        if place.stopping.is_set():
            raise Stopped
        if not adapter.path.exists():
            continue  # deleted by a person; the store keeps the row
        try:
            read_adapter(adapter.path)
        except ModelError as exc:
            yield str(exc)


def lacking_room(home: Home, free_bytes: int) -> None:
    """Returns where the home's disk has room. Raises HomeError where it has too little."""
    try:
        free = shutil.disk_usage(home.path).free
    except OSError as exc:
        raise HomeError(f"can't look at the disk of {home.path}: {exc.strerror}") from exc
    if free < free_bytes:
        raise HomeError(
            f"the disk of {home.path} has {free / 1e6:,.0f} MB left, which is less than"
            f" selfcheck.free_bytes ({free_bytes / 1e6:,.0f} MB); free some"
        )
