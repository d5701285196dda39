"""A package index on the loopback, as pip's settings name one."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler


class PackageIndex(BaseHTTPRequestHandler):
    """An index where names that end in a digit below 8 were registered, and pip."""

    asked = 0
    status = 0
    """what it answers to everything; 0: what it knows"""

    def do_GET(self) -> None:
        type(self).asked += 1
        name = self.path.strip("/").rpartition("/")[2]
        there = name == "pip" or name[-1] in "01234567"
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": [{"filename": "x-1.tar.gz"}]}
        body = json.dumps(page).encode()
        self.send_response(self.status or (200 if there else 404))
        self.send_header("Content-Type", "application/vnd.pypi.simple.v1+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""
