"""In a browser: who may ask, that the screens come through, and nothing from elsewhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from ghostbust.dashboard.web import HOST, DashboardServer
from ghostbust.home import Home
from ghostbust.store.rounds import RoundState
from tests.dashboard.board import Filler, served
from tests.servers.conftest import free_port


@pytest.fixture
async def server(filled: Filler) -> AsyncIterator[DashboardServer]:
    """A server on the loopback, without its lines for the terminal."""
    server = DashboardServer(filled.home, free_port())
    server.console.quiet = True
    runner = web.AppRunner(await server._make_app())
    await runner.setup()
    await web.TCPSite(runner, HOST, server.port).start()
    yield server
    await runner.cleanup()


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_only_who_has_the_secret_may_ask(
    server: DashboardServer, browser: aiohttp.ClientSession
) -> None:
    for address in (f"{server.public_url}/", f"{server.public_url}/?key=guess"):
        async with browser.get(address) as response:
            assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await browser.ws_connect(f"{server.public_url}/ws")

    async with browser.get(server.address) as response:
        assert response.status == 200
        assert "key" not in response.url.query, "the secret is out of the address"
        page = await response.text()
    assert "https:" not in page
    for part in ("css/xterm.css", "js/textual.js", "fonts/RobotoMono-VariableFont_wght.ttf"):
        assert part in page
        async with browser.get(f"{server.public_url}/static/{part}") as response:
            assert response.status == 200


async def test_other_pages_and_other_names_are_refused(
    server: DashboardServer, browser: aiohttp.ClientSession
) -> None:
    async with browser.get(server.address) as response:
        assert response.status == 200
    async with browser.get(
        f"{server.public_url}/", headers={"Host": f"evil.example:{server.port}"}
    ) as response:
        assert response.status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await browser.ws_connect(f"{server.public_url}/ws", origin="http://evil.example")


async def test_every_answer_keeps_other_pages_out_and_lets_the_pages_own_script_in(
    server: DashboardServer, browser: aiohttp.ClientSession
) -> None:
    refused = f"{server.public_url}/"
    for address in (refused, server.address, f"{server.public_url}/static/js/textual.js"):
        async with browser.get(address, allow_redirects=False) as response:
            headers = response.headers
        assert headers["X-Frame-Options"] == "DENY"
        rules = dict(rule.split(" ", 1) for rule in headers["Content-Security-Policy"].split("; "))
        assert rules["frame-ancestors"] == rules["default-src"] == "'none'"
        assert "unsafe" not in rules["script-src"]
        assert rules["connect-src"] == f"'self' ws://{HOST}:{server.port}"
    async with browser.get(server.address) as response:
        page = await response.text()
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in rules["script-src"]


async def test_a_cookie_is_its_ports_alone(filled: Filler, server: DashboardServer) -> None:
    """A browser sends it to every port of this machine: it is not the address's secret."""
    no_jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(cookie_jar=no_jar) as browser:
        async with browser.get(server.address, allow_redirects=False) as response:
            (name,) = response.cookies
            cookie = response.cookies[name]
        assert str(server.port) in name
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict")
        assert cookie.value != server.secret
        for given, status in ((cookie.value, 200), (server.secret, 403), ("", 403)):
            headers = {"Cookie": f"{name}={given}"}
            async with browser.get(f"{server.public_url}/", headers=headers) as response:
                assert response.status == status
        async with browser.get(f"{server.public_url}/?key={cookie.value}") as response:
            assert response.status == 403


async def test_a_decision_in_the_browser_goes_by_the_given_settings(
    home: Home, filler: Filler, tmp_path: Path, browser: aiohttp.ClientSession
) -> None:
    """The screens come through from a process of their own, which reads ``--config``."""
    filler.round(RoundState.WAITING)
    for file, folder in (
        (home.config, "homes"), (tmp_path / "ghostbust.toml", "theirs"),
        (tmp_path / "given.toml", "given"),
    ):  # fmt: skip
        (tmp_path / folder).mkdir()
        file.write_text(
            f'[publish]\nkind = "directory"\nreplicas = ["{tmp_path / folder}"]\n'
            "[canary]\nforget = 0\ngeneral = 0\n",
            "utf-8",
        )
    async with served(home, "--config", "given.toml", cwd=tmp_path) as address:
        async with browser.get(address) as response:
            assert response.status == 200
        own = address.partition("/?")[0]
        async with (
            asyncio.timeout(90),
            browser.ws_connect(f"{own}/ws?width=120&height=40", origin=own) as screen,
        ):
            await _read_until(screen, b"invented names")
            for typed, seen in (("5", b"waiting"), ("a", b"serve?"), ("why\r", b"")):
                await screen.send_json(["stdin", typed])
                await _read_until(screen, seen)
            while not any((tmp_path / "given").iterdir()):
                await asyncio.sleep(0.1)
    assert not [*(tmp_path / "homes").iterdir(), *(tmp_path / "theirs").iterdir()]


async def _read_until(screen: aiohttp.ClientWebSocketResponse, wanted: bytes) -> None:
    """Reads what is drawn until it holds the text."""
    seen = b""
    while wanted not in seen:
        message = await screen.receive()
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        data = message.data
        seen += data if isinstance(data, bytes) else data.encode()
