"""UNATTENDED: a real daemon beside a real model server, under load, with nobody there.

::

    server ◀─ clients, throughout
       ▲
    daemon: watch ─▶ round ─▶ gates ─▶ canary ─▶ flip, some times over
       ▲
    drills: a garbage adapter that passed its gates, and one that invents more, past the canary

The server and the daemon are programs of their own. What serves is measured from outside as well:
as a client gets it, on held-out prompts, with a store of its own. Exits with 1 where a client met
an error, a bad adapter wasn't caught, nothing was promoted, or the rate didn't fall.

    python -m tests.lab.unattended
    python -m tests.lab.unattended --model smollm2 --tasks 240 --train-answers 80 --limit-s 7000
"""

from __future__ import annotations

import argparse
import math
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import quantiles
from typing import Final

from ghostbust.config import Config, load_config
from ghostbust.errors import BusyError, EndpointError, GhostbustError
from ghostbust.home import Home, cache_dir
from ghostbust.loop.build import make_endpoint, make_judge, make_tasks, sampling_settings
from ghostbust.loop.publish import pointed
from ghostbust.loop.watch import judge_samples
from ghostbust.measure import measure, said_unknown
from ghostbust.models.load import resolve_model
from ghostbust.prompts import first_prompts, split
from ghostbust.records import Measurement, Promotion
from ghostbust.store.rounds import Round, RoundState
from ghostbust.store.runs import RunKind
from ghostbust.store.store import Store
from tests.lab.trial import (
    MADE,
    REAL,
    Clients,
    Heard,
    Size,
    leave_for_daemon,
    let_serve_without_canary,
    settings_text,
    write_tasks,
)
from tests.talking import make_talking_model

LEAST_LOAD: Final = 0.9
"""of the wanted requests, those that have to be begun"""
LOOK_S: Final = 0.25
END_S: Final = 60.0
"""how long a daemon or a server may take to end"""
OUTSIDE_SEED = 771_000
"""no watch, round or gate draws with it"""
NAMES: Final = (
    "requests", "numpy", "flask", "pandas", "click", "rich", "httpx", "boto3",
    "django", "fastapi", "pydantic", "scipy", "pillow", "lxml", "redis", "celery",
    *(
        f"zz-{one}-{other}"
        for one in ("quux", "harbor", "meadow", "lantern")
        for other in ("sensorlib", "toolkit", "parser", "client")
    ),
)  # fmt: skip
"""what the model of random weights can name: real ones and made-up ones"""


class UnattendedError(GhostbustError):
    """The trial came to no end: a program died, or the time was up. One line."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What served at one time, and how it did."""

    when: str
    round: Round | None
    """that had just ended; None before the first"""
    adapter: str | None
    """that served; None for the base"""
    outside: Measurement
    """on held-out prompts, as clients get it"""
    live: Measurement | None = None
    """of all the daemon's watches of what served; None where it made none"""


@dataclass(frozen=True, slots=True)
class Unattended:
    """What came of it all."""

    stands: tuple[Stand, ...]
    rounds: tuple[Round, ...]
    """the newest last, drills included"""
    moves: tuple[Promotion, ...]
    """of the deployed pointer, the newest last"""
    clients: dict[str, Heard]
    """by the model that they asked for"""
    asked_per_s: float
    """requests of clients that were begun"""
    drills: dict[str, str]
    """what became of each bad adapter"""
    wall_s: float
    breaches: tuple[str, ...]
    """what didn't hold; none where all did"""


@dataclass
class Trial:
    """One trial in a folder of its own."""

    work: Path
    size: Size
    model: str
    """whose weights a round loads, as ``model.name`` has it"""
    server_command: Sequence[str]
    """the program that serves the model and says its URL in its first line"""
    _breaches: list[str] = field(default_factory=list, init=False)
    _stands: list[Stand] = field(default_factory=list, init=False)
    _drills: dict[str, str] = field(default_factory=dict, init=False)

    def run(self) -> Unattended:
        """The whole trial; what it lacks where a program dies or the time is up is a breach.

        Raises UnattendedError where the server doesn't start.
        """
        began = time.monotonic()
        self._limit = began + self.size.limit_s
        self.home = Home.open(self.work / "home")
        Store.open(self.home.database).close()  # so that it is there to be read
        with self._server() as self.url:
            self._configure(rounds=True)
            with self._clients() as clients, self._daemon() as self.daemon:
                try:
                    self._measure("before", None)
                    self._rounds()
                    self._garbage()
                    self._turned()
                except (UnattendedError, BusyError, EndpointError) as exc:
                    self._breach(str(exc))
        return self._found(clients, time.monotonic() - began)

    def _rounds(self) -> None:
        """Waits for the rounds, and measures what serves behind each."""
        for number in range(1, self.size.rounds + 1):
            _say(f"round {number} of {self.size.rounds}")
            self._until(lambda n=number: len(self._ended()) >= n)  # type: ignore[misc]
            self._measure(f"round {number}", self._ended()[number - 1])
        self._configure(rounds=False)
        self.daemon.send_signal(signal.SIGHUP)
        time.sleep(1)

    def _garbage(self) -> None:
        """An adapter of noise comes out of a round: the canary has to turn it down."""
        good = self._good()
        if good is None:
            self._drills["garbage"] = "not tried: no adapter to make it of"
            return
        _say("drill: a garbage adapter that passed its gates")
        served = pointed(self.home.serving)
        round_id = leave_for_daemon(self.home, self._config(), good, "garbage", until=self._limit)
        self._until(lambda: not self._round(round_id).state.is_open)
        left = self._round(round_id)
        kept = pointed(self.home.serving) == served
        self._drills["garbage"] = f"{left.state}: {left.reason}" + ("" if kept else "; it SERVES")
        if left.state is not RoundState.REJECTED or not kept:
            self._breach("the garbage adapter wasn't stopped by its canary")

    def _turned(self) -> None:
        """An adapter that invents more serves, past the canary: the daemon has to take it back."""
        good, served = self._good(), pointed(self.home.serving)
        if good is None or served is None:
            self._drills["turned"] = "not tried: no adapter serves"
            return
        _say("drill: an adapter that invents more serves")
        name = let_serve_without_canary(
            self.home, self._config(), good, "turned", until=self._limit
        )
        self._measure("turned", self._rounds_by_age()[-1])
        try:
            # The pointer moves a moment before the store says so.
            self._until(lambda: self._moves()[-1].adapter != name)
        except UnattendedError as exc:
            self._drills["turned"] = f"not taken back: {exc}"
            self._breach("the adapter that invents more wasn't taken back")
            return
        move = self._moves()[-1]
        self._drills["turned"] = f"{move.kind} to {move.adapter or 'the base'}: {move.reason}"
        if move.adapter != served:
            self._breach(f"{move.adapter} serves behind the rollback, not {served}")
        self._measure("taken back", self._rounds_by_age()[-1])

    def _measure(self, when: str, ended: Round | None) -> None:
        adapter = pointed(self.home.serving)
        _say(f"measure what serves from outside: {when}")
        outside = measure_outside(self._config(), self.work / "outside", adapter, self.size)
        self._stands.append(Stand(when, ended, adapter, outside))

    def _found(self, clients: Clients, wall_s: float) -> Unattended:
        """What came of it, with what didn't hold."""
        with self._store() as store:
            live = {
                name: measure_watches(store, self.model, name)
                for name in {stand.adapter for stand in self._stands}
            }
        stands = tuple(
            Stand(s.when, s.round, s.adapter, s.outside, live[s.adapter]) for s in self._stands
        )
        for model, heard in clients.heard.items():
            if heard.errors:
                self._breach(f"{len(heard.errors)} errors of {model}: {heard.errors[0]}")
        if clients.share < LEAST_LOAD:
            self._breach(
                f"clients came to {clients.share:.0%} of their load: the machine is too slow"
            )
        if not any(move.kind == "promote" for move in self._moves()):
            self._breach("no round's adapter was promoted")
        if not stands:
            self._breach("nothing was measured")
        elif not (last := stands[-1].outside.rate) < (first := stands[0].outside.rate):
            self._breach(f"the rate didn't fall: {first:.3f}, then {last:.3f}")
        return Unattended(
            stands, tuple(self._rounds_by_age()), tuple(self._moves()), clients.heard,
            clients.asked / max(1.0, clients.wall_s), self._drills, wall_s, tuple(self._breaches),
        )  # fmt: skip

    def _breach(self, what: str) -> None:
        self._breaches.append(what)

    def _configure(self, *, rounds: bool) -> None:
        tasks = self.work / "tasks.jsonl"
        write_tasks(tasks, self.size)
        text = settings_text(self.size, self.model, self.url, tasks, rounds=rounds)
        self.home.config.write_text(text, "utf-8")

    def _config(self) -> Config:
        return load_config(self.home.config, self.home, trust_here=False)

    @contextmanager
    def _server(self) -> Iterator[str]:
        """The server's URL while it runs."""
        _say("start the model server")
        with _running(self.server_command, self.work / "server.log", piped=True) as server:
            assert server.stdout is not None
            url = server.stdout.readline().decode().strip()
            if not url.startswith("http://127.0.0.1:"):
                raise UnattendedError(f"the model server didn't start: see {self.work}/server.log")
            yield f"{url}/v1"

    @contextmanager
    def _daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        home, size = str(self.home.path), self.size
        if size.coding:
            said = ["ghostbust", "daemon", "--home", home, "--config", str(self.home.config)]
        else:
            said = ["tests.lab.trial", "daemon", home, str(size.tasks)]
        command = [sys.executable, "-m", *said]
        with _running(command, self.work / "daemon.log") as daemon:
            yield daemon
            daemon.send_signal(signal.SIGTERM)
            try:
                if code := daemon.wait(END_S):
                    self._breach(f"the daemon ended with {code} when it was told to stop")
            except subprocess.TimeoutExpired:
                self._breach(f"the daemon didn't end within {END_S:g} s")

    def _clients(self) -> Clients:
        return Clients(
            self.url, self.home.serving, per_s=self.size.per_s,
            tokens=self.size.client_tokens, timeout_s=self.size.client_timeout_s,
        )  # fmt: skip

    @contextmanager
    def _store(self) -> Iterator[Store]:
        with Store.open(self.home.database, read_only=True) as store:
            yield store

    def _rounds_by_age(self) -> list[Round]:
        with self._store() as store:
            return store.rounds.recent()[::-1]

    def _ended(self) -> list[Round]:
        """Rounds that came to their end, the oldest first."""
        return [one for one in self._rounds_by_age() if not one.state.is_open]

    def _round(self, round_id: int) -> Round:
        with self._store() as store:
            return store.rounds.get(round_id)

    def _moves(self) -> list[Promotion]:
        with self._store() as store:
            return store.promotions.all()[::-1]

    def _good(self) -> Path | None:
        """The folder of the newest adapter that a round made."""
        with self._store() as store:
            made = [row.candidate for row in store.rounds.adapters() if row.candidate.steps]
        served = pointed(self.home.serving)
        return next(
            (one.path for one in made if one.name == served), made[0].path if made else None
        )

    def _until(self, reached: Callable[[], bool]) -> None:
        """Returns once it is so. Raises UnattendedError where the daemon died or time is up."""
        while not reached():
            if self.daemon.poll() is not None:
                raise UnattendedError(f"the daemon ended by itself: see {self.work}/daemon.log")
            if time.monotonic() > self._limit:
                raise UnattendedError(f"the time of {self.size.limit_s:g} s is up")
            time.sleep(LOOK_S)


@contextmanager
def _running(
    command: Sequence[str], log: Path, *, piped: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """The program, what it says in a file; ended behind it."""
    with log.open("ab") as said:
        out = subprocess.PIPE if piped else said
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=said)
    timer = threading.Timer(END_S, program.kill)
    try:
        yield program
    finally:
        if program.poll() is None:
            program.terminate()
            timer.start()
            program.wait()
        timer.cancel()
        if program.stdout is not None:
            program.stdout.close()


def measure_outside(config: Config, folder: Path, adapter: str | None, size: Size) -> Measurement:
    """The adapter, or the base, on held-out prompts through the server; always the same ones.

    ``folder``: a home of its own, so that nothing of this reaches the daemon's. Raises
    EndpointError.
    """
    _, holdout = split(make_tasks(config), config.prompts.holdout_share)
    prompts = list(first_prompts(holdout))[: size.measured]
    sampler = make_endpoint(config, adapter)
    home = Home.open(folder)
    with Store.open(home.database) as store, make_judge(config, home, store) as judge:
        samples = sampler.sample(prompts, sampling_settings(config, OUTSIDE_SEED))
        return measure(judge_samples(samples, judge), seed=0)


def measure_watches(store: Store, model: str, adapter: str | None) -> Measurement | None:
    """All finished watches of the adapter, or the base, pooled; None where there is none."""
    runs = store.runs.recent(
        -1, kinds=[RunKind.WATCH], model=model, adapters=[adapter], measured=True
    )
    answers = [answer for run in runs for answer in store.answers.read(run_id=run.id)]
    return measure(answers, seed=0) if runs else None


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _print(found: Unattended) -> None:
    for stand in found.stands:
        said = "" if stand.round is None else f"; {stand.round.state}: {stand.round.reason}"
        print(
            f"{stand.when}: {stand.adapter or 'the base'} served; outside {_rate(stand.outside)},"
            f" volume {stand.outside.volume:.2f}; watches {_rate(stand.live)}{said[:100]}"
        )
    for model, heard in found.clients.items():
        waits = heard.waits
        cuts = quantiles(waits, n=20) if len(waits) > 1 else [math.nan] * 19
        print(
            f"clients asked {model}: {len(waits):,} answered, {len(heard.errors)} errors, median"
            f" {cuts[9]:.3f} s, 95 % {cuts[18]:.3f} s, longest {max(waits, default=math.nan):.3f} s"
        )
    for said in (*(f"{drill}: {came}" for drill, came in found.drills.items()), *found.breaches):
        print(said)
    total = sum(len(heard.waits) + len(heard.errors) for heard in found.clients.values())
    print(
        f"{len(found.rounds)} rounds with drills, {len(found.moves)} moves of the pointer,"
        f" {total:,} requests of clients ({found.asked_per_s:.1f} a second), {found.wall_s:.0f} s"
    )


def _rate(measured: Measurement | None) -> str:
    if measured is None:
        return "none"
    low, high = measured.ci95
    unknown = said_unknown(measured.unknown, measured.local, measured.unmapped)
    return f"rate {measured.rate:.3f} ({low:.3f} to {high:.3f}), unknown {unknown}"


def make_trial(folder: Path, size: Size, model: str | None = None, linger_s: float = 0.1) -> Trial:
    """A trial in a folder; ``model``: that is served and trained, None for a made one.

    ``linger_s``: seconds in which the server fills a batch.
    """
    folder = folder.absolute()  # paths in a settings file are relative to that file
    folder.mkdir(parents=True, exist_ok=True)
    if model is None:
        served: Path | str = folder / "model"
        make_talking_model(folder / "model", NAMES)
    else:
        served = resolve_model(model, cache_dir())
    server = [sys.executable, "-m", "tests.lab.model_server", str(served)]
    server += ["--linger-s", str(linger_s)]
    return Trial(folder, size, model or str(served), server)


def main() -> None:
    """Runs the trial and prints what came of it."""
    parser = argparse.ArgumentParser(description="A daemon beside a model server under load.")
    parser.add_argument("--model", help="that is served and trained; none: a made one")
    parser.add_argument("--linger-s", type=float, default=0.1, help="the server fills a batch")
    parser.add_argument("--work", type=Path, help="keep home folder and logs here")
    for name in (
        "rounds", "per_s", "tasks", "train_answers", "watch_prompts", "coding", "every_s",
        "limit_s",
    ):  # fmt: skip
        default = getattr(MADE, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), help=f"{default}")
    told = {key: value for key, value in vars(parser.parse_args()).items() if value is not None}
    model, linger_s, work = told.pop("model", None), told.pop("linger_s"), told.pop("work", None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was begun is ended
    folder = work or Path(tempfile.mkdtemp(prefix="ghostbust-unattended-"))
    size = replace(MADE if model is None else REAL, **told)
    try:
        found = make_trial(folder, size, model, linger_s).run()
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
    _print(found)
    sys.exit(bool(found.breaches))


if __name__ == "__main__":
    main()
