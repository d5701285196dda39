"""Which publishers the settings make, and how each kind's adapters are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.config import Config, override
from ghostbust.errors import UsageError
from ghostbust.publishers.directory import DirectoryPublisher, NoPublisher
from ghostbust.publishers.kinds import how_to_ask, how_to_name, make_publishers
from ghostbust.publishers.sglang import SglangPublisher
from tests.publishers.conftest import KINDS

HOME = Path("/home/adapters")
SERVED = override(Config(), model__endpoint="http://a:1/v1", model__endpoint_model="base")


def with_kind(kind: str, **options: object) -> Config:
    keys = {f"publish__{key}": value for key, value in options.items()}
    return override(SERVED, publish__kind=kind, **keys)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made_by_the_settings(kind: str) -> None:
    places = ("/srv/one", "/srv/two") if kind == "directory" else ("http://a:1", "http://b:2/v1")
    made = make_publishers(with_kind(kind, replicas=places), HOME)
    assert len(made) == (1 if kind == "none" else 2)
    assert len({publisher.where for publisher in made}) == len(made)


def test_without_replicas_servers_are_those_that_are_sampled_from() -> None:
    (made,) = make_publishers(with_kind("sglang"), HOME)
    assert isinstance(made, SglangPublisher)
    assert made.where == "a:1"
    (nobody,) = make_publishers(SERVED, HOME)
    assert isinstance(nobody, NoPublisher)


def test_settings_that_do_not_fit_together() -> None:
    with pytest.raises(UsageError, match="replicas names nobody"):
        make_publishers(with_kind("directory"), HOME)
    with pytest.raises(UsageError, match="an absolute path"):
        make_publishers(with_kind("directory", replicas=("here",)), HOME)
    with pytest.raises(UsageError, match=r"training\.rslora is set"):
        make_publishers(override(with_kind("sglang"), training__rslora=True), HOME)
    assert make_publishers(override(with_kind("vllm"), training__rslora=True), HOME)


def test_a_folder_is_tried_at_the_server_that_reads_it() -> None:
    (made,) = make_publishers(with_kind("directory", replicas=("/srv",)), HOME)
    assert isinstance(made, DirectoryPublisher)
    asking = made.asks("round-1")
    assert asking is not None
    assert (asking.url, asking.model) == ("http://a:1/v1", "round-1")


@pytest.mark.parametrize("kind", ["none", "vllm", "sglang", "directory"])
def test_samplers_and_clients_ask_alike(kind: str) -> None:
    """SGLang's base would answer under the adapter's name alone."""
    config = with_kind(kind, replicas=("/srv",) if kind == "directory" else ())
    named = "base:round-1" if kind == "sglang" else "round-1"
    assert how_to_ask(config, "round-1").model == how_to_name(config, "round-1") == named
    assert how_to_ask(config, None).model == how_to_name(config, None) == "base"


def test_at_llamacpp_clients_always_ask_for_the_base() -> None:
    assert how_to_name(with_kind("llamacpp"), "round-1") == "base"
