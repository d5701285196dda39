"""What a command works with: output, home folder, settings and store, opened when first used.

A command names the options that it shares with others, and gets what they stand for as one
object::

    @names.command("list")
    @invoked_with("home", "as_json")
    def list_names(cli: Invocation, search: SearchOption = "") -> None:
        store = cli.open_store("read")
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import date
from functools import cached_property, wraps
from inspect import Parameter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec

from ghostbust.cli.edge import on_interrupt
from ghostbust.cli.options import ConfigOption, HomeOption, JsonOption, QuietOption
from ghostbust.cli.output import Output, Stages
from ghostbust.errors import StoreError
from ghostbust.text import visible

if TYPE_CHECKING:
    from ghostbust.config import Config
    from ghostbust.home import Home
    from ghostbust.loop.session import Session
    from ghostbust.loop.signals import Clock
    from ghostbust.records import Ecosystem, Lookup
    from ghostbust.registries.interface import LookupCache
    from ghostbust.registries.judge import Judge, Mode
    from ghostbust.store.store import Store

Own = ParamSpec("Own")
_SHARED: dict[str, tuple[Any, object]] = {
    "home": (HomeOption, None),
    "config": (ConfigOption, None),
    "as_json": (JsonOption, False),
    "quiet": (QuietOption, False),
}
"""the shared options by their parameter, each with its default"""


class Invocation(ExitStack):
    """One run of a command. What it opens is closed when the command ends."""

    def __init__(
        self,
        home: Path | None = None,
        config: Path | None = None,
        *,
        as_json: bool = False,
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self.home_path = home
        """as given; None: the environment's, or the user's"""
        self.config_path = config
        self.output = Output(as_json=as_json, quiet=quiet)
        self._began = time.monotonic()

    @property
    def wall_s(self) -> float:
        """Seconds since the command began, to a tenth."""
        return round(time.monotonic() - self._began, 1)

    @cached_property
    def home(self) -> Home:
        """Where the home folder is or would be. Makes nothing, so that a typo makes no home."""
        from ghostbust.home import Home

        return Home.find(self.home_path)

    def make_home(self) -> Home:
        """The home folder, made where it isn't there. Raises HomeError where it can't be used."""
        from ghostbust.home import Home

        return Home.open(self.home_path)

    @cached_property
    def settings(self) -> Config:
        """The settings. Raises ConfigError.

        Standard error gets a line for each file that isn't trusted, under ``--quiet`` too: its
        author has to see why the file changes nothing.
        """
        from ghostbust.config import load_config

        settings = load_config(self.config_path, self.home, note=_warn)
        note_npmrc(self.home)
        return settings

    def configure(self, **options: object) -> Config:
        """The settings, from now on with options such as ``model__name`` in place of their keys.

        None leaves a key as it is. Raises ConfigError.
        """
        from ghostbust.config import override

        self.settings = override(self.settings, **options)
        return self.settings

    def open_store(
        self, access: Literal["read", "change", "make"] = "read", *, keep_private: bool = False
    ) -> Store:
        """The home's store: to read, to change what is there, or made where it isn't there.

        ``read`` works where nothing can be written. Only ``make`` makes a home folder: without it,
        raises StoreError where there is no database.
        """
        from ghostbust.store.connection import need_database
        from ghostbust.store.store import Store

        if access == "change":
            need_database(self.home.database)
        if access != "read":
            self.make_home()
        return self.enter_context(
            Store.open(self.home.database, read_only=access == "read", keep_private=keep_private)
        )

    @contextmanager
    def session(
        self, purpose: str, *, if_interrupted: str, clock: Clock | None = None
    ) -> Iterator[tuple[Session, Stages]]:
        """The home folder for this process alone, and its progress on standard error.

        ``if_interrupted``: what Ctrl-C says of how to go on. Raises as `open_session`.
        """
        from ghostbust.loop.session import open_session

        with (
            on_interrupt(if_interrupted),
            Stages(self.output) as stages,
            open_session(self.make_home(), self.settings, purpose=purpose, clock=clock) as session,
        ):
            yield session, stages


def invoked_with(
    *shared: str,
) -> Callable[[Callable[Concatenate[Invocation, Own], None]], Callable[..., None]]:
    """Gives a command these shared options, and their `Invocation` as its first argument."""

    def decorate(command: Callable[Concatenate[Invocation, Own], None]) -> Callable[..., None]:
        own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
        added = [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=option, default=default)
            for name, (option, default) in ((name, _SHARED[name]) for name in shared)
        ]

        @wraps(command)
        def invoke(**options: Any) -> None:
            with Invocation(**{name: options.pop(name) for name in shared}) as cli:
                command(cli, **options)  # type: ignore[call-arg]

        # typer reads a command's options from its signature and its annotations
        parameters = [*own, *added]
        invoke.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        invoke.__annotations__ = {one.name: one.annotation for one in parameters}
        return invoke

    return decorate


def note_npmrc(home: Home) -> None:
    """Says so where the current folder's ``.npmrc`` is ignored that would say whom to ask."""
    if npmrc_ignored(home):
        _warn(
            "./.npmrc isn't trusted: ignored; npm_config_userconfig=.npmrc in the environment"
            f" trusts it, and {home.path / '.npmrc'} is read, too"
        )


def npmrc_ignored(home: Home) -> bool:
    """Whether the current folder has a ``.npmrc`` about registries that isn't read."""
    if not Path(".npmrc").is_file():  # npm's settings take a while to load
        return False
    from ghostbust.registries.npm_config import NpmSettings

    return NpmSettings(home.path).ignores(Path(".npmrc"))


def _warn(text: str) -> None:
    print(f"ghostbust: {visible(text)}", file=sys.stderr)


@contextmanager
def open_judge(
    mode: Mode, home: Path | None, as_of: date | None = None, *, limit_s: float | None = None
) -> Iterator[Judge]:
    """A judge for a command that only asks: with the home's snapshots and cache, if it has any.

    Makes no home folder, and needs none that can be written. The working folder's ``.npmrc`` isn't
    read: whoever wrote what is checked would decide who is asked about it, and could have secrets
    of the environment sent there. The home folder's is. ``limit_s``: how long registries are asked.
    """
    from ghostbust.home import Home
    from ghostbust.registries.judge import Mode, default_judge

    place = Home.find(home)
    with ExitStack() as stack:
        cache = None
        if mode is not Mode.SNAPSHOT and place.database.is_file():
            cache = _open_cache(place.database, stack)
        yield stack.enter_context(
            default_judge(
                mode,
                cache=cache,
                data_dir=place.registry,
                as_of=as_of,
                npm_project=place.path,
                late=True,
                limit_s=limit_s,
            )
        )


def _open_cache(database: Path, stack: ExitStack) -> LookupCache | None:
    """The database as a cache, read-only if need be; None where it can't be opened at all."""
    from ghostbust.store.store import Store

    for read_only in (False, True):
        with suppress(StoreError):
            store = stack.enter_context(Store.open(database, read_only=read_only))
            return ForgivingCache(store.lookups)
    return None


class ForgivingCache:
    """A cache that counts as empty where its database can't be read or written."""

    def __init__(self, cache: LookupCache) -> None:
        self._cache = cache

    def get_lookup(self, ecosystem: Ecosystem, name: str) -> Lookup | None:
        """The newest verdict on a name; None without one, or where it can't be read."""
        with suppress(StoreError):
            return self._cache.get_lookup(ecosystem, name)
        return None

    def put_lookup(self, lookup: Lookup) -> None:
        """Stores a verdict if it can."""
        with suppress(StoreError):
            self._cache.put_lookup(lookup)
