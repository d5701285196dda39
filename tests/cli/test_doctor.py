"""`ghostbust doctor`: each check, sound and broken; its exit codes and its document."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.cli import doctor as checks
from ghostbust.cli.context import Invocation
from ghostbust.cli.doctor import Level
from ghostbust.config import Config
from ghostbust.errors import EndpointError, ModelError, SnapshotError
from ghostbust.gates import layers
from ghostbust.guard.proxy import GuardProxy
from ghostbust.guard.reading import Guard
from ghostbust.home import Home
from ghostbust.operations.systemd import unit_for
from ghostbust.records import Ecosystem, Promotion, utc_now
from ghostbust.registries.snapshot import NameRow, build_snapshot
from ghostbust.sections import GuardSection
from ghostbust.store.store import Store
from tests.cli.loopback import ModelServer
from tests.cli.reading import document
from tests.guard.upstream import serving

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, Run


NAMES = [
    "python", "libraries", "clock", "accelerator", "humaneval", "home", "store", "disk",
    "pypi snapshot", "npm snapshot", "settings", "sandbox", "model", "publisher",
    "pypi registry", "npm registry", "stored times", "daemon", "unit file",
]  # fmt: skip


def test_a_sound_installation(run: Run, home: Path) -> None:
    result = run("doctor", "--json")
    told = document(result)
    assert (told["ok"], result.stderr) == (True, "")
    assert [check["check"] for check in told["checks"]] == NAMES
    assert {check["level"] for check in told["checks"]} <= {"OK", "WARN"}
    assert home.is_dir()
    shown = run("doctor").stdout
    assert all(f" {name} " in shown for name in NAMES)


def test_offline_asks_nobody_and_loads_nothing_large(
    run: Run, home: Path, server: ModelServer, index: FakeIndex
) -> None:
    home.mkdir()
    (home / "ghostbust.toml").write_text(f'[model]\nendpoint = "{server.url}"\nname = "m"\n')
    told = document(run("doctor", "--offline", "--json"))
    found = {one["check"]: one["said"] for one in told["checks"]}
    left_out = {name for name, said in found.items() if said == checks.NOT_ASKED}
    assert left_out == {
        "accelerator", "sandbox", "model", "server", "publisher", "pypi registry", "npm registry",
    }  # fmt: skip
    assert not server.asked
    assert not index.asked
    program = (
        "import sys\nfrom ghostbust.__main__ import main\n"
        f"sys.argv = ['ghostbust', 'doctor', '--offline', '--home', {str(home)!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, file=sys.stderr)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stderr == "False\n"


def test_a_home_that_cannot_be_made(run: Run, home: Path) -> None:
    home.write_text("a file")
    told = document(run("doctor", "--json"), 2)
    assert told["ok"] is False
    assert (told["checks"][-1]["check"], told["checks"][-1]["level"]) == ("home", "FAIL")
    assert "--home" in told["checks"][-1]["said"]


def test_a_damaged_store(run: Run, home: Path) -> None:
    home.mkdir()
    (home / "ghostbust.db").write_bytes(b"no database at all, but long enough to look at" * 20)
    found = {one["check"]: one for one in document(run("doctor", "--json"), 2)["checks"]}
    assert found["store"]["level"] == "FAIL"
    assert found["model"]["level"] in ("OK", "WARN")


def installed(folder: Path, requirement: str) -> None:
    """Makes an installed distribution ``made-up`` that requires something."""
    made = folder / "made_up-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Name: made-up\nVersion: 1\nRequires-Dist: {requirement}\n")


@pytest.mark.parametrize(
    ("requirement", "level", "said"),
    [
        ("rich>=1", Level.OK, "all 1"),
        ("rich>=9999", Level.FAIL, "not >=9999"),
        ("no-such-library-at-all", Level.FAIL, "is missing"),
        ("no-such-library-at-all; extra == 'test'", Level.OK, "all 0"),
    ],
)
def test_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, requirement: str, level: Level, said: str
) -> None:
    installed(tmp_path, requirement)
    monkeypatch.syspath_prepend(tmp_path)
    found = checks.check_libraries("made-up")
    assert found.level is level
    assert said in found.said


def test_clock() -> None:
    assert checks.check_clock(datetime(2027, 1, 1, tzinfo=UTC)).level is Level.OK
    behind = checks.check_clock(datetime(1970, 1, 1, tzinfo=UTC))
    assert behind.level is Level.FAIL
    assert "1970-01-01" in behind.said


def test_sandbox_names_its_layers() -> None:
    finding = checks.check_sandbox(())
    assert "a verdict rests on judge apart, no looking into the gate, " in finding.said
    assert finding.level is (Level.WARN if "missing: " in finding.said else Level.OK)


def test_sandbox_with_fewer_layers_than_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "find_layers", lambda: dict.fromkeys(layers.PROBES, False))
    finding = checks.check_sandbox(("no network",))
    assert finding.level is Level.FAIL
    assert "install bubblewrap" in finding.todo
    unasked = checks.check_sandbox(())
    assert unasked.level is Level.WARN
    assert "isn't promised: a wrong program doesn't pass; nothing is sent; " in unasked.todo


@pytest.mark.parametrize("fast", [True, False])
def test_accelerator(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("ghostbust.models.load.multiplies_bfloat16", lambda: fast)
    found = checks.check_accelerator()
    assert found.level is Level.OK
    assert ("no instructions for bf16" in found.said) is not fast


def test_store(place: Home) -> None:
    assert "none yet" in checks.check_store(place).said
    Store.open(place.database).close()
    assert checks.check_store(place).said.startswith(str(place.database))


@pytest.mark.parametrize(
    ("free", "level"), [(10**10, Level.OK), (10**9, Level.WARN), (10**6, Level.FAIL)]
)
def test_disk(place: Home, free: int, level: Level) -> None:
    assert checks.check_disk(place, free).level is level


@pytest.mark.parametrize("ecosystem", [Ecosystem.PYPI, Ecosystem.NPM])
def test_an_old_snapshot(place: Home, ecosystem: Ecosystem) -> None:
    found = checks.check_snapshot(ecosystem, place, datetime(2030, 1, 1, tzinfo=UTC))
    assert found.level is Level.WARN
    assert f"ghostbust registry sync --ecosystem {ecosystem}" in found.todo
    fresh = checks.check_snapshot(ecosystem, place, datetime(2026, 12, 1, tzinfo=UTC))
    assert fresh.level is Level.OK


def test_a_changed_snapshot(place: Home) -> None:
    path = build_snapshot(
        [NameRow("a", 1)],
        ecosystem=Ecosystem.PYPI,
        date=date(2026, 1, 2),
        complete=True,
        out_dir=place.registry,
    )
    notes = path.with_name("registry-pypi.tsv")
    notes.write_text(notes.read_text().replace("a\t1", "b\t1"))
    with pytest.raises(SnapshotError):
        checks.check_snapshot(Ecosystem.PYPI, place)


def test_what_is_not_here_yet_is_not_fetched(tmp_path: Path) -> None:
    assert checks.check_model(Config(), tmp_path).level is Level.WARN
    assert checks.check_humaneval(tmp_path).level in (Level.OK, Level.WARN)
    assert checks.check_libraries("no-such-distribution-at-all").level is Level.WARN
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    def check(**model: str) -> checks.Diagnosis:
        return checks.check_model(config(model=model), tmp_path)

    assert "a folder" in check(name=str(tmp_path)).said
    assert "Hugging Face id" in check(name="some/model").said
    misspelt = check(name="smollm3")
    assert (misspelt.level, misspelt.todo) == (Level.WARN, "did you mean 'smollm2'?")
    with pytest.raises(ModelError, match="there is no such folder"):
        check(name="./nosuchfolder")
    with pytest.raises(EndpointError):
        check(endpoint="http://127.0.0.1:9/v1")


def test_a_method_that_there_is_not_is_no_valid_setting(tmp_path: Path) -> None:
    file = tmp_path / "ghostbust.toml"
    file.write_text('[training]\nmethod = "nope"\n', "utf-8")
    (settings,) = (
        found for name, found in checks.examine(Invocation(tmp_path, file)) if name == "settings"
    )
    assert settings.level is Level.FAIL
    assert "training.method: should be 'au-heard', " in settings.said
    assert settings.said.endswith("not 'nope'")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    made = ModelServer()
    with made.serving():
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "place")


def config(**sections: object) -> Config:
    return Config.model_validate(sections)


def test_each_server_and_its_clock(server: ModelServer) -> None:
    settings = config(model={"name": "coder", "endpoint": server.url})
    assert checks.check_server(settings, server.url).level is Level.OK
    server.date = "Thu, 01 Jan 2026 00:00:00 GMT"
    apart = checks.check_server(settings, server.url)
    assert apart.level is Level.WARN
    assert "s behind this one" in apart.said
    assert "set the clock" in apart.todo
    with pytest.raises(EndpointError):
        checks.check_server(settings, "http://127.0.0.1:9/v1")


def test_every_server_has_a_line(place: Home, server: ModelServer) -> None:
    entries = [{"url": server.url}, {"url": "http://127.0.0.1:9/v1"}]
    settings = config(model={"name": "coder", "endpoints": entries})
    names = list(checks.service_checks(settings, place))
    assert names[:2] == ["server 1", "server 2"]
    assert names[2:] == [
        "publisher", "pypi registry", "npm registry", "stored times", "daemon", "unit file",
    ]  # fmt: skip


def test_the_model_that_rewrites_has_a_line(place: Home, server: ModelServer) -> None:
    settings = config(discovery={"rewriter": {"url": server.url, "model": "coder"}})
    (line,) = [check for name, check in checks.service_checks(settings, place).items()
               if name == "rewriter"]  # fmt: skip
    assert line().level is Level.OK
    server.pages.clear()
    gone = line()
    assert gone.level is Level.WARN
    assert "reword tasks by rule" in gone.todo


def test_what_publishers_take(place: Home, server: ModelServer) -> None:
    told = {
        "model": {"name": "coder", "endpoint": server.url},
        "publish": {"kind": "vllm"},
        "training": {"rank": 16},
    }
    name = f"publisher 127.0.0.1:{server.port}"
    closed = checks.publisher_checks(config(**told), place)[name]()
    assert closed.level is Level.FAIL
    assert "doesn't load adapters at run time" in closed.said
    said = {"error": {"message": "No adapter found", "type": "NotFoundError", "code": 404}}
    server.pages["/v1/load_lora_adapter"] = 404, said
    assert checks.publisher_checks(config(**told), place)[name]().level is Level.OK
    larger = config(**{**told, "training": {"rank": 32}})
    assert "takes ranks up to 16, not 32" in checks.publisher_checks(larger, place)[name]().said


def test_llamacpp_loads_none_at_run_time(place: Home, server: ModelServer) -> None:
    server.pages["/lora-adapters"] = 200, []
    settings = config(model={"endpoint": server.url}, publish={"kind": "llamacpp"})
    (check,) = checks.publisher_checks(settings, place).values()
    assert (check().level, "restart" in check().todo) == (Level.WARN, True)


def test_publishers_that_name_nobody_and_none(place: Home) -> None:
    nobody = checks.publisher_checks(config(publish={"kind": "vllm"}), place)["publisher"]()
    assert (nobody.level, "names nobody" in nobody.said) == (Level.FAIL, True)
    assert checks.publisher_checks(config(), place)["publisher"]().level is Level.OK


def test_registries(run: Run, index: FakeIndex) -> None:
    found = checks.check_registry(Ecosystem.PYPI, config())
    assert (found.level, len(index.asked)) == (Level.OK, 1)
    index.names.remove("pip")
    lacking = checks.check_registry(Ecosystem.PYPI, config())
    assert (lacking.level, "doesn't have 'pip'" in lacking.said) == (Level.WARN, True)
    index.status = 503
    asked = len(index.asked)
    down = checks.check_registry(Ecosystem.PYPI, config())
    assert (down.level, "UNKNOWN" in down.todo) == (Level.WARN, True)
    assert len(index.asked) == asked + 1, "it is asked once"
    nobody = checks.check_registry(Ecosystem.PYPI, config(registry={"mode": "snapshot"}))
    assert nobody.level is Level.OK
    assert len(index.asked) == asked + 1


def test_a_clock_that_was_set_back(place: Home) -> None:
    assert checks.check_stored_times(place).said == "nothing is stored yet"
    with Store.open(place.database) as store:
        store.promotions.add(Promotion("a", None, "promote", "", utc_now()))
    assert checks.check_stored_times(place).level is Level.OK
    back = checks.check_stored_times(place, utc_now() - timedelta(hours=1))
    assert (back.level, "was set back" in back.said) == (Level.WARN, True)


def test_the_daemon(place: Home, server: ModelServer) -> None:
    assert "none runs" in checks.check_daemon(place, config()).said
    listening = config(daemon={"listen": f":{server.port}"})
    with place.exclusive("daemon", place.daemon_lock):
        runs = checks.check_daemon(place, config())
        assert (runs.level, "runs here" in runs.said) == (Level.OK, True)
        assert checks.check_daemon(place, listening).level is Level.WARN, "it isn't ours"
        parts = {"model": {"ready": False, "reason": "nobody answers"}}
        server.pages["/readyz"] = 503, {"parts": parts}
        ill = checks.check_daemon(place, listening)
        assert ill.level is Level.WARN
        assert ill.said.endswith("not ready: model: nobody answers")
        parts["model"]["ready"] = True
        assert checks.check_daemon(place, listening).level is Level.OK
    assert "none runs" in checks.check_daemon(place, config()).said


def test_the_unit(tmp_path: Path) -> None:
    unit, program = tmp_path / "ghostbust.service", tmp_path / "ghostbust"
    unit.write_text(unit_for(None, None, program))
    gone = checks.check_unit(unit)
    assert gone.level in (Level.FAIL, Level.WARN)
    assert "can't be run" in gone.said
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert checks.check_unit(unit).level is Level.OK
    unit.write_text(unit.read_text().replace("Type=notify", "Type=simple"))
    assert "Type=notify" in checks.check_unit(unit).todo


def test_a_guard_that_is_there_and_one_that_is_not(place: Home) -> None:
    proxy = GuardProxy(
        GuardSection(upstream="http://127.0.0.1:9"), Guard.by_snapshots().read, lambda _: ()
    )
    with serving(proxy.app) as url:
        section = GuardSection(upstream="http://127.0.0.1:9", port=int(url.rpartition(":")[2]))
        settings = Config(guard=section)
        found = checks.service_checks(settings, place)["guard"]()
        assert (found.level, found.said) == (Level.OK, "invented names held back: 0, in answers: 0")
    gone = checks.service_checks(settings, place)["guard"]()
    assert gone.level is Level.WARN
    assert "start it: ghostbust guard serve" in gone.todo
    assert "guard" not in checks.service_checks(Config(), place)
