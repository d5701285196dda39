"""The dashboard in a browser on this machine, by textual-serve.

textual-serve alone is open to others: its page takes a font from elsewhere, and its socket answers
any page in the same browser. So the page is our own, and a request must have the secret of the
address, the host 127.0.0.1 and this page's origin. The headers of each answer forbid other pages to
frame it, and forbid the browser to load or run anything that this server doesn't send.

A browser sends a cookie to every port of 127.0.0.1. So the cookie has the port in its name, and its
value isn't the secret of the address: it opens this port alone, until the server ends.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
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
        port_of = hmac.new(self.secret.encode(), str(port).encode(), hashlib.sha256)
        self._token = port_of.hexdigest()
        self._headers = _headers(self.public_url)

    @property
    def address(self) -> str:
        """The address for a browser. Anybody who has it can read the store and decide."""
        return f"{self.public_url}/?{KEY}={self.secret}"

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002
        """Prints the address."""
        self.console.print(f"the dashboard is at {self.address}", highlight=False, soft_wrap=True)
        self.console.print("Ctrl-C ends it")

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        app.on_response_prepare.append(self._protect)
        return app

    async def _protect(self, request: web.Request, answer: web.StreamResponse) -> None:  # noqa: ARG002
        """Adds the headers to every answer, also to refusals and the socket's."""
        answer.headers.update(self._headers)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handle) -> web.StreamResponse:
        """Refuses requests without the secret, to another host, or from another page."""
        own = f"{self.host}:{self.port}"
        origin = request.headers.get("Origin", self.public_url)
        key, token = request.query.get(KEY), request.cookies.get(self._cookie, "")
        given, wanted = (token, self._token) if key is None else (key, self.secret)
        known = hmac.compare_digest(given.encode(), wanted.encode())
        if request.host != own or origin != self.public_url or not known:
            raise web.HTTPForbidden(text="open the address that `ghostbust dashboard --web` prints")
        if KEY in request.query:
            # A redirect keeps the secret out of the browser's history and off the screen.
            moved = web.HTTPFound("/")
            moved.set_cookie(self._cookie, self._token, httponly=True, samesite="Strict")
            raise moved
        return await handler(request)

    @property
    def _cookie(self) -> str:
        """The name of the cookie: another one for each dashboard in a browser."""
        return f"ghostbust-{self.port}"


def _headers(own: str) -> dict[str, str]:
    """The headers of every answer of the server at that address.

    The terminal makes style elements, so inline styles are allowed; of inline scripts, only the
    page's own.
    """
    page = (_PAGES / "app_index.html").read_text("utf-8")
    script = "".join(re.findall(r"<script>(.*?)</script>", page, re.DOTALL))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = (
        "default-src 'none'",
        f"script-src 'self' 'sha256-{digest}'",
        "style-src 'self' 'unsafe-inline'",
        "font-src 'self'",
        "img-src 'self' data:",
        f"connect-src 'self' {own.replace('http', 'ws', 1)}",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
    return {
        "Content-Security-Policy": "; ".join(rules),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
