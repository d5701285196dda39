"""RECHECK: looks invented names up again. One that is registered now was likely squatted.

`rescore` judges a past run by other snapshots; `decide` and `look_up` are for a person's review.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from ghostbust.config import Config
from ghostbust.errors import RegistryError, UsageError
from ghostbust.home import Home
from ghostbust.loop.alarms import tell_alarms
from ghostbust.loop.session import Session
from ghostbust.measure import measure
from ghostbust.records import Answer, Ecosystem, Lookup, Measurement, SuspectReason, Verdict
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Judge, Mode, default_judge
from ghostbust.store.names import Decision
from ghostbust.store.store import Store

AT_ONCE: Final = 20
"""names of a portion, which takes a few seconds at the registries' rate limit"""
MOST: Final = 500
"""names in one recheck; the next one begins with the others"""
_ONLY_LIVE = (
    SuspectReason.YOUNGER_THAN_MODEL,
    SuspectReason.QUARANTINED,
    SuspectReason.NO_RELEASES,
)
"""reasons that a live registry gives, and a snapshot doesn't, or not always"""


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What a recheck found."""

    verdicts: tuple[Lookup, ...]
    told: int
    """alarms that reached the webhook or the program, older ones included"""

    @property
    def claimed(self) -> list[Lookup]:
        """The names that are registered now."""
        return [lookup for lookup in self.verdicts if is_registered(lookup)]

    @property
    def unknown(self) -> list[Lookup]:
        """The names that could not be asked for."""
        return [lookup for lookup in self.verdicts if lookup.verdict is Verdict.UNKNOWN]


def recheck_due(
    session: Session,
    *,
    before: datetime,
    most: int = MOST,
    at_portion: Callable[[], None] = lambda: None,
) -> Rechecked:
    """Rechecks, in portions, what no registry was asked about since ``before``; then sends alarms.

    It ends after ``most`` names, or with the first portion in which a registry didn't answer.
    ``at_portion`` is called before each portion, and may raise.
    """
    verdicts: list[Lookup] = []
    while len(verdicts) < most:
        at_portion()
        limit = min(AT_ONCE, most - len(verdicts))
        found = recheck(session.store, session.judge, before=before, limit=limit)
        verdicts += found
        if len(found) < limit or any(lookup.verdict is Verdict.UNKNOWN for lookup in found):
            break
    return Rechecked(tuple(verdicts), tell_alarms(session.store, session.config.alarm))


def recheck(store: Store, judge: Judge, *, before: datetime, limit: int) -> list[Lookup]:
    """Today's verdict on invented names that no registry was asked about since ``before``.

    At most ``limit`` names, those never asked about first. A name that is registered now is
    marked `claimed` in the ledger, with an alarm that says by whom and since when: it stays an
    invention and never counts as cured. UNKNOWN changes nothing: the name stays due.

    Raises UsageError for a judge that isn't live: a snapshot can't say what was registered since.
    """
    if judge.mode is not Mode.LIVE:
        raise UsageError(f"mode {judge.mode} can't say which names were registered since; ask live")
    verdicts = []
    due: dict[Ecosystem, list[str]] = defaultdict(list)
    for ecosystem, name in store.ledger.recheck_names(before, limit):
        due[ecosystem].append(name)
    for ecosystem, names in due.items():
        for lookup in judge.names(ecosystem, names).values():
            verdicts.append(lookup)
            note(store, judge, lookup)
    return verdicts


def note(store: Store, judge: Judge, lookup: Lookup) -> None:
    """Stores what a live registry says of an invented name; UNKNOWN changes nothing."""
    if lookup.verdict is Verdict.UNKNOWN:
        return
    if is_registered(lookup):
        try:
            origin = judge.origin(lookup.ecosystem, lookup.name)
        except RegistryError:  # then the look-up has to do
            origin = Origin(lookup.first_released, "", lookup.evidence)
        store.ledger.mark_claimed(
            lookup.ecosystem,
            lookup.name,
            lookup.looked_up_at,
            first_released=origin.first_released,
            uploader=origin.uploader,
            evidence=origin.evidence,
        )
    # Also for what needed no request, such as an impossible name: it would stay due for ever.
    store.lookups.put_lookup(lookup)


def is_registered(lookup: Lookup) -> bool:
    """True where the registry holds the name, whatever is behind it."""
    return lookup.verdict in (Verdict.REAL, Verdict.SUSPECT)


def decide(store: Store, ecosystem: Ecosystem, name: str, decision: Decision, reason: str) -> str:
    """Stores a person's decision on an invented name; one line on what follows from it.

    Raises UsageError without a reason, StoreError for a name that isn't in the ledger.
    """
    if not reason.strip():
        raise UsageError("a decision needs a reason, which is kept")
    store.reviews.add(ecosystem, name, decision, reason.strip())
    return {
        Decision.ACCEPT: "noted as invented",
        Decision.IGNORE: "not listed any more, unless asked for",
        Decision.ALLOW: "allowed: checks pass it over, and no round trains on it",
        Decision.REOPEN: "open again",
    }[decision]


def open_fresh_judge(home: Home) -> Judge:
    """A judge that asks the live registries and no cache. To be closed."""
    return default_judge(Mode.LIVE, cache=None, data_dir=home.registry, npm_project=home.path)


def look_up(store: Store, judge: Judge, config: Config, ecosystem: Ecosystem, name: str) -> Lookup:
    """What the live registry says of the name now; one that is registered is an alarm.

    Raises UsageError for a name that isn't in the ledger.
    """
    if not store.ledger.known(ecosystem, [name]):
        raise UsageError(f"the ledger has no name {name!r} of {ecosystem}")
    lookup = judge.names(ecosystem, [name])[name]
    note(store, judge, lookup)
    tell_alarms(store, config.alarm)
    return lookup


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A name whose verdict has changed."""

    then: Lookup
    now: Lookup
    answers: int
    """answers of the run in which it is"""


@dataclass(frozen=True, slots=True)
class Rescored:
    """A run's figures as it was judged then, and as it is judged now, of the same answers."""

    then: Measurement
    now: Measurement
    changes: tuple[VerdictChange, ...]
    """those in most answers first"""
    left_out: int
    """answers of the run whose texts weren't kept, so that they are in neither figure"""
    only_live: int
    """names whose verdict rested on a reason that only a live registry gives"""


def rescore(store: Store, run_id: int, judge: Judge) -> Rescored:
    """The run's logged refs judged again by ``judge``; nothing is stored.

    A name that was absent then and is in a later snapshot is `claimed`, as in a recheck: it
    never counts as cured. Raises StoreError where there is no such run.
    """
    seed = store.runs.get(run_id).spec.seed
    then = list(store.answers.read(run_id=run_id))
    now = list(_judged_again(then, judge))
    return Rescored(
        measure(then, seed=seed),
        measure(now, seed=seed),
        _changes(then, now),
        len(store.answers.sampled_keys(run_id)) - len(then),
        len({
            (j.lookup.ecosystem, j.lookup.name)
            for answer in then
            for j in answer.judged
            if j.lookup.source == "live" and j.lookup.reason in _ONLY_LIVE
        }),
    )  # fmt: skip


def _judged_again(answers: Sequence[Answer], judge: Judge) -> Iterator[Answer]:
    """The answers with today's verdicts; a name is looked up once for all of them."""
    verdicts = iter(judge.refs([one.ref for answer in answers for one in answer.judged]))
    for answer in answers:
        judged = ((one, next(verdicts)) for one in answer.judged)
        yield replace(
            answer,
            judged=tuple(
                replace(new, lookup=_never_cured(old.lookup, new.lookup)) for old, new in judged
            ),
        )


def _never_cured(then: Lookup, now: Lookup) -> Lookup:
    """The new verdict, but SUSPECT for what was absent and has been registered since."""
    if then.verdict is not Verdict.ABSENT or now.verdict is not Verdict.REAL:
        return now
    if now.looked_up_at <= then.looked_up_at:
        return now
    evidence = f"{now.evidence}; absent on {then.looked_up_at:%Y-%m-%d}"
    return replace(now, verdict=Verdict.SUSPECT, reason=SuspectReason.CLAIMED, evidence=evidence)


def _changes(then: Sequence[Answer], now: Sequence[Answer]) -> tuple[VerdictChange, ...]:
    """The changed verdicts, each with the answers that it is in."""
    seen: dict[tuple[object, ...], set[int]] = defaultdict(set)
    pairs: dict[tuple[object, ...], tuple[Lookup, Lookup]] = {}
    for number, (before, after) in enumerate(zip(then, now, strict=True)):
        for old, new in zip(before.judged, after.judged, strict=True):
            a, b = old.lookup, new.lookup
            if a.verdict is not b.verdict:
                key = (a.ecosystem, a.name, a.verdict, a.reason, b.verdict, b.reason)
                pairs.setdefault(key, (a, b))
                seen[key].add(number)
    changes = [VerdictChange(*pairs[key], len(numbers)) for key, numbers in seen.items()]
    return tuple(sorted(changes, key=lambda change: (-change.answers, change.now.name)))
