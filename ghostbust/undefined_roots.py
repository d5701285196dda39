"""Roots that code uses and nothing binds: ``np.array`` without ``import numpy as np``.

A root is a bare name that an attribute is taken of, or that is called. It counts as bound if any
code of the answer binds it, anywhere and in any scope: missing a fault is better than making one
up. Code that the token limit cut off may bind further names behind the cut, so a bare name that one
of its functions calls isn't counted there; a root of an attribute is.

Code isn't run, so what it binds by other means (``exec``, ``globals()``, a script tag) isn't known.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Node

PYTHON_GLOBALS: Final = frozenset(dir(builtins)) | frozenset(
    ("__file__", "__path__", "__builtins__", "__annotations__", "__class__", "get_ipython",
     "display", "reveal_type", "WindowsError")
)  # fmt: skip
"""what Python and a notebook bind by themselves"""
FILE_ENDS: Final = frozenset(("py", "ipynb", "sh", "txt", "csv", "toml", "yml", "yaml", "md"))
"""attributes that are the end of a file name, in a command that Python can read: ``run.py | x``"""


@cache
def javascript_globals() -> frozenset[str]:
    """What browsers, node and the usual test runners bind by themselves."""
    text = files("ghostbust.data").joinpath("javascript_globals.tsv").read_text("utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return frozenset(word for line in lines for word in line.split())


def python_roots(trees: Iterable[tuple[ast.Module, bool]]) -> set[str]:
    """The roots that no code of an answer binds. Each tree: whether its code is whole, not cut off.

    Empty where a star import may bind anything.
    """
    bound = set(PYTHON_GLOBALS)
    used: set[str] = set()
    for tree, whole in trees:
        for node in ast.walk(tree):
            bound.update(_python_binds(node))
        used.update(_python_uses(tree, whole=whole))
    return set() if "*" in bound else used - bound


def _python_binds(node: ast.AST) -> Iterator[str]:
    """The names that a node binds; ``*`` for a star import."""
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
            yield name
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Import() | ast.ImportFrom():
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        case ast.Global(names=names) | ast.Nonlocal(names=names):
            yield from names
        case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
            yield name
        case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name
        case _ if type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):  # from 3.12
            yield str(getattr(node, "name", ""))


def _python_uses(tree: ast.Module, *, whole: bool) -> Iterator[str]:
    stack: list[tuple[ast.AST, bool]] = [(tree, False)]
    while stack:
        node, later = stack.pop()
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=end) if end not in FILE_ENDS:
                yield name
            case ast.Call(func=ast.Name(id=name)) if whole or not later:
                yield name
        later |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        stack += ((child, later) for child in ast.iter_child_nodes(node))


_FUNCTIONS = (
    "function_declaration", "generator_function_declaration", "function_expression",
    "generator_function", "arrow_function", "method_definition",
)  # fmt: skip
_BINDING_FIELDS = {
    "variable_declarator": "name",
    "assignment_expression": "left",
    "assignment_pattern": "left",
    "object_assignment_pattern": "left",
    "for_in_statement": "left",
    "pair_pattern": "value",
    "arrow_function": "parameter",
    "catch_clause": "parameter",
    "required_parameter": "pattern",
    "optional_parameter": "pattern",
    **dict.fromkeys(
        (*_FUNCTIONS[:4], "class_declaration", "class", "abstract_class_declaration",
         "enum_declaration", "internal_module", "module", "function_signature"), "name",
    ),
}  # fmt: skip
"""nodes with the field whose identifier they bind; what lies in a pattern there binds by itself"""
_BINDING = frozenset(
    ("formal_parameters", "array_pattern", "object_pattern", "rest_pattern", "import_clause",
     "import_specifier", "namespace_import", "import_require_clause", "import_alias")
)  # fmt: skip
"""nodes that bind every identifier right below them"""
_ROOTS = {
    "member_expression": "object", "call_expression": "function", "new_expression": "constructor"
}  # fmt: skip
_NAMES = ("identifier", "type_identifier", "shorthand_property_identifier_pattern")


def javascript_roots(trees: Iterable[tuple[Node, bool]]) -> set[str]:
    """The same of JavaScript and TypeScript, from the root nodes of their syntax trees."""
    bound = set(javascript_globals())
    used: set[str] = set()
    for tree, whole in trees:
        stack = [(tree, False)]
        while stack:
            node, later = stack.pop()
            bound.update(_javascript_binds(node))
            if field := _ROOTS.get(node.type):
                root = node.child_by_field_name(field)
                if (
                    root is not None
                    and root.type == "identifier"
                    and not root.is_missing
                    and (field == "object" or whole or not later)
                ):
                    used.add(_text(root))
            later |= node.type in _FUNCTIONS
            stack += ((child, later) for child in node.children)
    return used - bound


def _javascript_binds(node: Node) -> Iterator[str]:
    if node.type in _BINDING:
        yield from (_text(child) for child in node.named_children if child.type in _NAMES)
    elif field := _BINDING_FIELDS.get(node.type):
        bound = node.child_by_field_name(field)
        if bound is not None and bound.type in _NAMES:
            yield _text(bound)


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")
