"""Crates that Rust code imports, by its syntax tree: ``use`` and ``extern crate``.

A crate is imported with ``_`` where its name has ``-``. Paths in expressions
(``serde_json::to_string``) aren't read: most of them go through what a ``use`` has named before.
What macros make up isn't read either.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ghostbust.extractors.interface import give_up, word_set
from ghostbust.extractors.javascript_syntax import ByteOffsets, Grammar, parse
from ghostbust.extractors.names import canonical, is_placeholder
from ghostbust.extractors.shell import prose_refs
from ghostbust.records import Ecosystem, Flag, PackageRef, RefKind

if TYPE_CHECKING:
    from tree_sitter import Node

_BUILTIN = word_set("std core alloc proc_macro test")
_MARKS = ("use ", "extern crate ", "use\t")
_LOCAL = word_set("crate self super")


@dataclass(slots=True)
class _Scope:
    """A module or a block: where a name may stand for something else than a crate."""

    above: _Scope | None
    """what encloses it; a module doesn't see the names of that"""
    is_module: bool
    names: set[str] = field(default_factory=set)
    """modules, and what ``use`` has brought in"""
    sees_above: bool = False
    """``use super::*``"""
    is_open: bool = False
    """a ``use crate::…::*``: it may have any name of the project"""

    def may_hold(self, name: str) -> bool:
        """True where the name may be the project's own here."""
        scope: _Scope | None = self
        while scope is not None:
            if scope.is_open or name in scope.names:
                return True
            scope = scope.above if scope.sees_above or not scope.is_module else None
        return False


@dataclass(frozen=True, slots=True)
class _Root:
    """The first name of a path that is imported."""

    node: Node
    scope: _Scope
    is_absolute: bool
    """``::name`` and ``extern crate``: a crate, whatever is defined"""


def rust_refs(text: str, offset: int) -> Iterator[PackageRef]:
    """IMPORT refs of ``use`` and ``extern crate``, and INSTALL refs of commands in comments.

    A name that a module or another ``use`` of the same code may stand for has the flag
    LOCAL_MODULE. Paths from ``crate``, ``self`` and ``super``, and names with a capital, which
    are types, are no refs.
    """
    yield from prose_refs(text, offset)
    if not any(mark in text for mark in _MARKS):
        return
    places = ByteOffsets(text)
    tree = parse(places.data, Grammar.RUST)
    if tree is None:
        give_up("Rust that takes the parser too much work")
        return
    reading = _Reading(places.data)
    reading.read(tree.root_node)
    for root in reading.roots:
        raw = reading.text(root.node)
        if not raw[:1].islower() or "#" in raw or raw in _LOCAL or is_placeholder(raw):
            continue
        start, end = (places.code_point(at) for at in (root.node.start_byte, root.node.end_byte))
        is_own = not root.is_absolute and (raw in reading.modules or root.scope.may_hold(raw))
        is_builtin = raw in _BUILTIN and raw not in reading.modules
        flags = frozenset({Flag.LOCAL_MODULE} if is_own else ())
        yield PackageRef(
            Ecosystem.CARGO, RefKind.IMPORT, raw, start + offset, end + offset,
            canonical(Ecosystem.CARGO, raw), raw, is_builtin, flags,
        )  # fmt: skip


def has_rust_imports(text: str) -> bool:
    """True for a text that a line shows to be Rust."""
    return any(
        line.startswith(("use ", "pub use ")) and "::" in line and line.rstrip().endswith(";")
        for line in text.splitlines()
    )


@dataclass(slots=True)
class _Reading:
    """A walk through a tree."""

    data: bytes
    roots: list[_Root] = field(default_factory=list)
    """the first names of all imports"""
    modules: set[str] = field(default_factory=set)
    """every module that the code declares"""

    def text(self, node: Node) -> str:
        """A node's text. ``Node.text`` reads the source anew, a call for each byte."""
        return self.data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def read(self, top: Node) -> None:
        """Collects the imports and modules below a node."""
        waiting: list[tuple[Node, _Scope]] = [(top, _Scope(None, is_module=True))]
        while waiting:  # not recursive: a tree may be deeper than Python's stack
            node, scope = waiting.pop()
            match node.type:
                case "use_declaration":
                    if (argument := node.child_by_field_name("argument")) is not None:
                        self._read_use(argument, scope)
                    continue
                case "extern_crate_declaration":
                    if (name := node.child_by_field_name("name")) is not None:
                        self.roots.append(_Root(name, scope, is_absolute=True))
                        scope.names.add(self.text(node.child_by_field_name("alias") or name))
                    continue
                case "mod_item":
                    if (name := node.child_by_field_name("name")) is not None:
                        scope.names.add(self.text(name))
                        self.modules.add(self.text(name))
                    scope = _Scope(scope, is_module=True)
                case "block":
                    scope = _Scope(scope, is_module=False)
            waiting += [(child, scope) for child in reversed(node.named_children)]

    def _read_use(self, argument: Node, scope: _Scope) -> None:
        """The first names of a ``use``, and what it brings into its scope."""
        waiting: list[tuple[Node, bool]] = [(argument, True)]  # whether it begins a path
        first: Node | None = None
        while waiting:
            node, begins = waiting.pop()
            match node.type:
                case "use_list":
                    waiting += [(child, begins) for child in reversed(node.named_children)]
                case "scoped_use_list":
                    path, inner = (node.child_by_field_name(key) for key in ("path", "list"))
                    if path is not None and begins:
                        first = self._add_root(path, scope)
                    if inner is not None:
                        waiting.append((inner, begins and path is None))
                case "use_as_clause":
                    path, alias = (node.child_by_field_name(key) for key in ("path", "alias"))
                    if path is not None and begins:
                        self._add_root(path, scope)
                    if alias is not None:
                        scope.names.add(self.text(alias))
                case "use_wildcard":
                    path = next(iter(node.named_children), None)
                    root = self._add_root(path, scope) if path is not None and begins else first
                    if root is not None and root.type in _LOCAL:
                        is_parent = path is not None and path.type == "super"
                        scope.sees_above |= is_parent and scope.above is not None
                        scope.is_open |= not scope.sees_above
                case "identifier" | "scoped_identifier":
                    if begins:
                        self._add_root(node, scope)
                    if not begins or node.type == "scoped_identifier":
                        scope.names.add(self.text(node.child_by_field_name("name") or node))

    def _add_root(self, path: Node, scope: _Scope) -> Node | None:
        """The first name of a path; it is added unless it says that it is the project's own."""
        node: Node | None = path
        is_absolute = False
        while node is not None and node.type.startswith("scoped_"):
            before = node.child_by_field_name("path")
            is_absolute = before is None
            node = before if before is not None else node.child_by_field_name("name")
        if node is not None and node.type == "identifier":
            self.roots.append(_Root(node, scope, is_absolute))
        return node
