"""RETENTION: what is old and needed by nothing is deleted, if the settings say so."""

from __future__ import annotations

import logging
from datetime import timedelta

from ghostbust.loop.jobs import Stopped, Workplace
from ghostbust.store import Store

log = logging.getLogger(__name__)


def forget_old(place: Workplace) -> None:
    """Deletes old answers' texts and old live verdicts, in portions."""
    limits, now = place.config.retention, place.clock.now()
    texts = lookups = 0
    with place.home.exclusive("retention"), Store.open(place.home.database) as store:
        if limits.answers_days is not None:
            before = now - timedelta(days=limits.answers_days)
            while gone := store.retention.drop_texts(before):
                texts += gone
                _stop_if_asked(place)
        if limits.lookups_days is not None:
            before = now - timedelta(days=limits.lookups_days)
            while gone := store.retention.drop_lookups(before):
                lookups += gone
                _stop_if_asked(place)
    log.info("retention: the texts of %d answers and %d live verdicts deleted", texts, lookups)


def _stop_if_asked(place: Workplace) -> None:
    if place.stopping.is_set():
        raise Stopped
