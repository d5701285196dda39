"""Whether all is well, and what to do next: a light and a command, by what the store holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from ghostbust.dashboard.reading import StoreSnapshot
from ghostbust.records import GateResult
from ghostbust.sections import DaemonSection
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RatePoint

STALE: Final = timedelta(days=7)
"""a model that wasn't measured for so long may have changed"""
WEEK: Final = (timedelta(days=4), timedelta(days=11))
"""how old the rate is that the newest is set beside"""
_DAEMON: Final = "daemon.lock:"
"""begins what is said of the daemon's lock while one runs"""


class Light(StrEnum):
    """How it stands. The marks differ in shape, for screens without colour."""

    WELL = "● well"
    LOOK = "▲ look"
    ACT = "■ act"


@dataclass(frozen=True, slots=True)
class Standing:
    """The answer to two questions: is it well, and what should I do next?"""

    light: Light
    why: str
    """in a few words"""
    command: str
    """what to type next; empty where there is nothing to do"""


def standing(snapshot: StoreSnapshot, limits: DaemonSection) -> Standing:
    """The first of these that holds, the gravest first. ``limits``: when a round begins."""
    counts, activity = snapshot.counts, snapshot.activity
    waiting = [one for one in snapshot.adapters if one.round.state is RoundState.WAITING]
    jobs = () if activity is None else activity.jobs
    ill = next((job for job in jobs if job.failures or job.was_killed), None)
    newest = newest_rate(snapshot)
    if counts.undecided:
        names = "invented name is" if counts.undecided == 1 else "invented names are"
        why = f"{counts.undecided} {names} registered now"
        return Standing(Light.ACT, why, "ghostbust names list")
    if waiting:
        name = waiting[0].row.candidate.name
        return Standing(
            Light.ACT, f"{name} waits for a decision", f"ghostbust adapters show {name}"
        )
    if ill is not None:
        why = "was killed" if ill.was_killed else f"failed: {ill.reason}"
        return Standing(Light.LOOK, f"the job {ill.name} {why}", "ghostbust jobs list")
    if newest is None:
        return Standing(Light.LOOK, "nothing was measured yet", "ghostbust sweep")
    before = rate_of_last_week(snapshot, newest)
    if before is not None and newest.ci95[0] > before.ci95[1]:
        return Standing(Light.LOOK, "it invents more than a week ago", "ghostbust report")
    if snapshot.at - newest.finished > STALE:
        days = (snapshot.at - newest.finished).days
        return Standing(Light.LOOK, f"nothing was measured for {days} days", "ghostbust sweep")
    if counts.new_names >= limits.round_min_new:
        return Standing(Light.LOOK, "enough new inventions for a round", "ghostbust round")
    holders = () if activity is None else activity.holders
    if not any(holder.startswith(_DAEMON) for holder in holders):
        return Standing(Light.WELL, "nothing waits; no daemon watches", "ghostbust daemon")
    return Standing(Light.WELL, "watched, and nothing waits", "")


def newest_rate(snapshot: StoreSnapshot) -> RatePoint | None:
    """The newest rate of what serves, by today's measure; None where it has none."""
    own = [
        point
        for point in snapshot.rates
        if point.adapter == snapshot.deployed and not point.measure and not math.isnan(point.rate)
    ]
    return own[-1] if own else None


def names_kept(snapshot: StoreSnapshot) -> GateResult | None:
    """What the volume gate measured of the adapter that serves, by today's measure: supported and
    all names an answer / the base's. None for the base, and where that wasn't measured."""
    for view in snapshot.adapters:
        if view.row.candidate.name == snapshot.deployed and view.report is not None:
            for result in view.report.results:
                ratio = result.details.get("ratio")
                known = isinstance(ratio, int | float) and not math.isnan(ratio)
                if result.gate == "volume" and known and not result.is_of_older_measure:
                    return result
    return None


def rate_of_last_week(snapshot: StoreSnapshot, newest: RatePoint) -> RatePoint | None:
    """The rate of about a week before ``newest``, of what served then, for the same model by the
    same kind of run, since kinds ask different prompts; None where there is none."""
    low, high = WEEK
    old = [
        point
        for point in snapshot.rates
        if (point.model, point.kind, point.measure) == (newest.model, newest.kind, newest.measure)
        and low <= newest.finished - point.finished <= high
        and not math.isnan(point.rate)
    ]
    week = timedelta(days=7)
    return min(old, key=lambda point: abs(newest.finished - point.finished - week), default=None)
