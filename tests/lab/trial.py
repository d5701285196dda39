"""What the unattended trial is made of: settings, clients, bad adapters, and a daemon's round.

The rounds of a model of random weights are gated by rate and volume alone, since it solves no
coding task: `ghostbust daemon` and `ghostbust round` with such gates are programs of this file.

    python -m tests.lab.trial daemon HOME HOLDOUT
    python -m tests.lab.trial round HOME HOLDOUT --seed 3
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self
from unittest import mock

import httpx

from ghostbust.adapters import CONFIG, WEIGHTS, write_adapter
from ghostbust.cli import daemon as daemon_command
from ghostbust.config import Config, load_config
from ghostbust.errors import BusyError, GhostbustError
from ghostbust.evaluation.attack import write_scaled
from ghostbust.gates.hallucination import rate_gate
from ghostbust.gates.interface import Subject, paired
from ghostbust.gates.tasks import CodingTask
from ghostbust.gates.volume import volume_gate
from ghostbust.home import Home
from ghostbust.loop.gating import BothAnswers
from ghostbust.loop.promote import promote
from ghostbust.loop.publish import make_publishing
from ghostbust.loop.round import next_round
from ghostbust.loop.session import Session, open_session
from ghostbust.loop.signals import Listener, Silence
from ghostbust.measure import measure
from ghostbust.operations.logs import log_to_stderr
from ghostbust.prompts import seed_tasks
from ghostbust.records import Candidate, GateReport, GateResult, GateVerdict
from ghostbust.sections import GatesSection
from ghostbust.store.runs import RunKind, RunSpec, RunStatus

BASE: Final = "base"
"""the base's name at the server"""
MOST_AT_ONCE = 500
"""connections"""
KEPT_ALIVE = 20
"""idle connections that are kept: httpcore looks at all connections for each idle one, which took
three quarters of a core at 500 (docs/log.md)"""
GRACE_S = 5.0
"""beyond the longest request, until nobody waits for the clients any more"""
Badness = Literal["garbage", "turned"]
NOISE = 2.0
"""standard deviation of garbage's second matrices"""
TURN = -2.0
"""what a turned adapter's second matrices are multiplied by"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is asked, trained and waited for. The defaults fit a model of random weights."""

    rounds: int = 3
    tasks: int = 80
    """of the shipped ones; a quarter is held out"""
    chat: bool = False
    """ask through the chat template"""
    tokens: int = 8
    """of each answer that is looked at"""
    watch_prompts: int = 40
    measured: int = 40
    """held-out prompts by which what serves is measured from outside"""
    train_answers: int = 120
    rank: int = 4
    lr: float = 5e-3
    per_s: float = 20.0
    """requests of clients a second"""
    client_tokens: int = 6
    client_timeout_s: float = 60.0
    every_s: float = 5.0
    """from one watch to the next, and from one look for a round to the next"""
    limit_s: float = 1200.0
    """for the whole trial"""
    coding: int = 0
    """HumanEval tasks of the gates; 0: gated by rate and volume alone"""
    min_drop: float = 0.2
    volume_low: float = 0.3
    volume_high: float = 3.0
    coding_margin: float = 0.03
    canary_prompts: int = 24
    slower: float = 10.0
    """how much slower requests may be: a busy machine is not what is tried"""


MADE: Final = Size()
REAL: Final = replace(
    MADE, chat=True, tokens=48, watch_prompts=24, rank=16, lr=8e-4, canary_prompts=12
)
"""for a real model: longer answers, training and canary as the settings have them"""


def write_tasks(file: Path, size: Size) -> None:
    """The first of the shipped tasks, as a user's own file."""
    tasks = seed_tasks()[: size.tasks]
    rows = ({"id": task.id, "task": task.text, "domain": task.domain} for task in tasks)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def settings_text(size: Size, model: str, url: str, tasks: Path, *, rounds: bool) -> str:
    """The settings file. ``rounds``: whether new ones begin; one that is left goes on anyway."""
    begins = "round_min_new = 1\nround_min_rate = 0.0" if rounds else "round_min_new = 1000000000"
    return f"""\
[model]
name = {json.dumps(model)}
endpoint = {json.dumps(url)}
endpoint_model = {json.dumps(BASE)}
chat = {json.dumps(size.chat)}
device = "cpu"

[registry]
mode = "snapshot"

[prompts]
files = [{json.dumps(str(tasks))}]
keep = true

[sampling]
max_new_tokens = {size.tokens}
samples_per_prompt = 1

[training]
rank = {size.rank}
alpha = {2 * size.rank}
lr = {size.lr}
max_answers = {size.train_answers}
members = 1
probes = 0

[gates]
min_drop = {size.min_drop}
volume_low = {size.volume_low}
volume_high = {size.volume_high}
humaneval_tasks = {size.coding}
max_new_tokens = {size.tokens}
coding_margin = {size.coding_margin}

[publish]
kind = "vllm"
timeout_s = 600

[canary]
forget = {size.canary_prompts}
general = 4
slower = {size.slower}

[rollback]
answers = {size.watch_prompts}
slower = {size.slower}

[discovery]
explore_share = 1.0

[daemon]
watch_every_s = {size.every_s}
watch_prompts = {size.watch_prompts}
round_every_s = {size.every_s}
{begins}
"""


@dataclass
class Heard:
    """What clients got of one model."""

    waits: list[float] = field(default_factory=list)
    """seconds from when a request was due to its answer"""
    errors: list[str] = field(default_factory=list)


class Clients:
    """A steady load, while in its context, on whatever the pointer file says serves.

    So many requests a second, whether or not earlier ones are answered yet. ``heard`` has every
    error and every time, by model; it is whole when the context is left.
    """

    def __init__(
        self, url: str, pointer: Path, *, per_s: float, tokens: int, timeout_s: float
    ) -> None:
        """``pointer``: the file that names the model to ask for; the base before it is there.
        ``tokens``: of each completion. One that takes longer than ``timeout_s`` is an error."""
        self._url, self._pointer = url, pointer
        self._per_s, self._tokens, self._timeout_s = per_s, tokens, timeout_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()), daemon=True)
        self.heard: dict[str, Heard] = {}
        self.wall_s = 0.0
        """seconds in which they asked"""
        self.asked = 0
        """requests that were begun"""

    @property
    def share(self) -> float:
        """Requests begun, as a share of those that were due: a starved machine begins fewer."""
        return self.asked / max(1.0, self.wall_s * self._per_s)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        # No longer: an interrupt in the middle of an import may leave the thread waiting for it.
        self._thread.join(self._timeout_s + GRACE_S)

    async def _go(self) -> None:
        limits = httpx.Limits(max_connections=MOST_AT_ONCE, max_keepalive_connections=KEPT_ALIVE)
        began = due = time.monotonic()
        async with (
            httpx.AsyncClient(
                base_url=self._url, timeout=self._timeout_s, limits=limits, trust_env=False
            ) as client,
            asyncio.TaskGroup() as tasks,
        ):
            number = 0
            while not self._ended.is_set():
                tasks.create_task(self._ask(client, number, due))
                number, due = number + 1, due + 1 / self._per_s
                self.asked = number
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.wall_s = time.monotonic() - began

    async def _ask(self, client: httpx.AsyncClient, number: int, due: float) -> None:
        model = self._model()
        heard = self.heard.setdefault(model, Heard())
        body = {
            "model": model, "prompt": "pip install", "max_tokens": self._tokens,
            "temperature": 0.7, "top_k": 20, "seed": number,
        }  # fmt: skip
        try:
            answer = await client.post("/completions", json=body)
            if answer.status_code != httpx.codes.OK or not answer.json()["choices"]:
                heard.errors.append(f"{answer.status_code} {answer.text[:200]}")
                return
        except (httpx.HTTPError, ValueError, KeyError) as exc:
            heard.errors.append(repr(exc))
            return
        heard.waits.append(time.monotonic() - due)

    def _model(self) -> str:
        try:
            return str(json.loads(self._pointer.read_text("utf-8"))["model"])
        except FileNotFoundError:
            return BASE


def leave_for_daemon(
    home: Home, config: Config, good: Path, badness: Badness, *, until: float
) -> int:
    """A round that passed its gates and was then interrupted: the daemon goes on with it.

    The round's number. Waits for a job that works, ``until`` so many seconds of the monotonic
    clock; then it raises BusyError.
    """
    with _patiently(home, config, until) as session:
        round_id, _, _ = _make(session, good, badness)
        session.store.rounds.put_down(round_id)
        return round_id


def let_serve_without_canary(
    home: Home, config: Config, good: Path, badness: Badness, *, until: float
) -> str:
    """An adapter that clients get though no canary has seen it; its name. Waits in the same way."""
    with _patiently(home, config, until) as session:
        _, name, report = _make(session, good, badness)
        publishing = make_publishing(config, home, session.store)
        unseen = replace(publishing, trial=lambda _publisher, _name: None)
        promote(session.store, home, name, report, "a drill: no canary", unseen)
        return name


def _make(session: Session, good: Path, badness: Badness) -> tuple[int, str, GateReport]:
    """The round's number, the adapter's name, and the report that says PASS."""
    store, model = session.store, session.config.model.name
    runs = []
    for seed in (1, 2):
        run_id = store.runs.start(RunSpec(RunKind.GATE, model, None, seed))
        store.runs.finish(run_id, RunStatus.DONE, measure([], seed=0))
        runs.append(run_id)
    round_id = store.rounds.start(
        model=model, method=session.config.training.method, seed=0, settings={"drill": badness},
        plan={"most_holdout": 1}, before_run=runs[0],
    )  # fmt: skip
    name = f"round-{round_id:04d}-{badness}"
    path = session.home.adapters / name
    write_adapter(
        path, model=model, facts={"drill": badness}, save=lambda aside: _save(good, aside, badness)
    )
    store.rounds.add_candidate(round_id, Candidate(name, path, model, "drill", 0, 0, 0.0, 0.0))
    said = GateResult("drill", GateVerdict.PASS, "a drill", None, None, None, "none")
    report = GateReport(name, (said,))
    store.rounds.add_gate_report(round_id, report, runs[1])
    return round_id, name, report


def _save(good: Path, aside: Path, badness: Badness) -> None:
    """The good adapter's files, with other second matrices."""
    import torch
    from safetensors.torch import load_file, save_file

    if badness == "turned":
        write_scaled(good, aside, TURN)
        return
    weights = load_file(good / WEIGHTS)
    torch.manual_seed(0)
    for key, weight in weights.items():
        if "lora_B" in key:
            bad = NOISE * torch.randn(weight.shape)
            weights[key] = bad.to(weight.dtype).contiguous()
    shutil.copyfile(good / CONFIG, aside / CONFIG)
    save_file(weights, aside / WEIGHTS)


@contextmanager
def _patiently(home: Home, config: Config, until: float) -> Iterator[Session]:
    """The home folder, as soon as no job works in it."""
    with ExitStack() as opened:
        while True:
            try:
                session = opened.enter_context(open_session(home, config, purpose="drill"))
                break
            except BusyError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        yield session


def gate_behaviour(
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
    """The gates on what the held-out answers name; none on what the model can do besides."""
    listener.begin("gate: hallucination and volume")
    low, high = limits.volume_low, limits.volume_high
    pair = paired(*next(iter(blocks)))
    return GateReport(
        candidate,
        (
            rate_gate(pair, min_drop=limits.min_drop),
            volume_gate(pair, low=low, high=high, context_low=low, context_high=high),
        ),
    )


def run_round(home: Home, holdout: int, seed: int) -> None:
    """One round as ``ghostbust round`` does it; raises GhostbustError where it fails."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with open_session(home, load_config(home.config, home), purpose="round") as session:
        next_round(session, holdout, seed, Silence(), gates=gate_behaviour, train_anyway=True)


def run_daemon(home: Home, holdout: int) -> None:
    """Runs as ``ghostbust daemon --home HOME`` does, with rounds of `run_round`."""
    settings = load_config(home.config, home)
    redactor = daemon_command.redactor_of(settings)
    log_to_stderr("text", redactor)
    command = [sys.executable, "-m", "tests.lab.trial", "round", str(home.path), str(holdout)]
    with mock.patch.object(daemon_command, "_round_command", return_value=command):
        made = daemon_command.assemble(home, home.config, settings, redactor)
    daemon_command.serve(made)


def main() -> None:
    """The daemon, or one round of it."""
    parser = argparse.ArgumentParser(description="A daemon gated by its behaviour alone.")
    parser.add_argument("what", choices=["daemon", "round"])
    parser.add_argument("home", type=Path)
    parser.add_argument("holdout", type=int, help="held-out tasks of a round")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    home = Home.open(told.home)
    try:
        if told.what == "daemon":
            run_daemon(home, told.holdout)
        else:
            run_round(home, told.holdout, told.seed)
    except GhostbustError as exc:
        sys.exit(f"trial {told.what}: {exc}")


if __name__ == "__main__":
    main()
