"""The home folder: where the database, the adapters and the deployed pointer are.

::

    HOME/ghostbust.db      everything measured (ghostbust.store)
    HOME/adapters/         one folder for each adapter
    HOME/deployed.json     the pointer to the adapter that serves
    HOME/serving.json      what clients of model servers ask for (ghostbust.loop.publish)
    HOME/bench/            a home of its own, of the benches that train
    HOME/registry/         snapshots that come before those shipped along, if any
    HOME/ghostbust.toml    settings, if the user wrote any (ghostbust.config)
    HOME/training.pt       what a round whose training was cut off goes on from
    HOME/trainer/          what a program of the settings trains on (ghostbust.loop.trainer)
    HOME/watch.json        what the watch under way asks (ghostbust.loop.daemon.jobs)
    HOME/lock              held by the process that works here
    HOME/daemon.lock       held by the daemon, also while it waits
    HOME/ingest.lock       held by the process that reads logs of production
    HOME/deployed.lock     held for the moment in which the pointer moves
"""

from __future__ import annotations

import fcntl
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
"""for so long a lock is tried for, because a look at who holds it shares it for a moment"""


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder. From `Home.open` it is there and can be written."""

    path: Path
    """absolute"""

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

        Made, with its ``adapters/``, for the user alone (mode 0700) where it isn't there; one
        that is there keeps its mode. Raises HomeError where it can't be made or written.
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

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.path / "ghostbust.db"

    @property
    def adapters(self) -> Path:
        """The folder with one folder for each adapter."""
        return self.path / "adapters"

    @property
    def deployed(self) -> Path:
        """The pointer to the adapter that serves; not there until the first promotion."""
        return self.path / "deployed.json"

    @property
    def serving(self) -> Path:
        """The clients' pointer where the settings name no other; may not be there."""
        return self.path / "serving.json"

    @property
    def registry(self) -> Path:
        """The folder of the snapshots that come before those shipped along; may not be there."""
        return self.path / "registry"

    @property
    def config(self) -> Path:
        """The settings that are read where no nearer file has any; may not be there."""
        return self.path / "ghostbust.toml"

    @property
    def training(self) -> Path:
        """Where a round's training is; not there when none is under way, or was cut off."""
        return self.path / "training.pt"

    @property
    def trainer(self) -> Path:
        """The folder that a program of the settings trains in; not there when none does."""
        return self.path / "trainer"

    @property
    def watch(self) -> Path:
        """What the daemon's watch asks; not there when none is under way."""
        return self.path / "watch.json"

    @property
    def lock(self) -> Path:
        """The file that the working process holds."""
        return self.path / "lock"

    @property
    def daemon_lock(self) -> Path:
        """The file that the daemon holds all the time, so that there is only one."""
        return self.path / "daemon.lock"

    @property
    def ingest_lock(self) -> Path:
        """The file that is held while logs are read, so that no two read the same line."""
        return self.path / "ingest.lock"

    @property
    def recheck_lock(self) -> Path:
        """The file that is held while invented names are looked up again, so that none is twice."""
        return self.path / "recheck.lock"

    @property
    def deployed_lock(self) -> Path:
        """The file that is held while the deployed pointer moves, and no longer."""
        return self.path / "deployed.lock"

    @property
    def locks(self) -> tuple[Path, ...]:
        """All of them, the one that is held longest first."""
        return (
            self.daemon_lock, self.lock, self.ingest_lock, self.recheck_lock, self.deployed_lock,
        )  # fmt: skip

    def open_bench(self) -> Self:
        """The home folder ``bench/`` inside of this one, ready for use.

        Database, adapters and lock are its own, so no round learns from what a bench samples; its
        snapshots are this one's. Raises HomeError where it can't be made or written.
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
        """Holds the home folder for this process; ``purpose`` is one word for whoever meets it.

        ``lock`` is `daemon_lock` for the right to be the daemon, `ingest_lock` for that to read
        logs, `recheck_lock` for that to recheck, or `deployed_lock` for that to move the pointer.
        They hold nothing else: watches, and the rounds that the daemon starts as programs, take the
        home one by one, and reading logs, a recheck or a rollback waits for none of them.

        Raises BusyError, after ``LOOK_S``, naming the holder where there is one: also where it is
        this very process. The kernel lets go when the process dies, however it dies. Forked
        children hold on with their parent; started programs don't.
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

        It is asked of the kernel by sharing the lock for a moment, so that a holder in another
        container is seen too. Whoever comes in that moment waits it out (``LOOK_S``).
        """
        try:
            handle = os.open(lock, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return os.pread(handle, 200, 0).decode("utf-8", "replace").strip() or "(starting)"
        finally:
            os.close(handle)
        return None

    def _take(self, handle: int, purpose: str) -> None:
        try:
            self._flock(handle)
            # Never emptied on the way out: the lock counts, the text only says who has it.
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()} {purpose}\n".encode(), 0)
        except BlockingIOError as exc:
            pid, _, held_for = os.pread(handle, 200, 0).decode("utf-8", "replace").partition(" ")
            raise BusyError(
                f"{self.path} is in use by process {pid or '(starting)'}"
                f" ({held_for.strip() or 'starting'}); wait for it or stop it"
            ) from exc
        except OSError as exc:
            raise _unusable(self.path, exc.strerror) from exc

    def _flock(self, handle: int) -> None:
        """Takes the lock. Raises BlockingIOError where somebody holds it, and not only looks."""
        deadline = time.monotonic() + LOOK_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(LOOK_S / 20)
            else:
                return


def cache_dir() -> Path:
    """The folder for what can be fetched again: $GHOSTBUST_CACHE, else the user's cache folder.

    Absolute; not made here.
    """
    folder = _from_environment("GHOSTBUST_CACHE") or platformdirs.user_cache_path("ghostbust")
    return Path(os.path.abspath(folder.expanduser()))  # noqa: PTH100


def _from_environment(variable: str) -> Path | None:
    """The path in the variable; None where it isn't set, or empty."""
    value = os.environ.get(variable)
    return Path(value) if value else None


def _unusable(path: Path, why: str | None) -> HomeError:
    return HomeError(f"can't use {path} as the home folder: {why}; choose another with --home")
