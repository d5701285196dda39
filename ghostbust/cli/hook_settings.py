"""Puts the hook into an agent's settings, and takes it out again.

The settings are the user's: what isn't ours stays, a file that can't be read is left alone, and
what stood there before is kept beside it until the hook is taken out.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import list2cmdline
from typing import Any

from ghostbust.cli.hook_agents import TIMEOUT_S, Agent
from ghostbust.documents import parse_json
from ghostbust.errors import UsageError
from ghostbust.files import write_whole

_MARK = "hook --agent"
_BACKUP = ".before-ghostbust"
_PLUGIN = """\
// Written by `ghostbust hook install --agent opencode`; `ghostbust hook uninstall` removes it.
import { spawnSync } from "node:child_process"

const command = COMMAND

export const Ghostbust = async ({ directory }) => ({
  "tool.execute.before": async (input, output) => {
    const event = JSON.stringify({ tool: input.tool, args: output.args, cwd: directory })
    const [program, ...words] = command
    const done = spawnSync(program, words, { input: event, encoding: "utf8", timeout: TIMEOUT })
    if (done.error || ![0, 2].includes(done.status)) {
      console.error(`ghostbust: didn't answer: ${done.error?.message ?? done.stderr}`)
    } else if (done.status === 2) {
      throw new Error(done.stderr.trim())
    }
  },
})
"""


def settings_file(agent: Agent, *, is_project: bool) -> Path:
    """Where an agent's settings lie: the user's, or those of the current folder."""
    if is_project:
        return Path.cwd() / agent.project_file
    variable, folder = agent.home
    named = os.environ.get(variable) if variable else None
    return Path(named or folder).expanduser() / agent.user_file


def command_of(agent: Agent, options: Sequence[str], *, is_project: bool) -> list[str]:
    """The words that call the hook. A project's are for whoever has ghostbust on the PATH."""
    program = ["ghostbust"] if is_project else [sys.executable, "-m", "ghostbust"]
    return [*program, "hook", "--agent", agent.name, *options]


def install_hook(agent: Agent, path: Path, command: Sequence[str]) -> None:
    """Adds the hook to the settings in place of an older one. Raises UsageError."""
    path = _real(path)
    before = _content(path)
    entries = agent.entries(list2cmdline(command) if os.name == "nt" else shlex.join(command))
    if not entries:
        after = _plugin(command)
        if before is not None and _MARK_OF_PLUGIN not in before:
            raise UsageError(f"{path}: isn't ours; move it away")
    else:
        settings = _settings(path, before)
        _remove(settings)
        if agent.has_version:
            settings.setdefault("version", 1)
        hooks = settings.setdefault("hooks", {})
        for event, entry in entries.items():
            listed = hooks.setdefault(event, [])
            if not isinstance(listed, list):
                raise UsageError(f"{path}: hooks.{event} isn't a list; nothing was changed")
            listed.append(entry)
        after = _json(settings)
    if after == before:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    backup = _backup(path)
    if before is not None and not backup.exists() and not is_installed(agent, path):
        write_whole(backup, before, error=UsageError)
    write_whole(path, after, mode=_mode(path), error=UsageError)


def uninstall_hook(agent: Agent, path: Path) -> bool:
    """Takes the hook out; False where there is none. Raises UsageError.

    Where nothing else was changed since, the file is again what it was, to the byte.
    """
    path = _real(path)
    content = _content(path)
    if content is None or not is_installed(agent, path):
        return False
    backup = _backup(path)
    kept = _content(backup)
    if not agent.entries(""):
        path.unlink()
        return True
    settings = _settings(path, content)
    _remove(settings)
    if kept is not None and _bare(_settings(backup, kept)) == _bare(settings):
        write_whole(path, kept, mode=_mode(path), error=UsageError)
    elif kept is None and not _bare(settings):
        path.unlink()
    else:
        write_whole(path, _json(settings), mode=_mode(path), error=UsageError)
    backup.unlink(missing_ok=True)
    return True


def is_installed(agent: Agent, path: Path) -> bool:
    """Whether the settings call the hook. Raises UsageError for what can't be read."""
    content = _content(path)
    if content is None:
        return False
    if not agent.entries(""):
        return _MARK_OF_PLUGIN in content
    return any(True for _ in _ours(_settings(path, content)))


_MARK_OF_PLUGIN = "ghostbust hook install"


def _plugin(command: Sequence[str]) -> str:
    text = _PLUGIN.replace("COMMAND", json.dumps(list(command)))
    return text.replace("TIMEOUT", str(TIMEOUT_S * 1000))


def _real(path: Path) -> Path:
    """The file behind links: settings are often kept elsewhere, and the link has to stay."""
    return Path(os.path.realpath(path))


def _backup(path: Path) -> Path:
    return path.with_name(path.name + _BACKUP)


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777 if path.exists() else 0o600


def _content(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: can't be read ({exc}); nothing was changed") from exc


def _settings(path: Path, content: str | None) -> dict[str, Any]:
    """The settings' object. Raises UsageError, so that what we can't read is never written."""
    try:
        settings = parse_json(content) if content and content.strip() else {}
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{path}: isn't valid JSON ({exc}); nothing was changed") from exc
    if not isinstance(settings, dict) or not isinstance(settings.get("hooks", {}), dict):
        raise UsageError(f"{path}: isn't an object with hooks; nothing was changed")
    return settings


def _json(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _ours(settings: dict[str, Any]) -> Iterator[tuple[list[Any], Any, Any]]:
    """(the list, its entry, the inner hook or None) of each hook of ours."""
    for listed in settings.get("hooks", {}).values():
        for entry in listed if isinstance(listed, list) else ():
            if _is_ours(entry):
                yield listed, entry, None
            inner = entry.get("hooks") if isinstance(entry, dict) else None
            for one in inner if isinstance(inner, list) else ():
                if _is_ours(one):
                    yield listed, entry, one


def _is_ours(entry: object) -> bool:
    command = (entry.get("command") or entry.get("bash")) if isinstance(entry, dict) else None
    return isinstance(command, str) and "ghostbust" in command and _MARK in command


def _remove(settings: dict[str, Any]) -> None:
    """Takes out our hooks, and what is empty without them."""
    for listed, entry, inner in list(_ours(settings)):
        if inner is not None:
            entry["hooks"].remove(inner)
        if inner is None or not entry["hooks"]:
            listed.remove(entry)
        if not listed:
            hooks = settings["hooks"]
            del hooks[next(event for event, one in hooks.items() if one is listed)]


def _bare(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings without what installing adds besides the hook itself."""
    added: tuple[object, ...] = ({}, 1)
    return {
        key: value for key, value in settings.items()
        if not (key in ("hooks", "version") and value in added)
    }  # fmt: skip
