"""The dashboard in a browser on this machine, by textual-serve.

What textual-serve leaves open is closed here: its page takes a font from elsewhere, and its socket
hears any page that is open in the same browser. So the page is our own, and whoever asks must
have the address with its secret, by this machine's name, and from no other page.
"""

from __future__ import annotations

import hmac
import secrets
import shlex
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiohttp import web
from textual_serve.server import Server

from ghostbust.home import Home

HOST: Final = "127.0.0.1"
KEY: Final = "key"
"""the part of the address, and the cookie, that hold the secret"""
_PAGES: Final = Path(__file__).parent
"""where `app_index.html` lies, by the name that textual-serve asks for"""

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class DashboardServer(Server):
    """Serves the dashboard of one home folder, a process for each browser tab."""

    def __init__(self, home: Home, port: int, options: Sequence[str] = ()) -> None:
        """``options``: further ones of the command ``dashboard``."""
        command = [sys.executable, "-m", "ghostbust", "dashboard", "--home", str(home.path)]
        super().__init__(
            shlex.join([*command, *options]),
            host=HOST,
            port=port,
            title="ghostbust",
            templates_path=str(_PAGES),
        )
        self.secret = secrets.token_urlsafe(16)

    @property
    def address(self) -> str:
        """What a browser opens. Whoever has it can read the store and decide."""
        return f"{self.public_url}/?{KEY}={self.secret}"

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002
        """Says where it is."""
        self.console.print(f"the dashboard is at {self.address}", highlight=False, soft_wrap=True)
        self.console.print("Ctrl-C ends it")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        """Refuses whoever hasn't the secret, comes by another name, or from another page."""
        own = f"{self.host}:{self.port}"
        origin = request.headers.get("Origin", self.public_url)
        given = request.query.get(KEY) or request.cookies.get(self._cookie, "")
        known = hmac.compare_digest(given.encode(), self.secret.encode())
        if request.host != own or origin != self.public_url or not known:
            raise web.HTTPForbidden(text="open the address that `ghostbust dashboard --web` prints")
        if KEY in request.query:
            # Out of the address, so that it stays out of the history and of what others see.
            moved = web.HTTPFound("/")
            moved.set_cookie(self._cookie, self.secret, httponly=True, samesite="Strict")
            raise moved
        return await handler(request)

    @property
    def _cookie(self) -> str:
        """Cookies don't tell ports apart, so this one's name does."""
        return f"ghostbust-{self.port}"
