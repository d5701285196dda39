"""`ghostbust hook`: each agent's events in their documented form, its answers, its settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from ghostbust.cli.hook import AgentName
from ghostbust.cli.hook_agents import AGENTS, agent_of, read_event
from ghostbust.cli.hook_ruling import HookRules, rule
from ghostbust.cli.judging import Vouching
from ghostbust.errors import UsageError
from ghostbust.registries.judge import Mode
from tests.cli.reading import one_line

if TYPE_CHECKING:
    from tests.cli.conftest import FakeIndex, Run

BAD = "zz-no-such-name-9z"
ODD = "zz-odd-name-9z"
INSTALL, WRITE = "pip install NAME", ("requirements.txt", "requests\nNAME\n")


def claude(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """Claude Code's hooks reference: PreToolUse input."""
    tool = {"command": command, "description": "Install", "timeout": 120000}
    return {
        "session_id": "abc123", "transcript_path": "/home/u/.claude/projects/x/abc123.jsonl",
        "cwd": "", "permission_mode": "default", "hook_event_name": "PreToolUse",
        "tool_name": "Bash" if command else "Write",
        "tool_input": tool if command else {"file_path": path, "content": content},
        "tool_use_id": "toolu_01ABC123",
    }  # fmt: skip


def codex(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """openai/codex, pre-tool-use.command.input.schema.json; patches are in ``command``, too."""
    lines = "".join(f"+{line}\n" for line in content.splitlines())
    patch = f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch"
    return {
        "session_id": "s", "turn_id": "t", "transcript_path": None, "cwd": "",
        "hook_event_name": "PreToolUse", "model": "gpt-5", "permission_mode": "default",
        "tool_name": "Bash" if command else "apply_patch", "tool_use_id": "call-1",
        "tool_input": {"command": command or patch},
    }  # fmt: skip


def gemini(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """google-gemini/gemini-cli, docs/hooks/reference.md: BeforeTool."""
    written = {"file_path": path, "content": content}
    return {
        "session_id": "s", "transcript_path": "/t.json", "cwd": "",
        "hook_event_name": "BeforeTool", "timestamp": "2026-12-02T10:00:00Z",
        "tool_name": "run_shell_command" if command else "write_file",
        "tool_input": {"command": command, "description": "x"} if command else written,
    }  # fmt: skip


def cursor(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """Cursor's hooks page: beforeShellExecution, and preToolUse for files."""
    common = {
        "conversation_id": "c", "generation_id": "g", "model": "m", "cursor_version": "3.14.7",
        "workspace_roots": ["/w"],
    }  # fmt: skip
    if command:
        return {**common, "hook_event_name": "beforeShellExecution", "command": command, "cwd": ""}
    written = {"file_path": path, "contents": content}
    return {
        **common, "hook_event_name": "preToolUse", "tool_name": "Write", "tool_input": written,
        "tool_use_id": "u", "cwd": "",
    }  # fmt: skip


def copilot(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """github/docs, hooks-configuration.md: ``toolArgs`` is JSON in a string."""
    arguments = {"command": command} if command else {"path": path, "file_text": content}
    return {
        "sessionId": "s", "timestamp": 1704614600000, "cwd": "",
        "toolName": "bash" if command else "create", "toolArgs": json.dumps(arguments),
    }  # fmt: skip


def opencode(command: str = "", path: str = "", content: str = "") -> dict[str, Any]:
    """What our plugin sends of ``tool.execute.before``."""
    arguments = {"command": command} if command else {"filePath": path, "content": content}
    return {"tool": "bash" if command else "write", "args": arguments, "cwd": ""}


EVENTS = {
    "claude": claude, "codex": codex, "gemini": gemini, "cursor": cursor, "copilot": copilot,
    "opencode": opencode,
}  # fmt: skip
SNAPSHOT = ("--registry", "snapshot")


def said(agent: str, output: str) -> tuple[str, str]:
    """(decision, reason) of an answer in the agent's own form."""
    answer = json.loads(output)
    if agent in ("claude", "codex"):
        answer = answer["hookSpecificOutput"]
        assert answer["hookEventName"] == "PreToolUse"
    decision, reason = {
        "gemini": ("decision", "reason"), "opencode": ("decision", "reason"),
        "cursor": ("permission", "agent_message"),
    }.get(agent, ("permissionDecision", "permissionDecisionReason"))  # fmt: skip
    assert set(answer) - {"hookEventName", "user_message"} == {decision, reason}
    return answer[decision], answer[reason]


DENIED = {"claude": 2, "codex": 2, "gemini": 2, "cursor": 0, "copilot": 0, "opencode": 2}
SILENCE = {"gemini": "{}\n", "cursor": "{}\n"}


@pytest.mark.parametrize("agent", EVENTS)
@pytest.mark.parametrize("is_command", [True, False])
def test_allowed_and_denied(run: Run, agent: str, is_command: bool) -> None:
    def event(name: str) -> str:
        made = EVENTS[agent]
        one = made(INSTALL.replace("NAME", name)) if is_command else made(
            path=WRITE[0], content=WRITE[1].replace("NAME", name)
        )  # fmt: skip
        return json.dumps(one)

    allowed = run("hook", "--agent", agent, *SNAPSHOT, stdin=event("flask"))
    assert (allowed.exit_code, allowed.stdout) == (0, SILENCE.get(agent, ""))
    denied = run("hook", "--agent", agent, *SNAPSHOT, stdin=event("reqeusts"))
    assert denied.exit_code == DENIED[agent]
    decision, reason = said(agent, denied.stdout)
    assert decision == "deny"
    assert "reqeusts (pypi): ABSENT" in reason
    assert "nearest: requests" in reason
    assert denied.stderr.strip() == reason


@pytest.mark.parametrize("agent", EVENTS)
@pytest.mark.parametrize("setting", ["allow", "ask", "deny"])
def test_what_nobody_can_say(run: Run, agent: str, setting: str) -> None:
    event = json.dumps(EVENTS[agent](f"npm install {ODD}"))
    done = run("hook", "--agent", agent, *SNAPSHOT, "--on-unknown", setting, stdin=event)
    if setting == "allow":
        assert (done.exit_code, done.stdout) == (0, SILENCE.get(agent, ""))
        return
    asked = setting == "ask" and agent in ("claude", "cursor", "copilot")
    decision, reason = said(agent, done.stdout)
    assert decision == ("ask" if asked else "deny")
    assert done.exit_code == (0 if asked else DENIED[agent])
    assert ("Ask the user" in reason) is (decision == "deny" and agent not in
                                          ("claude", "cursor", "copilot"))  # fmt: skip


@pytest.mark.parametrize("agent", [name for name in EVENTS if name != "opencode"])
def test_the_agent_is_known_by_its_event(agent: str) -> None:
    assert agent_of(EVENTS[agent]("ls")) is AGENTS[agent]
    assert agent_of(EVENTS[agent](path="x", content="y")) is AGENTS[agent]


def test_the_option_takes_every_agent() -> None:
    assert get_args(AgentName) == tuple(AGENTS)


def test_an_event_of_several_agents_is_nobodys(run: Run) -> None:
    event = {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}}
    assert "give --agent (claude, codex," in one_line(run("hook", stdin=json.dumps(event)))
    assert run("hook", "--on-error", "allow", stdin=json.dumps(event)).exit_code == 0


@pytest.mark.parametrize(
    "tool",
    [
        {"tool_name": "Read", "tool_input": {"file_path": "requirements.txt"}},
        {"tool_name": "Bash", "tool_input": {"command": "ls -la"}},
        {"tool_name": "TodoWrite", "tool_input": {"todos": []}},
        {"tool_name": "Write", "tool_input": {"file_path": "x.html", "content": BAD}},
        {"tool_name": "NotebookEdit", "tool_input": {
            "notebook_path": "x.ipynb", "cell_type": "markdown", "new_source": f"pip install {BAD}"
        }},
    ],
)  # fmt: skip
def test_what_names_no_package_is_allowed(run: Run, tool: dict[str, Any]) -> None:
    done = run("hook", "--agent", "claude", *SNAPSHOT, stdin=json.dumps({**claude("x"), **tool}))
    assert (done.exit_code, done.output) == (0, "")


def edit(path: str, old: str, new: str) -> dict[str, Any]:
    """An event of Claude Code's Edit."""
    tool = {"file_path": path, "old_string": old, "new_string": new, "replace_all": False}
    return {**claude("x"), "tool_name": "Edit", "tool_input": tool}


FILES = {
    "package.json": '{\n  "dependencies": {\n    "express": "^4"\n  }\n}\n',
    "requirements.txt": f"requests\n{BAD}\n",
    "app.py": "import requests\n\nfrom helpers import x\n",
    "helpers.py": "x = 1\n",
}


@pytest.mark.parametrize(
    ("event", "decision"),
    [
        # what stood there before isn't held against the change
        (edit("requirements.txt", "requests", "requests\nflask"), "allow"),
        (edit("requirements.txt", "requests", "reqeusts"), "deny"),
        (edit("package.json", '"express": "^4"', f'"express": "^4",\n    "{ODD}": "^1"'), "ask"),
        (edit("package.json", '"express": "^4"', '"express": "^4",\n    "react": "^18"'), "allow"),
        (edit("package.json", "not there", f'"{ODD}": "^1"'), "ask"),  # can't be read as JSON
        (edit("app.py", "import requests", "import requests, helpers, os, flask"), "allow"),
        (edit("app.py", "import requests", "import zz_no_such_module_9z"), "ask"),
        (edit("Cargo.toml", "", '[dependencies]\nserde = "1"'), "ask"),  # no index here
        (edit("README.md", "", f"pip install {BAD}"), "ask"),
        (edit("Dockerfile", "", f"RUN pip install {BAD}"), "deny"),
        (edit("new.ipynb", "", "x"), "allow"),
        (edit("app.py", "", f"# pip install {BAD} first"), "ask"),  # is said, not run
        ({**claude("x"), "tool_name": "NotebookEdit", "tool_input": {
            "notebook_path": "x.ipynb", "cell_type": "code", "new_source": f"!pip install {BAD}"}},
         "deny"),
        ({**claude("x"), "tool_name": "MultiEdit", "tool_input": {
            "file_path": "requirements.txt", "edits": [
                {"old_string": "requests", "new_string": "flask"},
                {"old_string": "flask", "new_string": "flask\nreqeusts"}]}}, "deny"),
        ({**codex("x"), "tool_name": "apply_patch", "tool_input": {"command":
            "*** Begin Patch\n*** Update File: package.json\n@@\n   \"dependencies\": {\n"
            "-    \"express\": \"^4\"\n+    \"express\": \"^4\",\n+    \"react\": \"1\"\n   }\n"
            "*** Update File: requirements.txt\n@@\n requests\n+reqeusts\n*** End Patch"}}, "deny"),
        ({**codex("x"), "tool_input": {"command": ["bash", "-lc", f"pip install {BAD}"]}}, "deny"),
        (claude(f"python - <<'E'\nimport helpers, requests\nE\npip install {BAD}"), "deny"),
        (claude("python - <<'E'\nimport helpers, requests\nE"), "allow"),
    ],
)  # fmt: skip
def test_files_and_edits(run: Run, event: dict[str, Any], decision: str) -> None:
    for name, text in FILES.items():
        Path(name).write_text(text)
    agent = "claude"  # whose answers tell the three apart
    done = run("hook", "--agent", agent, *SNAPSHOT, stdin=json.dumps(event))
    assert (said(agent, done.stdout)[0] if done.stdout else "allow") == decision, done.output


@pytest.mark.parametrize("code", [f'import x from "{ODD}"', "import zz_no_such_module_9z"])
@pytest.mark.parametrize("agent", EVENTS)
def test_a_doubtful_import_is_asked_about_where_that_can_be(
    run: Run, agent: str, code: str
) -> None:
    path = "app.js" if "from" in code else "app.py"
    event = json.dumps(EVENTS[agent](path=path, content=f"{code}\n"))
    done = run("hook", "--agent", agent, *SNAPSHOT, stdin=event)
    if agent in ("claude", "copilot"):
        assert said(agent, done.stdout)[0] == "ask"
    else:
        assert (done.exit_code, done.stdout) == (0, SILENCE.get(agent, ""))


def test_paths_are_seen_from_the_events_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "r.txt").write_text(f"{BAD}\n")
    event = {**claude("pip install -r r.txt"), "cwd": str(tmp_path / "inner")}
    done = run("hook", *SNAPSHOT, stdin=json.dumps(event))
    assert (done.exit_code, Path.cwd()) == (2, tmp_path / "empty")


HOSTILE = {
    "nothing": b"",
    "no object": b"[1]",
    "deep": b'{"tool_input":' + b"[" * 100_000,
    "no text": b'{"tool_name": "\xff\xfe"}',
    "number": b'{"tool_name": "Bash", "tool_input": 7}',
    "long digits": b'{"tool_name": "Bash", "tool_input": ' + b"9" * 10_000 + b"}",
    "command": b'{"tool_name": "Bash", "tool_input": {"command": {"a": 1}}}',
    "another event": b'{"hook_event_name": "Stop"}',
    "huge": b'{"x": "' + b"x" * 9_000_000,
    "no folder": json.dumps({**claude("pip install requests"), "cwd": "/no/such"}).encode(),
    "null in a path": json.dumps(claude(path="\0.py", content="import requests")).encode(),
    "half a pair": b'{"tool_name": "Bash", "tool_input": {"command": "pip install \\ud83d"}}',
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("mode", ["allow", "ask", "deny"])
def test_hostile_events_get_one_line(run: Run, data: bytes, mode: str) -> None:
    done = run("hook", "--agent", "claude", *SNAPSHOT, "--on-error", mode, stdin=data)
    said_aside = done.stderr.strip()
    assert said_aside.startswith("ghostbust: ")
    assert "Traceback" not in done.output
    if "couldn't judge" not in said_aside:  # the name or path is the problem
        return
    assert "\n" not in said_aside
    assert "bug" not in said_aside
    assert (done.exit_code, bool(done.stdout)) == (2 if mode == "deny" else 0, mode != "allow")


def test_an_agent_that_cannot_ask_fails_closed(run: Run) -> None:
    assert run("hook", "--agent", "codex", stdin=b"{").exit_code == 2
    assert run("hook", "--agent", "codex", "--on-error", "allow", stdin=b"{").exit_code == 0


def test_a_slow_registry_is_unknown(
    index: FakeIndex, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    del run  # sets the index
    over, answer = threading.Event(), index.answer

    def slow(path: str, known: str | None) -> tuple[int, dict[str, str], bytes]:
        over.wait(60)
        return answer(path, known)

    monkeypatch.setattr(index, "answer", slow)
    event = read_event(AGENTS["claude"], claude(f"pip install {BAD}"))
    rules = HookRules(Mode.LIVE, None, tmp_path / "none", Vouching(), limit_s=0.3)
    began = time.monotonic()
    ruling = rule(event, rules)
    assert ruling.decision == "ask"
    assert "took more than 0.3 s" in ruling.reason
    assert time.monotonic() - began < 15  # which agents wait; a busy machine takes its time
    # What a snapshot says counts, whoever else is slow.
    event = read_event(AGENTS["claude"], claude(f"pip install {BAD} && npm i zz-quux-in-npm"))
    ruling = rule(event, replace(rules, mode=Mode.AUTO))
    assert ruling.decision == "deny"
    assert "took more than 0.3 s" in ruling.reason
    over.set()


def test_a_command_that_takes_too_long_to_read_is_asked_about(tmp_path: Path) -> None:
    event = read_event(AGENTS["claude"], claude("pip install a && " * 200_000))
    rules = HookRules(Mode.SNAPSHOT, None, tmp_path / "none", Vouching(), limit_s=0.1)
    assert rule(event, rules).decision == "ask"


def test_hook_test_shows_what_would_happen(run: Run) -> None:
    done = run("hook", "test", "pip install reqeusts flask", *SNAPSHOT)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "deny")
    assert "nearest: requests" in done.stdout
    done = run("hook", "test", "pip install requests", *SNAPSHOT, "--json")
    assert json.loads(done.stdout) == {"decision": "allow", "reasons": []}


# Settings

OTHERS = {
    "claude": '{\n    "model": "x",\n    "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": '
    '[{"type": "command", "command": "mine.sh"}]}], "Stop": []}, "ü": 1}',
    "codex": '{"hooks": {"PostToolUse": [{"hooks": []}]}}\n',
    "gemini": '{"theme": "dark"}',
    "cursor": '{"version": 1, "hooks": {"beforeShellExecution": [{"command": "./mine.sh"}]}}',
}


@pytest.mark.parametrize("agent", EVENTS)
@pytest.mark.parametrize("project", [(), ("--project",)])
def test_installed_and_uninstalled(
    run: Run, agent: str, project: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installing twice is installing once; where nothing was, nothing is left."""
    words = ("--agent", agent, *project)
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    done = run("hook", "install", *words)
    assert done.exit_code == 0
    path = Path(done.stdout.strip().partition("installed in ")[2])
    first = path.read_text("utf-8")
    assert f'"{agent}"' in first or f"--agent {agent}" in first
    assert run("hook", "install", *words).exit_code == 0
    assert path.read_text("utf-8") == first
    rows = json.loads(run("hook", "list", "--json").stdout)["agents"]
    assert [row["agent"] for row in rows if row["installed"]] == [agent]
    run("hook", "install", *words, "--on-unknown", "deny")
    changed = path.read_text("utf-8")
    assert changed.count("--agent") == first.count("--agent")
    assert "deny" in changed
    assert run("hook", "uninstall", *words).exit_code == 0
    assert "not installed in" in run("hook", "uninstall", *words).stdout
    assert not [one for one in tmp_path.rglob("*") if one.is_file()]


@pytest.mark.parametrize("agent", OTHERS)
def test_other_settings_stay(run: Run, agent: str) -> None:
    path = Path(AGENTS[agent].project_file)
    path.parent.mkdir()
    path.write_text(OTHERS[agent], "utf-8")
    words = ("--agent", agent, "--project")
    run("hook", "install", *words)
    mixed = json.loads(path.read_text("utf-8"))
    mine = json.loads(OTHERS[agent])
    assert {key: mixed[key] for key in mine if key != "hooks"} == {
        key: value for key, value in mine.items() if key != "hooks"
    }
    for event, entries in mine.get("hooks", {}).items():
        assert [one for one in mixed["hooks"].get(event, []) if one in entries] == entries
    run("hook", "uninstall", *words)
    assert path.read_text("utf-8") == OTHERS[agent]
    # what the user changes in the meantime stays, too
    run("hook", "install", *words)
    mixed = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**mixed, "new": True}))
    run("hook", "uninstall", *words)
    kept = json.loads(path.read_text("utf-8"))
    assert kept.pop("new") is True
    assert "ghostbust" not in json.dumps(kept)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_settings_behind_a_link_stay_behind_it(run: Run, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    real.chmod(0o644)
    path = Path(".claude/settings.json")
    path.parent.mkdir()
    path.symlink_to(real)
    run("hook", "install", "--agent", "claude", "--project")
    assert path.is_symlink()
    assert "ghostbust" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "content", ["{ // mine\n}", "[]", '{"hooks": 7}', '{"hooks": {"PreToolUse": {}}}', "\udcff"]
)
def test_settings_that_cannot_be_read_are_left_alone(run: Run, content: str) -> None:
    path = Path(".claude/settings.json")
    path.parent.mkdir()
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    before = path.read_bytes()
    assert "nothing was changed" in one_line(
        run("hook", "install", "--agent", "claude", "--project")
    )
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_plugin_of_somebody_else_stays(run: Run) -> None:
    path = Path(".opencode/plugins/ghostbust.js")
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    one_line(run("hook", "install", "--agent", "opencode", "--project"))
    assert path.read_text() == "mine"
    assert "not installed" in run("hook", "uninstall", "--agent", "opencode", "--project").stdout


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_the_plugin_throws_what_it_is_told(run: Run, tmp_path: Path) -> None:
    run("hook", "install", "--agent", "opencode")
    source = Path(".config/opencode/plugins/ghostbust.js").read_text()
    script = tmp_path / "try.mjs"
    call = (
        "const hooks = await Ghostbust({ directory: process.cwd() })\n"
        "for (const command of ['ls', 'pip install reqeusts'])\n"
        "  await hooks['tool.execute.before']({ tool: 'bash' }, { args: { command } })\n"
        "    .then(() => console.log('ran'), error => console.log(error.message.split('\\n')[0]))\n"
    )
    script.write_text(source.replace('"opencode"', '"opencode", "--registry", "snapshot"') + call)
    done = subprocess.run(["node", script], capture_output=True, text=True, check=True, timeout=60)
    ran, blocked = done.stdout.splitlines()
    assert ran == "ran"
    assert blocked.startswith("ghostbust: reqeusts (pypi): ABSENT")


def test_arguments_of_another_kind_are_an_error() -> None:
    for document in ({"tool_name": "x", "tool_input": []}, {"x": 1}):
        with pytest.raises(UsageError):
            read_event(AGENTS["gemini"], document)
