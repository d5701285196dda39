"""A command line that sees nothing of the machine's settings, and an index on the loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ghostbust.cli.app import app
from ghostbust.home import Home
from ghostbust.measure import measure
from ghostbust.records import (
    Answer,
    Context,
    Ecosystem,
    Judged,
    Lookup,
    PackageRef,
    Prompt,
    RefKind,
    Sample,
)
from ghostbust.registries.snapshot import NameRow, Snapshot, build_snapshot
from ghostbust.store.runs import RunKind, RunSpec, RunStatus
from ghostbust.store.store import Store
from tests.cli.loopback import FakeIndex as FakeIndex
from tests.cli.loopback import FakeRegistries as FakeRegistries
from tests.cli.reading import Run as Run

LogRun = Callable[..., int]


@pytest.fixture
def index() -> Iterator[FakeIndex]:
    fake = FakeIndex()
    with fake.serving():
        yield fake


other_index = index
"""a second one, which nothing is set to ask"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the home folder would be; not made."""
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, tmp_path: Path, index: FakeIndex, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder; pip and npm are set to ask the fake index."""
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    settings = {
        "HOME": str(tmp_path / "empty"),
        "XDG_CONFIG_HOME": str(tmp_path / "empty"),
        "GHOSTBUST_HOME": str(home),
        "GHOSTBUST_CACHE": str(tmp_path / "cache"),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_INDEX_URL": index.url,
        "npm_config_registry": index.url,
        "NO_COLOR": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for name in (
        "GHOSTBUST_DEBUG", "COLUMNS", "http_proxy", "https_proxy", "PIP_FIND_LINKS", "CARGO_HOME",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)

    def invoke(*args: object, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, [str(arg) for arg in args], input=stdin)

    return invoke


@pytest.fixture
def registries(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistries]:
    """All registries, as pip, npm and cargo are set to ask them."""
    del run  # sets the environment first
    fake = FakeRegistries()
    for name, value in fake.settings.items():
        monkeypatch.setenv(name, value)
    folder = Path.home() / ".cargo"
    folder.mkdir()
    (folder / "config.toml").write_text('[source.crates-io]\nreplace-with = "fake"\n')
    with fake.serving():
        yield fake


@pytest.fixture
def present(home: Path) -> Snapshot:
    """A snapshot in the home folder that the fake index's listing comes after."""
    rows = [NameRow("pip", 1), NameRow("requests", 2), NameRow("gone")]
    path = build_snapshot(
        rows,
        ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2),
        complete=True,
        out_dir=home / "registry",
    )
    return Snapshot.load(path)


@pytest.fixture
def log_run(home: Path) -> LogRun:
    """Logs a finished run of one answer, which names what the lookups are of; the run's number."""

    def log(*lookups: Lookup, model: str = "m", private: bool = False) -> int:
        text = f"pip install {' '.join(lookup.name for lookup in lookups)}"
        prompt = Prompt(f"do {text}", Context.CODE, Ecosystem.PYPI, "family", private=private)
        judged = []
        for lookup in lookups:
            start = text.index(lookup.name)
            ref = PackageRef(
                lookup.ecosystem, RefKind.INSTALL, lookup.name, start, start + len(lookup.name),
                lookup.name,
            )  # fmt: skip
            judged.append(Judged(ref, lookup))
        answer = Answer(Sample(prompt, text, model, None, 0, 0, 0.7, False, 9), tuple(judged))
        with Store.open(Home.open(home).database) as store:
            spec = RunSpec(RunKind.SWEEP, model, None, 0, {}, {"pypi": "2026-01-02"})
            run_id = store.runs.start(spec)
            store.answers.add(run_id, [answer])
            store.runs.finish(run_id, RunStatus.DONE, measure([answer]))
        return run_id

    return log
