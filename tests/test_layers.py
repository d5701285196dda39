"""Imports go downward only, the model libraries load only where models run, one part writes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = {name: ROOT / name for name in ("ghostbust", "loop", "registries")}

NOUNS = {
    "records", "errors", "home", "config", "sections", "adapters", "prompts", "measure",
    "side_by_side", "answer_faults", "statistics", "quantiles", "unseen", "http", "text",
    "documents", "files", "system", "gguf_name", "times", "extras", "undefined_roots", "plugins",
}  # fmt: skip
"""files at the root that every part may import"""
PARTS = {"samplers", "extractors", "registries", "unlearners", "gates", "publishers", "store"}
"""the swappable parts: siblings, which know nothing of each other"""
BESIDE = {"guard", "loop", "dashboard", "operations", "evaluation", "reports", "exports", "models"}
MAY_IMPORT = {
    **dict.fromkeys(NOUNS | PARTS, NOUNS),
    "data": set[str](),
    # Below the parts that run a model; asks the index that pip asks.
    "models": NOUNS | {"registries"},
    "samplers": NOUNS | {"models"},
    "unlearners": NOUNS | {"models"},
    # Reads answers while they are written: knows a sampler by its interface only.
    "guard": NOUNS | {"extractors", "registries", "samplers"},
    # Compares models by answers that the loop lets it have: knows no store and no registry.
    "evaluation": NOUNS | PARTS | {"models"},
    "reports": NOUNS | {"store", "evaluation"},
    "exports": NOUNS | {"store", "registries", "unlearners", "models"},
    # Reads and judges what a sampler writes.
    "loop": NOUNS | PARTS | {"guard", "models", "evaluation"},
    # Its figures of rounds are the reports' own.
    "dashboard": NOUNS | PARTS | {"loop", "evaluation", "reports"},
    "operations": NOUNS | PARTS | {"loop"},
    "cli": NOUNS | PARTS | BESIDE | {"api", "results"},
    # What `import ghostbust` offers, and the documents and tables of what it returns.
    "api": NOUNS | PARTS | {"models", "loop", "evaluation", "results"},
    "results": NOUNS | {"registries", "loop"},
    "__main__": {"cli", "files"},
    "__init__": {"api"},
}
HEAVY = {"torch", "transformers", "peft", "accelerate", "gguf", "scipy"}
HEAVY_AT_THE_TOP = {
    "exports/gguf_lora.py",
    "guard/processor.py",
    "guard/sglang.py",
    "guard/vllm.py",
    "samplers/local.py",
    "samplers/decode.py",
    "models/pair.py",
    "evaluation/locality.py",
    "evaluation/persistence.py",
}
HEAVY_FOLDERS = {"unlearners", "gates"}


@cache
def trees() -> dict[str, ast.Module]:
    """Every source file as a path below the package, parsed."""
    found = {}
    for name, folder in SOURCES.items():
        for path in folder.rglob("*.py"):
            inner = path.relative_to(folder)
            if name == "ghostbust" and inner.parts[0] in ("loop", "registries"):
                continue  # the links
            module = inner if name == "ghostbust" else Path(name) / inner
            found[str(module)] = ast.parse(path.read_text("utf-8"))
    return found


def dotted(module: str) -> str:
    """The name by which it is imported."""
    return f"ghostbust.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"


def room_of(module: str) -> str:
    """The folder, or the module where it lies in none."""
    return module.partition("/")[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in the tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_the_top(tree: ast.Module) -> Iterator[str]:
    """Dotted names of what importing the module imports: not inside functions, not for types."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield from imported(node)


def test_every_module_is_seen() -> None:
    assert {"loop/round.py", "registries/judge.py", "cli/app.py", "records.py"} <= set(trees())
    assert {room_of(module) for module in trees()} <= set(MAY_IMPORT)


def test_imports_go_downward_only() -> None:
    upward = [
        f"{module} imports {target}"
        for module, tree in trees().items()
        for target in {name.split(".")[1] for name in imported(tree) if "ghostbust." in name}
        if target not in MAY_IMPORT[room_of(module)] | {room_of(module), "__version__"}
    ]
    assert upward == []


def circle_of(needs: dict[str, set[str]]) -> list[str]:
    """Some modules that need each other, in a row; none where there is no circle."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as exc:
        return list(exc.args[1])
    return []


def test_no_modules_know_each_other() -> None:
    """Not for types either, nor in a function.

    The package itself is left out: it holds the version, and the API that is loaded when asked for.
    """
    named = {dotted(module): tree for module, tree in trees().items() if module != "__init__.py"}
    needs = {
        name: {
            next((head for head in (target, target.rpartition(".")[0]) if head in named), "")
            for target in imported(tree)
        }
        - {name, ""}
        for name, tree in named.items()
    }
    assert "ghostbust.loop.watch" in needs["ghostbust.loop.sweep"]
    assert circle_of({"a": {"b"}, "b": {"a"}})
    assert circle_of(needs) == []


def test_no_module_imports_tests_or_one_under_its_folders_bare_name() -> None:
    for module, tree in trees().items():
        tops = {name.split(".")[0] for name in imported(tree)}
        assert not tops & {"loop", "registries", "tests"}, module


def test_model_libraries_load_only_where_models_run() -> None:
    for module, tree in trees().items():
        found = {name.split(".")[0] for name in at_the_top(tree)} & HEAVY
        if module not in HEAVY_AT_THE_TOP and room_of(module) not in HEAVY_FOLDERS:
            assert not found, f"{module} loads {sorted(found)} when it is imported"


def writes_of_the_store() -> set[str]:
    """``noun.method`` of each method that opens a write transaction, itself or by a private one."""
    nouns = {
        ast.unparse(node.value.func): node.targets[0].attr
        for node in ast.walk(trees()["store/store.py"])
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and isinstance(node.value, ast.Call)
    }
    found = set()
    for module, tree in trees().items():
        for kind in tree.body:
            if not module.startswith("store/") or getattr(kind, "name", None) not in nouns:
                continue
            assert isinstance(kind, ast.ClassDef)
            texts = {m.name: ast.unparse(m) for m in kind.body if isinstance(m, ast.FunctionDef)}
            opens = "self._connection.write()"
            private = {f"self.{n}(" for n, text in texts.items() if opens in text and n[0] == "_"}
            found |= {
                f"{nouns[kind.name]}.{name}"
                for name, text in texts.items()
                if name[0] != "_" and any(call in text for call in {opens, *private})
            }
    return found


def test_only_the_loop_writes_to_the_store() -> None:
    writes = writes_of_the_store()
    assert {"runs.start", "answers.add", "rounds.add_gate_report", "promotions.add"} <= writes
    for module, tree in trees().items():
        if room_of(module) in ("loop", "store"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                noun = node.func.value
                if isinstance(noun, ast.Attribute):
                    called = f"{noun.attr}.{node.func.attr}"
                    assert called not in writes, f"{module}, line {node.lineno}: {called}"


def test_httpx_is_imported_in_one_place() -> None:
    """So that its successor can take its place in one file."""
    assert [
        module
        for module, tree in trees().items()
        if "httpx" in {name.split(".")[0] for name in imported(tree)}
    ] == ["http.py"]


def test_the_page_on_architecture_names_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rooms = {module.partition("/")[0] for module in trees() if "/" in module}
    assert [room for room in sorted(rooms) if f"\n| `{room}` |" not in page] == []
