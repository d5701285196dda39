"""Invented names are looked up again: claimed, reviewed by a person, or rescored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import RegistryError, StoreError, UsageError
from ghostbust.home import Home
from ghostbust.loop.recheck import decide, is_registered, look_up, recheck, recheck_due, rescore
from ghostbust.loop.session import Session
from ghostbust.loop.watch import Watcher
from ghostbust.records import Answer, Context, Ecosystem, Lookup, Prompt, Verdict, utc_now
from ghostbust.registries.interface import Origin
from ghostbust.registries.judge import Judge, Mode
from ghostbust.registries.live import LiveLookups
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.names import Decision, NameOrder
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

FIRST = datetime(2026, 11, 20, tzinfo=UTC)
GHOSTS = ("zz-ghost-1", "zz-ghost-2", "zz-ghost-3")


class FakeRegistry:
    """PyPI with the names that a test gives it."""

    ecosystem = Ecosystem.PYPI

    def __init__(self) -> None:
        self.registered = {"pip"}
        self.down = False
        self.tells_origin = True

    async def look_up(self, name: str, known: Lookup | None = None) -> Lookup:
        if self.down:
            raise RegistryError("the registry is down")
        there = name in self.registered
        verdict = Verdict.REAL if there else Verdict.ABSENT
        return Lookup(Ecosystem.PYPI, name, verdict, "asked", "made up", "live", utc_now(), FIRST)

    async def origin(self, name: str) -> Origin:
        if not self.tells_origin:
            raise RegistryError("no origin")
        return Origin(FIRST, "A. Squatter", "origin page")

    async def description(self, name: str) -> str:
        return ""

    async def versions(self, name: str) -> Sequence[str]:
        return ()


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def live(registry: FakeRegistry, store: Store) -> Iterator[Judge]:
    lookups = LiveLookups({Ecosystem.PYPI: registry}, cache=store.lookups)
    with Judge(Mode.LIVE, snapshots={}, live=lookups) as judge:
        yield judge


@pytest.fixture(autouse=True)
def ledger(store: Store, judge: Judge, scripted: MakeSampler) -> None:
    """The ghosts, invented in one answer."""
    text = f"```bash\npip install {' '.join(GHOSTS)}\n```"
    prompt = Prompt("do it", Context.CODE, Ecosystem.PYPI, "family")
    watcher = Watcher(store, scripted(lambda _: text), judge, SamplingSettings())
    watcher.prompts([prompt], RunKind.WATCH)


def soon(store: Store, judge: Judge, limit: int = 10) -> list[Lookup]:
    """A recheck of all that was not asked about up to now."""
    return recheck(store, judge, before=utc_now() + timedelta(seconds=1), limit=limit)


def test_a_name_that_was_registered_is_claimed_and_stays_an_invention(
    store: Store, live: Judge, registry: FakeRegistry
) -> None:
    registry.registered.add("zz-ghost-2")
    verdicts = soon(store, live)
    assert {lookup.name for lookup in verdicts} == set(GHOSTS)
    assert [lookup.name for lookup in verdicts if is_registered(lookup)] == ["zz-ghost-2"]
    ledger = {h.name: h for h in store.ledger.hallucinations(order=NameOrder.NAME)}
    assert set(ledger) == set(GHOSTS)
    claimed = ledger.pop("zz-ghost-2")
    assert (claimed.verdict, claimed.reason) == (Verdict.SUSPECT, "claimed")
    assert claimed.claimed_at is not None
    assert {(h.verdict, h.claimed_at) for h in ledger.values()} == {(Verdict.ABSENT, None)}


@pytest.mark.parametrize("tells_origin", [True, False])
def test_the_alarm_says_by_whom_and_since_when(
    store: Store, live: Judge, registry: FakeRegistry, tells_origin: bool
) -> None:
    registry.registered.add("zz-ghost-2")
    registry.tells_origin = tells_origin
    soon(store, live)
    soon(store, live)
    (alarm,) = store.alarms.recent()
    assert (alarm.name, alarm.first_released, alarm.told) == ("zz-ghost-2", FIRST, ())
    told = ("A. Squatter", "origin page") if tells_origin else ("", "made up")
    assert (alarm.uploader, alarm.evidence) == told


def test_a_recheck_of_all_that_is_due_ends_where_somebody_cannot_be_asked(
    store: Store, live: Judge, registry: FakeRegistry, home: Home
) -> None:
    session = Session(home, Config(), store, live, home.path)
    before = utc_now() - timedelta(minutes=1)
    registry.down = True
    done = recheck_due(session, before=before)
    assert (len(done.verdicts), len(done.unknown), done.claimed) == (3, 3, [])
    registry.down = False
    registry.registered |= {"zz-ghost-1", "zz-ghost-3"}
    portions: list[int] = []
    done = recheck_due(session, before=before, most=2, at_portion=lambda: portions.append(1))
    assert (len(done.verdicts), portions) == (2, [1])
    done = recheck_due(session, before=before)
    assert {alarm.name for alarm in store.alarms.untold()} == registry.registered - {"pip"}
    assert done.told == 0, "nobody is named in the settings"


def test_an_unreachable_registry_leaves_the_names_for_the_next_time(
    store: Store, live: Judge, registry: FakeRegistry
) -> None:
    registry.down = True
    assert {lookup.verdict for lookup in soon(store, live)} == {Verdict.UNKNOWN}
    assert {h.claimed_at for h in store.ledger.hallucinations()} == {None}
    registry.down = False
    assert {lookup.verdict for lookup in soon(store, live)} == {Verdict.ABSENT}


def test_the_limit_takes_the_longest_unasked_first(store: Store, live: Judge) -> None:
    earlier = utc_now() - timedelta(minutes=1)
    portions = [recheck(store, live, before=earlier, limit=2) for _ in range(3)]
    assert [len(portion) for portion in portions] == [2, 1, 0]
    assert {lookup.name for portion in portions for lookup in portion} == set(GHOSTS)


def test_a_name_that_can_t_be_registered_does_not_stay_due(store: Store, live: Judge) -> None:
    run, answer = store.runs.recent()[0], next(iter(store.answers.read()))
    judged = answer.judged[0]
    impossible = replace(judged.lookup, name="zz-naïve-ghost", reason="invalid-name")
    sample = replace(answer.sample, number=1)
    store.answers.add(run.id, [Answer(sample, (replace(judged, lookup=impossible),))])
    earlier = utc_now() - timedelta(minutes=1)
    assert "zz-naïve-ghost" in {x.name for x in recheck(store, live, before=earlier, limit=10)}
    assert recheck(store, live, before=earlier, limit=10) == []


def test_a_snapshot_is_not_asked(store: Store, judge: Judge) -> None:
    with pytest.raises(UsageError, match="ask live"):
        soon(store, judge)
    assert len(store.ledger.recheck_names(utc_now(), 10)) == 3


@pytest.mark.parametrize("decision", Decision)
def test_a_decision_is_kept_with_its_reason(store: Store, decision: Decision) -> None:
    assert decide(store, Ecosystem.PYPI, GHOSTS[0], decision, " because ")

    (review,) = store.reviews.recent()
    assert (review.decision, review.reason) == (decision, "because")


def test_without_a_reason_nothing_is_decided(store: Store) -> None:
    with pytest.raises(UsageError, match="reason"):
        decide(store, Ecosystem.PYPI, GHOSTS[0], Decision.ALLOW, "  ")
    with pytest.raises(StoreError, match="no name"):
        decide(store, Ecosystem.PYPI, "zz-other", Decision.ALLOW, "why")
    assert store.reviews.recent() == []


def test_a_person_asks_about_one_name_of_the_ledger(
    store: Store, live: Judge, registry: FakeRegistry
) -> None:
    """No answer changes nothing; a name that is registered now is claimed."""
    with pytest.raises(UsageError, match="no name"):
        look_up(store, live, Config(), Ecosystem.PYPI, "requests")
    registry.down = True
    assert look_up(store, live, Config(), Ecosystem.PYPI, GHOSTS[0]).verdict is Verdict.UNKNOWN
    assert store.lookups.get_lookup(Ecosystem.PYPI, GHOSTS[0]) is None
    assert store.alarms.recent() == []
    registry.down = False
    registry.registered.add(GHOSTS[0])
    assert look_up(store, live, Config(), Ecosystem.PYPI, GHOSTS[0]).verdict is Verdict.REAL
    (alarm,) = store.alarms.recent()
    assert (alarm.name, alarm.uploader) == (GHOSTS[0], "A. Squatter")


TEXTS = {
    "one": "```bash\npip install requests zz-a zz-b\n```",
    "two": "```python\nimport requests\nimport zz_a\n```",
}


def judge_of(folder: Path, day: date, *names: str) -> Judge:
    path = build_snapshot(
        [NameRow(name) for name in names], ecosystem=Ecosystem.PYPI, date=day, complete=True,
        out_dir=folder / str(day),
    )  # fmt: skip
    return Judge(Mode.SNAPSHOT, snapshots={Ecosystem.PYPI: Snapshot.load(path)})


@pytest.fixture
def run_id(store: Store, scripted: MakeSampler, tmp_path: Path) -> int:
    """A run of two prompts, judged by a snapshot of the second of January."""
    judge = judge_of(tmp_path, date(2026, 1, 2), "requests")
    sampler = scripted(lambda prompt: TEXTS[prompt.text])
    settings = SamplingSettings(samples_per_prompt=1)
    prompts = [Prompt(text, Context.CODE, Ecosystem.PYPI, text) for text in TEXTS]
    return Watcher(store, sampler, judge, settings).prompts(prompts, RunKind.WATCH).run_id


def test_the_same_snapshot_gives_the_logged_figures(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    done = rescore(store, run_id, judge_of(tmp_path, date(2026, 1, 2), "requests"))
    assert (done.then.rate, done.then.volume) == (3 / 5, 1.0)
    assert done.now == done.then
    assert (done.changes, done.left_out, done.only_live) == ((), 0, 0)


def test_a_later_one_shows_who_was_claimed_in_how_many_answers(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    later = judge_of(tmp_path, date(2026, 2, 3), "requests", "zz-a")
    done = rescore(store, run_id, later)
    assert (done.now.rate, done.now.suspect) == (3 / 5, 2)
    (change,) = done.changes
    assert (change.now.name, change.now.reason, change.answers) == ("zz-a", "claimed", 2)
    assert change.now.evidence.endswith("; absent on 2026-01-02")


def test_an_earlier_one_shows_what_was_there_before(
    store: Store, run_id: int, tmp_path: Path
) -> None:
    earlier = judge_of(tmp_path, date(2025, 12, 1), "zz-b")
    done = rescore(store, run_id, earlier)
    assert [(c.now.name, str(c.then.verdict), str(c.now.verdict)) for c in done.changes] == [
        ("requests", "REAL", "ABSENT"),
        ("zz-b", "ABSENT", "REAL"),
    ]
    assert (done.now.rate, done.now.volume) == (4 / 5, 0.5)
