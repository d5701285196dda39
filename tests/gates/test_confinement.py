from __future__ import annotations

from ghostbust.gates.confinement import (
    BARE,
    NONE,
    READABLE,
    call_filter,
    find_confinement,
    find_namespaces,
)


def test_the_strongest_has_all_there_is() -> None:
    found = find_confinement()
    assert found.namespaces == find_namespaces()
    assert found.readable == READABLE
    assert found.program_calls == call_filter()
    assert found.judge_calls == call_filter(judge=True)


def test_bare_has_nothing() -> None:
    assert BARE.namespaces is NONE
    assert BARE.readable == ()
    assert BARE.program_calls == BARE.judge_calls == b""
