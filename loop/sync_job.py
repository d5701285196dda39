"""The daemon's sync of a registry: the names of the index that pip asks, if they changed."""

from __future__ import annotations

import logging

from ghostbust.loop.allowance import Allowance
from ghostbust.loop.jobs import Stopped, Workplace
from ghostbust.records import Ecosystem
from ghostbust.registries.clients import open_client
from ghostbust.registries.pip_config import pip_index
from ghostbust.registries.sync import sync_pypi
from ghostbust.store import Store

log = logging.getLogger(__name__)


def sync_names(place: Workplace) -> None:
    """Fetches PyPI's names into the home folder, as ``ghostbust registry sync`` does.

    Raises RegistryError where the index gives no usable listing; the snapshot in use stays then.
    """

    def go_on(_done: int, _total: int | None) -> None:
        if place.stopping.is_set():
            raise Stopped

    index = pip_index()
    with (
        Store.open(place.home.database) as store,
        open_client(Ecosystem.PYPI, index, Allowance(store, place.config, place.clock)) as client,
    ):
        today = place.clock.now().date()
        done = sync_pypi(client, index.url, place.home.registry, today=today, progress=go_on)
    made = done.snapshot
    news = f"{done.added:,} new, {done.vanished:,} gone" if done.changed else "nothing newer there"
    log.info("sync: %s names of %s; %s", f"{len(made):,}", made.date, news)
