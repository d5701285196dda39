from __future__ import annotations

import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path
from typing import get_args

import pytest

from ghostbust.errors import SandboxError
from ghostbust.gates import layers
from ghostbust.gates.confinement import BARE, find_confinement
from ghostbust.gates.layers import (
    ALWAYS,
    PROBES,
    PROMISES,
    TODO,
    VERDICT,
    find_layers,
    require_layers,
    sandbox_layers,
    unkept_promises,
)
from ghostbust.sections import GatesSection, LayerName


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


def test_what_is_held_is_enough_and_nothing_asked_for_runs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    require_layers([name for name, holds in find_layers().items() if holds])
    monkeypatch.delattr(layers, "find_layers")
    require_layers(())


THREAT_MODEL = Path(__file__).parents[2] / "docs" / "concepts" / "threat-model.md"


def test_the_threat_model_has_the_table_of_promises() -> None:
    lines = THREAT_MODEL.read_text("utf-8").splitlines()
    first = lines.index("| what is promised of a program | on which layers |") + 2
    rows = takewhile(lambda line: line.startswith("|"), lines[first:])
    said = {promise.strip(): layers for _, promise, layers, _ in (row.split("|") for row in rows)}
    table = {promise: tuple(re.findall("`([^`]+)`", layers)) for promise, layers in said.items()}
    assert table == PROMISES


def test_promises_are_made_on_layers_that_there_are_and_on_all_of_them() -> None:
    named = {layer for layers in PROMISES.values() for layer in layers}
    assert named == {*ALWAYS, *PROBES}


def test_what_a_verdict_rests_on_is_asked_for_by_default() -> None:
    assert {*VERDICT} - {*ALWAYS} < {*GatesSection().sandbox_layers}


@pytest.mark.parametrize("missing", PROBES)
def test_without_a_layer_some_promise_is_not_kept(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = dict.fromkeys(PROBES, True)
    monkeypatch.setattr(layers, "find_layers", lambda: held)
    assert unkept_promises() == ()
    monkeypatch.setattr(layers, "find_layers", lambda: held | {missing: False})
    assert unkept_promises() == tuple(said for said in PROMISES if missing in PROMISES[said]) != ()


def test_a_gate_that_can_be_looked_into_is_seen() -> None:
    """By the probe, run by one who may look: without ``hidden``, and seccomp alone."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKED_INTO], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("True\nFalse\n", "")


LOOKED_INTO = """\
import contextlib, ctypes
from ghostbust.gates import sandbox
from ghostbust.gates.confinement import NONE, Confinement, call_filter
from ghostbust.gates.inside import confine
from ghostbust.gates.layers import find_layers
confine.give_up_privileges()  # root's would keep the program away
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
around = Confinement(NONE, (), call_filter(judge=True), call_filter())
print(find_layers(around)["no looking into the gate"])
find_layers.cache_clear()
sandbox.hidden = contextlib.nullcontext
print(find_layers(around)["no looking into the gate"])
"""
