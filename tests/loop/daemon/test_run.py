"""The schedule: one job of a queue at a time, no failure ends it, and it stops when told."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import BusyError, EndpointError, HomeError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Workplace, recheck_names
from ghostbust.loop.daemon.run import Daemon
from ghostbust.loop.daemon.table import JOBS
from ghostbust.loop.signals import JobDone
from ghostbust.records import Prompt
from ghostbust.sections import DaemonSection, RegistrySection, SamplingSection
from ghostbust.store.runs import RunStatus
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler

CONFIG = Config(
    sampling=SamplingSection(samples_per_prompt=1),
    registry=RegistrySection(mode="snapshot"),
    daemon=DaemonSection(watch_prompts=4, watch_every_s=0.1, round_every_s=0.1),
)


@pytest.fixture
def place(place: Workplace, scripted: MakeSampler) -> Workplace:
    silent = scripted(lambda _: "I can't say.")
    return replace(place, config=CONFIG, open_sampler=lambda _: silent)


@pytest.fixture
def soon() -> Iterator[Callable[[Callable[[], bool], Callable[[], None]], None]]:
    """Does something in another thread when a condition holds, or after ten seconds."""
    threads = []

    def when(condition: Callable[[], bool], act: Callable[[], None]) -> None:
        def wait() -> None:
            limit = time.monotonic() + 10
            while not condition() and time.monotonic() < limit:
                time.sleep(0.01)
            act()

        threads.append(threading.Thread(target=wait))
        threads[-1].start()

    yield when
    for thread in threads:
        thread.join()


When = Callable[[Callable[[], bool], Callable[[], None]], None]


def test_it_watches_again_and_again_until_it_is_told_to_stop(
    place: Workplace, store: Store, soon: When, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(place)
    soon(lambda: caplog.text.count("done:") >= 2, lambda: daemon.stop("enough"))
    assert daemon.run()
    runs = store.runs.recent()
    assert len(runs) >= 2
    assert "round: 0 new inventions" in caplog.text
    assert "recheck: registry.mode is snapshot" in caplog.text
    assert "daemon: stops (enough)" in caplog.text
    time.sleep(0.3)
    assert len(store.runs.recent()) == len(runs), "nothing runs afterwards"


@pytest.mark.parametrize(
    ("number", "wakes"),
    [(signal.SIGTERM, True), (signal.SIGINT, True), (signal.SIGTERM, False)],
)
def test_a_signal_in_the_middle_of_a_watch_leaves_a_run_to_go_on_with(
    place: Workplace, store: Store, soon: When, scripted: MakeSampler,
    number: signal.Signals, wakes: bool,
) -> None:  # fmt: skip
    """``wakes``: whether it comes to the main thread while that waits, or so that it doesn't."""

    asked = threading.Event()
    interrupted: list[bool] = []

    def say(prompt: Prompt) -> str:
        asked.set()
        interrupted.append(place.stopping.wait(20))
        return "I can't say."

    before = signal.getsignal(number)

    def send() -> None:
        if wakes:
            os.kill(os.getpid(), number)
        else:
            signal.pthread_kill(threading.get_ident(), number)

    soon(asked.is_set, send)
    assert Daemon(replace(place, open_sampler=lambda _: scripted(say))).run()
    assert interrupted == [True]
    assert [run.status for run in store.runs.recent()] == [RunStatus.INTERRUPTED]
    assert place.home.watch.exists()
    assert signal.getsignal(number) is before


def test_failing_jobs_are_one_line_each_and_tried_again(
    place: Workplace, store: Store, soon: When, scripted: MakeSampler,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    failures = iter([EndpointError("nobody answers"), RuntimeError("out of memory")])

    def say(prompt: Prompt) -> str:
        failure = next(failures, None)
        if failure is not None:
            raise failure
        return "I can't say."

    daemon = Daemon(replace(place, open_sampler=lambda _: scripted(say)))
    soon(lambda: "done:" in caplog.text, lambda: daemon.stop("enough"))
    assert daemon.run()
    lines = [r.getMessage() for r in caplog.records if r.levelno > logging.INFO]
    assert lines == [
        "watch: nobody answers; tried again when it is next due",
        "watch: unexpected RuntimeError: out of memory; tried again when it is next due",
    ]
    assert RunStatus.DONE in {run.status for run in store.runs.recent()}


@pytest.mark.parametrize("stuck", ["watch", "ingest"])
def test_alarms_roll_back_and_selfcheck_wait_for_no_other_job(
    place: Workplace, soon: When, stuck: str
) -> None:
    begun, worked = threading.Event(), set[str]()

    def work(name: str) -> Callable[[Workplace], None]:
        def stall(at: Workplace) -> None:
            worked.add(name)
            if name == stuck:
                begun.set()
                at.stopping.wait()

        return stall

    jobs = [replace(job, work=work(job.name), every_s=lambda _: 0.1) for job in JOBS]
    urgent = {"recheck", "rollback", "selfcheck"}

    def all_did() -> bool:
        return begun.is_set() and urgent < worked

    daemon = Daemon(place, jobs=jobs)
    soon(all_did, lambda: daemon.stop("enough"))
    assert daemon.run()
    assert urgent < worked
    others = {"watch": "round", "ingest": "watch"}
    assert (others[stuck] in worked) is (stuck == "ingest"), "those of its queue do"


def test_a_recheck_works_while_another_process_holds_the_home(
    place: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    live = override(place.config, registry__mode="auto")
    with place.home.exclusive("round"):
        recheck_names(replace(place, config=live))
    assert "recheck: 0 names, 0 claimed" in caplog.text


def test_there_is_one_daemon_for_a_home(place: Workplace) -> None:
    with (
        place.home.exclusive("daemon", place.home.daemon_lock),
        pytest.raises(BusyError, match=r"in use by process \d+ \(daemon\)"),
    ):
        Daemon(place).run()


def test_a_job_that_does_not_notice_is_left_behind(
    place: Workplace, soon: When, scripted: MakeSampler
) -> None:
    asked, free = threading.Event(), threading.Event()

    def say(prompt: Prompt) -> str:
        asked.set()
        free.wait(10)
        return "I can't say."

    daemon = Daemon(replace(place, open_sampler=lambda _: scripted(say)), stop_s=0.1)
    soon(asked.is_set, lambda: daemon.stop("enough"))
    assert not daemon.run()
    free.set()


class Diary:
    """A companion that notes what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[JobDone] = []

    def start(self) -> None:
        self.lines.append("start")

    def stop(self) -> None:
        self.lines.append("stop")

    def job_done(self, done: JobDone) -> None:
        self.done.append(done)


def test_companions_live_as_long_as_the_daemon_and_hear_of_every_job(
    place: Workplace, soon: When, scripted: MakeSampler
) -> None:
    failures = iter([EndpointError("nobody answers")])

    def say(prompt: Prompt) -> str:
        for failure in failures:
            raise failure
        return "I can't say."

    diary = Diary()
    told = replace(place, open_sampler=lambda _: scripted(say))
    daemon = Daemon(told, companions=[diary])

    def heard() -> list[JobDone]:
        return [done for done in diary.done if done.name == "watch"]

    soon(lambda: len(heard()) >= 2, lambda: daemon.stop("enough"))
    assert daemon.run()
    assert diary.lines == ["start", "stop"]
    first, second = heard()[:2]
    assert (first.state, first.reason) == ("failed", "nobody answers")
    assert (second.state, second.reason) == ("ok", "")
    assert second.seconds > 0


def test_a_companion_that_does_not_start_stops_the_others(place: Workplace) -> None:
    class Broken(Diary):
        def start(self) -> None:
            raise HomeError("the port is taken")

    diary = Diary()
    with pytest.raises(HomeError, match="the port is taken"):
        Daemon(place, companions=[diary, Broken()]).run()
    assert diary.lines == ["start", "stop"]


def test_other_settings_count_from_when_they_are_given(
    place: Workplace, soon: When, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(replace(place, config=override(CONFIG, daemon__watch_every_s=3600.0)))

    def faster() -> None:
        daemon.reschedule(CONFIG)
        soon(lambda: caplog.text.count("done:") >= 3, lambda: daemon.stop("enough"))

    soon(lambda: "done:" in caplog.text, faster)
    assert daemon.run()
    assert caplog.text.count("done:") >= 3


def test_what_is_asked_for_while_it_runs_is_done_within_a_look(
    place: Workplace, store: Store, soon: When, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(place, poll_s=0.05)
    store.jobs.pause("watch")
    soon(lambda: "daemon: works" in caplog.text, lambda: _ask(place.home, "retention"))
    soon(lambda: "retention: the texts of 0" in caplog.text, lambda: daemon.stop("enough"))
    assert daemon.run()
    assert "watch:" not in caplog.text.replace("watch: waits: it is paused", "")
    assert store.jobs.get("retention").requested is None


def _ask(home: Home, name: str) -> None:
    with Store.open(home.database) as store:
        store.jobs.request(name)
