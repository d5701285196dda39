"""Commands that are imported when they are used: the list of them costs nothing to show."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from ghostbust.cli.help import Commands, HelpCommand
from ghostbust.cli.plain_values import take_plain_values


class LazyCommand(TyperCommand):
    """Stands for a command or a group of them, of which it knows the name and the first line.

    Whoever calls it, or asks for its own help, gets the real one.
    """

    def __init__(
        self, name: str, where: str, panel: str, first_line: str, kind: str | None = None
    ) -> None:
        """``where``: ``module:attribute`` in `ghostbust.cli`, a function or a `typer.Typer`;
        ``panel``: the heading that it stands below; ``kind``: the command's class in that module,
        where it has one of its own."""
        super().__init__(name, help=first_line, rich_help_panel=panel)
        self._where = where
        self._kind = kind

    @cached_property
    def loaded(self) -> TyperCommand | TyperGroup:
        """The command itself, imported when first asked for."""
        place, _, attribute = self._where.partition(":")
        module = import_module(f"ghostbust.cli.{place}")
        found = getattr(module, attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            for command in (group, *group.commands.values()):
                assert isinstance(command, TyperCommand | TyperGroup)
                take_plain_values(command)
            return group
        alone = Commands(add_completion=False, pretty_exceptions_enable=False)
        kind = getattr(module, self._kind) if self._kind else HelpCommand
        alone.command(self.name, cls=kind)(found)
        made = get_command(alone)
        assert isinstance(made, TyperCommand)
        take_plain_values(made)
        return made

    def make_context(self, *args: Any, **options: Any) -> Any:
        """The real one's context, so that it is the one that runs."""
        return self.loaded.make_context(*args, **options)
