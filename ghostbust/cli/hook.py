"""``ghostbust hook``: stands in front of what a coding agent installs and writes."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.edge import help_if_bare, refuse_options
from ghostbust.cli.help import Commands, HelpGroup
from ghostbust.cli.hook_agents import (
    AGENTS,
    Agent,
    Decision,
    Ruling,
    ToolEvent,
    agent_of,
    read_document,
)
from ghostbust.cli.hook_agents import read_event as event_of
from ghostbust.cli.options import RegistryModeOption
from ghostbust.errors import GhostbustError, UsageError
from ghostbust.text import visible

if TYPE_CHECKING:
    from ghostbust.cli.hook_ruling import HookRules

AgentName = Literal["claude", "codex", "gemini", "cursor", "copilot", "opencode"]
_MOST_BYTES = 8_388_608
"""of an event: a file of the most that `check` reads, if it needs no escapes"""
_BLOCKED = 2
"""the exit code that four of the six agents take for a denial"""

AgentOption = Annotated[AgentName, typer.Option("--agent", help="Whose settings.")]
ProjectOption = Annotated[
    bool, typer.Option("--project", help="The current folder's settings, not the user's.")
]
UnknownOption = Annotated[
    Decision,
    typer.Option(
        "--on-unknown",
        help="What to answer where nobody could say, or something wasn't looked at. An agent that"
        " can't ask denies, and says to ask the user.",
    ),
]
ErrorOption = Annotated[
    Decision,
    typer.Option("--on-error", help="What to answer where the event can't be read, or judged."),
]


@invoked_with("home")
def _answer(
    cli: Invocation,
    context: typer.Context,
    agent: Annotated[
        AgentName | None,
        typer.Option("--agent", help="Who calls.", show_default="as the event says"),
    ] = None,
    on_unknown: UnknownOption = "ask",
    on_error: ErrorOption = "ask",
    registry: RegistryModeOption = None,
) -> None:
    """Answer a coding agent that is about to run a command or to write a file.

    Reads one event as JSON on standard input. Denies what installs or names a package that is
    absent or suspect, asks where nobody could say, and allows everything else.
    """
    if context.invoked_subcommand is not None:
        refuse_options(context)
        return
    if sys.stdin.isatty():
        help_if_bare(context)
    caller = None if agent is None else AGENTS[agent]
    event = None
    try:
        document = read_document(_stdin())
        caller = caller or agent_of(document)
        event = event_of(caller, document)
        ruling = _ruling(cli, event, on_unknown, registry)
    except Exception as exc:  # noqa: BLE001 (whatever goes wrong, the agent gets an answer)
        ruling = _failed(exc, on_error, caller, event)
    raise typer.Exit(_say(ruling, caller))


hook = Commands(name="hook", cls=HelpGroup, invoke_without_command=True, callback=_answer)


def _stdin() -> bytes:
    data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(f"the event has more than {_MOST_BYTES:,} bytes")
    return data


def _rules(cli: Invocation, on_unknown: Decision, registry: str | None) -> HookRules:
    from ghostbust.cli.hook_ruling import HookRules
    from ghostbust.cli.judging import trusted_vouching
    from ghostbust.registries.judge import Mode, asked_of

    mode, day = asked_of(None if registry is None else Mode(registry), None, cli.home)
    return HookRules(mode, day, cli.home_path, trusted_vouching(None, cli.home), on_unknown)


def _ruling(
    cli: Invocation, event: ToolEvent, on_unknown: Decision, registry: str | None
) -> Ruling:
    from ghostbust.extractors.unnamed import may_install

    if not event.writes and not any(map(may_install, event.commands)):
        return Ruling("allow")
    from ghostbust.cli.hook_ruling import rule  # takes 0.2 s

    return rule(event, _rules(cli, on_unknown, registry))


def _failed(
    error: Exception, on_error: Decision, caller: Agent | None, event: ToolEvent | None
) -> Ruling:
    """The answer where there is no ruling."""
    can_ask = event.can_ask if event else bool(caller and caller.asks)
    decision = "deny" if on_error == "ask" and not can_ask else on_error
    said = " ".join(str(error).split())
    if not isinstance(error, GhostbustError):
        said = f"unexpected {type(error).__name__}: {said}; this is a bug"
    return Ruling(decision, visible(f"couldn't judge this: {said}"))


def _say(ruling: Ruling, caller: Agent | None) -> int:
    """Answers in the caller's form; returns the exit code."""
    reason = f"ghostbust: {ruling.reason}"
    if ruling.reason:
        print(reason, file=sys.stderr)
    if caller is None:
        return 0 if ruling.decision == "allow" else _BLOCKED
    if ruling.decision == "allow":
        print(caller.silence, end="\n" if caller.silence else "")
        return 0
    print(json.dumps(caller.answer(ruling.decision, reason)))
    return caller.deny_code if ruling.decision == "deny" else 0


@hook.command("test")
@invoked_with("home", "as_json")
def try_command(
    cli: Invocation,
    command: Annotated[str, typer.Argument(help="A command, such as 'pip install foo'.")],
    on_unknown: UnknownOption = "ask",
    registry: RegistryModeOption = None,
) -> None:
    """Show what would be answered to a command, and why."""
    ruling = _ruling(cli, ToolEvent("", [command]), on_unknown, registry)
    styles = {"allow": "green", "ask": "yellow", "deny": "bold red"}
    cli.output.line(ruling.decision, styles[ruling.decision])
    for line in ruling.reason.splitlines():
        cli.output.line(line)
    cli.output.document({"decision": ruling.decision, "reasons": ruling.reason.splitlines()})


@hook.command("install")
@invoked_with("quiet")
def install(
    cli: Invocation,
    agent: AgentOption,
    project: ProjectOption = False,
    on_unknown: UnknownOption = "ask",
    on_error: ErrorOption = "ask",
) -> None:
    """Write the hook into an agent's settings; everything else in them stays.

    Installing again replaces what was installed.
    """
    from ghostbust.cli.hook_settings import command_of, install_hook, settings_file

    options = {"--on-unknown": on_unknown, "--on-error": on_error}
    said = [word for pair in options.items() if pair[1] != "ask" for word in pair]
    path = settings_file(AGENTS[agent], is_project=project)
    install_hook(AGENTS[agent], path, command_of(AGENTS[agent], said, is_project=project))
    cli.output.line(f"{AGENTS[agent].title}: installed in {path}")
    undone = f"ghostbust hook uninstall --agent {agent}{' --project' if project else ''}"
    cli.output.note(f"it takes effect in the agent's next session; {undone} undoes it")


@hook.command("uninstall")
@invoked_with("quiet")
def uninstall(cli: Invocation, agent: AgentOption, project: ProjectOption = False) -> None:
    """Take the hook out of an agent's settings."""
    from ghostbust.cli.hook_settings import settings_file, uninstall_hook

    path = settings_file(AGENTS[agent], is_project=project)
    done = uninstall_hook(AGENTS[agent], path)
    cli.output.line(
        f"{AGENTS[agent].title}: {'removed from' if done else 'not installed in'} {path}"
    )


@hook.command("list")
@invoked_with("as_json")
def list_agents(cli: Invocation) -> None:
    """List the agents, and where the hook is installed."""
    from ghostbust.cli.hook_settings import is_installed, settings_file

    rows = [
        (agent, path, is_installed(agent, path))
        for agent in AGENTS.values()
        for path in (settings_file(agent, is_project=False), settings_file(agent, is_project=True))
    ]
    cli.output.table(
        ("agent", "name", "settings", "installed"),
        ((one.title, one.name, path, "yes" if there else "no") for one, path, there in rows),
    )
    cli.output.document(
        {"agents": [{"agent": one.name, "settings": path, "installed": there}
                    for one, path, there in rows]}
    )  # fmt: skip
