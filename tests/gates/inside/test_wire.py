from __future__ import annotations

import math
import os
from collections import Counter, OrderedDict, namedtuple

import pytest

from ghostbust.gates.inside import wire

PLAIN = [
    None, True, False, ..., NotImplemented, 0, -1, 1 << 5000, 0.1, -0.0, math.inf, 1e-320, 2 + 3j,
    "", "é\ud800", b"\0\xff", bytearray(b"x"), [], (), [1, (2, {3})], {"a": [1], 2: {}}, {1, "x"},
    frozenset({1}), range(3, 9, 2), int, list,
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=[str(n) for n in range(len(PLAIN))])
def test_plain_data_arrives_as_it_was(value: object) -> None:
    arrived = wire.decode(wire.encode(value))
    assert type(arrived) is type(value)
    assert repr(arrived) == repr(value)


def test_not_a_number_arrives() -> None:
    arrived = wire.decode(wire.encode(math.nan))
    assert isinstance(arrived, float)
    assert math.isnan(arrived)


def test_subclasses_arrive_as_the_plain_type() -> None:
    class Number(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    point = namedtuple("point", "x y")
    values = [Number(2), Counter("aab"), OrderedDict(x=1), point(1, 2)]
    arrived = wire.decode(wire.encode(values))
    assert isinstance(arrived, list)
    assert [type(value) for value in arrived] == [int, dict, dict, tuple]
    assert arrived == [2, {"a": 2, "b": 1}, {"x": 1}, (1, 2)]


def test_what_is_no_plain_data_is_refused_or_turned_into_what_other_says() -> None:
    with pytest.raises(wire.WireError, match="object is no plain data"):
        wire.encode(object())
    arrived = wire.decode(wire.encode([object()], lambda _: wire.Remote(7)))
    assert isinstance(arrived, list)
    assert isinstance(arrived[0], wire.Remote)
    assert vars(arrived[0]) == {"number": 7}
    module = wire.decode(wire.encode(os, lambda value: wire.ModuleName(value.__name__)))  # type: ignore[attr-defined]
    assert isinstance(module, wire.ModuleName)
    assert module.name == "os"


def test_iterators_arrive_as_iterators() -> None:
    arrived = wire.decode(wire.encode(iter("ab"), lambda value: list(value)))  # type: ignore[call-overload]
    assert next(arrived) == "a"  # type: ignore[call-overload]


def test_no_deeper_than_a_limit() -> None:
    deep: list[object] = []
    for _ in range(wire.MOST_DEPTH + 1):
        deep = [deep]
    with pytest.raises(wire.WireError, match="within each other"):
        wire.encode(deep)
    with pytest.raises(wire.WireError, match="within each other"):
        wire.decode(b"l1:" * 5000 + b"n")


BROKEN = [
    b"", b"x", b"x1:a", b"i", b"i1", b"i:", b"i3:1", b"i-1:", b"ix:1", b"i1:g",
    b"i99999999999999:1",
    b"l2:n", b"l1:", b"nn", b"m1:n", b"m1:l0:n", b"e1:l0:", b"d1:x", b"c3:1 x", b"s1:\xff",
    b"g3:nnn", b"g2:nn", b"g3:i1:1i1:1i1:0", b"q4:exit", b"hx:", b"p1:\xff",
]  # fmt: skip


@pytest.mark.parametrize("data", BROKEN)
def test_broken_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode(data)


def test_frames_on_a_pipe() -> None:
    reading, writing = os.pipe()
    wire.send(writing, b"first")
    wire.send(writing, b"")
    os.write(writing, (wire.MOST_BYTES + 1).to_bytes(8, "little"))
    os.write(writing, b"\1\2")
    os.close(writing)
    assert wire.receive(reading) == b"first"
    assert wire.receive(reading) == b""
    with pytest.raises(wire.WireError, match="4 MiB"):
        wire.receive(reading)
    with pytest.raises(EOFError):
        wire.receive(reading)
    os.close(reading)


def test_frames_have_a_limit() -> None:
    with pytest.raises(wire.WireError, match="4 MiB"):
        wire.send(-1, bytes(wire.MOST_BYTES + 1))
