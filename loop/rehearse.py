"""REHEARSE: what servers say to a blank adapter, before one is trained for them.

Most limits no server tells: its highest rank, layers that it doesn't take, a folder that it
doesn't see. They show when an adapter is loaded, and then a training is lost. So one of the round's
shape is loaded on every replica and unloaded again. Clients get what they got.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final

from ghostbust.errors import EndpointError, ModelError, PublishError
from ghostbust.loop.publish import Publishing
from ghostbust.models.load import LoadedModel
from ghostbust.publishers.interface import Publisher
from ghostbust.unlearners.blank import write_blank
from ghostbust.unlearners.settings import TrainSettings

PREFIX: Final = "rehearsal-"
"""the names of blank adapters; each is used once, as all names are"""


def rehearse(
    publishing: Publishing, loaded: LoadedModel, settings: TrainSettings, adapters: Path
) -> None:
    """Returns if every server that loads adapters at run time takes one of the settings' shape.

    What a killed process left of its own rehearsal goes first. Only for the process that holds the
    home, whose folder of ``adapters`` the servers see.

    Raises PublishError where a server refuses it, EndpointError where one can't be asked,
    ModelError where no server could take it, HomeError where the disk refuses.
    """
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
    """Unload the blank adapter everywhere, then remove it: a server may end where it is gone."""
    for server in servers:
        if folder.name in server.loaded():
            server.unload(folder.name)
    shutil.rmtree(folder, ignore_errors=True)
