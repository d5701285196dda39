"""What `ghostbust hook` decides about an event, and why.

Denied: an install, or a dependency in a file, that is ABSENT or SUSPECT. Asked about: what nobody
could say (UNKNOWN), what isn't looked at, an import that no registry has (it may be a module that
is yet to be written), and a name in prose. Everything else is allowed. What a file has named
before it is changed isn't held against the change.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, chdir
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from ghostbust.cli.commands import installs_of
from ghostbust.cli.context import open_judge
from ghostbust.cli.gathering import Gathered, add_source
from ghostbust.cli.hook_agents import CELL, Decision, FileWrite, Ruling, ToolEvent
from ghostbust.cli.judging import OwnCode, Vouching, judge_sources
from ghostbust.cli.source_text import Project, SourceText, Unchecked, is_prose
from ghostbust.cli.sources import (
    is_other_manifest,
    is_read,
    read_source,
    read_text,
    source_of_text,
)
from ghostbust.cli.time_limit import within
from ghostbust.errors import UsageError
from ghostbust.extractors.unnamed import is_reviewed
from ghostbust.records import Ecosystem, PackageRef, RefKind, Verdict
from ghostbust.registries.judge import Mode
from ghostbust.results import Checked, CheckedList
from ghostbust.text import visible

LIMIT_S = 5.0
"""of reading, and of look-ups: an agent waits for the answer, `TIMEOUT_S` at most"""
_MORE_S = 2.0
"""later, look-ups that don't keep to their limit, such as a resolver's, are left to themselves"""
_VERSIONS_S = 2.0
"""of these look-ups, those of versions"""
_MOST_LINES = 10
_DEEPEST = 3
"""scripts that run each other"""
_PROJECT_FILES = {
    Ecosystem.PYPI: ("pyproject.toml", "setup.cfg", "setup.py", "Pipfile"),
    Ecosystem.NPM: ("package.json",),
    Ecosystem.CARGO: ("Cargo.toml",),
}
"""what says which packages a project needs; lock files, which name thousands, aren't read"""
_IN_COMMAND = "(command)"
"""the file that code in a command counts as: it lies where the command runs"""
_CODE = (".py", ".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".rs")
_WEIGHT: tuple[Decision, ...] = ("allow", "ask", "deny")


@dataclass(frozen=True, slots=True)
class Objection:
    """Something that speaks against an event."""

    decision: Decision
    """deny: a finding; ask: nobody could say; allow: worth a question where there is one"""
    what: str
    """in a line"""


@dataclass(frozen=True, slots=True)
class HookRules:
    """Who is asked, who is trusted, and what happens where nobody can say."""

    mode: Mode
    day: date | None
    home: Path | None
    vouching: Vouching
    on_unknown: Decision = "ask"
    limit_s: float = LIMIT_S


def rule(event: ToolEvent, rules: HookRules) -> Ruling:
    """What is answered to an event. Raises UsageError, ConfigError or SnapshotError."""
    with ExitStack() as stack:
        if event.folder:
            try:
                stack.enter_context(chdir(event.folder))
            except OSError as exc:
                raise UsageError(f"{event.folder}: can't be entered ({exc.strerror})") from exc
        objections = list(_objections(event, rules))
    # A question that can't be put is a denial that tells the agent to put it.
    asks: Decision = "ask" if event.can_ask else "deny"
    unknown = asks if rules.on_unknown == "ask" else rules.on_unknown
    doubt: Decision = "ask" if event.can_ask and rules.on_unknown != "allow" else "allow"
    decided: dict[Decision, Decision] = {"deny": "deny", "ask": unknown, "allow": doubt}
    decisions = [decided[one.decision] for one in objections]
    decision = max(decisions, key=_WEIGHT.index, default=_WEIGHT[0])
    return Ruling(decision, _reason(objections, decision, can_ask=event.can_ask))


def _reason(objections: Sequence[Objection], decision: Decision, *, can_ask: bool) -> str:
    worst = sorted(objections, key=lambda one: -_WEIGHT.index(one.decision))
    lines = [visible(one.what) for one in worst[:_MOST_LINES]]
    if len(worst) > _MOST_LINES:
        lines.append(f"and {len(worst) - _MOST_LINES} more")
    is_finding = any(one.decision == "deny" for one in objections)
    if decision == "deny" and not is_finding and not can_ask:
        lines.append("Ask the user whether this is meant; they can run it themselves.")
    elif decision == "deny" and is_finding:
        lines.append("Don't try another spelling by guessing: look the real name up.")
    return "\n".join(lines)


def _objections(event: ToolEvent, rules: HookRules) -> Iterator[Objection]:
    try:
        gathered = within(rules.limit_s, lambda: _gathered(event))
    except TimeoutError:
        yield Objection("ask", f"not looked at: it takes more than {rules.limit_s:g} s to read")
        return
    for one in gathered.skipped:
        yield Objection("ask", f"not looked at: {one.what}: {one.why}")
    if not any(source.refs for source in gathered.sources):
        return
    try:
        checked = within(rules.limit_s + _MORE_S, lambda: _judged(gathered, rules))
    except TimeoutError:
        names = ", ".join(sorted({ref.raw for one in gathered.sources for ref in one.refs})[:5])
        yield Objection("ask", f"the registries took more than {rules.limit_s:g} s about {names}")
        return
    for found in CheckedList(checked, str(rules.mode)).distinct():
        if (decision := _decision(found)) is not None:
            nearest = f"; nearest: {', '.join(found.nearest)}" if found.nearest else ""
            yield Objection(decision, f"{found}{nearest}")


def _decision(found: Checked) -> Decision | None:
    """What a verdict asks for; None where it is no objection."""
    is_import = found.ref.kind is RefKind.IMPORT  # which installs nothing
    if found.invented:
        is_doubtful = is_import and found.verdict is Verdict.ABSENT
        return "allow" if is_doubtful or _is_said(found) else "deny"
    if found.is_finding:  # a version that isn't there
        return "allow" if _is_said(found) else "deny"
    if found.unanswered or found.unasked:
        return "allow" if is_import else "ask"
    return None


def _is_said(found: Checked) -> bool:
    """True for a name in prose, and for a command in the texts and comments of code."""
    path = found.place.path if found.place else ""
    is_in_code = path.endswith(_CODE) and not path.endswith(CELL)
    return is_prose(path) or (is_in_code and found.ref.kind is RefKind.INSTALL)


def _judged(gathered: Gathered, rules: HookRules) -> list[Checked]:
    # Comments don't excuse a name here: the agent writes them.
    own = OwnCode(heed_comments=False)
    with open_judge(rules.mode, rules.home, rules.day, limit_s=rules.limit_s) as judge:
        return judge_sources(judge, rules.vouching, gathered.sources, own, versions_s=_VERSIONS_S)


def _gathered(event: ToolEvent) -> Gathered:
    """All that the event names."""
    gathered = Gathered()
    for command in event.commands:
        _add_command(gathered, command)
    for write in event.writes:
        for source in _new_names(write):
            add_source(gathered, source)
    return gathered


def _add_command(gathered: Gathered, command: str, folder: str = "", depth: int = 0) -> None:
    """A command, and the scripts that it runs."""
    found = installs_of(command, folder)
    skipped = [one for one in found.skipped if not is_reviewed(one.what)]
    imports = [ref for ref in found.refs if ref.kind is RefKind.IMPORT]
    others = [ref for ref in found.refs if ref.kind is not RefKind.IMPORT]
    add_source(gathered, replace(found, refs=others, skipped=skipped))
    add_source(gathered, SourceText(imports, command, _IN_COMMAND))
    for project in found.projects:
        _add_project(gathered, project)
    for script in found.scripts if depth < _DEEPEST else ():
        _add_script(gathered, script.path, script.folder, depth)


def _add_script(gathered: Gathered, path: str, folder: str, depth: int) -> None:
    """What a script installs: a shell's by its commands, Python's by the header that uv reads."""
    if not _is_there(path):
        return
    try:
        if not path.endswith(".py"):
            _add_command(gathered, read_text(path), folder, depth + 1)
            return
        source = read_source(path, is_given=False)
    except UsageError as exc:
        gathered.skipped.append(Unchecked(path, str(exc)))
        return
    refs = [ref for ref in source.refs if ref.kind is RefKind.MANIFEST]
    add_source(gathered, replace(source, refs=refs))


def _is_there(path: str) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path raises for a name that is too long)


def _add_project(gathered: Gathered, project: Project) -> None:
    """What a project's own files name, or that nobody read them."""
    paths = [os.path.join(project.folder, name)  # noqa: PTH118
             for name in _PROJECT_FILES.get(project.ecosystem, ())]  # fmt: skip
    there = [path for path in paths if _is_there(path)]
    if not there and project.is_certain:
        gathered.skipped.append(project.unread)
    for path in there:
        try:
            add_source(gathered, read_source(path, is_given=False))
        except UsageError as exc:
            gathered.skipped.append(Unchecked(path, str(exc)))


def _new_names(write: FileWrite) -> Iterator[SourceText]:
    """What a file names from now on that it doesn't name yet; nothing for one that isn't read."""
    path = write.path
    if is_other_manifest(path):
        unread = Unchecked(path, "packages of its language aren't looked up")
        yield SourceText([], "", path, (unread,))
    elif is_read(path):
        try:
            before = read_text(path) if _is_there(path) else ""
            after = write.content if write.content is not None else _edited(before, write.edits)
            found = source_of_text(path, after)
        except UsageError as exc:
            yield SourceText([], "", path, (Unchecked(path, str(exc).removeprefix(f"{path}: ")),))
            return
        try:
            known = {_key(ref) for ref in source_of_text(path, before).refs}
        except UsageError:
            known = set()
        yield replace(found, refs=[ref for ref in found.refs if _key(ref) not in known])


def _key(ref: PackageRef) -> tuple[str, str, str]:
    return ref.kind, ref.ecosystem, ref.name or ref.import_name or ref.raw


def _edited(text: str, edits: Sequence[tuple[str, str]]) -> str:
    """The text after the edits; what takes the place of nothing known comes at the end."""
    for old, new in edits:
        text = text.replace(old, new, 1) if old and old in text else f"{text}\n{new}"
    return text
