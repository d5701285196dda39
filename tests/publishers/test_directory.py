"""The pointer moves whole, and only to a complete adapter."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.adapters import read_adapter, write_adapter
from ghostbust.errors import EndpointError, HomeError, ModelError, PublishError
from ghostbust.publishers.control import Control
from ghostbust.publishers.directory import DirectoryPublisher, publish, published

if TYPE_CHECKING:
    from tests.publishers.conftest import ServeModel


def save(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}", "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(b"weights")


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    write_adapter(tmp_path / "adapters" / "one", model="made-up", facts={}, save=save)
    return tmp_path / "adapters" / "one"


@pytest.fixture
def pointer(tmp_path: Path) -> Path:
    return tmp_path / "deployed.json"


def test_the_pointer_names_the_adapter_until_the_base_serves(pointer: Path, adapter: Path) -> None:
    assert published(pointer) is None
    publish(pointer, adapter)
    assert published(pointer) == ("one", adapter)
    write_adapter(adapter.with_name("two"), model="made-up", facts={}, save=save)
    publish(pointer, adapter.with_name("two"))
    assert published(pointer) == ("two", adapter.with_name("two"))
    publish(pointer, None)
    assert published(pointer) is None


def test_the_pointer_is_replaced_and_not_rewritten(pointer: Path, adapter: Path) -> None:
    publish(pointer, None)
    with pointer.open() as reader:
        publish(pointer, adapter)
        assert '"adapter": null' in reader.read()  # who reads it sees one state, whole
    assert sorted(path.name for path in pointer.parent.iterdir()) == ["adapters", pointer.name]


@pytest.mark.parametrize("fault", ["changed", "missing"])
def test_a_bad_adapter_leaves_the_pointer(fault: str, pointer: Path, adapter: Path) -> None:
    publish(pointer, adapter)
    before = pointer.read_bytes()
    bad = adapter.with_name("bad")
    if fault == "changed":
        write_adapter(bad, model="made-up", facts={}, save=save)
        (bad / "adapter_model.safetensors").write_bytes(b"others")
    with pytest.raises(ModelError):
        publish(pointer, bad)
    assert pointer.read_bytes() == before


def test_a_pointer_that_cannot_be_written_is_one_line(adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="can't write") as caught:
        publish(tmp_path / "none" / "deployed.json", adapter)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"adapter": "a"}', "\udcff"])
def test_a_pointer_that_cannot_be_understood_is_an_error(text: str, pointer: Path) -> None:
    pointer.write_bytes(os.fsencode(text))
    with pytest.raises(HomeError, match="promote or roll back again"):
        published(pointer)


@pytest.fixture
def served(tmp_path: Path) -> DirectoryPublisher:
    (tmp_path / "served").mkdir()
    return DirectoryPublisher(tmp_path / "served", base="base")


def test_a_copy_is_whole_and_nothing_else_appears(
    served: DirectoryPublisher, adapter: Path, tmp_path: Path
) -> None:
    served.load("one", adapter)
    assert [path.name for path in (tmp_path / "served").iterdir()] == ["one"]
    assert read_adapter(tmp_path / "served" / "one") == read_adapter(adapter)


def test_what_serves_is_not_removed(served: DirectoryPublisher, adapter: Path) -> None:
    served.load("one", adapter)
    served.serve("one")
    with pytest.raises(PublishError, match="serves; it is removed when another one does"):
        served.unload("one")
    served.serve(None)
    served.unload("one")
    assert served.loaded() == frozenset()


def test_another_adapter_of_that_name_is_not_replaced(
    served: DirectoryPublisher, adapter: Path, tmp_path: Path
) -> None:
    write_adapter(tmp_path / "other" / "one", model="another", facts={}, save=save)
    served.load("one", adapter)
    with pytest.raises(PublishError, match="a name is never used twice"):
        served.load("one", tmp_path / "other" / "one")
    (tmp_path / "served" / "one" / "adapter_model.safetensors").write_bytes(b"others")
    with pytest.raises(PublishError, match=r"changed after training; .* publish again"):
        served.load("one", adapter)


def test_a_folder_that_is_not_there(adapter: Path, tmp_path: Path) -> None:
    nowhere = DirectoryPublisher(tmp_path / "nowhere", base="base")
    with pytest.raises(PublishError, match="isn't a folder"):
        nowhere.check(16, frozenset())
    with pytest.raises(PublishError, match="isn't a folder"):
        nowhere.load("one", adapter)


def test_the_server_lets_go_before_the_copy_does(
    serve_model: ServeModel, adapters: Path, tmp_path: Path
) -> None:
    """vLLM ends where a request names a listed adapter whose folder has gone."""
    (tmp_path / "served").mkdir()
    server = serve_model()
    place = DirectoryPublisher(tmp_path / "served", base="base", server=Control(server.url))
    for name in ("round-0001-aa", "round-0002-bb"):
        place.load(name, adapters / name)
    server.load("round-0001-aa", tmp_path / "served" / "round-0001-aa")
    for name in ("round-0001-aa", "round-0002-bb"):  # the second one it never loaded
        place.unload(name)
    assert server.serving.adapters == {}
    assert place.loaded() == frozenset()


def test_where_the_server_cannot_be_asked_the_copy_stays(adapters: Path, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    away = Control("http://127.0.0.1:9")
    place = DirectoryPublisher(tmp_path / "served", base="base", server=away)
    place.load("round-0001-aa", adapters / "round-0001-aa")
    with pytest.raises(EndpointError, match="can't reach"):
        place.unload("round-0001-aa")
    assert place.loaded() == {"round-0001-aa"}
