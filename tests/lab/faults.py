"""FAULTS: kills processes at work, lets the next ones go on, and checks what became of it all.

Processes die with SIGKILL at seeded calls of ghostbust's functions: in turn in each state of a
round, in a watch and in a rollback. Each point begins with the same home folder. A forked process
does the job and is killed at the point's call; a second one goes on. Real daemons are killed while
their round works. Nothing may be lost, promoted twice, half-made or left behind; exits with 1 where
something is. The model is a small one of random weights, whose gates let everything pass.

    python -m tests.lab.faults --points 10 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import ghostbust
from ghostbust.adapters import read_adapter
from ghostbust.config import Config, load_config
from ghostbust.errors import ModelError
from ghostbust.gates.interface import Subject
from ghostbust.gates.tasks import CodingTask
from ghostbust.home import Home
from ghostbust.loop.build import deployed_adapter, make_sampler, make_tasks, sampling_settings
from ghostbust.loop.child import marked
from ghostbust.loop.daemon.jobs import Workplace
from ghostbust.loop.daemon.watch_job import watch
from ghostbust.loop.gating import BothAnswers
from ghostbust.loop.promote import roll_back
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.round import next_round
from ghostbust.loop.session import open_session
from ghostbust.loop.signals import Listener, Silence
from ghostbust.loop.watch import Watcher
from ghostbust.prompts import seed_tasks
from ghostbust.publishers.directory import POINTER, published
from ghostbust.records import GateReport, GateResult, GateVerdict
from ghostbust.sections import GatesSection
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunStatus
from ghostbust.store.store import Store
from tests.talking import make_talking_model

ROUND: Final = ("before", "started", "selected", "trained", "gated", "canary", "promoted")
"""the stages of a round: before it is begun, then its states"""
STAGES: Final = (*ROUND, "watch", "rollback", "daemon")
HOLDOUT, PROMPTS, SWEPT = 10, 16, 24
"""held-out tasks of a round, prompts of a watch, tasks of the sweep before them"""
PATIENCE_S: Final = 240.0
"""how long a daemon may take to get somewhere"""
GONE_S: Final = 5.0
"""how long what a killed daemon had started may live on"""
NAMES: Final = (
    "requests", "numpy", "flask", "pandas", "click", "rich", "httpx", "boto3",
    "zz-quux-sensorlib", "zz-harbor-toolkit", "zz-meadow-parser", "zz-lantern-client",
)  # fmt: skip
"""what the small model can name: real ones and made-up ones"""
_SETTINGS: Final = """
model = {{name = "{model}", device = "cpu"}}
registry = {{mode = "snapshot"}}
sampling = {{max_new_tokens = 8, samples_per_prompt = 1}}
training = {{rank = 2, alpha = 4, max_answers = 24, probes = 0, members = 1}}
gates = {{humaneval_tasks = 0}}
publish = {{kind = "directory", replicas = ["{replica}"]}}
daemon = {{watch_prompts = {prompts}, round_min_new = 1}}
"""
_PACKAGE: Final = str(Path(ghostbust.__file__).parent)
_ROUNDS: Final = str(Path("store") / "rounds.py")

Calls = Mapping[str, Mapping[str, int]]
"""how often each function was called, by stage"""


@dataclass(frozen=True, slots=True)
class Point:
    """A call at which a process is killed."""

    stage: str
    """the state of the round at that time, or ``before`` it began; another job's name"""
    function: str
    """file and name"""
    occurrence: int
    """the how manyth call of the function in that stage, from 1"""


@dataclass(frozen=True, slots=True)
class Fault:
    """What came of one point."""

    point: Point
    died: bool
    """whether the process was killed there; False where it ended before it came to the call"""
    breaches: tuple[str, ...]
    """what should hold and doesn't; none is well"""
    wall_s: float


class Trace:
    """Follows this thread's calls of ghostbust's functions, and may end its process at one.

    Nothing of ghostbust's own code knows of it.
    """

    def __init__(self, stage: str, deadly: Point | None = None) -> None:
        self.calls: dict[str, Counter[str]] = {}
        self._stage = stage
        self._deadly = deadly

    @contextmanager
    def following(self) -> Iterator[None]:
        """Inside, calls are followed."""
        sys.settrace(self._see)
        try:
            yield
        finally:
            sys.settrace(None)

    def _see(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if (
            event != "call"
            or code.co_name == "<module>"
            or not code.co_filename.startswith(_PACKAGE)
        ):
            return
        # A state counts from the moment in which it is about to be written.
        if code.co_filename.endswith(_ROUNDS):
            if code.co_name == "_set_state":
                self._stage = str(frame.f_locals["state"])
            elif code.co_name == "start":
                self._stage = "started"
        function = f"{Path(code.co_filename).name}:{code.co_qualname}"
        counted = self.calls.setdefault(self._stage, Counter())
        counted[function] += 1
        if self._deadly == Point(self._stage, function, counted[function]):
            os.kill(os.getpid(), signal.SIGKILL)


def draw_points(calls: Calls, stages: Sequence[str], count: int, seed: int) -> list[Point]:
    """So many points, the stages in turn; in a stage each function is as likely as another.

    Where it is called most would else be where nearly all points are.
    """
    draw = random.Random(seed)
    points = []
    for number in range(count):
        stage = stages[number % len(stages)]
        function = draw.choice(sorted(calls[stage]))
        points.append(Point(stage, function, draw.randint(1, calls[stage][function])))
    return points


@dataclass(frozen=True)
class Faults:
    """The points' common ground: a folder with the home that each begins with."""

    work: Path

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
        _must(lambda: make_talking_model(model, NAMES))
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
    limits: GatesSection,
    benchmark: Sequence[CodingTask],
    *,
    candidate: str,
    models: tuple[Subject, Subject],
    blocks: Iterable[BothAnswers],
    seed: int,
    gated: int,
    judged: Mapping[str, int],
    listener: Listener,
) -> GateReport:
    """Lets every candidate pass: a small model of random weights never would."""
    _, answers = next(iter(blocks))
    said = f"a trial: {len(answers)} answers, none looked at"
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


def kill_daemon(home: Home, replica: Path, said: Path, seed: int) -> Fault:
    """Kills a real daemon while its round works, and starts it again."""
    began, draw = time.monotonic(), random.Random(seed)
    state = draw.choice([RoundState.STARTED, RoundState.SELECTED, RoundState.TRAINED])
    logged, mark = count_answers(home), f"{home.path}:round"
    with _daemon(home, said):
        came = _wait_for(home, lambda found: found not in (None, *_before(state)))
        time.sleep(draw.uniform(0, 0.5))
        started = [child.pid for child in marked(mark)]
    found = list(breaches_at_once(home, replica))
    if not _gone(mark):
        found.append("its round outlived it")
    with _daemon(home, said) as again:
        ended = _wait_for(home, lambda now: now is not None and not now.is_open)
        again.terminate()
        if again.wait(60):
            found.append(f"the daemon ended with {again.returncode} when it was told to stop")
    if not came or not ended:
        found.append(f"the round didn't come to {'its end' if came else state}")
    found += breaches_of_round(home, replica, logged, RoundState.REJECTED)
    if not _gone(mark):
        found.append("a process was left behind")
    point = Point("daemon", f"round while {state}", 1)
    return Fault(point, bool(started), tuple(found), time.monotonic() - began)


@contextmanager
def _daemon(home: Home, said: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon, killed at the end if it still lives.

    Its rounds are those of the trial: `ghostbust round` doesn't train where no gate can pass.
    """
    with said.open("ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.trial", "daemon", str(home.path), str(HOLDOUT)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()


def _wait_for(home: Home, reached: Callable[[RoundState | None], bool]) -> bool:
    """Whether the newest round's state gets there; None is no round."""
    limit = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit:
        with Store.open(home.database, read_only=True) as store:
            newest = next(iter(store.rounds.recent(1)), None)
        if reached(None if newest is None else newest.state):
            return True
        time.sleep(0.05)
    return False


def _before(state: RoundState) -> tuple[RoundState, ...]:
    """The states that come before this one."""
    order = (RoundState.STARTED, RoundState.SELECTED, RoundState.TRAINED)
    return order[: order.index(state)]


def _gone(mark: str) -> bool:
    """Whether nothing of the mark lives on, soon."""
    limit = time.monotonic() + GONE_S
    while time.monotonic() < limit:
        if not marked(mark):
            return True
        time.sleep(0.1)
    return False


def breaches_at_once(home: Home, replica: Path) -> Iterator[str]:
    """What may never be seen, not even between the kill and the next start."""
    for folder in (*home.adapters.iterdir(), *replica.iterdir()):
        if folder.is_dir() and not folder.name.startswith("."):
            yield from _incomplete(folder)
    for pointer in (home.deployed, replica / POINTER):
        serving = published(pointer)
        if serving is not None:
            yield from _incomplete(serving[1])


def breaches_of_round(home: Home, replica: Path, logged: int, wanted: RoundState) -> Iterator[str]:
    """What has to hold when the round has come to its end; ``logged`` answers were there before."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        rounds, moves = store.rounds.recent(), store.promotions.all()
    if [one.state for one in rounds] != [wanted]:
        yield f"rounds are {[str(one.state) for one in rounds]}, not one {wanted}"
        return
    name = rounds[0].adapter if wanted is RoundState.PROMOTED else None
    if [move.adapter for move in moves] != ([] if name is None else [name]):
        yield f"{len(moves)} moves of the pointer"
    yield from _serves(home, replica, name)
    left = [path.name for path in home.adapters.iterdir() if path.name.startswith(".")]
    left += [path.name for path in (home.training, home.trainer) if path.exists()]
    if left:
        yield f"left over: {left}"


def breaches_of_watch(home: Home, replica: Path, logged: int, prompts: int) -> Iterator[str]:
    """What has to hold when the watch has come to its end."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        watches = [run for run in store.runs.recent() if run.spec.kind is RunKind.WATCH]
        if len(watches) != 1:
            yield f"{len(watches)} watches instead of one"
        for run in watches:
            if (answers := len(store.answers.sampled_keys(run.id))) != prompts:
                yield f"a watch of {answers} answers, {prompts} were asked for"
    if home.watch.exists():
        yield "the watch is still noted as under way"


def breaches_of_rollback(home: Home, replica: Path, logged: int) -> Iterator[str]:
    """What has to hold when the only adapter was taken back."""
    yield from breaches_at_once(home, replica)
    yield from _breaches_of_store(home, logged)
    with Store.open(home.database) as store:
        states = [str(one.state) for one in store.rounds.recent()]
        kinds = [move.kind for move in store.promotions.all()]
    if states != [RoundState.ROLLED_BACK]:
        yield f"the round is {states}"
    if kinds != ["rollback", "promote"]:
        yield f"moves of the pointer: {kinds}"
    yield from _serves(home, replica, None)


def count_answers(home: Home) -> int:
    """How many samples are logged."""
    with closing(sqlite3.connect(home.database)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM samples").fetchone()
    return int(count)


def _breaches_of_store(home: Home, logged: int) -> Iterator[str]:
    with closing(sqlite3.connect(home.database)) as connection:
        told = connection.execute("PRAGMA integrity_check").fetchall()
        if told != [("ok",)]:
            yield f"the database is damaged: {told[:1]}"
        twice = connection.execute(
            "SELECT count(*) FROM names n WHERE times_seen !="
            " (SELECT count(*) FROM sightings s WHERE s.name_id = n.id)"
        ).fetchone()
        if twice != (0,):
            yield f"{twice[0]} names are counted wrongly"
    if count_answers(home) < logged:
        yield "answers are lost"
    with Store.open(home.database) as store:
        unfinished = [run.id for run in store.runs.recent() if run.status is not RunStatus.DONE]
    if unfinished:
        yield f"runs {unfinished} came to no end"


def _incomplete(folder: Path) -> Iterator[str]:
    try:
        read_adapter(folder)
    except ModelError as exc:
        yield str(exc)


def _serves(home: Home, replica: Path, name: str | None) -> Iterator[str]:
    for pointer in (home.deployed, replica / POINTER):
        serving = published(pointer)
        if (None if serving is None else serving[0]) != name:
            yield f"{pointer.name} names {serving and serving[0]}, not {name}"


def main() -> None:
    """Prints each point as soon as it is through, then a row a stage."""
    parser = argparse.ArgumentParser(description="kill -9 wherever it hurts.")
    parser.add_argument("--points", type=int, default=10, help="points, the stages in turn")
    parser.add_argument("--seed", type=int, default=0, help="seed of the points")
    told = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was begun is ended
    work, found = Path(tempfile.mkdtemp(prefix="ghostbust-faults-")), []
    try:
        for fault in Faults(work).run(told.points, told.seed):
            found.append(fault)
            point, came = fault.point, "killed" if fault.died else "not reached"
            well = "; ".join(fault.breaches) or "well"
            print(
                f"{point.stage}: {came} at {point.function}, call {point.occurrence}: {well}",
                flush=True,
            )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    for stage in dict.fromkeys(fault.point.stage for fault in found):
        here = [fault for fault in found if fault.point.stage == stage]
        print(
            f"{stage:10}{len(here):4} points,{sum(one.died for one in here):4} killed,"
            f"{sum(bool(one.breaches) for one in here):4} failed,"
            f"{sum(one.wall_s for one in here):6.0f} s"
        )
    failed = sum(bool(fault.breaches) for fault in found)
    print(f"{len(found)} points, {sum(fault.died for fault in found)} kills, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
