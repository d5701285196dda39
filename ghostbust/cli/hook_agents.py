"""What coding agents tell a hook before a tool runs, and how they take the answer.

Their documentation was read on 2026-12-02 (docs/guides/agents.md says where, and what couldn't be
verified). The events differ in their envelope; what a tool gets (a command, a path with a content,
a replacement, a patch) has the same few spellings everywhere, so it is read by those, whatever the
tool is called.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ghostbust.documents import parse_json
from ghostbust.errors import UsageError

Decision = Literal["allow", "ask", "deny"]
Said = dict[str, Any]

_TOOLS = ("tool_name", "toolName", "tool")
_ARGUMENTS = ("tool_input", "toolArgs", "args")
_PATHS = ("file_path", "filePath", "path", "notebook_path", "target_file")
_CONTENTS = ("content", "contents", "file_text", "new_source")
_OLD = ("old_string", "oldString", "old_str")
_NEW = ("new_string", "newString", "new_str")
_PATCHES = ("patchText", "patch", "input", "command")
CELL = "(cell).py"
"""the file that a notebook's cell is written as"""
_PATCH = "*** Begin Patch"
_PATCHED = {"*** Add File: ": True, "*** Update File: ": False}
"""what begins a file's part of a patch; True: the part is all of the file"""


@dataclass(frozen=True, slots=True)
class FileWrite:
    """A file that is about to be written."""

    path: str
    content: str | None
    """all of it; None: it is changed by ``edits``"""
    edits: Sequence[tuple[str, str]] = ()
    """texts in it, each with what takes its place"""


@dataclass(frozen=True, slots=True)
class ToolEvent:
    """What an agent is about to do."""

    folder: str
    """where; empty where the event doesn't say"""
    commands: Sequence[str] = ()
    writes: Sequence[FileWrite] = ()
    can_ask: bool = True
    """whether the agent's user can be asked about this event"""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is answered."""

    decision: Decision
    reason: str = ""
    """a line for each objection; empty where nothing speaks against the event"""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent: how its events are known, how it is answered, and where its settings lie."""

    name: str
    title: str
    answer: Callable[[Decision, str], Said]
    """what a decision other than allow is said as"""
    silence: str
    """what is printed to allow. Never "allow": that would skip the agent's own permissions"""
    deny_code: int
    """the exit code that comes with a denial"""
    asks: frozenset[str]
    """the events whose user can be asked; an empty one stands for an event without a name"""
    home: tuple[str, str]
    """the variable that names the user's folder of settings, and where it lies without one"""
    user_file: str
    """below that folder"""
    project_file: str
    """below a project"""
    entries: Callable[[str], dict[str, Said]]
    """what is added to the settings' hooks for a command; nothing for an agent with plugins"""
    has_version: bool = False
    """whether the settings say ``"version": 1``"""


def _pre_tool_use(decision: Decision, reason: str) -> Said:
    said = {"permissionDecision": decision, "permissionDecisionReason": reason}
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", **said}}


def _decision(decision: Decision, reason: str) -> Said:
    return {"decision": decision, "reason": reason}


def _permission(decision: Decision, reason: str) -> Said:
    return {"permission": decision, "user_message": reason, "agent_message": reason}


def _permission_decision(decision: Decision, reason: str) -> Said:
    return {"permissionDecision": decision, "permissionDecisionReason": reason}


TIMEOUT_S = 15
"""after which an agent goes on without an answer; the look-ups end long before"""


def _matched(event: str, matcher: str, timeout: int, **more: str) -> Callable[[str], Any]:
    def entries(command: str) -> dict[str, Said]:
        run = {"type": "command", "command": command, "timeout": timeout, **more}
        return {event: {"matcher": matcher, "hooks": [run]}}

    return entries


def _cursors(command: str) -> dict[str, Said]:
    run = {"command": command, "timeout": TIMEOUT_S}
    return {"beforeShellExecution": run, "preToolUse": {**run, "matcher": "Write|Edit|StrReplace"}}


def _copilots(command: str) -> dict[str, Said]:
    run = {"type": "command", "bash": command, "powershell": command, "timeoutSec": TIMEOUT_S}
    return {"preToolUse": run}


def _none(_: str) -> dict[str, Said]:
    return {}


_CLAUDE_TOOLS = "Bash|PowerShell|Write|Edit|MultiEdit|NotebookEdit"
_NOBODY: frozenset[str] = frozenset()
AGENTS = {
    agent.name: agent
    for agent in (
        Agent(
            "claude", "Claude Code", _pre_tool_use, "", 2, frozenset({"PreToolUse"}),
            ("CLAUDE_CONFIG_DIR", "~/.claude"), "settings.json", ".claude/settings.json",
            _matched("PreToolUse", _CLAUDE_TOOLS, TIMEOUT_S),
        ),
        Agent(  # takes "ask" for a failed hook, and goes on
            "codex", "Codex CLI", _pre_tool_use, "", 2, _NOBODY,
            ("CODEX_HOME", "~/.codex"), "hooks.json", ".codex/hooks.json",
            _matched("PreToolUse", "Bash|apply_patch", TIMEOUT_S),
        ),
        Agent(
            "gemini", "Gemini CLI", _decision, "{}", 2, _NOBODY,
            ("", "~/.gemini"), "settings.json", ".gemini/settings.json",
            _matched(
                "BeforeTool", "run_shell_command|write_file|replace", TIMEOUT_S * 1000,
                name="ghostbust",
            ),
        ),
        Agent(  # takes what is no JSON for a denial, and "ask" of preToolUse for consent
            "cursor", "Cursor", _permission, "{}", 0, frozenset({"beforeShellExecution"}),
            ("", "~/.cursor"), "hooks.json", ".cursor/hooks.json", _cursors, has_version=True,
        ),
        Agent(  # takes an exit code for a broken hook
            "copilot", "Copilot CLI", _permission_decision, "", 0, frozenset({""}),
            ("COPILOT_HOME", "~/.copilot"), "hooks/ghostbust.json",
            ".github/hooks/ghostbust.json", _copilots, has_version=True,
        ),
        Agent(  # the answer goes to our own plugin
            "opencode", "opencode", _decision, "", 2, _NOBODY,
            ("OPENCODE_CONFIG_DIR", "~/.config/opencode"), "plugins/ghostbust.js",
            ".opencode/plugins/ghostbust.js", _none,
        ),
    )
}  # fmt: skip


def read_document(data: bytes) -> Mapping[str, Any]:
    """The event's JSON object. Raises UsageError for anything else."""
    try:
        document = parse_json(data.decode("utf-8"))
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"the event isn't valid JSON ({exc})") from exc
    if not isinstance(document, dict):
        raise UsageError("the event isn't a JSON object")
    return document


def agent_of(document: Mapping[str, Any]) -> Agent:
    """The agent that alone writes such events. Raises UsageError where several may."""
    event = document.get("hook_event_name")
    if event == "BeforeTool":
        return AGENTS["gemini"]
    if event in ("beforeShellExecution", "preToolUse"):
        return AGENTS["cursor"]
    if event is None and "toolName" in document and "toolArgs" in document:
        return AGENTS["copilot"]
    if event == "PreToolUse" and "transcript_path" in document and "timestamp" not in document:
        return AGENTS["codex" if "turn_id" in document or "model" in document else "claude"]
    raise UsageError(f"can't tell whose event this is; give --agent ({', '.join(AGENTS)})")


def read_event(agent: Agent, document: Mapping[str, Any]) -> ToolEvent:
    """What the event says is about to be done. Raises UsageError for one in another form."""
    arguments = _first(document, _ARGUMENTS)
    if isinstance(arguments, str):  # Copilot's older versions send JSON in JSON
        arguments = read_document(arguments.encode("utf-8", "surrogatepass"))
    if arguments is None:
        arguments = document
    if not isinstance(arguments, dict):
        raise UsageError("the event's arguments aren't a JSON object")
    tool = _first(document, _TOOLS)
    commands: list[str] = []
    writes: list[FileWrite] = []
    patch = next((x for key in _PATCHES if _is_patch(x := arguments.get(key))), None)
    if patch is not None:
        writes += _patched(patch)
    elif "command" in arguments:
        commands.append(_command(arguments["command"]))
    writes += _written(arguments)
    name = document.get("hook_event_name") or ""
    if tool is None and not commands and not writes:
        raise UsageError(f"the event isn't one of {agent.title} before a tool")
    folder = arguments.get("cwd") or arguments.get("workdir") or document.get("cwd") or ""
    if document.get("cwd") and isinstance(folder, str):
        folder = os.path.join(str(document["cwd"]), folder)  # noqa: PTH118
    folder = folder if isinstance(folder, str) else ""
    if "\0" in folder or any("\0" in write.path for write in writes):
        raise UsageError("a path of the event holds a null character")
    return ToolEvent(folder, commands, writes, name in agent.asks)


def _first(document: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((document[key] for key in keys if document.get(key) is not None), None)


def _text(document: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    found = _first(document, keys)
    return found if isinstance(found, str) else None


def _command(value: object) -> str:
    """A command as one text; some tools take it as a list of words."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return shlex.join(value)
    raise UsageError("the event's command is no text")


def _is_patch(value: object) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(_PATCH)


def _written(arguments: Mapping[str, Any]) -> Iterator[FileWrite]:
    """The file that a tool writes or changes; nothing for one that only reads."""
    path = _text(arguments, _PATHS)
    if path is None:
        return
    if arguments.get("notebook_path") is not None:
        if arguments.get("cell_type") != "markdown" and arguments.get("new_source"):
            cell = os.path.join(os.path.dirname(path), CELL)  # noqa: PTH118, PTH120
            yield FileWrite(cell, str(arguments["new_source"]))
        return
    content = _text(arguments, _CONTENTS)
    if content is not None:
        yield FileWrite(path, content)
        return
    parts = arguments.get("edits")
    changes = parts if isinstance(parts, list) else [arguments]
    pairs = [
        (_text(one, _OLD) or "", new)
        for one in changes
        if isinstance(one, dict) and (new := _text(one, _NEW)) is not None
    ]
    if pairs:
        yield FileWrite(path, None, pairs)


def _patched(patch: str) -> Iterator[FileWrite]:
    """The files of a patch in the form that ``apply_patch`` takes."""
    path, is_new = "", False
    edits: list[tuple[list[str], list[str]]] = []

    def written() -> Iterator[FileWrite]:
        pairs = [("\n".join(old), "\n".join(new)) for old, new in edits if old or new]
        if path and is_new:
            yield FileWrite(path, "\n".join(new for _, new in pairs) + "\n")
        elif path and pairs:
            yield FileWrite(path, None, pairs)

    for line in patch.splitlines():
        head = next((mark for mark in _PATCHED if line.startswith(mark)), None)
        if line.startswith("*** ") and not line.startswith(("*** End of File", "*** Move to")):
            yield from written()
            path, is_new = (line[len(head) :].strip(), _PATCHED[head]) if head else ("", False)
            edits = [([], [])]
        elif line.startswith("@@"):
            edits.append(([], []))
        elif path:
            if line[:1] in ("-", " ", ""):
                edits[-1][0].append(line[1:])
            if line[:1] in ("+", " ", ""):
                edits[-1][1].append(line[1:])
    yield from written()
