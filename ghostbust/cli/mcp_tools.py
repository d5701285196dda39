"""What `ghostbust mcp` offers an agent as tools. Knows nothing of the protocol.

A tool's docstring and its parameters' descriptions are what the agent's model reads. Each tool
returns JSON values and raises GhostbustError, whose text is for that model.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from ghostbust.cli.commands import source_of_command
from ghostbust.cli.context import open_judge
from ghostbust.cli.gathering import Gathered, add_source
from ghostbust.cli.judging import OwnCode, Vouching, judge_sources
from ghostbust.cli.options import AskedEcosystem
from ghostbust.cli.source_text import SourceText, source_of_name
from ghostbust.cli.sources import source_of_text
from ghostbust.documents import json_text, plain
from ghostbust.errors import HomeError, UsageError
from ghostbust.extractors.extract import examine
from ghostbust.home import Home
from ghostbust.records import Ecosystem, content_id, utc_now
from ghostbust.registries.judge import Mode
from ghostbust.registries.names import ref_of
from ghostbust.registries.nearest import NearestNames
from ghostbust.results import CheckedList, FoundRef, is_builtin_import
from ghostbust.text import Lines

REPORTED: Final = "(reported)"
"""the model of every report: what agents report is no sample of what a model answers, so its rate,
which is 1, must not become part of a watched model's"""
_MOST_TEXT: Final = 262_144
"""characters of a text; reading one takes about 10 s a million"""
_INSTALLS: Final = {
    Ecosystem.PYPI: "pip install", Ecosystem.NPM: "npm install", Ecosystem.CARGO: "cargo add",
}  # fmt: skip

_LIMIT_S: Final = 20.0
"""of a call's look-ups; many clients wait 60 s for an answer"""

Document = dict[str, Any]
Text = Annotated[
    str, Field(max_length=_MOST_TEXT, description="Code, a dependency file, or an answer.")
]
Filename = Annotated[
    str, Field(description="What the text's file is or will be called; it says how to read it.")
]
EcosystemName = Annotated[AskedEcosystem, Field(description="The registry.")]


@dataclass(frozen=True, slots=True)
class PackageTools:
    """The tools, with whom they ask, whom they trust, and where reports go."""

    mode: Mode
    day: date | None
    home: Path | None
    """as given; None: the environment's, or the user's"""
    vouching: Vouching
    keep_prompts: bool = False
    limit_s: float = _LIMIT_S

    def check(
        self,
        packages: Annotated[
            list[str],
            Field(max_length=500, description="requests, left-pad@npm, serde@cargo or a purl."),
        ] = [],  # noqa: B006 (the SDK makes a schema of it, and nothing changes it)
        command: Annotated[
            str, Field(max_length=_MOST_TEXT, description="A shell command that may install.")
        ] = "",
        text: Text = "",
        filename: Filename = "",
    ) -> Document:
        """Say of each package whether it is real. Call it before you install or add a package.

        Give names, a command that you are about to run, or a text that you are about to write.
        ABSENT: no such package; don't guess another spelling, see nearest. SUSPECT: registered, and
        still nothing to install. UNKNOWN: nobody could say; ask the user. What stands under
        not_looked_at was neither found good nor bad.
        """
        gathered = Gathered()
        for source in _sources(packages, command, text, filename):
            add_source(gathered, source)
        # Comments don't excuse a name here: the agent writes them.
        own = OwnCode(heed_comments=False)
        with open_judge(self.mode, self.home, self.day, limit_s=self.limit_s) as judge:
            found = judge_sources(judge, self.vouching, gathered.sources, own)
        checked = CheckedList(found, str(self.mode)).to_dict()
        return checked | {"not_looked_at": plain(gathered.skipped)}

    def nearest(
        self,
        name: Annotated[str, Field(max_length=500, description="As the model wrote it.")],
        ecosystem: EcosystemName = "pypi",
    ) -> Document:
        """List popular real packages whose names look like a name, likest first.

        By letters and words only: whether one of them does what is needed has to be looked up.
        """
        ref = ref_of(name, Ecosystem(ecosystem))
        if ref is None or ref.name is None:
            raise UsageError(f"{name!r} is no package name")
        with open_judge(Mode.SNAPSHOT, self.home, self.day) as judge:
            snapshot = judge.snapshots.get(ref.ecosystem)
        if snapshot is None:
            raise UsageError(f"there is no snapshot of {ref.ecosystem} to find names in")
        return {
            "name": ref.name,
            "ecosystem": str(ref.ecosystem),
            "nearest": NearestNames(snapshot).of(ref.name, 5),
            "snapshot": snapshot.date.isoformat(),
        }

    def extract(self, text: Text, filename: Filename = "") -> Document:
        """List every place where a text names a package: installs, imports, dependencies.

        Asks no registry: check with the same text and filename says which of them are real.
        """
        found = examine(text, filename=filename)
        lines = Lines(filename, text)
        refs = (FoundRef.of(ref, lines) for ref in found.refs if not is_builtin_import(ref))
        return {
            "packages": [
                ref.to_dict() | {"as_written": ref.raw, "line": ref.line, "column": ref.column}
                for ref in refs
            ],
            "unread": [
                {"line": lines.place(part.start, part.end).line, "reason": part.reason}
                for part in found.unread
            ],
        }

    def report_invention(
        self,
        name: Annotated[str, Field(max_length=500, description="The name that doesn't exist.")],
        ecosystem: EcosystemName = "pypi",
        prompt: Annotated[
            str,
            Field(max_length=_MOST_TEXT, description="What was asked when the model named it."),
        ] = "",
    ) -> Document:
        """Report a package name that a model made up, so that it can be unlearned.

        It is judged first: only ABSENT and SUSPECT names are kept.
        """
        ref = ref_of(name, Ecosystem(ecosystem))
        if ref is None or ref.name is None or ref.ecosystem not in _INSTALLS:
            raise UsageError(f"{name!r} is no package name")
        # What reads the report finds in it what is judged here.
        completion = f"{_INSTALLS[ref.ecosystem]} {ref.name}"
        refs = examine(completion).refs
        if not refs:
            return {"kept": False, "why": f"{ref.name} is a placeholder, which no model invents"}
        with open_judge(self.mode, self.home, self.day, limit_s=self.limit_s) as judge:
            lookup = judge.refs(refs)[0].lookup
        said = f"{lookup.name}: {lookup.verdict}, {lookup.reason}: {lookup.evidence}"
        if not lookup.invented:
            return {"kept": False, "why": said}
        kept = prompt if self.keep_prompts else ""
        record = {
            "id": content_id(REPORTED, completion, kept),
            "time": utc_now(),
            "model": REPORTED,
            "completion": completion,
            **({"prompt": kept} if kept else {}),
        }
        file = Home.open(self.home).reported
        _append(file, json_text(record) + "\n")
        return {"kept": True, "why": said, "file": str(file), "prompt_kept": bool(kept)}


def _sources(packages: list[str], command: str, text: str, filename: str) -> list[SourceText]:
    """What `check` is asked about. Raises UsageError where it is nothing."""
    sources = [source_of_name(name) for name in packages]
    if command:
        sources.append(source_of_command(command))
    if text:
        sources.append(source_of_text(filename, text))
    if not sources:
        raise UsageError("nothing to check: give packages, a command or a text")
    return sources


def _append(file: Path, line: str) -> None:
    """Adds a line in one write, so that those of several servers don't mix. Raises HomeError."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as exc:
        raise HomeError(f"{file}: can't be written ({exc.strerror})") from exc
