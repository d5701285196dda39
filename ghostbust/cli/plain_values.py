"""Arguments and options whose values need no pydantic, which takes a third of a short command.

typer 0.29 makes a pydantic adapter for each parameter, even for one that isn't given. Here, what
isn't given, a text, one of several words and a path stay with what they are. typer is asked about
every other value, and about those that it refuses, so its messages stay. This reaches into typer:
another version of it is left alone, and only slower.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final, get_args

import typer
from typer.core import TyperCommand, TyperGroup

_KNOWN: Final = "0.29."
"""the versions of typer whose parameters are as expected here"""
_PATH_CHECKS: Final = {
    "exists": False, "file_okay": True, "dir_okay": True, "writable": False, "readable": True,
    "resolve_path": False, "path_type": None,
}  # fmt: skip
"""what a path has to be if nobody asks for more: readable, where there is something"""


def take_plain_values(command: TyperCommand | TyperGroup) -> None:
    """Lets the parameters of a command take plain values as they are; ``--help``, too."""
    if typer.__version__.startswith(_KNOWN):
        for parameter in command.get_params(typer.Context(command)):
            parameter._runtime_param = _PlainValue()  # type: ignore[attr-defined]


class _PlainValue:
    """Stands in a parameter's place for typer's coercion."""

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the command gets it. Raises BadParameter, as typer does."""
        is_list = param.multiple or param.nargs == -1
        if value is None:
            return () if is_list else None
        kind, info = param.type_descriptor.annotation, param.type_descriptor.parameter_info
        items = [value]
        if is_list:
            kind, items = next(iter(get_args(kind)), None), value
        if info.parser is None and all(_is_plain(one, kind, info) for one in items):
            made = [Path(one) for one in items] if kind is Path else list(items)
            return made if is_list else made[0]
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _is_plain(value: Any, kind: Any, info: Any) -> bool:
    if type(value) is not str:
        return False
    if kind is Path:
        checks = {name: getattr(info, name) for name in _PATH_CHECKS}
        return checks == _PATH_CHECKS and (os.access(value, os.R_OK) or not os.path.exists(value))  # noqa: PTH110
    return kind is str or value in get_args(kind)
