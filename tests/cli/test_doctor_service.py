"""The doctor's checks of servers, registries, stored times, the daemon and its unit."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.cli import doctor as checks
from ghostbust.cli.doctor import Level
from ghostbust.config import Config
from ghostbust.errors import EndpointError
from ghostbust.home import Home
from ghostbust.operations.systemd import unit_for
from ghostbust.records import Ecosystem, Promotion, utc_now
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, Run


class Server:
    """Answers GET and POST with what a test puts there; any other path is 404."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, Any]] = {}
        self.date: str | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, said = server.pages.get(self.path, (404, {"detail": "Not Found"}))
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def date_time_string(self, timestamp: float | None = None) -> str:
                return server.date or super().date_time_string(timestamp)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/v1"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.pages["/v1/models"] = 200, {"data": [{"id": "coder"}]}
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Home:
    return Home.open(tmp_path / "place")


def config(**sections: object) -> Config:
    return Config.model_validate(sections)


def test_each_server_and_its_clock(server: Server) -> None:
    settings = config(model={"name": "coder", "endpoint": server.url})
    assert checks.check_server("server", settings, server.url).level is Level.OK
    server.date = "Thu, 01 Jan 2026 00:00:00 GMT"
    apart = checks.check_server("server", settings, server.url)
    assert apart.level is Level.WARN
    assert "s behind this one" in apart.said
    assert "set the clock" in apart.todo
    with pytest.raises(EndpointError):
        checks.check_server("server", settings, "http://127.0.0.1:9/v1")


def test_every_server_has_a_line(place: Home, server: Server) -> None:
    entries = [{"url": server.url}, {"url": "http://127.0.0.1:9/v1"}]
    settings = config(model={"name": "coder", "endpoints": entries})
    names = list(checks.service_checks(settings, place))
    assert names[:2] == ["server 1", "server 2"]
    assert names[2:] == [
        "publisher", "pypi registry", "npm registry", "stored times", "daemon", "unit file",
    ]  # fmt: skip


def test_the_model_that_rewrites_has_a_line(place: Home, server: Server) -> None:
    settings = config(discovery={"rewriter": {"url": server.url, "model": "coder"}})
    (line,) = [check for name, check in checks.service_checks(settings, place).items()
               if name == "rewriter"]  # fmt: skip
    assert line().level is Level.OK
    server.pages.clear()
    gone = line()
    assert gone.level is Level.WARN
    assert "reword tasks by rule" in gone.todo


def test_what_publishers_take(place: Home, server: Server) -> None:
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


def test_llamacpp_loads_none_at_run_time(place: Home, server: Server) -> None:
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


def test_the_daemon(place: Home, server: Server) -> None:
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
