"""A day in fast-forward: the real schedule, timetable, runner and store, by a clock of our own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import EndpointError
from ghostbust.loop.budget import MINUTES, REQUESTS, SAMPLES, TOKENS, Allowance, LimitedSampler
from ghostbust.loop.daemon.jobs import Stopped, Workplace
from ghostbust.records import Context, Ecosystem, Prompt
from ghostbust.samplers.interface import SamplingSettings
from ghostbust.store.store import Store
from tests.loop.daemon.conftest import DAY, MakeHouse, cron, every

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

PROMPTS = [
    Prompt(f"Plot readings {n}.", Context.CODE, Ecosystem.PYPI, f"family-{n}", "sensors")
    for n in range(4)
]


def test_every_job_hits_its_times_and_the_quiet_hours_are_quiet(house: MakeHouse) -> None:
    made = house(
        watch=every("45m"), ingest=every("20m"), round=every("1h"), recheck=cron("0 3 * * *"),
        sync=cron("30 9,15 * * *"), retention=cron("59 23 * * *"), selfcheck=every("6h"),
        quiet=("09:00-10:30", "22:00-22:10"),
    )  # fmt: skip
    made.start()
    made.run(days=1)
    quiet = [(DAY.replace(hour=9), DAY.replace(hour=10, minute=30)),
             (DAY.replace(hour=22), DAY.replace(hour=22, minute=10))]  # fmt: skip

    def expected(interval: timedelta) -> list[datetime]:
        times, at = [], DAY
        while at < DAY + timedelta(days=1):
            at = next((end for begin, end in quiet if begin <= at < end), at)
            times.append(at)
            at += interval
        return times

    for name, interval in (("watch", 45), ("ingest", 20), ("round", 60), ("selfcheck", 360)):
        began = [at.replace(microsecond=0) for at in made.begun[name]]
        assert began == expected(timedelta(minutes=interval)), name
    assert made.times("recheck") == ["28 03:00:00"]
    assert made.times("sync") == ["28 10:30:00", "28 15:30:00"], "9:30 waits for the end"
    assert made.times("retention") == ["28 23:59:00"]
    told = made.row("ingest")
    assert (told.outcome, told.failures) == ("ok", 0)
    assert told.due is not None
    assert told.due > DAY + timedelta(days=1) - timedelta(minutes=20)


def test_budgets_are_kept_to_the_unit_over_two_days_and_a_restart(
    house: MakeHouse, scripted: MakeSampler, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"samples": 101, "tokens": 1000, "registry_requests": 50, "gpu_minutes": 90}
    made = house(
        watch=every("1h"), recheck=every("2h"), round=every("2h"), budget=limits,
    )  # fmt: skip
    answers: list[datetime] = []

    def watch(place: Workplace) -> None:
        def say(_: Prompt) -> str:
            answers.append(made.clock.now())
            return "I can't say."

        with Store.open(place.home.database) as store:
            allowance = Allowance(store, place.config, place.clock)
            sampler = LimitedSampler(scripted(say), allowance)
            settings = SamplingSettings(samples_per_prompt=2, max_new_tokens=64)
            for _ in sampler.sample(PROMPTS, settings):
                made.clock.sleep(1)

    def recheck(place: Workplace) -> None:
        with Store.open(place.home.database) as store:
            allowance = Allowance(store, place.config, place.clock)
            for _ in range(7):
                if allowance.take({REQUESTS: 1}) is None:
                    return

    def round_(place: Workplace) -> None:
        for _ in range(45 * 60):
            if place.stopping.is_set():
                raise Stopped
            made.clock.sleep(1)

    made.works.update(watch=watch, recheck=recheck, round=round_)
    made.start()
    made.run(hours=12)
    made.scheduler.shutdown()
    made.start()
    made.run(hours=11, minutes=59)
    spent = made.spent()
    assert spent[SAMPLES] == len(answers) == 98, "a prompt more could cost 128 tokens"
    assert spent[TOKENS] == 9 * 98 <= 1000 < 9 * 98 + 128
    assert spent[REQUESTS] == 50
    assert spent[MINUTES] == pytest.approx(90)
    assert "the day's budget of registry_requests is used up (50 of 50)" not in caplog.text
    assert caplog.text.count("round: waits: the day's budget of gpu_minutes is used up (90 of") == 2
    made.run(hours=2)
    assert made.spent()[MINUTES] > 0, "the next day has budgets of its own"
    assert {at.day for at in answers} == {28, 29}


def test_a_day_whose_clock_changes_has_each_time_once(house: MakeHouse, store: Store) -> None:
    autumn, spring = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2027, 3, 27, 23, tzinfo=UTC)
    for begin, hours, twice in ((autumn, 25, 2), (spring, 23, 0)):
        made = house(
            begin, time_zone="Europe/Berlin", recheck=cron("30 2 * * *"), sync=cron("15 * * * *"),
            watch=every("1h"),
        )  # fmt: skip
        made.start()
        made.run(hours=hours)
        assert len(made.begun["recheck"]) == 1
        assert len(made.begun["sync"]) == hours
        assert len(made.begun["watch"]) == hours
        at_two = [at for at in made.begun["sync"] if at.hour in (0, 1) and at.day in (25, 28)]
        assert len(at_two) == 2, twice
        made.scheduler.shutdown()
        with store._connection.write() as connection:
            connection.execute("DELETE FROM jobs")


def test_a_clock_that_is_set_neither_doubles_nor_loses_a_job(
    house: MakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    made = house(watch=every("1h"), recheck=cron("0 3 * * *"), sync=cron("0 5 1 * *"))
    made.start()
    made.run(hours=3, minutes=30)
    assert (len(made.begun["watch"]), len(made.begun["recheck"])) == (4, 1)
    made.clock.jump(-2 * 3600)
    made.run(hours=3)  # 3:30 is 1:30 now; 3:00 comes again
    assert len(made.begun["recheck"]) == 1, "a time that came doesn't come again"
    assert len(made.begun["watch"]) == 7, "one an hour, by the time that went by"
    assert "the clock was set by -7200 s" in caplog.text
    made.clock.jump(10 * 3600)
    made.run(minutes=20)
    assert len(made.begun["watch"]) == 8, "ten that were passed over are made up for by one"
    made.clock.jump(5 * 365 * 86400)
    made.run(minutes=20)
    made.clock.jump(-5 * 365 * 86400)
    made.run(hours=24)
    assert len(made.begun["recheck"]) == 3, "on the wrong day, and on this one again"
    assert len(made.begun["watch"]) == pytest.approx(8 + 1 + 24, abs=1)


def test_a_job_is_stopped_by_quiet_hours_and_goes_on_behind_them(house: MakeHouse) -> None:
    made = house(round=every("6h"), quiet=("01:00-02:00",))
    ended: list[datetime] = []

    def round_(place: Workplace) -> None:
        try:
            for _ in range(3 * 60):
                if place.stopping.is_set():
                    raise Stopped
                made.clock.sleep(60)
        finally:
            ended.append(made.clock.now())

    made.works["round"] = round_
    made.start()
    made.run(hours=5, minutes=30)
    assert made.times("round") == ["28 00:00:00", "28 02:00:00"]
    assert [f"{at:%H:%M}" for at in ended] == ["01:00", "05:00"]
    assert made.row("round").outcome == "ok"


def test_a_busy_server_is_asked_later_and_later(house: MakeHouse) -> None:
    made = house(watch=every("1d"), recheck=every("1h"))
    looks: list[datetime] = []

    def busy(_: Config) -> str | None:
        looks.append(made.clock.now())
        return "it answers 503" if len(looks) < 5 else None

    made.start(busy)
    made.run(hours=1)
    waits = [later - one for one, later in pairwise(looks)]
    assert waits == [timedelta(minutes=minutes) for minutes in (1, 2, 4, 8)]
    assert made.begun["watch"] == [looks[-1]]
    assert made.times("recheck")[0] == "28 00:00:00", "which asks no model"


def test_a_job_that_fails_is_tried_again_sooner_and_then_by_its_schedule(house: MakeHouse) -> None:
    made = house(watch=every("1d"))

    def down(_: Workplace) -> None:
        if made.clock.now() < DAY + timedelta(hours=4):
            raise EndpointError("nobody answers")

    made.works["watch"] = down
    made.start()
    made.run(hours=3)
    told = made.row("watch")
    assert (told.outcome, told.reason, told.failures) == ("failed", "nobody answers", 6)
    assert made.times("watch")[:5] == [
        "28 00:00:00", "28 00:05:00", "28 00:15:00", "28 00:35:00", "28 01:15:00"
    ]  # fmt: skip
    made.run(days=1, hours=12)
    assert made.row("watch").failures == 0
    assert made.times("watch")[6:] == ["28 03:15:00", "28 04:15:00", "29 04:15:00"]


def test_requests_are_seen_and_a_pause_holds_until_it_is_resumed(
    house: MakeHouse, store: Store
) -> None:
    made = house(watch=every("1h"), quiet=("05:00-23:00",))
    made.start()
    store.jobs.pause("watch")
    store.jobs.request("sync")
    made.run(hours=3)
    assert made.begun.get("watch") is None
    assert made.times("sync") == ["28 00:10:00"], "which has no schedule, at the next look"
    store.jobs.request("watch")
    made.run(hours=1)
    assert len(made.begun["watch"]) == 1, "a person may have it run all the same"
    store.jobs.resume("watch")
    made.run(hours=1)
    assert len(made.begun["watch"]) == 2
    store.jobs.request("watch")
    made.run(hours=1)
    assert len(made.begun["watch"]) == 3, "quiet hours or not"


def test_a_job_that_was_killed_or_missed_runs_at_the_next_start(
    house: MakeHouse, store: Store
) -> None:
    made = house(watch=every("6h"), recheck=cron("0 3 * * *"), round=every("6h"))
    made.start()
    made.run(hours=1)
    made.scheduler.shutdown()
    store.jobs.begin("round")
    with store._connection.write() as connection:
        connection.execute("UPDATE jobs SET process = '999999999:1' WHERE name = 'round'")
    made.start()
    made.run(minutes=10)
    assert made.times("round") == ["28 00:00:00", "28 01:00:00"]
    assert made.times("watch") == ["28 00:00:00"], "it isn't due yet"
    made.scheduler.shutdown()
    made.clock.sleep(3 * 3600)
    made.start()
    made.run(minutes=10)
    assert made.times("recheck") == ["28 04:10:00"], "3:00 was missed"
    assert made.times("watch") == ["28 00:00:00"]
