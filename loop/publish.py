"""PUBLISH: a promoted adapter on every replica, and the clients' pointer to it.

::

    bring_up   load on every replica ─▶ verify each ─▶ canary at each
    flip       every replica serves it ─▶ the clients' pointer file names it
    retire     unload what served long ago

`promote.py` calls them around its own move; each may be repeated. A failure before the flip leaves
the replicas as they were, apart from adapters that no client asks for.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Final

from ghostbust.adapters import read_adapter
from ghostbust.config import Config
from ghostbust.documents import parse_json
from ghostbust.errors import (
    CanaryError,
    EndpointError,
    GhostbustError,
    HomeError,
    ModelError,
    PublishError,
)
from ghostbust.files import SHARED, write_whole
from ghostbust.home import Home
from ghostbust.loop.budget import Allowance
from ghostbust.loop.build import make_judge, refuse_guard
from ghostbust.loop.canary import run_canary
from ghostbust.publishers.interface import Publisher
from ghostbust.publishers.kinds import how_to_name, make_publishers
from ghostbust.records import utc_now
from ghostbust.store.serving import Canary
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from ghostbust.models.load import LoadedModel
    from ghostbust.unlearners.settings import TrainSettings

Trial = Callable[[Publisher, str], Canary | None]
"""a canary of the adapter at the replica; None where it answers no prompts"""


@dataclass(frozen=True)
class Publishing:
    """Where adapters go, made from the settings."""

    publishers: tuple[Publisher, ...]
    pointer: Path | None
    """the file that clients read; None where there are no servers"""
    named: Callable[[str | None], str]
    """the model name by which clients get the adapter; for None, the base"""
    keep: int
    """adapters that served before and stay loaded"""
    trial: Trial


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """What one replica serves, compared with the home's pointer."""

    where: str
    ready: bool
    """whether clients get there what the pointer says"""
    loaded: tuple[str, ...]
    """sorted; empty where it couldn't be asked"""
    said: str
    """why it couldn't be asked; empty where it could"""


def make_publishing(
    config: Config, home: Home, store: Store, allowance: Allowance | None = None
) -> Publishing:
    """The publishing of the settings. Raises UsageError where they don't fit together.

    ``allowance``: the day's budgets, in which the canaries' answers are noted; None: they aren't.
    """

    def trial(publisher: Publisher, name: str) -> Canary | None:
        if publisher.asks(None) is None:
            return None
        with make_judge(config, home, store, allowance) as judge:
            return run_canary(config, store, judge, publisher, name, allowance)

    has_servers = config.publish.kind != "none"
    refuse_guard(config, (one for one in config.publish.replicas if "://" in one), "the replica")
    return Publishing(
        make_publishers(config, home.adapters),
        config.publish.pointer or (home.serving if has_servers else None),
        lambda name: how_to_name(config, name),
        config.publish.keep,
        trial,
    )


def check_limits(publishing: Publishing, rank: int, targets: frozenset[str]) -> None:
    """Raises PublishError or EndpointError where a replica wouldn't take such an adapter.

    Meant for before training.
    """
    for publisher in publishing.publishers:
        publisher.check(rank, targets)


def bring_up(publishing: Publishing, store: Store, name: str, folder: Path) -> list[Canary]:
    """Loads the adapter on every replica, looks for it at each, and tries it there.

    Raises ModelError for an incomplete folder, PublishError where a replica doesn't take it,
    CanaryError where its canary fails, EndpointError where one can't be asked. Then it is unloaded
    where it was loaded just now; clients have noticed nothing.
    """
    read_adapter(folder)
    fresh: list[Publisher] = []
    canaries = []
    try:
        for publisher in publishing.publishers:
            if name not in publisher.loaded():
                fresh.append(publisher)
            load(publisher, store, name, folder)
        for publisher in publishing.publishers:
            canary = publishing.trial(publisher, name)
            if canary is None:
                continue
            store.published.add_canary(canary)
            if not canary.passed:
                raise CanaryError(f"canary of {name} at {canary.replica}: {canary.reason}")
            canaries.append(canary)
        return canaries
    except (PublishError, EndpointError, ModelError):
        for publisher in fresh:
            with suppress(PublishError, EndpointError):
                unload(publisher, store, name)
        raise


def load(publisher: Publisher, store: Store, name: str, folder: Path) -> None:
    """Loads the adapter there and stores that. Raises PublishError where it isn't there then."""
    publisher.load(name, folder)
    if name not in publisher.loaded():
        raise PublishError(f"{publisher.where} doesn't have {name} after loading it")
    store.published.mark_loaded(publisher.where, name)


def unload(publisher: Publisher, store: Store, name: str) -> None:
    """Unloads the adapter there and stores that."""
    publisher.unload(name)
    store.published.mark_unloaded(publisher.where, name)


def unpublish(publishing: Publishing, store: Store, name: str) -> None:
    """Unloads the adapter everywhere. Raises the first PublishError or EndpointError at the end."""
    troubles = []
    for publisher in publishing.publishers:
        try:
            unload(publisher, store, name)
        except (PublishError, EndpointError) as exc:
            troubles.append(exc)
    if troubles:
        raise troubles[0]


def flip(
    publishing: Publishing, name: str | None, previous: str | None, *, whatever: bool = False
) -> list[str]:
    """Gives clients this adapter, or the base, from now on; what went wrong, a line each.

    ``whatever``: a replica that can't be switched stops nothing, since what serves must go. Else
    the replicas go back to ``previous``, and PublishError, EndpointError or HomeError is raised.
    """
    turned, troubles = [], []
    try:
        for publisher in publishing.publishers:
            try:
                turned.append(publisher)
                publisher.serve(name)
            except (PublishError, EndpointError) as exc:
                if not whatever:
                    raise
                troubles.append(str(exc))
        if publishing.pointer is not None:
            _point(publishing.pointer, name, publishing.named(name))
    except GhostbustError:
        for publisher in turned:
            with suppress(GhostbustError):
                publisher.serve(previous)
        raise
    return troubles


def retire(publishing: Publishing, store: Store) -> list[str]:
    """Unloads what served long ago, or never served; what went wrong, a line each.

    The adapter that serves, the last ``keep`` ones before it, and what ghostbust didn't load stay.
    """
    moves = [move.adapter for move in store.promotions.all() if move.adapter is not None]
    deployed = store.promotions.deployed()
    recent = [name for name in dict.fromkeys(moves) if name != deployed][: publishing.keep]
    ours = [row for row in store.published.all() if row.unloaded is None]
    troubles = []
    for publisher in publishing.publishers:
        here = {row.adapter for row in ours if row.replica == publisher.where}
        try:
            for name in sorted(publisher.loaded() & here - {deployed, *recent}):
                unload(publisher, store, name)
        except (PublishError, EndpointError) as exc:
            troubles.append(str(exc))
    return troubles


def restore(publishing: Publishing, store: Store, deployed: tuple[str, Path] | None) -> list[str]:
    """Makes every replica serve what the home's pointer says, such as after a server's restart.

    What went wrong, a line each; the other replicas are restored all the same.
    """
    name = None if deployed is None else deployed[0]
    troubles = []
    for publisher in publishing.publishers:
        try:
            if deployed is not None:
                load(publisher, store, *deployed)
            publisher.serve(name)
            if not publisher.ready(name):
                raise PublishError(f"{publisher.where} doesn't serve {name or 'the base'}")
        except (PublishError, EndpointError, ModelError) as exc:
            troubles.append(str(exc))
    if publishing.pointer is not None and len(troubles) < len(publishing.publishers):
        _point(publishing.pointer, name, publishing.named(name))
    return troubles


def stands(publishing: Publishing, deployed: str | None) -> Iterator[ReplicaState]:
    """What each replica serves."""
    named = publishing.pointer is None or pointed(publishing.pointer) == deployed
    for publisher in publishing.publishers:
        try:
            ready = named and publisher.ready(deployed)
            yield ReplicaState(publisher.where, ready, tuple(sorted(publisher.loaded())), "")
        except (PublishError, EndpointError, HomeError) as exc:
            yield ReplicaState(publisher.where, False, (), str(exc))


def pointed(pointer: Path) -> str | None:
    """The adapter that the pointer file names; None for the base, also before there is a file.

    Raises HomeError where the file can't be read.
    """
    try:
        name: str | None = parse_json(pointer.read_text("utf-8"))["adapter"]
        return name
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise HomeError(f"can't read {pointer}: {exc}; `ghostbust adapters publish`") from exc


def _point(pointer: Path, name: str | None, model: str) -> None:
    """Replaces the clients' pointer file, whole or not at all."""
    row = {"model": model, "adapter": name, "at": utc_now().isoformat()}
    write_whole(pointer, json.dumps(row) + "\n", mode=SHARED, error=HomeError)


# --- rehearsal
#
# Servers don't say most of their limits: the highest rank, layers that they don't take, a folder
# that they don't see. These show when an adapter is loaded, and then a training would be lost. So
# an untrained adapter of the round's shape is loaded on every replica before, and unloaded again.
# Clients notice nothing.

PREFIX: Final = "rehearsal-"
"""begins the names of untrained adapters; each is used once, as all names are"""


def rehearse(
    publishing: Publishing, loaded: LoadedModel, settings: TrainSettings, adapters: Path
) -> None:
    """Loads an untrained adapter of the settings' shape on every server that loads at run time.

    What a killed process left of its own rehearsal is removed first. Only for the process that
    holds the home, whose folder of ``adapters`` the servers see.

    Raises PublishError where a server refuses it, EndpointError where one can't be asked,
    ModelError where no server could take it, HomeError where the disk refuses.
    """
    from ghostbust.unlearners.adapters import write_blank

    servers = [publisher for publisher in publishing.publishers if publisher.loads_at_runtime]
    for folder in adapters.glob(f"{PREFIX}*"):
        _clear(servers, folder)
    if not servers:
        return
    folder = adapters / f"{PREFIX}{token_hex(4)}"
    write_blank(folder, loaded, settings)
    try:
        for server in servers:
            server.load(folder.name, folder)
    except (PublishError, EndpointError, ModelError):
        with suppress(PublishError, EndpointError):  # the folder stays then, for the next one
            _clear(servers, folder)
        raise
    _clear(servers, folder)


def _clear(servers: list[Publisher], folder: Path) -> None:
    """Unloads the adapter everywhere, then removes it: a server may crash if its folder is gone."""
    for server in servers:
        if folder.name in server.loaded():
            server.unload(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
