"""FAULTS: kills processes at work, lets the next ones go on, and looks at what became of it all.

Each point begins with the same home folder. A forked process does the job and is killed at the
point's call; a second one goes on. Points of the daemon are real processes: the daemon is killed
while its round works.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ghostbust.config import Config, load_config
from ghostbust.gates.interface import Subject
from ghostbust.gates.tasks import CodingTask
from ghostbust.home import Home
from ghostbust.loop.build import deployed_adapter, make_sampler, make_tasks, sampling_settings
from ghostbust.loop.daemon.jobs import Workplace, watch
from ghostbust.loop.fault_checks import (
    breaches_at_once,
    breaches_of_rollback,
    breaches_of_round,
    breaches_of_watch,
    count_answers,
)
from ghostbust.loop.fault_daemon import kill_daemon
from ghostbust.loop.fault_points import Calls, Fault, Point, Trace, draw_points
from ghostbust.loop.promote import roll_back
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Listener, Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.records import Answer, GateReport, GateResult, GateVerdict
from ghostbust.sections import GatesSection
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store

ROUND: Final = ("before", "started", "selected", "trained", "gated", "canary", "promoted")
"""the stages of a round: before it is begun, then its states"""
STAGES: Final = (*ROUND, "watch", "rollback", "daemon")
HOLDOUT, PROMPTS, SWEPT = 10, 16, 24
"""held-out tasks of a round, prompts of a watch, tasks of the sweep before them"""
_SETTINGS: Final = """
model = {{name = "{model}", device = "cpu"}}
registry = {{mode = "snapshot"}}
sampling = {{max_new_tokens = 8, samples_per_prompt = 1}}
training = {{rank = 2, alpha = 4, max_answers = 24, probes = 0, members = 1}}
gates = {{humaneval_tasks = 0}}
publish = {{kind = "directory", replicas = ["{replica}"]}}
daemon = {{watch_prompts = {prompts}, round_min_new = 1}}
"""


@dataclass(frozen=True)
class Faults:
    """The points' common ground: a folder with the home that each begins with."""

    work: Path
    make_model: Callable[[Path], None]
    """writes the model that is asked and trained, a small one, to a folder"""

    @property
    def home(self) -> Home:
        """Always at the same place, since paths of adapters are absolute."""
        return Home(self.work / "home")

    @property
    def replica(self) -> Path:
        """The folder that adapters are published to."""
        return self.home.path / "replica"

    def run(self, count: int, seed: int) -> Iterator[Fault]:
        """Each point, as soon as it is through. The first call takes a whole round longer."""
        calls = self._rehearse()
        in_process = [stage for stage in STAGES if stage != "daemon"]
        drawn = iter(draw_points(calls, in_process, count, seed))
        for number in range(count):
            if STAGES[number % len(STAGES)] == "daemon":
                self._restore("swept")
                yield kill_daemon(self.home, self.replica, self.work / "daemon.log", seed + number)
            else:
                yield self._kill_at(next(drawn))

    def _rehearse(self) -> Calls:
        """What each stage calls; leaves the homes that points begin with: swept, and promoted."""
        home = Home.open(self.home.path)
        self.replica.mkdir(exist_ok=True)
        model = self.work / "model"
        _must(lambda: self.make_model(model))
        settings = _SETTINGS.format(model=model, replica=self.replica, prompts=PROMPTS)
        home.config.write_text(settings, "utf-8")
        _must(self._sweep)
        self._keep("swept")
        for stage, begin in (("before", "swept"), ("watch", "promoted"), ("rollback", "promoted")):
            self._restore(begin)
            _must(lambda stage=stage: self._traced(stage, None))  # type: ignore[misc]
            if stage == "before":
                self._keep("promoted")
        found: dict[str, dict[str, int]] = {}
        for stage in ("before", "watch", "rollback"):
            told = json.loads((self.work / f"{stage}.json").read_text("utf-8"))
            found |= told if stage == "before" else {stage: told[stage]}
        return found

    def _kill_at(self, point: Point) -> Fault:
        began = time.monotonic()
        job = "before" if point.stage in ROUND else point.stage
        self._restore("swept" if job == "before" else "promoted")
        logged = count_answers(self.home)
        code = _forked(lambda: self._traced(job, point))
        found = list(breaches_at_once(self.home, self.replica))
        if code not in (0, -signal.SIGKILL):
            found.append(f"the process that was to be killed failed with {code}")
        if _forked(lambda: self._go_on(job)):
            found.append("the process that was to go on failed")
        elif job == "before":
            found += breaches_of_round(self.home, self.replica, logged, RoundState.PROMOTED)
        elif job == "watch":
            found += breaches_of_watch(self.home, self.replica, logged, PROMPTS)
        else:
            found += breaches_of_rollback(self.home, self.replica, logged)
        return Fault(point, code == -signal.SIGKILL, tuple(found), time.monotonic() - began)

    def _traced(self, job: str, deadly: Point | None) -> None:
        """Does the job; without a point, notes what it called."""
        trace = Trace(job, deadly)
        with trace.following():
            self._do(job)
        if deadly is None:
            (self.work / f"{job}.json").write_text(json.dumps(trace.calls), "utf-8")

    def _go_on(self, job: str) -> None:
        """Does what is left of the job."""
        config = self._config()
        if job == "watch":
            with Store.open(self.home.database) as store:
                runs = store.runs.recent()
            done = any(run.spec.kind is RunKind.WATCH and run.measurement for run in runs)
            if not done or self.home.watch.exists():
                self._do(job)
            return
        with open_session(self.home, config, purpose="faults") as session:
            newest = next(iter(session.store.rounds.recent(1)), None)
            left = newest is None or newest.state.is_open
        if left if job == "before" else deployed_adapter(self.home) is not None:
            self._do(job)

    def _do(self, job: str) -> None:
        from ghostbust.loop.round import next_round

        config = self._config()
        if job == "watch":
            watch(self._place(config))
            return
        with open_session(self.home, config, purpose="faults") as session:
            if job == "before":
                next_round(session, HOLDOUT, 3, Silence(), gates=all_pass, train_anyway=True)
            else:
                publishing = make_publishing(config, session.home, session.store)
                roll_back(session.store, session.home, "a trial", publishing)

    def _place(self, config: Config) -> Workplace:
        cache = self.work / "cache"
        return Workplace(
            home=self.home,
            config=config,
            tasks=make_tasks(config),
            open_sampler=lambda adapter: make_sampler(config, cache, adapter=adapter),
            round_command=[],
            stopping=threading.Event(),
        )

    def _sweep(self) -> None:
        config = self._config()
        with open_session(self.home, config, purpose="faults") as session:
            sampler = make_sampler(config, self.work / "cache")
            watcher = Watcher(session.store, sampler, session.judge, sampling_settings(config, 1))
            watcher.tasks(seed_tasks()[:SWEPT], RunKind.SWEEP)

    def _config(self) -> Config:
        return load_config(self.home.config, self.home)

    def _keep(self, name: str) -> None:
        shutil.copytree(self.home.path, self.work / name)

    def _restore(self, name: str) -> None:
        shutil.rmtree(self.home.path, ignore_errors=True)
        shutil.copytree(self.work / name, self.home.path)


def all_pass(
    limits: GatesSection,  # noqa: ARG001
    benchmark: Sequence[CodingTask],  # noqa: ARG001
    *,
    candidate: str,
    models: tuple[Subject, Subject],  # noqa: ARG001
    answers: tuple[Sequence[Answer], Sequence[Answer]],
    seed: int,  # noqa: ARG001
    gated: int,  # noqa: ARG001
    listener: Listener,  # noqa: ARG001
) -> GateReport:
    """Lets every candidate pass: a small model of random weights never would."""
    said = f"a trial: {len(answers[1])} answers, none looked at"
    return GateReport(
        candidate, (GateResult("trial", GateVerdict.PASS, said, None, None, None, "none"),)
    )


def _must(work: Callable[[], None]) -> None:
    if code := _forked(work):
        raise RuntimeError(f"the rehearsal failed with {code}")


def _forked(work: Callable[[], None]) -> int:
    """Does the work in a process of its own: its exit code, negative for a signal."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            import torch

            torch.set_num_threads(1)  # what a pool of threads would be after a fork, nobody knows
            work()
            code = 0
        except BaseException:  # noqa: BLE001 (the parent sees the code)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    try:
        _, status = os.waitpid(child, 0)
    except BaseException:  # interrupted: its folder is about to go
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    return os.waitstatus_to_exitcode(status)
