"""``--help`` as people read it, at any width and without rich, which takes longer than the rest.

An option's value is a word: what the option says itself (``FILE``), its choices if they are short
(``md|html``), else a word for its type (``N``). On a narrow terminal each explanation stands below
what it explains.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

NARROW: Final = 64
"""columns; with fewer, explanations stand below"""
WIDEST: Final = 100
_COLUMN: Final = 26
"""of the explanations, at most"""
_LONGEST_CHOICES: Final = 24
"""characters; longer ones stand in the explanation"""
_WORDS: Final = {"int": "N", "float": "NUMBER", "path": "FILE", "Path": "FILE", "file": "FILE"}
"""a type's name in typer, and what people read"""

Row = tuple[str, str]
"""what is explained, and the explanation"""


class HelpCommand(TyperCommand):
    """A command with our help."""

    def get_help(self, ctx: Any) -> str:
        """The help's text, without the last line break."""
        return _help(self, ctx)


class HelpGroup(TyperGroup):
    """A group of commands with our help; its commands stand below their ``rich_help_panel``."""

    def get_help(self, ctx: Any) -> str:
        """The help's text, without the last line break."""
        return _help(self, ctx)


class Commands(typer.Typer):
    """A group, or one command, whose commands have our help."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """As of `typer.Typer`."""
        return super().command(name, **{"cls": HelpCommand} | options)


def _help(command: TyperCommand | TyperGroup, ctx: Any) -> str:
    width = min(shutil.get_terminal_size().columns, WIDEST)
    params = [one for one in command.get_params(ctx) if not getattr(one, "hidden", False)]
    arguments = [one for one in params if isinstance(one, TyperArgument)]
    options = [one for one in params if isinstance(one, TyperOption)]
    usage = [ctx.command_path, "[OPTIONS]", *map(_usage_of, arguments)]
    usage += ["COMMAND"] if isinstance(command, TyperGroup) else []
    return "\n\n".join(
        [
            _wrapped(" ".join(usage), width, first="Usage: ", rest="       "),
            *(_wrapped(text, width) for text in _paragraphs(command.help)),
            *_sections({"Arguments": [(_name(a), _explained(a, ctx)) for a in arguments]}, width),
            *_sections(_panels(command, ctx), width),
            *_sections(
                {"Options": [(_spelled(o, ctx), _explained(o, ctx)) for o in options]}, width
            ),
        ]
    )


def _panels(command: TyperCommand | TyperGroup, ctx: Any) -> dict[str, list[Row]]:
    """The commands of a group with their first lines, by the heading that they stand below."""
    panels: dict[str, list[Row]] = {}
    if not isinstance(command, TyperGroup):
        return panels
    for name in command.list_commands(ctx):
        inner = command.get_command(ctx, name)
        if inner is not None and not inner.hidden:
            panel = getattr(inner, "rich_help_panel", None) or "Commands"
            panels.setdefault(panel, []).append((name, next(iter(_paragraphs(inner.help)), "")))
    return panels


def _sections(sections: Mapping[str, Sequence[Row]], width: int) -> Iterator[str]:
    """Each heading with its rows; explanations begin in the same column in all of them."""
    longest = max((len(what) for rows in sections.values() for what, _ in rows), default=0)
    for title, rows in sections.items():
        lines = [line for row in rows for line in _lines(row, width, min(_COLUMN, longest + 4))]
        if lines:
            yield "\n".join([_styled(title, bold=True), *lines])


def _lines(row: Row, width: int, column: int) -> Iterator[str]:
    """A row: side by side if there is room, else one below the other."""
    what, said = row
    if width >= NARROW and len(what) + 4 <= column:
        filled = _wrapped(said, width, first=" " * column, rest=" " * column)[column:]
        yield f"  {_styled(what, fg='cyan')}{' ' * (column - len(what) - 2)}{filled}".rstrip()
        return
    indent = " " * (column if width >= NARROW else 6)
    broken = _wrapped(what, width, first="  ", rest="    ")
    yield from (_styled(line, fg="cyan") for line in broken.splitlines())
    if said:
        yield _wrapped(said, width, first=indent, rest=indent)


def _wrapped(text: str, width: int, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )


def _styled(text: str, **style: Any) -> str:
    """The text in colour where a terminal reads it that wants some."""
    plain = not sys.stdout.isatty() or "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    return text if plain else typer.style(text, **style)


def _paragraphs(text: str | None) -> Sequence[str]:
    return [" ".join(one.split()) for one in inspect.cleandoc(text or "").split("\n\n") if one]


def _usage_of(argument: TyperArgument) -> str:
    name = _name(argument) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _spelled(option: TyperOption, ctx: Any) -> str:
    """Every spelling of the option, and the word for its value: ``--file, -f FILE``."""
    names = ", ".join([*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {_word(option, ctx)}"


def _name(param: TyperArgument | TyperOption) -> str:
    return param.metavar or str(param.name).upper().replace("_", "-")


def _word(param: TyperArgument | TyperOption, ctx: Any) -> str:
    """The word for a value of the parameter."""
    if param.metavar is not None or isinstance(param, TyperArgument):
        return _name(param)
    if choices := _choices(param, ctx):
        joined = "|".join(choices)
        fits = len(joined) <= _LONGEST_CHOICES
        return joined if fits else param.opts[0].lstrip("-").upper()
    return _WORDS.get(_type(param, ctx).removesuffix(" range"), "TEXT")


def _type(param: TyperArgument | TyperOption, ctx: Any) -> str:
    return param.display_type(ctx).strip("<>").removeprefix("list[").removesuffix("]")


def _choices(param: TyperArgument | TyperOption, ctx: Any) -> Sequence[str]:
    return _type(param, ctx).split("|") if param.type_descriptor.is_choice else ()


def _explained(param: TyperArgument | TyperOption, ctx: Any) -> str:
    """The help of a parameter, and in brackets what else is worth knowing."""
    notes = []
    choices = _choices(param, ctx)
    if len("|".join(choices)) > _LONGEST_CHOICES:
        notes.append(f"one of {', '.join(choices)}")
    if (limits := _limits(param.min, param.max)) and not getattr(param, "is_flag", False):
        notes.append(limits)
    if default := _default(param):
        notes.append(f"default: {default}")
    if param.envvar:
        notes.append(f"or ${param.envvar}")
    return " ".join([param.help or "", *([f"[{'; '.join(notes)}]"] if notes else [])]).strip()


def _limits(least: float | None, most: float | None) -> str:
    """What the values are between; empty where any number does that makes sense."""
    if most is not None:
        return f"{least:g} to {most:g}" if least is not None else f"{most:g} or less"
    return f"{least:g} or more" if least is not None and least > 1 else ""


def _default(param: TyperArgument | TyperOption) -> str:
    """The default as one would write it; empty where there is none, or nothing to say."""
    value = param.default
    if isinstance(param.show_default, str):
        return param.show_default
    if not param.show_default or param.required or callable(value):
        return ""
    if isinstance(param, TyperOption) and param.is_flag:
        return param.opts[0].lstrip("-") if value and param.secondary_opts else ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
