"""What servers don't take shows before anything is trained for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ghostbust.bench.model_server import ModelServer, serve
from ghostbust.bench.serving import Serving
from ghostbust.config import Config, override
from ghostbust.errors import EndpointError, PublishError
from ghostbust.home import Home
from ghostbust.loop.publish import PREFIX, Publishing, make_publishing, rehearse
from ghostbust.models.load import LoadedModel, load_model
from ghostbust.store.store import Store
from ghostbust.unlearners.adapters import write_blank
from ghostbust.unlearners.settings import TrainSettings, Weights

RANK_4 = TrainSettings(weights=Weights(), rank=4)
LOAD = {"vllm": ("POST", "/v1/load_lora_adapter"), "sglang": ("POST", "/load_lora_adapter")}


@pytest.fixture
def tiny(tiny_model_dir: Path, tmp_path: Path) -> LoadedModel:
    return load_model(str(tiny_model_dir), tmp_path)


@pytest.fixture
def start(tiny_model_dir: Path) -> Iterator[Callable[..., ModelServer]]:
    with ExitStack() as stack:

        def begin(kind: str = "vllm", max_rank: int = 16) -> ModelServer:
            serving = Serving(tiny_model_dir, "base", kind, max_rank=max_rank)  # type: ignore[arg-type]
            return stack.enter_context(serve(serving))

        yield begin


def publishing_at(
    home: Home, store: Store, *servers: ModelServer, max_rank: int = 16, path: str | None = None
) -> Publishing:
    config = override(
        Config(),
        model__endpoint_model="base",
        publish__kind=servers[0].serving.kind,
        publish__replicas=tuple(server.url for server in servers),
        publish__max_rank=max_rank,
        publish__server_path=path,
    )
    return make_publishing(config, home, store)


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_every_replica_loads_it_and_lets_go_of_it(
    kind: str, start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    servers = start(kind), start(kind)
    rehearse(publishing_at(home, store, *servers), tiny, RANK_4, home.adapters)
    for server in servers:
        assert server.serving.asked.count(LOAD[kind]) == 1
        assert not server.serving.adapters
    assert not list(home.adapters.iterdir())
    assert not store.published.all(), "it was never meant to serve"


def test_a_rank_that_one_server_does_not_take_is_told_and_nothing_stays(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    servers = start(), start(max_rank=8)
    publishing = publishing_at(home, store, *servers, max_rank=32)  # which isn't true
    settings = TrainSettings(weights=Weights(), rank=16)
    with pytest.raises(PublishError, match="LoRA rank 16 is greater than max_lora_rank 8"):
        rehearse(publishing, tiny, settings, home.adapters)
    assert not servers[0].serving.adapters
    assert not list(home.adapters.iterdir())


def test_a_folder_that_the_server_does_not_see_is_told(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    publishing = publishing_at(home, store, start(), path="/mnt/not-here")
    with pytest.raises(PublishError, match=r"finds no adapter at /mnt/not-here/rehearsal-"):
        rehearse(publishing, tiny, RANK_4, home.adapters)


def test_what_a_killed_process_left_goes_first(
    start: Callable[..., ModelServer], tiny: LoadedModel, home: Home, store: Store
) -> None:
    server = start()
    publishing = publishing_at(home, store, server)
    left, unseen = (home.adapters / f"{PREFIX}{name}" for name in ("0000aaaa", "0000bbbb"))
    for folder in (left, unseen):
        write_blank(folder, tiny, RANK_4)
    publishing.publishers[0].load(left.name, left)
    rehearse(publishing, tiny, RANK_4, home.adapters)
    assert not server.serving.adapters
    assert not list(home.adapters.iterdir())


def test_a_server_that_goes_away_leaves_the_folder_for_the_next_time(
    start: Callable[..., ModelServer],
    tiny: LoadedModel,
    home: Home,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start()
    publishing = publishing_at(home, store, server)
    publisher = publishing.publishers[0]

    def away(name: str) -> None:
        raise EndpointError("can't reach it")

    with monkeypatch.context() as patch:
        patch.setattr(publisher, "unload", away)
        with pytest.raises(EndpointError, match="can't reach it"):
            rehearse(publishing, tiny, RANK_4, home.adapters)
    assert [folder.name for folder in home.adapters.iterdir()] == list(server.serving.adapters)
    rehearse(publishing, tiny, RANK_4, home.adapters)
    assert not server.serving.adapters
    assert not list(home.adapters.iterdir())


def test_where_nothing_is_loaded_at_run_time_nothing_is_tried(
    tiny: LoadedModel, home: Home, store: Store
) -> None:
    publishing = make_publishing(Config(), home, store)
    rehearse(publishing, tiny, TrainSettings(weights=Weights(), rank=1024), home.adapters)
    assert not list(home.adapters.iterdir())
