"""Plain data as bytes and back, and frames of them on pipes.

Made for a sender that can't be trusted: neither pickle nor marshal may read what it wrote. Every
value is a letter for its type, then its parts; texts, integers and floats have their length in
front, collections their count. Types are kept (True isn't 1, a tuple no list). Values of other
types are refused, but the program's side may send an iterator, which arrives as one over the same
values; a module or a builtin type, as its name; any other object, as a number that only its own
process can look up. The judge's side may send instances of a task's own classes, as their class's
name and attributes.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as typing has it, without importing typing
if TYPE_CHECKING:
    from collections.abc import Callable, Collection

MOST_BYTES = 4 << 20
"""of one frame"""
MOST_DEPTH = 100
"""collections within collections"""
COLLECTIONS: dict[str, type[Collection[object]]] = {
    "l": list,
    "u": tuple,
    "e": set,
    "z": frozenset,
}
ITERATOR = "r"
CONSTANTS = {"n": None, "t": True, "f": False, "y": NotImplemented, "o": Ellipsis}
TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        bool, bytearray, bytes, complex, dict, float, frozenset, int, list, object, range, set, str,
        tuple, type,
    )
}  # fmt: skip
"""types that are sent by their name"""
HEADER = 8


class WireError(Exception):
    """Bytes that hold no plain data, or a value that is none."""


class Remote:
    """An object that stayed in the program's process, by its number there."""

    def __init__(self, number: int) -> None:
        object.__setattr__(self, "number", number)  # the judge's kind sends what is set


class ModuleName:
    """A module that the program imported, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Instance:
    """An object of a class that both processes have: the class's name, and the attributes."""

    def __init__(self, name: str, attributes: dict[str, object]) -> None:
        self.name, self.attributes = name, attributes


def encode(value: object, other: Callable[[object], object] | None = None) -> bytes:
    """``value`` as bytes. Raises WireError for what isn't plain data, or too much of it.

    ``other`` turns an object of another type into a list (for an iterator), a ModuleName, an
    Instance or a Remote.
    """
    parts: list[bytes] = []
    _encode(value, other, parts.append, 0)
    return b"".join(parts)


def _encode(
    value: object,
    other: Callable[[object], object] | None,
    write: Callable[[bytes], None],
    depth: int,
) -> None:
    if depth > MOST_DEPTH:
        raise WireError(f"more than {MOST_DEPTH} collections within each other")
    for letter, constant in CONSTANTS.items():
        if value is constant:
            return write(letter.encode())
    # Subclasses go as the plain type: a Counter as a dict, a named tuple as a tuple.
    if isinstance(value, int):
        return write(_sized("i", b"%x" % int(value)))
    if isinstance(value, float):
        return write(_sized("d", float(value).hex().encode()))
    if isinstance(value, complex):
        return write(_sized("c", f"{value.real.hex()} {value.imag.hex()}".encode()))
    if isinstance(value, str):
        return write(_sized("s", str.encode(value, "utf-8", "surrogatepass")))
    if isinstance(value, bytes):
        return write(_sized("b", bytes(value)))
    if isinstance(value, bytearray):
        return write(_sized("a", bytes(value)))
    if isinstance(value, dict):
        write(_sized("m", b"", len(value)))
        for key, item in dict.items(value):
            _encode(key, other, write, depth + 1)
            _encode(item, other, write, depth + 1)
        return None
    for letter, kind in COLLECTIONS.items():
        if isinstance(value, kind):
            return _encode_all(letter, list(value), other, write, depth)
    if isinstance(value, Remote):
        return write(_sized("h", b"%x" % object.__getattribute__(value, "number")))
    if isinstance(value, type) and TYPES.get(value.__name__) is value:
        return write(_sized("q", value.__name__.encode()))
    if isinstance(value, ModuleName):
        return write(_sized("p", value.name.encode()))
    if isinstance(value, range):
        return _encode_all("g", [value.start, value.stop, value.step], other, write, depth)
    found = other(value) if other is not None else None
    if isinstance(found, list):
        return _encode_all(ITERATOR, found, other, write, depth)
    if isinstance(found, Instance):
        return _encode_all("k", [found.name, found.attributes], other, write, depth)
    if found is None:
        raise WireError(f"{type(value).__name__} is no plain data")
    return _encode(found, None, write, depth)


def _encode_all(
    letter: str,
    values: list[object],
    other: Callable[[object], object] | None,
    write: Callable[[bytes], None],
    depth: int,
) -> None:
    write(_sized(letter, b"", len(values)))
    for item in values:
        _encode(item, other, write, depth + 1)


def _sized(letter: str, body: bytes, count: int | None = None) -> bytes:
    return b"%s%d:%s" % (letter.encode(), len(body) if count is None else count, body)


def decode(
    data: bytes,
    remote: Callable[[int], object] = Remote,
    build: Callable[[Instance], object] | None = None,
) -> object:
    """The value in ``data``. Raises WireError for bytes that ``encode`` doesn't write.

    ``remote`` makes what stands for an object of the other process, ``build`` the object that
    an Instance describes; without it they are refused.
    """
    reader = _Reader(data, remote, build)
    try:
        value = reader.value(0)
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise WireError(f"not plain data: {error}") from None  # a list as a key, say
    if reader.place != len(data):
        raise WireError("bytes behind the value")
    return value


class _Reader:
    """Reads one value after the other out of bytes."""

    def __init__(
        self,
        data: bytes,
        remote: Callable[[int], object],
        build: Callable[[Instance], object] | None,
    ) -> None:
        self.data, self.remote, self.build, self.place = data, remote, build, 0

    def value(self, depth: int) -> object:
        if depth > MOST_DEPTH:
            raise WireError(f"more than {MOST_DEPTH} collections within each other")
        letter = self.data[self.place : self.place + 1].decode("latin-1")
        self.place += 1
        if letter in CONSTANTS and letter:
            return CONSTANTS[letter]
        if not letter:
            raise WireError("cut off")
        size = self._size()
        if letter in COLLECTIONS:
            return COLLECTIONS[letter](self._values(size, depth))  # type: ignore[call-arg]
        if letter == ITERATOR:
            return iter(self._values(size, depth))
        if letter == "m":
            values = iter(self._values(2 * size, depth))
            return dict(zip(values, values, strict=True))
        if letter == "k" and self.build is not None:
            name, attributes = self._values(size, depth)
            if not (isinstance(name, str) and isinstance(attributes, dict)):
                raise WireError("no name and attributes")
            return self.build(Instance(name, attributes))
        if letter == "g":
            start, stop, step = self._values(size, depth)
            if not (type(start) is type(stop) is type(step) is int):
                raise WireError("a range of other things than integers")
            return range(start, stop, step)
        return self._scalar(letter, self._bytes(size))

    def _scalar(self, letter: str, body: bytes) -> object:
        match letter:
            case "i":
                return int(body, 16)
            case "d":
                return float.fromhex(body.decode())
            case "c":
                real, imaginary = body.decode().split(" ")
                return complex(float.fromhex(real), float.fromhex(imaginary))
            case "s":
                return body.decode("utf-8", "surrogatepass")
            case "b":
                return body
            case "a":
                return bytearray(body)
            case "h":
                return self.remote(int(body, 16))
            case "p":
                return ModuleName(body.decode())
            case "q" if body.decode() in TYPES:
                return TYPES[body.decode()]
        raise WireError(f"no type has the letter {letter!r}")

    def _values(self, count: int, depth: int) -> list[object]:
        return [self.value(depth + 1) for _ in range(count)]

    def _size(self) -> int:
        end = self.data.find(b":", self.place, self.place + 12)
        if end < 0 or not self.data[self.place : end].isdigit():
            raise WireError("no size")
        size = int(self.data[self.place : end])
        self.place = end + 1
        if size > len(self.data) - self.place:  # every value takes a byte at least
            raise WireError("cut off")
        return size

    def _bytes(self, size: int) -> bytes:
        body = self.data[self.place : self.place + size]
        self.place += size
        return body


def send(descriptor: int, data: bytes) -> None:
    """Writes one frame. Raises WireError if it is too long, OSError if nobody reads."""
    if len(data) > MOST_BYTES:
        raise WireError(f"more than {MOST_BYTES >> 20} MiB at once")
    rest = memoryview(len(data).to_bytes(HEADER, "little") + data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def receive(descriptor: int) -> bytes:
    """The next frame. Raises WireError for one that is too long, EOFError at the end."""
    size = int.from_bytes(_read(descriptor, HEADER), "little")
    if size > MOST_BYTES:
        raise WireError(f"more than {MOST_BYTES >> 20} MiB at once")
    return _read(descriptor, size)


def _read(descriptor: int, size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = os.read(descriptor, min(size, 1 << 16))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
