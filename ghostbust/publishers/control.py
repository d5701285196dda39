"""The control endpoints of one model server: JSON over HTTP, the key from the environment.

`Control` doesn't retry: to load twice is an error at some servers, and the caller knows whether a
second try makes sense.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from ghostbust import http
from ghostbust.documents import ParseError, parse_json
from ghostbust.errors import EndpointError, PublishError, UsageError

QUOTED_CHARACTERS: Final = 200
"""how much of a server's own message is passed on"""


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A server's answer to a control request."""

    status: int
    body: Any
    """parsed JSON; plain text where it is none"""

    @property
    def ok(self) -> bool:
        """Whether the status means success."""
        return 200 <= self.status < 300

    @property
    def no_route(self) -> bool:
        """Whether the server has no such endpoint at all."""
        return self.status == HTTPStatus.NOT_FOUND and self.body == {"detail": "Not Found"}

    @property
    def said(self) -> str:
        """The server's own message, in one line."""
        body = self.body
        if isinstance(body, dict):
            error = body.get("error", body)
            message = error.get("message") if isinstance(error, dict) else error
            body = message or body.get("error_message") or body.get("detail") or body
        return f"{self.status}: {' '.join(str(body).split())[:QUOTED_CHARACTERS]}"


class Control:
    """One server, by its base URL with or without ``/v1``."""

    def __init__(
        self,
        url: str,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        headers: Sequence[str] = (),
        timeout_s: float = 60,
        transport: http.AsyncBaseTransport | None = None,
    ) -> None:
        """Connects to nothing yet.

        ``headers``: ``NAME=VARIABLE`` each. ``timeout_s``: for an answer as a whole. Raises
        UsageError for a URL that can't be used.
        """
        root = http.server_url(url, "publish.replicas: an address")
        path = root.path.rstrip("/").removesuffix("/v1") or "/"
        self._root = root.copy_with(path=path, query=None)
        self.where = self._root.netloc.decode()
        self.api_url = str(self._root.copy_with(path=f"{self._root.path.rstrip('/')}/v1"))
        """base URL of its OpenAI-compatible API"""
        self._api_key_env = api_key_env
        self._headers = tuple(headers)
        self._timeout_s = timeout_s
        self._transport = transport

    def get(self, path: str) -> ServerReply:
        """The answer at the path below the server's root."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: object) -> ServerReply:
        """The answer to the JSON body."""
        return self._ask("POST", path, body)

    def models(self) -> Mapping[str, str | None]:
        """Each model and adapter in ``/v1/models`` with its path; None where the list has none."""
        reply = self.get("/v1/models")
        try:
            return {str(row["id"]): row.get("root") for row in reply.body["data"]}
        except (TypeError, KeyError, AttributeError) as exc:
            raise EndpointError(f"{self.where}/v1/models: unexpected answer {reply.said}") from exc

    def lists(self, name: str, path: str) -> bool:
        """Whether it lists the adapter. Raises PublishError if it lists another of that name."""
        models = self.models()
        if name in models and models[name] not in (path, None):
            raise PublishError(
                f"{self.where} has another adapter under the name {name}, from {models[name]}:"
                " a name is never used twice; unload it there, or set publish.server_path"
            )
        return name in models

    def _ask(self, method: str, path: str, asked: object) -> ServerReply:
        place = f"{self.where}{path}"
        try:
            response = http.ask(
                method,
                self._root.copy_with(path=self._root.path.rstrip("/") + path),
                headers=self._secrets(),
                total_s=self._timeout_s,
                transport=self._transport,
                json=asked,
            )
        except http.Error as exc:
            raise EndpointError(http.failure(exc, place, f"{self._timeout_s:g} s")) from exc
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise EndpointError(
                f"{place} answered {response.status_code}: it doesn't accept the API key of"
                f" ${self._api_key_env} (or wants one)"
            )
        try:
            body = parse_json(response.content)
        except ParseError:
            body = response.text
        reply = ServerReply(response.status_code, body)
        if reply.status in http.BUSY:
            raise EndpointError(f"{place} answered {reply.said}")
        return reply

    def _secrets(self) -> dict[str, str]:
        headers = http.headers_with_key(self._api_key_env)
        for header in self._headers:
            name, separator, variable = header.partition("=")
            if not (name and separator and variable):
                raise UsageError(f"publish.headers: {header!r} should be NAME=VARIABLE")
            if variable not in os.environ:
                raise UsageError(f"publish.headers: ${variable} isn't set")
            headers[name] = http.header_secret(variable)
        return headers


class RuntimePublisher:
    """A server that loads adapters at run time and has each request name the one it wants."""

    loads_at_runtime: Final = True

    def __init__(
        self, control: Control, *, base: str, max_rank: int = 16, server_path: str | None = None
    ) -> None:
        """``base``: the base's name there; ``server_path``: see ``publish.server_path``."""
        self._control = control
        self._base = base
        self._max_rank = max_rank
        self._server_path = server_path
        self.where = control.where

    def _path_there(self, folder: Path) -> str:
        """Where the server sees the adapter's folder."""
        return str(folder) if self._server_path is None else f"{self._server_path}/{folder.name}"

    def loaded(self) -> frozenset[str]:
        """All that it lists besides the base."""
        return frozenset(self._control.models()) - {self._base}

    def serve(self, name: str | None) -> None:
        """Nothing: each request names its adapter."""

    def ready(self, name: str | None) -> bool:
        """Whether it is listed."""
        return (name or self._base) in self._control.models()
