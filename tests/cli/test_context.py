"""What a command works with: stores, settings of files that aren't trusted, the judge."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
from typer.main import get_command

from ghostbust.cli.app import app
from ghostbust.cli.context import ForgivingCache, open_judge
from ghostbust.cli.lazy import LazyCommand
from ghostbust.cli.options import RegistryMode
from ghostbust.errors import StoreError
from ghostbust.home import Home
from ghostbust.records import Ecosystem, Lookup, Verdict, utc_now
from ghostbust.registries.judge import Mode
from ghostbust.registries.snapshot import NameRow, build_snapshot
from ghostbust.store.store import Store
from tests.cli.reading import one_line
from tests.servers.webhook import Hook

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, LogRun, Run

CLI = Path(__file__).parents[2] / "ghostbust" / "cli"
READING = (
    ("report",), ("report", "run", "1"), ("names", "list"), ("prompts", "list"),
    ("prompts", "export"), ("prompts", "prune", "--never-asked"), ("adapters", "list"),
    ("adapters", "status"), ("jobs", "list"), ("dashboard", "--plain"),
)  # fmt: skip
CHANGING = (
    ("names", "show", "zz-ghost"), ("names", "allow", "zz-ghost"), ("names", "lookup", "zz-ghost"),
    ("adapters", "show", "round-0001-aa"), ("adapters", "promote", "round-0001-aa"),
    ("adapters", "reject", "round-0001-aa"), ("adapters", "rollback"), ("adapters", "publish"),
    ("adapters", "unpublish", "round-0001-aa"), ("prompts", "prune", "--never-asked", "--yes"),
    ("export", "ledger", "--out", "ledger.db"), ("dashboard",), ("dashboard", "--web"),
)  # fmt: skip


@pytest.mark.parametrize("command", READING + CHANGING, ids=" ".join)
def test_a_mistyped_home_is_said_and_not_made(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    said = one_line(run(*command, "--home", tmp_path / "hoem"))
    assert f"there is no database at {tmp_path}/hoem/ghostbust.db" in said
    assert not (tmp_path / "hoem").exists()


@pytest.fixture
def mounted(
    home: Path, fill_home: Callable[[Home], str], tmp_path: Path
) -> Iterator[tuple[Path, str]]:
    """A home with some answers and an adapter, on a read-only file system; and the adapter."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a file system")
    adapter, place = fill_home(Home.open(home)), tmp_path / "mounted"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", place], check=False).returncode:
        pytest.skip("a file system can't be mounted here")
    try:
        with Store.open(home / "ghostbust.db") as store:
            store.jobs.pause("sync")  # in the log alone, as after a kill
            shutil.copytree(home, place, dirs_exist_ok=True)
        (place / "ghostbust.db-shm").unlink()
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield place, adapter
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_all_that_reads_works_where_nothing_can_be_written(
    run: Run, mounted: tuple[Path, str], tmp_path: Path
) -> None:
    place, adapter = mounted
    before = sorted(place.rglob("*"))
    more = (
        ("adapters", "show", adapter),
        ("report", "round", "1"),
        ("report", "adapters", "base", adapter),
        ("export", "ledger", "--out", tmp_path / "ledger.db"),
        ("export", "ledger", "--format", "csv", "--out", tmp_path / "ledger.csv"),
    )
    for command in (*READING, *more):
        done = run(*command, "--home", place)
        assert done.exit_code == 0, (command, done.stderr)
    assert "paused" in run("jobs", "list", "--home", place).stdout, "the log was read"
    assert sorted(place.rglob("*")) == before


SENSITIVE = (
    "model.endpoint", "model.api_key_env", "trainer.command", "alarm.command", "notify.webhook",
    "publish.headers", "gates.sandbox_layers", "budget.samples", "discovery.rewriter",
    "ingest.paths", "daemon.listen",
)  # fmt: skip
HOSTILE = "".join(f"{key}.zz = 1\n" for key in SENSITIVE)
"""no value fits its key: whoever reads it as one says so"""
ARGUMENTS = {
    "ingest": ["log.jsonl"],
    "adapters promote": ["round-0001-aa"],
    "adapters unpublish": ["round-0002-bb"],
    "adapters publish": ["round-0001-aa"],
    "names lookup": ["zz-quux-sensorlib"],
    "prompts prune": ["--never-asked"],
    "prompts show": ["0000"],
    "prompts add": ["tasks.jsonl"],
    "jobs run": ["watch"],
    "registry rescore": ["1"],
    "dashboard": ["--plain"],
}
"""of the commands that need some, or would wait for somebody"""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its name."""
    command = command.loaded if isinstance(command, LazyCommand) else command
    inner = getattr(command, "commands", {})
    for name, one in inner.items():
        yield from leaves(one, (*path, name))
    if not inner:
        yield " ".join(path), command


READERS = [
    name
    for name, command in leaves(get_command(app))
    if any("--config" in parameter.opts for parameter in command.params) and name != "check"
]
"""the commands that read settings; `check` has tests of its own"""


@pytest.fixture
def checkout(run: Run, home: Path, fill_home: Callable[[Home], str]) -> Iterator[None]:
    """A stranger's folder, which is the current one; a home whose settings name no model there is.

    Nobody else can work in the home: what would run for long ends at once.
    """
    place = Home.open(home)
    fill_home(place)
    place.config.write_text(
        '[model]\nname = "/nowhere/zz-no-model"\n[registry]\nmode = "snapshot"\n', "utf-8"
    )
    Path("ghostbust.toml").write_text(HOSTILE, "utf-8")
    Path("log.jsonl").write_text("{}\n", "utf-8")
    Path("tasks.jsonl").write_text('{"task": "read a file"}\n', "utf-8")
    with ExitStack() as held:
        for lock in (place.daemon_lock, place.lock, place.ingest_lock):
            held.enter_context(place.exclusive("test", lock))
        yield


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("name", READERS)
def test_no_command_reads_what_a_strangers_file_may_not_set(
    run: Run, home: Path, name: str
) -> None:
    command = [*name.split(), *ARGUMENTS.get(name, ()), *(["--home", home] * (name == "demo"))]
    done = run(*command)
    assert "should" not in done.stderr, "it was read as a value"
    (line,) = [line for line in done.stderr.splitlines() if "isn't trusted" in line]
    assert line == (
        f"ghostbust: ./ghostbust.toml isn't trusted: ignored {', '.join(SENSITIVE)}; trust it with"
        f" --config ./ghostbust.toml, or put what you want of it into {home / 'ghostbust.toml'}"
    )
    done = run(*command, "--config", "ghostbust.toml")
    assert "isn't trusted" not in done.stderr
    assert "model.endpoint: should be" in done.output, "trusted, it counts"


def test_settings_are_loaded_in_one_place() -> None:
    elsewhere = {
        path.name
        for path in CLI.glob("*.py")
        if re.search(r"\bload_config\b", path.read_text("utf-8"))
    }
    # check and mcp ignore ./ghostbust.toml; the daemon reads again, and says it in its log; the
    # trial's daemon names its home's file
    assert elsewhere - {"trial_daemon.py"} == {
        "context.py", "judging.py", "daemon.py", "mcp.py",
    }  # fmt: skip


@pytest.mark.parametrize("command", [["doctor"], ["sweep", "--limit", "1"], ["adapters", "status"]])
def test_no_secret_leaves_for_a_server_that_the_checkout_names(
    run: Run, home: Path, hook: Hook, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _record(hook)
    monkeypatch.setenv("CI_TOKEN", "very-secret")
    base = hook.url.partition("/hook")[0]
    Home.open(home).config.write_text(
        '[model]\nname = "/nowhere/zz-no-model"\n[registry]\nmode = "snapshot"\n', "utf-8"
    )
    Store.open(home / "ghostbust.db").close()
    hostile = (
        f'[model]\nendpoint = "{base}/v1"\napi_key_env = "CI_TOKEN"\n[publish]\nkind = "vllm"\n'
        f'replicas = ["{base}"]\napi_key_env = "CI_TOKEN"\nheaders = ["X-Stolen=CI_TOKEN"]\n'
        f'[discovery]\nrewriter = {{ url = "{base}/v1", model = "m", api_key_env = "CI_TOKEN" }}\n'
    )
    Path("ghostbust.toml").write_text(hostile, "utf-8")
    done = run(*command)
    assert asked == [], "nobody asked that server for anything"
    assert "ignored model.endpoint, model.api_key_env, publish.kind" in done.stderr
    run(*command, "--config", "ghostbust.toml")
    assert "very-secret" in str(asked), "the same file, trusted: it is the file that did it"


def _record(hook: Hook) -> list[dict[str, str]]:
    """The headers of everything that is asked there from now on."""
    asked: list[dict[str, str]] = []
    handler: Any = hook.server.RequestHandlerClass

    def do_GET(self: Any) -> None:  # noqa: N802
        asked.append(dict(self.headers))
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    handler.do_GET = do_GET
    return asked


def test_a_strangers_npmrc_names_no_registry_and_gets_no_token(
    run: Run, home: Path, index: FakeIndex, other_index: FakeIndex, log_run: LogRun,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    name = "@acme/zz-none"
    log_run(Lookup(Ecosystem.NPM, name, Verdict.ABSENT, "", "", "live", utc_now()))
    theirs = other_index.url.removeprefix("http:")
    mine = index.url.removeprefix("http:")
    monkeypatch.delenv("npm_config_registry")
    monkeypatch.setenv("npm_config_userconfig", str(tmp_path / "npmrc"))
    monkeypatch.setenv("CI_TOKEN", "very-secret")
    (tmp_path / "npmrc").write_text(f"registry={index.url}\n{mine}/:_authToken=my-own\n", "utf-8")
    Path(".npmrc").write_text(
        f"registry={other_index.url}\n@acme:registry={other_index.url}\n"
        f"{theirs}/:_authToken=${{CI_TOKEN}}\nproxy={other_index.url}\n",
        "utf-8",
    )
    for command in (
        ["names", "lookup", f"{name}@npm"], ["registry", "status"], ["doctor"],
        ["registry", "sync", "--ecosystem", "npm"],
    ):  # fmt: skip
        done = run(*command)
        assert "./.npmrc isn't trusted: ignored" in done.stderr, command
        assert other_index.url not in done.stdout
    assert other_index.asked == []
    assert index.asked, "the user's own registry is asked"
    assert "very-secret" not in str(index.asked)

    (home / ".npmrc").write_text(Path(".npmrc").read_text("utf-8"), "utf-8")
    run("names", "lookup", f"{name}@npm")
    assert "very-secret" in str(other_index.asked), "in the home folder the same file counts"


@pytest.mark.parametrize(
    ("lines", "is_said"),
    [("save-exact=true\n", False), ("; registry=x\n", False), ("@acme:registry=http://x\n", True),
     ("//x/:_authToken=${A}\n", True), ("ca[]=x\n", True), ("\udcff", True)],
)  # fmt: skip
def test_only_an_npmrc_about_registries_is_told_of(
    run: Run, lines: str, is_said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".npmrc").write_text(lines, "utf-8", errors="surrogateescape")
    # The current folder is the user's home here: what lies there is the user's own.
    assert "isn't trusted" not in run("registry", "status").stderr
    Path("deeper").mkdir()
    Path(".npmrc").rename("deeper/.npmrc")
    monkeypatch.chdir("deeper")
    assert ("./.npmrc isn't trusted" in run("registry", "status").stderr) is is_said


LOOKUP = Lookup(Ecosystem.PYPI, "a", Verdict.REAL, "registered", "", "live", utc_now())


def test_a_cache_whose_database_is_broken_is_as_good_as_empty() -> None:
    class Cache:
        kept: Lookup | None = None

        def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
            return self.kept

        def put_lookup(self, lookup: Lookup) -> None:
            self.kept = lookup

    class Broken(Cache):
        def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
            raise StoreError("broken")

        def put_lookup(self, lookup: Lookup) -> None:
            raise StoreError("broken")

    for cache, found in ((Cache(), LOOKUP), (Broken(), None)):
        forgiving = ForgivingCache(cache)
        forgiving.put_lookup(LOOKUP)
        assert forgiving.get_lookup(Ecosystem.PYPI, "a") == found


def test_the_snapshots_of_the_home_come_first(tmp_path: Path) -> None:
    with open_judge(Mode.SNAPSHOT, tmp_path / "none") as judge:
        assert judge.names(Ecosystem.PYPI, ["requests"])["requests"].verdict is Verdict.REAL
    build_snapshot(
        [NameRow("only")],
        ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2),
        complete=True,
        out_dir=Home.find(tmp_path).registry,
    )
    with open_judge(Mode.SNAPSHOT, tmp_path) as judge:
        assert len(judge.snapshots[Ecosystem.PYPI]) == 1


def test_the_modes_are_those_of_the_judge() -> None:
    assert list(get_args(RegistryMode)) == [str(mode) for mode in Mode]
