"""A real terminal for tests: tmux, with a server of its own."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

PATIENCE_S = 60


@dataclass(frozen=True)
class Terminal:
    """A window of tmux in which a program runs."""

    name: str
    """of the server's socket"""
    width: int
    height: int

    def press(self, *keys: str) -> None:
        """Presses keys, by tmux's names."""
        self._tmux("send-keys", *keys)

    def write(self, text: str) -> None:
        """Types the text."""
        self._tmux("send-keys", "-l", text)

    def lines(self) -> list[str]:
        """What stands on the screen, line by line."""
        return self._tmux("capture-pane", "-p").split("\n")[: self.height]

    def styled(self) -> str:
        """What stands on the screen, with the escapes for styles and colours."""
        return self._tmux("capture-pane", "-p", "-e")

    def until(self, condition: Callable[[str], bool]) -> str:
        """The screen as soon as the condition holds and it rests; fails after ``PATIENCE_S``."""
        deadline, before = time.monotonic() + PATIENCE_S, ""
        while True:
            shown = "\n".join(self.lines())
            if condition(shown) and shown == before:
                return shown
            assert time.monotonic() < deadline, f"the screen didn't get there:\n{shown}"
            before = shown
            time.sleep(0.3)

    def ended(self) -> bool:
        """Whether the program has ended, and the window with it."""
        command = ["tmux", "-L", self.name, "has-session"]
        return subprocess.run(command, capture_output=True, check=False).returncode != 0

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self.name, *arguments]
        return subprocess.run(command, capture_output=True, check=True).stdout.decode()


@contextmanager
def open_terminal(
    command: Sequence[str], width: int, height: int, environment: Mapping[str, str]
) -> Iterator[Terminal]:
    """Runs the command in a terminal of this size; skips where tmux isn't installed."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux isn't installed: apt-get install tmux")
    name = f"ghostbust-{uuid.uuid4().hex}"
    terminal = Terminal(name, width, height)
    # Its server takes over the environment of whoever starts it.
    # xdist gives its workers COLUMNS and LINES, which a program believes more than a terminal.
    left_out = ("NO_COLOR", "TMUX", "COLUMNS", "LINES")
    own = {k: v for k, v in os.environ.items() if k not in left_out}
    start = ["tmux", "-L", name, "-f", "/dev/null", "new-session", "-d",
             "-x", str(width), "-y", str(height), shlex.join(command)]  # fmt: skip
    subprocess.run(start, check=True, env=own | dict(environment))
    try:
        yield terminal
    finally:
        subprocess.run(["tmux", "-L", name, "kill-server"], capture_output=True, check=False)


def printed_on_a_terminal(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """What the program prints where its standard output is a terminal; it has to end with 0."""
    ours, theirs = os.openpty()
    with subprocess.Popen(command, env=dict(environ), stdout=theirs) as process:
        os.close(theirs)
        parts = []
        with suppress(OSError):  # EIO: the program has closed its end
            while part := os.read(ours, 65536):
                parts.append(part)
    os.close(ours)
    assert process.returncode == 0
    return b"".join(parts).decode().replace("\r\n", "\n")
