"""How large a checkout is: files, lines, comments, long functions, class names used twice.

    python tests/lab/size.py [--root DIR] [--json]

Reads Python files only, and needs nothing but the standard library, so that one version can measure
another. Links aren't followed: ``ghostbust/loop`` and ``loop`` are the same files.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import statistics
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

SOURCE = ("ghostbust", "loop", "registries")
TESTS = "tests"
LAB = "lab"
LONG_FILE = 500
LONG_FUNCTION = 50
REASONS: dict[str, str] = {}
"""Why a public class name may be defined more than once, by name."""
_NO_CODE = frozenset(
    {
        tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
        tokenize.ENCODING, tokenize.ENDMARKER,
    }
)  # fmt: skip


@dataclass(slots=True)
class Size:
    """What `measure` counts. Lines include blank ones."""

    source_files: int = 0
    source_lines: int = 0
    median_lines: float = 0.0
    """of a source file"""
    comment_share: float = 0.0
    """comments / (comments + lines with code) of the source, in [0, 1]; docstrings are code, and
    directives such as ``noqa`` comments"""
    long_files: list[str] = field(default_factory=list)
    """source files over 500 lines, each with its lines"""
    long_functions: int = 0
    """functions and methods of the source over 50 lines, docstring included"""
    test_files: int = 0
    test_lines: int = 0
    lab_files: int = 0
    """those of the tests that lie in tests/lab"""
    lab_lines: int = 0
    twice: dict[str, list[str]] = field(default_factory=dict)
    """places of the public classes whose name another class of the source has, without a reason"""
    reasons: dict[str, str] = field(default_factory=dict)
    """the reasons of those that have one"""


def measure(root: Path) -> Size:
    """Counts the source and the tests below a checkout's folder."""
    size, lengths, comments, code = Size(), [], 0, 0
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in files(root, *SOURCE):
        name, text = path.relative_to(root).as_posix(), path.read_text("utf-8")
        lengths.append(len(text.splitlines()))
        if lengths[-1] > LONG_FILE:
            size.long_files.append(f"{name} {lengths[-1]}")
        found = comments_and_code(path)
        comments, code = comments + found[0], code + found[1]
        tree = ast.parse(text)
        size.long_functions += sum(1 for _ in long_functions(tree))
        for cls in public_classes(tree):
            places[cls.name].append(f"{name}:{cls.lineno}")
    size.source_files, size.source_lines = len(lengths), sum(lengths)
    size.median_lines = statistics.median(lengths or [0])
    size.comment_share = comments / max(comments + code, 1)
    for path in files(root, TESTS):
        count = len(path.read_text("utf-8").splitlines())
        size.test_files, size.test_lines = size.test_files + 1, size.test_lines + count
        if (root / TESTS / LAB) in path.parents:
            size.lab_files, size.lab_lines = size.lab_files + 1, size.lab_lines + count
    several = {name: where for name, where in sorted(places.items()) if len(where) > 1}
    size.reasons = {name: REASONS[name] for name in several if name in REASONS}
    size.twice = {name: where for name, where in several.items() if name not in REASONS}
    return size


def files(root: Path, *folders: str) -> Iterator[Path]:
    """The Python files below these folders, each once."""
    for folder in folders:
        for at, below, names in os.walk(root / folder):
            below.sort()
            yield from (Path(at, name) for name in sorted(names) if name.endswith(".py"))


def comments_and_code(path: Path) -> tuple[int, int]:
    """Number of comments, also of those behind code, and of lines that code covers."""
    comments = 0
    code: set[int] = set()
    with tokenize.open(path) as stream:
        for token in tokenize.generate_tokens(stream.readline):
            comments += token.type == tokenize.COMMENT
            if token.type not in _NO_CODE:
                code.update(range(token.start[0], token.end[0] + 1))
    return comments, len(code)


def long_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """The functions over the limit, from ``def`` to the last line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONG_FUNCTION:
                yield node


def public_classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """The classes that another module can import by a name without underscore."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield node


def main() -> None:
    """Prints the sizes as lines, or as a JSON document."""
    parser = argparse.ArgumentParser(description="How large a checkout is.")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[2])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = measure(options.root.absolute())
    if options.json:
        print(json.dumps(asdict(size), indent=2))
        return
    for name, value in asdict(size).items():
        if isinstance(value, dict | list):
            print(f"{name:15} {len(value):>7,}")
            rows = value.items() if isinstance(value, dict) else [(one, "") for one in value]
            for key, what in rows:
                print(f"  {key}", ", ".join(what) if isinstance(what, list) else what)
        else:
            print(f"{name:15} {value:>7.1%}" if "share" in name else f"{name:15} {value:>7,}")


if __name__ == "__main__":
    main()
