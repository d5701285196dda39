"""Parts that other packages bring, as entry points: found when asked for, loaded when used.

::

    group                   an entry point is named for             and refers to
    ghostbust.extractors    a label: ```acme and files *.acme       an `Extractor`
    ghostbust.registries    the ecosystem that it is asked about    (Client) -> `Registry`
    ghostbust.publishers    a value of `publish.kind`               (Config, place) -> `Publisher`
    ghostbust.methods       a value of `training.method`            a `Method` of that name

What ghostbust has itself comes before an extractor, publisher or method of the same name; a
registry is asked in place of ours. Whatever a plug-in raises becomes an error of ghostbust's, whose
line names it. It is code like any other that is installed: nothing confines it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, Literal

from ghostbust.errors import GhostbustError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["extractors", "registries", "publishers", "methods"]


@cache
def plugins() -> Sequence[tuple[Kind, EntryPoint]]:
    """Every plug-in that is installed. Imports none of them; takes some 50 ms the first time."""
    from importlib.metadata import entry_points  # takes some 30 ms, and most commands need none

    kinds: tuple[Kind, ...] = ("extractors", "registries", "publishers", "methods")
    every = entry_points()
    return [(kind, one) for kind in kinds for one in every.select(group=f"ghostbust.{kind}")]


def plugin_names(kind: Kind) -> list[str]:
    """The names of the plug-ins of a kind, each once."""
    return list(dict.fromkeys(one.name for of, one in plugins() if of == kind))


def load_plugin(kind: Kind, name: str) -> Any:
    """What the plug-in of that name is. Raises UsageError, which names it, where it can't be had.

    Only for a name of `plugin_names`.
    """
    found, *others = (one for of, one in plugins() if of == kind and one.name == name)
    if others:
        packages = ", ".join(str(one.dist and one.dist.name) for one in (found, *others))
        raise UsageError(
            f"plug-in {name} of ghostbust.{kind} is in {packages}; uninstall all but one"
        )
    try:
        return found.load()
    except Exception as exc:
        raise UsageError(blame(kind, name, exc)) from exc


def make_by_plugin(kind: Kind, name: str, error: type[GhostbustError], *given: object) -> Any:
    """The part that the plug-in makes of what it is given, guarded.

    Raises UsageError where it makes none. What the part raises later, and isn't an error of
    ghostbust's, is raised as ``error``.
    """
    make = load_plugin(kind, name)
    try:
        part = make(*given)
    except GhostbustError:
        raise
    except Exception as exc:
        raise UsageError(blame(kind, name, exc)) from exc
    return _Guarded(part, lambda exc: error(blame(kind, name, exc)))


def blame(kind: Kind, name: str, error: Exception) -> str:
    """One line that says which plug-in, of which package, failed and how."""
    found = next(one for of, one in plugins() if of == kind and one.name == name)
    who = f" of {found.dist.name} {found.dist.version}" if found.dist else ""
    said = " ".join(str(error).split())
    return f"plug-in {name}{who} (ghostbust.{kind}) failed: {type(error).__name__}: {said}"


class _Guarded:
    """A part whose methods raise errors of ghostbust's only."""

    def __init__(self, part: object, error: Callable[[Exception], GhostbustError]) -> None:
        self._part, self._error = part, error

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if not callable(value):
            return value
        if inspect.iscoroutinefunction(value):

            @wraps(value)
            async def wait(*args: Any, **options: Any) -> Any:
                try:
                    return await value(*args, **options)
                except GhostbustError:
                    raise
                except Exception as exc:
                    raise self._error(exc) from exc

            return wait

        @wraps(value)
        def call(*args: Any, **options: Any) -> Any:
            try:
                return value(*args, **options)
            except GhostbustError:
                raise
            except Exception as exc:
                raise self._error(exc) from exc

        return call
