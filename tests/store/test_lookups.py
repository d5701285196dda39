"""The cache gives back the newest verdict that was put, and is what the judge takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ghostbust.records import Ecosystem, Lookup, Verdict
from ghostbust.registries.interface import LookupCache
from ghostbust.store.rows import RunSpec
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.store.conftest import Clock, MakeAnswer


def test_the_newest_verdict_is_kept(store: Store, clock: Clock) -> None:
    cache: LookupCache = store.lookups
    absent = Lookup(
        Ecosystem.NPM, "@scope/Lib", Verdict.ABSENT, "not-registered", "404", "live", clock()
    )
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") is None
    cache.put_lookup(absent)
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") == absent
    assert cache.get_lookup(Ecosystem.PYPI, "@scope/Lib") is None
    assert cache.get_lookup(Ecosystem.NPM, "@scope/lib") is None
    real = replace(absent, verdict=Verdict.REAL, looked_up_at=clock.step(seconds=1))
    cache.put_lookup(real)
    cache.put_lookup(absent)
    assert cache.get_lookup(Ecosystem.NPM, "@scope/Lib") == real


def test_verdicts_on_answers_stay_out_of_the_cache(
    store: Store, spec: RunSpec, make_answer: MakeAnswer
) -> None:
    """They may have been changed since they were asked for, by what the import or summary said."""
    answer = make_answer(absent=("ghostlib",), source="live")
    store.answers.add(store.runs.start(spec), [answer])
    assert store.lookups.get_lookup(Ecosystem.PYPI, "ghostlib") is None
