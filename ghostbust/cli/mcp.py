"""``ghostbust mcp``: the checks as tools of the Model Context Protocol, on standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

import ghostbust
from ghostbust.cli.context import Invocation, invoked_with
from ghostbust.cli.options import RegistryModeOption
from ghostbust.cli.time_limit import within
from ghostbust.errors import GhostbustError, UsageError
from ghostbust.text import visible

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from ghostbust.cli.mcp_tools import PackageTools

_MORE_S = 10.0
"""of a call beside its look-ups: reading the longest text takes 3 s"""
_INSTRUCTIONS = (
    "Says which packages are real. Models invent package names, and attackers register them:"
    " call check before you install a package or add it to a file. If a name is ABSENT or SUSPECT,"
    " don't install it and don't guess another spelling."
)


@invoked_with("home")
def mcp(
    cli: Invocation,
    registry: RegistryModeOption = None,
    keep_prompts: Annotated[
        bool,
        typer.Option(
            "--keep-prompts", help="Keep the prompts of reported inventions; else names only."
        ),
    ] = False,
) -> None:
    """Serve an agent over the Model Context Protocol: is this package real?

    The agent starts it, writes to its standard input and reads its standard output.
    """
    server = server_of(_tools(cli, registry, keep_prompts=keep_prompts))
    if sys.stdin.isatty():
        cli.output.note("an agent is meant to start this and to write to it; Ctrl-D ends it")
    server.run("stdio")


def _tools(cli: Invocation, registry: str | None, *, keep_prompts: bool) -> PackageTools:
    """The tools, as the home folder's settings and the environment have it.

    Never the current folder's settings: that is the project in which the agent works.
    """
    from ghostbust.cli.judging import trusted_vouching
    from ghostbust.cli.mcp_tools import PackageTools
    from ghostbust.config import load_config
    from ghostbust.registries.judge import Mode, asked_of

    mode, day = asked_of(None if registry is None else Mode(registry), None, cli.home)
    keep = keep_prompts or load_config(None, cli.home, trust_here=False).prompts.keep
    vouching = trusted_vouching(None, cli.home)
    return PackageTools(mode, day, cli.home_path, vouching, keep_prompts=keep)


def server_of(tools: PackageTools) -> MCPServer[Any]:
    """A server with the tools. Raises UsageError where the SDK isn't installed."""
    try:
        from mcp.server import MCPServer
        from mcp_types import ToolAnnotations
    except ImportError as exc:  # 1.x has no such names either
        raise UsageError(
            "ghostbust mcp needs more libraries: pip install 'ghostbust[mcp]'"
        ) from exc
    server = MCPServer[Any]("ghostbust", version=ghostbust.__version__, instructions=_INSTRUCTIONS)
    asks = ToolAnnotations(read_only_hint=True, open_world_hint=True)
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    keeps = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=True)
    for tool, hints in (
        (tools.check, asks),
        (tools.nearest, reads),
        (tools.extract, reads),
        (tools.report_invention, keeps),
    ):
        server.add_tool(_told(tool, tools.limit_s + _MORE_S), annotations=hints)
    return server


def _told(tool: Callable[..., dict[str, Any]], limit_s: float) -> Callable[..., dict[str, Any]]:
    """The tool, whose errors the agent's model reads; the SDK hides the texts of all others."""
    from mcp.server.mcpserver.exceptions import ToolError

    @wraps(tool)
    def call(**arguments: Any) -> dict[str, Any]:
        try:
            return within(limit_s, lambda: tool(**arguments))
        except TimeoutError as exc:
            said = f"UNKNOWN: it took more than {limit_s:g} s, so nobody could say; ask the user"
            raise ToolError(said) from exc
        except Exception as exc:
            said = " ".join(str(exc).split())
            if not isinstance(exc, GhostbustError):
                said = f"unexpected {type(exc).__name__}: {said}; this is a bug"
            raise ToolError(visible(said)) from exc

    return call
