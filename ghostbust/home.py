"""The home folder: where the database, the adapters and the deployed pointer are.

Only one process works in a home at a time, one is its daemon, and so on: `Home.exclusive` takes
the file lock for it, which the system lets go when the process dies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import platformdirs

from ghostbust.errors import BusyError, HomeError

LOOK_S: Final = 0.05
"""how long a lock is tried for: `Home.holder` takes it for a moment to see whether it is held"""
_TEXT_AT: Final = 1
"""where the holder's name stands: on Windows nobody else can read the first byte, the locked one"""


class _Place:
    """A path below the home folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, home: Home, _: type[Home]) -> Path:
        return home.path / self._name


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder. After `Home.open` it exists and can be written."""

    path: Path
    """absolute"""

    database = _Place("ghostbust.db")
    """everything measured (`ghostbust.store`)"""
    adapters = _Place("adapters")
    """one folder for each adapter"""
    deployed = _Place("deployed.json")
    """the pointer to the adapter that serves; missing until the first promotion"""
    serving = _Place("serving.json")
    """the clients' pointer, where the settings name no other file; may be missing"""
    registry = _Place("registry")
    """snapshots that come before the shipped ones; may be missing"""
    config = _Place("ghostbust.toml")
    """the settings that are read where no nearer file has any; may be missing"""
    training = _Place("training.pt")
    """where a round continues whose training was cut off; missing when there is none"""
    trainer = _Place("trainer")
    """the folder in which a program of the settings trains; missing when none does"""
    watch = _Place("watch.json")
    """the prompts of the daemon's watch; missing when none is under way"""
    reported = _Place("reported.jsonl")
    """what agents reported (`ghostbust mcp`), for `ghostbust ingest`; may be missing"""
    lock = _Place("lock")
    """held by the working process"""
    daemon_lock = _Place("daemon.lock")
    """held by the daemon all the time, so that there is only one"""
    ingest_lock = _Place("ingest.lock")
    """held while logs are read, so that no two processes read the same line"""
    recheck_lock = _Place("recheck.lock")
    """held while invented names are looked up again, so that none is looked up twice"""
    deployed_lock = _Place("deployed.lock")
    """held while the deployed pointer moves, and no longer"""

    @property
    def locks(self) -> tuple[Path, ...]:
        """All locks, the one that is held longest first."""
        return (
            self.daemon_lock, self.lock, self.ingest_lock, self.recheck_lock, self.deployed_lock,
        )  # fmt: skip

    @classmethod
    def find(cls, path: Path | None) -> Self:
        """Where the home folder is or would be: ``path``, else $GHOSTBUST_HOME, else the user's
        data folder. Makes nothing.
        """
        folder = (
            path or _from_environment("GHOSTBUST_HOME") or platformdirs.user_data_path("ghostbust")
        )
        return cls(Path(os.path.abspath(folder.expanduser())))  # noqa: PTH100

    @classmethod
    def open(cls, path: Path | None) -> Self:
        """The home folder that `find` finds, ready for use.

        A missing one is made, with its ``adapters/``, for the user alone (mode 0700); an existing
        one keeps its mode. Raises HomeError where it can't be made or written.
        """
        home = cls.find(path)
        try:
            home.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            home.adapters.mkdir(mode=0o700, exist_ok=True)
        except OSError as exc:
            raise _unusable(home.path, exc.strerror) from exc
        if not os.access(home.path, os.R_OK | os.W_OK | os.X_OK):
            raise _unusable(home.path, "it can't be written")
        return home

    def open_bench(self) -> Self:
        """The home folder ``bench/`` inside of this one, ready for use.

        Its database, adapters and locks are its own, so no round learns from what a bench
        samples; its snapshots are this one's. Raises HomeError where it can't be made or written.
        """
        bench = self.open(self.path / "bench")
        try:
            if not bench.registry.is_symlink():
                bench.registry.symlink_to(Path("..") / self.registry.name)
        except OSError as exc:
            raise _unusable(bench.path, exc.strerror) from exc
        return bench

    @contextmanager
    def exclusive(self, purpose: str, lock: Path | None = None) -> Iterator[None]:
        """Holds one of `locks` for this process, `lock` by default.

        ``purpose`` is one word for whoever finds it held. The locks are independent: watches, and
        the rounds that the daemon starts as programs, take `lock` one by one, and reading logs, a
        recheck or a rollback waits for none of them.

        Raises BusyError, after ``LOOK_S``, with the holder's name; also where this very process
        holds it. Forked children hold it together with their parent; started programs don't.
        """
        try:
            handle = os.open(lock or self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc
        try:
            self._take(handle, purpose)
            yield
        finally:
            os.close(handle)

    def holder(self, lock: Path) -> str | None:
        """Who holds the lock, as ``1234 daemon``; None where nobody does.

        Asks the system by taking the lock for a moment, so a holder in another container shows
        too. A process that wants the lock in that moment waits for up to ``LOOK_S``.
        """
        try:
            handle = os.open(lock, os.O_RDWR)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc
        try:
            return None if _lock(handle) else _text_of(handle) or "(starting)"
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc
        finally:
            os.close(handle)

    def _take(self, handle: int, purpose: str) -> None:
        try:
            if not _lock(handle):
                pid, _, held_for = _text_of(handle).partition(" ")
                raise BusyError(
                    f"{self.path} is in use by process {pid or '(starting)'}"
                    f" ({held_for or 'starting'}); wait for it or stop it"
                )
            # Never emptied at the end: the lock counts, the text only names its holder.
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{' ' * _TEXT_AT}{os.getpid()} {purpose}\n".encode())
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc


def cache_dir() -> Path:
    """The folder for what can be fetched again: $GHOSTBUST_CACHE, else the user's cache folder.

    Absolute; not made here.
    """
    folder = _from_environment("GHOSTBUST_CACHE") or platformdirs.user_cache_path("ghostbust")
    return Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100


def _lock(handle: int) -> bool:
    """Locks an open file until it is closed; False where another held it for ``LOOK_S``."""
    from filelock import lock_descriptor  # takes 0.1 s, and `check` locks nothing

    deadline = time.monotonic() + LOOK_S
    while not lock_descriptor(handle, blocking=False):
        if time.monotonic() >= deadline:
            return False
        time.sleep(LOOK_S / 20)
    return True


def _text_of(handle: int) -> str:
    os.lseek(handle, _TEXT_AT, os.SEEK_SET)
    return os.read(handle, 200).decode("utf-8", "replace").strip()


def _from_environment(variable: str) -> Path | None:
    """The path in the variable; None where it isn't set, or empty."""
    value = os.environ.get(variable)
    return Path(value) if value else None


def _unusable(path: Path, why: str | None) -> HomeError:
    return HomeError(f"can't use {path} as the home folder: {why}; choose another with --home")
