"""Reads YAML by PyYAML's parser into scalars with the keys that lead to them, and their places.

Works on the parser's events, so nothing is built or run, and an alias is never followed: it is
refused, as are merge keys, tags and keys that are no scalars. None of them is in what programs
write for programs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ghostbust.extractors.placed import Placed, plain

_DEEPEST = 40
"""collections within each other; what is nested deeper is refused"""


@dataclass(frozen=True, slots=True)
class YamlEntry:
    """One scalar."""

    path: tuple[Placed, ...]
    """the keys that lead to it, outermost first; positions in lists aren't told"""
    value: Placed
    """without places where it isn't written in one piece"""


@dataclass(slots=True)
class _Frame:
    is_mapping: bool
    path: tuple[Placed, ...]
    key: Placed | None = field(default=None)


def yaml_entries(text: str) -> Iterator[YamlEntry]:
    """Every scalar of all documents. Raises ValueError for what is no YAML, or refused.

    A key that holds an empty collection gives an entry with an empty value.
    """
    # Imported here: few texts are YAML that has to be parsed.
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    frames: list[_Frame] = []
    lead = len(text) - len(text.removeprefix("\ufeff"))
    try:
        for event in yaml.parse(text[lead:], Loader=loader):
            if isinstance(event, yaml.AliasEvent):
                raise ValueError("it has an alias, which no tool writes")
            if isinstance(event, yaml.NodeEvent) and getattr(event, "tag", None):
                raise ValueError("it has a tag, which no tool writes")
            if isinstance(event, yaml.CollectionStartEvent):
                frames.append(_opened(frames, isinstance(event, yaml.MappingStartEvent)))
                yield YamlEntry(frames[-1].path, plain("", 0, 0))
            elif isinstance(event, yaml.CollectionEndEvent):
                frames.pop()
                if frames:
                    frames[-1].key = None
            elif isinstance(event, yaml.ScalarEvent):
                marks = (event.start_mark, event.end_mark)
                start, end = (mark.index + lead if mark else 0 for mark in marks)
                yield from _scalar(frames, _placed(text, event.value, start, end))
    except yaml.YAMLError as exc:
        raise ValueError(f"it isn't valid YAML ({' '.join(str(exc).split())[:120]})") from exc


def _opened(frames: list[_Frame], is_mapping: bool) -> _Frame:
    """The frame of a collection that begins."""
    if len(frames) >= _DEEPEST:
        raise ValueError("it is nested too deeply")
    path: tuple[Placed, ...] = ()
    if frames:
        outer = frames[-1]
        if outer.is_mapping and outer.key is None:
            raise ValueError("it has a key that is no text")
        path = (*outer.path, outer.key) if outer.key is not None else outer.path
    return _Frame(is_mapping, path)


def _scalar(frames: list[_Frame], value: Placed) -> Iterator[YamlEntry]:
    frame = frames[-1] if frames else _Frame(False, ())
    if not frame.is_mapping:
        yield YamlEntry(frame.path, value)
    elif frame.key is None:
        if value.value == "<<":
            raise ValueError("it has a merge key, which no tool writes")
        frame.key = value
    else:
        yield YamlEntry((*frame.path, frame.key), value)
        frame.key = None


def _placed(text: str, value: str, start: int, end: int) -> Placed:
    """The scalar between two marks; its places are made up where escapes or line ends are in it."""
    for margin in (0, 1):  # plain, or between quotes
        if text[start + margin : end - margin] == value:
            return plain(text, start + margin, end - margin)
    return Placed(value, tuple(range(0, 2 * len(value), 2)))
