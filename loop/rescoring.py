"""RESCORE: a past run's package refs, judged by snapshots of another day. Changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ghostbust.measure import measure
from ghostbust.records import Answer, Lookup, Measurement, SuspectReason, Verdict
from ghostbust.registries.judge import Judge
from ghostbust.store import Store

_ONLY_LIVE = (
    SuspectReason.YOUNGER_THAN_MODEL,
    SuspectReason.QUARANTINED,
    SuspectReason.NO_RELEASES,
)
"""reasons that a live registry gives, and a snapshot can't, or not always"""


@dataclass(frozen=True, slots=True)
class Change:
    """A name whose verdict is another one now."""

    then: Lookup
    now: Lookup
    answers: int
    """answers of the run in which it is"""


@dataclass(frozen=True, slots=True)
class Rescored:
    """A run's figures as it was judged, and as it is judged now, of the same answers."""

    then: Measurement
    now: Measurement
    changes: tuple[Change, ...]
    """those in most answers first"""
    left_out: int
    """answers of the run whose texts weren't kept, so that they are in neither figure"""
    only_live: int
    """names whose verdict rested on what a live registry told and a snapshot doesn't hold"""


def rescore(store: Store, run_id: int, judge: Judge) -> Rescored:
    """The run's logged refs, as the extractor of its day found them, judged by ``judge``.

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


def _changes(then: Sequence[Answer], now: Sequence[Answer]) -> tuple[Change, ...]:
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
    changes = [Change(*pairs[key], len(numbers)) for key, numbers in seen.items()]
    return tuple(sorted(changes, key=lambda change: (-change.answers, change.now.name)))
