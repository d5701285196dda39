"""Imports go downward only, and the model libraries stay where models are run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {name: ROOT / name for name in ("ghostbust", "loop", "registries")}

NOUNS = {
    "records", "errors", "shown", "home", "config", "sections", "adapters", "prompts", "measure",
    "job_sections", "quiet_hours", "reserved", "log_ids", "safe_path", "counts", "http",
    "answer_faults", "documents", "known_modules", "parsing", "places", "statistics", "tally",
    "unseen",
}  # fmt: skip
"""what every part may import; among themselves they may not go in a circle (Python sees to it)"""
PARTS = {
    "samplers", "extractors", "registries", "unlearners", "gates", "publishers", "store", "traffic",
}  # fmt: skip
"""the swappable parts: siblings, which know nothing of each other"""
MAY_IMPORT = {
    **dict.fromkeys(NOUNS | PARTS, NOUNS),
    "data": set[str](),
    # Below the parts that run a model; asks the index that pip asks.
    "models": NOUNS | {"registries"},
    "samplers": NOUNS | {"models"},
    "unlearners": NOUNS | {"models"},
    "bench": NOUNS | PARTS | {"models"},
    # Compares models by answers that the loop lets it have: knows no store and no registry.
    "evaluation": NOUNS | PARTS | {"models"},
    # What is handed on of what the store holds.
    "reports": NOUNS | {"store", "evaluation"},
    "exports": NOUNS | {"store", "registries", "unlearners", "models"},
    "loop": NOUNS | PARTS | {"models", "evaluation"},
    # Its figures of rounds are the reports' own.
    "dashboard": NOUNS | PARTS | {"loop", "evaluation", "reports"},
    # What runs beside the daemon's jobs and speaks of them to the outside.
    "operations": NOUNS | PARTS | {"loop"},
    "cli": NOUNS
    | PARTS
    | {"models", "loop", "dashboard", "operations", "bench", "evaluation", "reports", "exports"}
    | {"api", "results"},
    # What `import ghostbust` offers, and what the commands call and print.
    "api": NOUNS | PARTS | {"models", "loop", "evaluation", "results"},
    # The documents and tables of what it gives back.
    "results": NOUNS | {"registries", "loop"},
    "__main__": {"cli", "safe_path"},
    "__init__": {"api"},
}
HEAVY = {"torch", "transformers", "peft"}
HEAVY_AT_THE_TOP = {
    "samplers/local.py",
    "samplers/decode.py",
    "samplers/decode.py",
    "models/pair.py",
    "evaluation/locality.py",
    "evaluation/persistence.py",
    "evaluation/persistence.py",
    "evaluation/locality.py",
    "bench/loops.py",
}
HEAVY_FOLDERS = {"unlearners", "gates"}
WRITES = {
    "runs": {"start", "resume", "finish", "mark_interrupted"},
    "prompts": {"add"},
    "rewritings": {"add"},
    "prompt_pool": {"bring_back", "prune"},
    "answers": {"add"},
    "lookups": {"put_lookup"},
    "ledger": {"mark_claimed"},
    "repeats": {"refresh"},
    "alarms": {"mark_told"},
    "traffic": {"add", "number"},
    "rounds": {
        "start", "set_state", "add_sets", "add_candidate", "add_gate_report", "mark_interrupted",
        "resume", "put_down", "explain",
    },
    "round_sets": {"keep"},
    "requests": {"add"},
    "promotions": {"add"},
    "published": {"mark_loaded", "mark_unloaded", "add_canary"},
    "jobs": {"pause", "resume", "request", "schedule", "begin", "finish"},
    "spending": {"take"},
    "retention": {"drop_texts", "drop_lookups"},
    "reviews": {"add"},
}  # fmt: skip
"""the store's methods that write, by noun"""


def modules() -> Iterator[str]:
    """Every source file, as a path below the package."""
    for name, folder in SOURCES.items():
        for path in folder.rglob("*.py"):
            inner = path.relative_to(folder)
            if name == "ghostbust" and inner.parts[0] in ("loop", "registries"):
                continue  # the links
            yield str(inner if name == "ghostbust" else Path(name) / inner)


MODULES = sorted(modules())


def dotted(module: str) -> str:
    """The name by which it is imported."""
    return f"ghostbust.{module.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"


def tree_of(module: str) -> ast.Module:
    folder = module.partition("/")[0]
    place = ROOT if folder in ("loop", "registries") else ROOT / "ghostbust"
    return ast.parse((place / module).read_text("utf-8"))


def layer_of(module: str) -> str:
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
    assert {"loop/round.py", "registries/judge.py", "cli/app.py", "records.py"} <= set(MODULES)
    assert {layer_of(module) for module in MODULES} == set(MAY_IMPORT)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward_only(module: str) -> None:
    own = layer_of(module)
    targets = {name.split(".")[1] for name in imported(tree_of(module)) if "ghostbust." in name}
    above = targets - MAY_IMPORT[own] - {own, "__version__"}
    assert not above, f"{module} imports from {sorted(above)}, which is not below {own}"


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
    named = {dotted(module): module for module in MODULES if module != "__init__.py"}
    needs = {
        name: {
            next((head for head in (target, target.rpartition(".")[0]) if head in named), "")
            for target in imported(tree_of(module))
        }
        - {name, ""}
        for name, module in named.items()
    }
    assert "ghostbust.loop.round_steps" in needs["ghostbust.loop.round"]
    assert circle_of({"a": {"b"}, "b": {"a"}})
    assert circle_of(needs) == []


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_imported_under_its_folders_bare_name(module: str) -> None:
    assert not {name.split(".")[0] for name in imported(tree_of(module))} & {"loop", "registries"}


@pytest.mark.parametrize("module", MODULES)
def test_model_libraries_load_only_where_models_run(module: str) -> None:
    found = {name.split(".")[0] for name in at_the_top(tree_of(module))} & HEAVY
    if module not in HEAVY_AT_THE_TOP and layer_of(module) not in HEAVY_FOLDERS:
        assert not found, f"{module} loads {sorted(found)} when it is imported"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_loop_writes_to_the_store(module: str) -> None:
    if layer_of(module) in ("loop", "store"):
        return
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            noun = node.func.value
            if isinstance(noun, ast.Attribute) and noun.attr in WRITES:
                written = node.func.attr in WRITES[noun.attr]
                assert not written, f"{module}, line {node.lineno}: {ast.unparse(node.func)}"


def test_the_list_of_writes_is_the_stores() -> None:
    """Every method of the nouns that opens a write transaction, itself or by a private one."""
    found: dict[str, set[str]] = {}
    for noun in WRITES:
        tree = tree_of(f"store/{noun}.py")
        texts = {n.name: ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
        opens = "self._connection.write()"
        private = {f"self.{n}(" for n, text in texts.items() if opens in text and n[0] == "_"}
        for name, text in texts.items():
            if name[0] != "_" and any(call in text for call in {opens, *private}):
                found.setdefault(noun, set()).add(name)
    assert found == WRITES
