"""`ghostbust mcp`: the real process, asked by the official SDK's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ghostbust.cli.judging import Vouching
from ghostbust.cli.mcp import server_of
from ghostbust.cli.mcp_tools import PackageTools
from ghostbust.home import Home
from ghostbust.records import Ecosystem
from ghostbust.registries.judge import Mode
from ghostbust.registries.snapshot import NameRow, build_snapshot
from tests.cli.reading import document

if TYPE_CHECKING:
    from mcp import Client

    from ghostbust.registries.snapshot import Snapshot
    from tests.cli.conftest import FakeIndex, Run

BAD = "zz-quux-sensorlib"


@asynccontextmanager
async def served(home: Path, *options: str) -> AsyncIterator[Client]:
    """A client of a server process of its own, which judges by the home's snapshot."""
    mcp = pytest.importorskip("mcp", reason="the extra mcp isn't installed")
    started = mcp.StdioServerParameters(
        command=sys.executable,
        args=["-m", "ghostbust", "mcp", "--registry", "snapshot", *options],
        env={"GHOSTBUST_HOME": str(home), "HOME": str(home.parent)},
        cwd=home.parent / "empty",
    )
    async with mcp.Client(started) as client:
        yield client


async def called(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """The document that the tool answers with."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refused(client: Client, tool: str, **arguments: object) -> str:
    """What the tool says that it can't do."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(getattr(result.content[0], "text", ""))


async def test_the_tools_answer_what_the_commands_do(
    home: Path, present: Snapshot, run: Run
) -> None:
    (home.parent / "empty" / "more.txt").write_text("zz-in-a-file\n", "utf-8")
    async with served(home) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(listed) == {"check", "nearest", "extract", "report_invention"}
        hints = {name: tool.annotations for name, tool in listed.items()}
        writing = {name for name, one in hints.items() if not (one and one.read_only_hint)}
        assert writing == {"report_invention"}

        both = await called(client, "check", packages=["requests", f"{BAD}>=2"])
        said = run("check", "requests", f"{BAD}>=2", "--registry", "snapshot", "--json")
        assert both == document(said, 1)

        install = f"pip install -r more.txt {BAD} && go get x/y"
        found = await called(client, "check", command=install)
        assert {one["name"] for one in found["results"]} == {BAD, "zz-in-a-file"}
        assert [one["what"] for one in found["not_looked_at"]] == ["go get"]

        code = f"import requests\nimport {BAD.replace('-', '_')}  # ghostbust: ignore[no]\n"
        judged = await called(client, "check", text=code, filename="a.py")
        assert [(one["verdict"], one["line"]) for one in judged["results"]] == [
            ("REAL", 1), ("ABSENT", 2),
        ]  # fmt: skip
        placed = await called(client, "extract", text=code, filename="a.py")
        assert [(one["line"], one["column"]) for one in placed["packages"]] == [(1, 8), (2, 8)]

        near = await called(client, "nearest", name="reqeusts")
        assert (near["nearest"], near["snapshot"]) == (["requests"], "2026-01-02")

        assert "give packages, a command or a text" in await refused(client, "check")
        assert "no package name" in await refused(client, "check", packages=["a b"])
        assert "conda" in await refused(client, "nearest", name="a", ecosystem="conda")


async def test_a_reported_invention_gets_into_the_ledger_and_a_real_name_does_not(
    home: Path, present: Snapshot, run: Run
) -> None:
    async with served(home) as client:
        for _ in range(2):
            kept = await called(client, "report_invention", name=BAD, prompt="a secret")
        assert (kept["kept"], kept["prompt_kept"]) == (True, False)
        real = await called(client, "report_invention", name="requests")
        assert (real["kept"], "REAL" in real["why"]) == (False, True)
        assert not (await called(client, "report_invention", name="your-package"))["kept"]
    file = Home(home).reported
    assert kept["file"] == str(file)
    assert file.stat().st_mode & 0o077 == 0
    assert "secret" not in file.read_text("utf-8")
    read = document(run("ingest", file, "--registry", "snapshot", "--json"))
    assert (read["completions"], read["inventing"]) == (2, 2)
    assert [one["model"] for one in read["by_model"]] == ["(reported)"]
    ledger = document(run("names", "list", "--reveal", "--json"))["names"]
    assert [one["name"] for one in ledger] == [BAD]


async def test_an_invented_crate_is_reported_as_an_install_of_a_crate(
    home: Path, present: Snapshot, run: Run
) -> None:
    build_snapshot(
        [NameRow("serde")], ecosystem=Ecosystem.CARGO, date=present.date, complete=True,
        out_dir=home / "registry",
    )  # fmt: skip
    async with served(home) as client:
        real = await called(client, "report_invention", name="serde", ecosystem="cargo")
        assert not real["kept"]
        kept = await called(client, "report_invention", name="zz_no_crate", ecosystem="cargo")
        assert kept["kept"]
    document(run("ingest", kept["file"], "--registry", "snapshot", "--json"))
    (one,) = document(run("names", "list", "--reveal", "--json"))["names"]
    assert (one["ecosystem"], one["name"]) == ("cargo", "zz-no-crate")


async def test_prompts_are_kept_where_asked(home: Path, present: Snapshot, run: Run) -> None:
    async with served(home, "--keep-prompts") as client:
        assert (await called(client, "report_invention", name=BAD, prompt="how?"))["prompt_kept"]
    (line,) = Home(home).reported.read_text("utf-8").splitlines()
    assert json.loads(line)["prompt"] == "how?"


async def test_a_registry_that_hangs_is_unknown_and_so_is_a_call_that_does(
    home: Path, index: FakeIndex, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    del run  # sets the index
    mcp = pytest.importorskip("mcp", reason="the extra mcp isn't installed")
    over, answer = threading.Event(), index.answer

    def hanging(path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        over.wait(30)
        return answer(path, known)

    monkeypatch.setattr(index, "answer", hanging)
    tools = PackageTools(Mode.LIVE, None, home, Vouching(), limit_s=0.3)
    began = time.monotonic()
    async with mcp.Client(server_of(tools)) as client:
        found = await called(client, "check", packages=["requests", "typing"])
        judged = [(one["name"], one["verdict"], one["reason"]) for one in found["results"]]
        assert judged == [("requests", "UNKNOWN", "unreachable"), ("typing", "BUILTIN", "builtin")]
        assert "more than 0.3 s" in found["results"][0]["evidence"]
        kept = await called(client, "report_invention", name="requests")
        assert (kept["kept"], "more than 0.3 s" in kept["why"]) == (False, True)
    assert time.monotonic() - began < 10

    # Whatever else doesn't end, such as asking for the registry's address.
    monkeypatch.setattr("ghostbust.cli.mcp._MORE_S", 0.1)
    monkeypatch.setattr("ghostbust.cli.mcp_tools.examine", lambda *_, **__: over.wait(30))
    async with mcp.Client(server_of(tools)) as client:
        assert "UNKNOWN: it took more than 0.4 s" in await refused(client, "extract", text="x")
    over.set()


def test_without_the_extra_one_line_says_what_to_type(tmp_path: Path) -> None:
    blocked = "import sys\nsys.modules['mcp'] = None\n"
    (tmp_path / "sitecustomize.py").write_text(blocked, "utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "ghostbust", "mcp"],
        env=os.environ | {"PYTHONPATH": str(tmp_path), "GHOSTBUST_HOME": str(tmp_path / "home")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "ghostbust: ghostbust mcp needs more libraries: pip install 'ghostbust[mcp]'\n"
    )
