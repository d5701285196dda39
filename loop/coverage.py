"""When asking more isn't worth it: watches pause where they hardly find a name that is new.

Nothing is remembered of a pause. It follows from the watches of the last days: those that count are
the serving adapter's, so another adapter starts anew, and a pause makes them grow old until there
are too few to go by.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from ghostbust.sections import DiscoverySection
from ghostbust.store import RunKind, RunStatus, Store
from ghostbust.unseen import PER_ANSWERS

LEAST_ANSWERS: Final = 1000
"""answers of watches under which the gain isn't judged: a watch or two can miss by chance"""
_MOST_RUNS: Final = 1000


def pause_reason(
    store: Store, settings: DiscoverySection, *, model: str, adapter: str | None, now: datetime
) -> str | None:
    """Why no watch should begin, in one line; None where one should.

    The gain is the names that the newest watches were the first to see, by their answers: watches
    of ``model`` with ``adapter`` that began in the last ``look_again_days``, newest first, until
    they have `LEAST_ANSWERS`. Where there are fewer, or ``stop_below`` is None, watches go on.
    """
    if settings.stop_below is None:
        return None
    since = now - timedelta(days=settings.look_again_days)
    answers = new = 0
    for run in takewhile(lambda run: run.started >= since, store.runs.recent(_MOST_RUNS)):
        ours = (run.spec.kind, run.spec.model, run.spec.adapter) == (RunKind.WATCH, model, adapter)
        if ours and run.status is RunStatus.DONE and run.measurement is not None:
            answers += run.measurement.answers
            new += store.ledger.count_new_of(run.id)
            if answers >= LEAST_ANSWERS:
                break
    if answers < LEAST_ANSWERS or PER_ANSWERS * new / answers >= settings.stop_below:
        return None
    return (
        f"{new} new names in the last {answers} answers, {PER_ANSWERS * new / answers:.1f} in"
        f" {PER_ANSWERS:,}, which is under discovery.stop_below ({settings.stop_below:g}); looks"
        f" again {settings.look_again_days:g} days after these watches, or with another adapter"
    )
