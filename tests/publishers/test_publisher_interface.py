"""What every kind of publisher does alike, each with a real place behind it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from ghostbust.errors import EndpointError, ModelError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.interface import Publisher
from ghostbust.publishers.llamacpp import LlamaCppPublisher
from ghostbust.publishers.sglang import SglangPublisher
from ghostbust.publishers.vllm import VllmPublisher

if TYPE_CHECKING:
    from tests.publishers.conftest import Place

ONE, TWO = "round-0001-aa", "round-0002-bb"


def test_what_is_loaded_is_there_however_often_it_is_loaded(place: Place) -> None:
    publisher: Publisher = place.publisher
    publisher.check(4, frozenset({"q_proj", "v_proj"}))
    for _ in range(2):
        publisher.load(ONE, place.folder(ONE))
        assert ONE in publisher.loaded()
    publisher.load(TWO, place.folder(TWO))
    assert {ONE, TWO} <= publisher.loaded()


def test_clients_get_what_is_served_and_then_the_base(place: Place) -> None:
    publisher = place.publisher
    publisher.load(ONE, place.folder(ONE))
    publisher.load(TWO, place.folder(TWO))
    for name in (ONE, TWO, TWO, None, None):
        publisher.serve(name)
        assert publisher.ready(name)


def test_unloading_may_be_repeated_and_leaves_the_others(place: Place) -> None:
    publisher = place.publisher
    publisher.unload("round-0009-zz")
    for name in (ONE, TWO):
        publisher.load(name, place.folder(name))
    publisher.serve(TWO)
    for _ in range(2):
        publisher.unload(ONE)
    assert publisher.ready(TWO)
    publisher.load(ONE, place.folder(ONE))
    assert ONE in publisher.loaded()


def test_what_was_not_loaded_is_not_ready(place: Place) -> None:
    assert not place.publisher.ready("round-0009-zz")
    assert place.publisher.ready(None)


def test_a_changed_folder_is_not_taken(place: Place, tmp_path: Path) -> None:
    changed = tmp_path / "round-0003-cc"
    shutil.copytree(place.folder(ONE), changed)
    with (changed / "adapter_config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelError, match="changed after training"):
        place.publisher.load(changed.name, changed)
    assert changed.name not in place.publisher.loaded()


def test_each_is_asked_for_apart_from_what_clients_get(place: Place) -> None:
    """The texts of two adapters and of the base differ, whoever serves meanwhile."""
    publisher = place.publisher
    for name in (ONE, TWO):
        publisher.load(name, place.folder(name))
    publisher.serve(TWO)
    texts = set()
    for asked in (None, ONE, TWO):
        asking = publisher.asks(asked)
        if asking is None:
            pytest.skip("nobody can be asked here")
        body = {"model": asking.model, "prompt": "pip install", "max_tokens": 24, "temperature": 0}
        answer = httpx.post(
            f"{asking.url}/completions", json={**body, **asking.fields}, trust_env=False
        )
        assert answer.status_code == 200, answer.text
        texts.add(answer.json()["choices"][0]["text"])
    assert len(texts) == 3


@pytest.mark.parametrize("kind", [VllmPublisher, SglangPublisher, LlamaCppPublisher])
def test_a_server_that_is_away_is_no_refusal(kind: type[VllmPublisher], adapters: Path) -> None:
    publisher = kind(Control("http://127.0.0.1:9"), base="base")
    asks: tuple[Callable[[], object], ...] = (
        lambda: publisher.check(4, frozenset()),
        lambda: publisher.load(ONE, adapters / ONE),
        publisher.loaded,
        lambda: publisher.unload(ONE),
        lambda: publisher.ready(None),
    )
    for ask in asks:
        with pytest.raises(EndpointError, match="can't reach") as caught:
            ask()
        assert not isinstance(caught.value, PublishError)
