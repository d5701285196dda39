"""The live registries of this machine."""

from __future__ import annotations

import asyncio

import pytest

from ghostbust.records import ASKED, Ecosystem, Verdict
from ghostbust.registries.judge import Mode, default_judge
from ghostbust.registries.live import live_registries, open_client


async def test_there_is_one_for_each_ecosystem() -> None:
    client = open_client()
    registries = live_registries(client)
    await client.http.aclose()
    assert {ecosystem: one.ecosystem for ecosystem, one in registries.items()} == {
        ecosystem: ecosystem for ecosystem in ASKED
    }


async def test_proxies_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy on the loopback gets the question, and its answer counts."""
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    for name in ("no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.example.test/simple")
    client = open_client()
    lookup = await live_registries(client)[Ecosystem.PYPI].look_up("x")
    await client.http.aclose()
    server.close()
    await server.wait_closed()
    assert lookup.verdict is Verdict.ABSENT
    assert asked[0].startswith(b"GET http://index.example.test/simple/x/ HTTP/1.1")


@pytest.mark.online
def test_public_registries_answer() -> None:
    with default_judge(Mode.LIVE) as judge:
        pip = judge.names(Ecosystem.PYPI, ["pip"])["pip"]
        npm = judge.names(Ecosystem.NPM, ["npm"])["npm"]
    assert (pip.verdict, npm.verdict) == (Verdict.REAL, Verdict.REAL)
    assert "first seen" in pip.evidence
