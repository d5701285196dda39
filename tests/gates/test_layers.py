from __future__ import annotations

from typing import get_args

import pytest

from ghostbust.errors import SandboxError
from ghostbust.gates import layers
from ghostbust.gates.confinement import BARE, find_confinement
from ghostbust.gates.layers import (
    ALWAYS,
    PROBES,
    TODO,
    find_layers,
    missing_layers,
    require_layers,
    sandbox_layers,
)
from ghostbust.sections import LayerName


def test_every_layer_can_be_asked_for_and_has_something_to_do() -> None:
    assert tuple(PROBES) == get_args(LayerName)
    assert tuple(TODO) == get_args(LayerName)


def test_layers_name_what_is_there_and_what_is_missing_and_by_what() -> None:
    *shown, means = sandbox_layers()
    held = find_layers()
    expected = [name if holds else f"missing: {name}" for name, holds in held.items()]
    assert shown == [*ALWAYS, *expected]
    assert means.startswith("by ")
    assert (find_confinement().namespaces.name or "no namespaces") in means


def test_probes_tell_what_nothing_holds() -> None:
    bare = find_layers(BARE)
    assert not bare["own process tree"]
    assert sum(bare.values()) <= sum(find_layers().values())


def test_what_is_held_is_enough() -> None:
    held = [name for name, holds in find_layers().items() if holds]
    assert missing_layers(held) == ""
    require_layers(held)


def test_what_is_missing_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = {"no network": False, "own process tree": False, "no signals": True}
    monkeypatch.setattr(layers, "find_layers", lambda: lacking)
    asked = ("no network", "own process tree", "no signals")
    with pytest.raises(SandboxError) as raised:
        require_layers(asked)
    said = str(raised.value)
    assert "lacks 'no network', 'own process tree', which gates.sandbox_layers asks for" in said
    assert said.endswith("install bubblewrap, or allow user namespaces, or take it off that list")
    assert "\n" not in said
    require_layers(("no signals",))


def test_nothing_asked_for_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(layers, "find_layers")
    require_layers(())
