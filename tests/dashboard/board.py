"""A home that is filled as a daemon would, hostile names included, and the dashboard of it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from textual.pilot import Pilot
from textual.widgets import Static

from ghostbust.adapters import write_adapter
from ghostbust.dashboard.app import Dashboard
from ghostbust.dashboard.pane import ReasonDialog
from ghostbust.dashboard.table import StoreTable
from ghostbust.dashboard.web import HOST
from ghostbust.home import Home
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Candidate,
    Context,
    Ecosystem,
    GateReport,
    GateResult,
    GateVerdict,
    Judged,
    Lookup,
    Measurement,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
    SetSplit,
    Verdict,
)
from ghostbust.store.rounds import RoundState
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.servers.conftest import free_port

HOSTILE = (
    "[red]danger[/red]",
    "[/]unbalanced",
    "\x1b[2J\x1b]0;owned\x07",
    "ab\u202egpj.exe",
    "line\nbreak\ttab",
    "[@click=app.quit]click[/]",
    "包" * 300,
)


TABS = {
    "1": "invented names",
    "2": "67 names, by times seen",
    "3": "that invent a name",
    "4": "holdout",
    "5": "waiting for approval: 1",
    "6": "prompts of the pool",
    "7": "nobody works in the home folder now",
}
"""key to what only that tab of a filled home says"""


@dataclass
class Clock:
    """The time the store believes it is: a minute later at each look."""

    at: datetime = datetime(2026, 12, 1, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@dataclass
class Filler:
    """Fills the store of a home as a daemon would."""

    home: Home
    clock: Clock

    def store(self) -> Store:
        """The store, to be closed by whoever asks."""
        return Store.open(self.home.database, now=self.clock)

    def answers(self, names: list[str], *, seed: int = 1) -> None:
        """One running run whose answers name one absent package each."""
        with self.store() as store:
            run_id = store.runs.start(RunSpec(RunKind.WATCH, "made-up-model", None, seed))
            made = [naming({name: Verdict.ABSENT}, task=name, seed=seed) for name in names]
            store.answers.add(run_id, made)

    def judged(
        self,
        adapter: str | None,
        answers: Mapping[str, Mapping[str, Verdict]],
        kind: RunKind = RunKind.GATE,
        *,
        samples: int = 1,
    ) -> int:
        """A finished run in which each answer to a prompt, ``samples``, names these packages."""
        with self.store() as store:
            run_id = store.runs.start(RunSpec(kind, "smollm2", adapter, 1))
            made = [
                naming(names, task=task, model="smollm2", adapter=adapter)
                for task, names in answers.items()
            ]
            made = [
                replace(one, sample=replace(one.sample, number=number))
                for one in made
                for number in range(samples)
            ]
            store.answers.add(run_id, made)
            store.runs.finish(run_id, RunStatus.DONE, measure(made))
        return run_id

    def rate(self, rate: float, adapter: str | None, kind: RunKind = RunKind.WATCH) -> None:
        """A finished run with this rate."""
        with self.store() as store:
            run_id = store.runs.start(RunSpec(kind, "made-up-model", adapter, 1))
            ci95 = (max(0.0, rate - 0.03), rate + 0.03)
            measured = Measurement(rate, ci95, 1000, 700, 300, 0, 4, 300, 1.92, installers=0)
            store.runs.finish(run_id, RunStatus.DONE, measured)

    def round(
        self,
        state: RoundState,
        verdict: GateVerdict = GateVerdict.PASS,
        losses: tuple[float, ...] = (),
    ) -> str:
        """A round up to ``state``; the name of its adapter, whose folder is complete."""
        with self.store() as store:
            round_id = store.rounds.start(
                model="made-up-model", method="au", seed=3, settings={"rank": 16, "lr": 2e-4}
            )
            name = f"round-{round_id:04d}-1a2b3c4d"
            one = naming({"ghost": Verdict.ABSENT}, seed=round_id)
            held_out = naming({}, task="held out").sample.prompt
            store.rounds.add_sets(round_id, SetSplit((one,), (), (held_out,)))
            path = self.home.adapters / name
            write_adapter(path, model="made-up-model", facts={"losses": list(losses)}, save=_save)
            candidate = Candidate(name, path, "made-up-model", "au", 3, 40, 0.1234, 61.5)
            store.rounds.add_candidate(round_id, candidate)
            reason = "rate 0.2860 -> 0.0190: a drop of 93.4% [90.1%, 95.8%], at least [b]50%[/b]"
            results = (
                GateResult(
                    "hallucination", verdict, reason, 0.286, 0.019, (0.9, 0.96), "drop",
                    {"drop": 0.934, "base_installers": 3, "look": 2, "alpha": 0.0076},
                ),
                GateResult(
                    "volume", GateVerdict.PASS, "ratio 1.02", 1.92, 1.96, None, "0.8",
                    {"ratio": 1.02, "all_ratio": 0.7},
                ),
            )  # fmt: skip
            store.rounds.add_gate_report(round_id, GateReport(name, results))
            store.rounds.set_state(round_id, state, "for a person to decide")
        return name


@dataclass
class Board:
    """A dashboard without a terminal, and what stands on it."""

    app: Dashboard
    pilot: Pilot[None]

    async def press(self, *keys: str) -> None:
        """Presses keys, one after the other."""
        await self.pilot.press(*keys)

    async def until(self, condition: Callable[[], object]) -> None:
        """Lets the app work until the condition holds; fails after a minute."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the screen didn't get there"
            await self.pilot.pause(0.02)

    async def answer(self, *keys: str) -> None:
        """Types into the dialog that asks for a reason, once it is there."""
        await self.until(lambda: isinstance(self.app.screen, ReasonDialog))
        await self.press(*keys)

    def table(self, tab: str) -> StoreTable:
        """The table of a tab."""
        return self.app.query_one(f"#{tab}-table", StoreTable)

    def rows(self, tab: str) -> list[list[str]]:
        """The texts in it."""
        return [[cell.plain for cell in row.cells] for row in self.table(tab).rows]

    def text(self, selector: str) -> str:
        """What a widget of the tab in front shows."""
        widget = self.app.query_one(selector, Static)
        return "\n".join(widget.render_line(y).text for y in range(widget.size.height))

    def line(self, selector: str) -> str:
        """The text of a widget, wherever it is."""
        return str(self.app.query_one(selector, Static).render())

    @property
    def said(self) -> list[str]:
        """The notifications."""
        return [one.message for one in self.app._notifications]


@asynccontextmanager
async def open_board(
    home: Home, *, size: tuple[int, int] = (80, 24), **options: Any
) -> AsyncIterator[Board]:
    """The dashboard of a home, which looks at the store 20 times a second."""
    app = Dashboard(home, refresh_s=0.05, **options)
    async with app.run_test(size=size) as pilot:
        yield Board(app, pilot)


@asynccontextmanager
async def served(home: Home, *options: str, cwd: Path | None = None) -> AsyncIterator[str]:
    """The address that ``ghostbust dashboard --web`` prints, once it is listened at."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("ghostbust"), "dashboard", "--web", "--port", str(port),
        "--home", str(home.path), *options, cwd=cwd, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = (await process.stdout.readline()).decode()
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except ConnectionRefusedError:
                    await asyncio.sleep(0.1)
                else:
                    writer.close()
                    break
        yield line.removeprefix("the dashboard is at ").strip()
    finally:
        process.terminate()
        await process.communicate()


def printed(renderable: RenderableType, width: int = 100) -> str:
    """What a console of that width would print, without colours."""
    out = StringIO()
    Console(file=out, width=width, color_system=None).print(renderable)
    return out.getvalue()


def naming(
    names: Mapping[str, Verdict],
    text: str | None = None,
    *,
    task: str = "do it",
    model: str = "made-up-model",
    adapter: str | None = None,
    seed: int = 1,
) -> Answer:
    """An answer that names these packages; without a text, it installs them and no others."""
    if text is None:
        text = f"Install what you need:\n\npip install {' '.join(names)}"
    at, judged = datetime(2026, 12, 1, tzinfo=UTC), []
    for name, verdict in names.items():
        start = text.index(name)
        ref = PackageRef(Ecosystem.PYPI, RefKind.INSTALL, name, start, start + len(name), name)
        reason = "registered" if verdict is Verdict.REAL else "not-registered"
        lookup = Lookup(Ecosystem.PYPI, name, verdict, reason, "asked", "live", at)
        judged.append(Judged(ref, lookup))
    prompt = Prompt(task, Context.CODE, Ecosystem.PYPI, f"family of {task}")
    sample = Sample(prompt, text, model, adapter, seed, 0, 0.7, False, 30)
    return Answer(sample, tuple(judged))


def _save(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
