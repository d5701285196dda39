"""What a checkout's own files define, on trees written for the test."""

from __future__ import annotations

from pathlib import Path

import pytest

from ghostbust.extractors.checkout import Checkouts
from ghostbust.extractors.extract import extract
from ghostbust.extractors.interface import Language
from ghostbust.records import PackageRef


def tree(root: Path, *files: str) -> Path:
    """A checkout with these files, all empty."""
    (root / ".git").mkdir(parents=True)
    for name in files:
        write(root, name, "")
    return root


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, "utf-8")


def the_import(statement: str, language: Language = Language.PYTHON) -> PackageRef:
    (ref,) = extract(statement, language=language)
    return ref


@pytest.mark.parametrize(
    ("files", "importer", "statement", "found"),
    [
        pytest.param(["helper.py"], "main.py", "import helper", "helper.py", id="beside"),
        pytest.param(
            ["helper.py"], "a/b/main.py", "import helper.x", "helper.py", id="above"
        ),
        pytest.param(
            ["src/app/__init__.py"], "tests/t.py", "import app", "src/app/__init__.py", id="src"
        ),
        pytest.param(
            ["app/__init__.py", "app/x.py"], "app/x.py", "from app import y", "app/__init__.py",
            id="its own package",
        ),
        pytest.param(
            ["fast.cpython-311.so", "fast.so"], "main.py", "import fast", "fast.so", id="compiled"
        ),
        pytest.param(
            ["app/models/user.py"], "main.py", "import app.models.user", "app/models/user.py",
            id="no __init__, but all of the name",
        ),
        pytest.param(["requests.py"], "requests.py", "import requests", None, id="not itself"),
        pytest.param(
            ["proj/__init__.py", "proj/celery.py", "proj/tasks.py"], "proj/tasks.py",
            "import celery", None, id="a module of a package isn't imported by its bare name",
        ),
        pytest.param(
            ["flask/app.py"], "main.py", "import flask", None,
            id="a folder without __init__ gives way to what is installed",
        ),
        pytest.param(["other/helper.py"], "main.py", "import helper", None, id="elsewhere"),
        pytest.param(
            [".venv/helper.py", "node_modules/helper.py"], "main.py", "import helper", None,
            id="left out",
        ),
    ],
)  # fmt: skip
def test_python_finds_the_checkouts_own_code_first(
    tmp_path: Path, files: list[str], importer: str, statement: str, found: str | None
) -> None:
    root = tree(tmp_path, *files, importer)
    file = root / importer
    assert Checkouts().of(file).shadows(the_import(statement), file) == found


def test_a_name_that_no_registry_has_may_be_defined_anywhere(tmp_path: Path) -> None:
    root = tree(tmp_path, "tools/deep/generate_contents.py", "apps/site/views.py")
    checkout = Checkouts().of(root / "any")
    assert checkout.defines(the_import("import generate_contents"), root / "x.py") == (
        "tools/deep/generate_contents.py"
    )
    assert checkout.defines(the_import("from site_app import x"), root / "x.py") is None


def test_an_install_command_is_never_excused(tmp_path: Path) -> None:
    root = tree(tmp_path, "helper.py")
    write(root, "lib/pyproject.toml", '[project]\nname = "helper"\n')
    (install,) = extract("pip install helper", language=Language.SHELL)
    checkout = Checkouts().of(root / "any")
    assert checkout.shadows(install, root / "setup.sh") is None
    assert checkout.defines(install, root / "setup.sh") is None


def test_members_of_a_workspace_are_known_by_their_manifests(tmp_path: Path) -> None:
    root = tree(tmp_path)
    write(root, "packages/core/package.json", '{"name": "@acme/core"}')
    write(root, "libs/one/pyproject.toml", '[project]\nname = "Acme.One"\n')
    write(root, "libs/two/pyproject.toml", '[tool.poetry]\nname = "acme-two"\n')
    write(root, "broken/package.json", "{" * 100_000)
    checkout, file = Checkouts().of(root / "any"), root / "pyproject.toml"
    core = the_import("import '@acme/core/x'", Language.JAVASCRIPT)
    assert checkout.defines(core, root / "x.js") == "packages/core/package.json"
    (one, two, three) = extract(
        '[project]\ndependencies = ["acme-one", "acme_two", "acme-three"]\n[tool.uv.sources]\n'
        'acme-one = {workspace = true}\nacme-two = {path = "libs/two"}\n'
        'acme-three = {path = "../three"}\n',
        filename="pyproject.toml",
    )
    assert checkout.defines(one, file) == "libs/one/pyproject.toml"
    assert checkout.defines(two, file) == "libs/two/pyproject.toml"
    assert checkout.defines(three, file) is None
    (asked,) = extract("acme-one\n", filename="requirements.txt")
    assert checkout.defines(asked, root / "requirements.txt") is None, "pip asks the index"


def test_members_of_a_uv_workspace_inherit_its_roots_sources(tmp_path: Path) -> None:
    root = tree(tmp_path)
    write(root, "libs/utils/pyproject.toml", '[project]\nname = "acme-utils"\n')
    (ref,) = extract('[dependency-groups]\ndev = ["acme_utils"]\n', filename="pyproject.toml")
    member = root / "libs/core/pyproject.toml"
    sources = "[tool.uv.sources]\nacme-utils = {workspace = true}\n"
    for text, found in (
        ("[tool.uv.workspace]\n" + sources, "libs/utils/pyproject.toml"),
        (sources, None),
        ("[tool.uv.workspace]\n", None),
        ("tool = 1\n", None),
    ):
        write(root, "pyproject.toml", text)
        assert Checkouts().of(root / "any").defines(ref, member) == found


def test_a_dependency_on_a_package_json_counts_where_there_are_workspaces(tmp_path: Path) -> None:
    root = tree(tmp_path)
    write(root, "ui/package.json", '{"name": "acme-ui"}')
    (ref,) = extract('{"dependencies": {"acme-ui": "^1"}}', filename="package.json")
    for manifest, found in (
        ('{"name": "x"}', None), ('{"workspaces": ["ui"]}', "ui/package.json"),
    ):  # fmt: skip
        write(root, "package.json", manifest)
        assert Checkouts().of(root / "any").defines(ref, root / "package.json") == found
    write(root, "package.json", '{"name": "x"}')
    write(root, "pnpm-workspace.yaml", "")
    checkout = Checkouts().of(root / "any")
    assert checkout.defines(ref, root / "package.json") == "ui/package.json"
    assert checkout.defines(ref, root / "ui/package.json") is None, "not by itself"


def test_aliases_and_base_folder_of_the_nearest_tsconfig(tmp_path: Path) -> None:
    root = tree(tmp_path, "web/src/stores/cart.ts", "web/src/colors.ts")
    write(
        root, "web/tsconfig.json",
        '{ // comments are allowed\n "compilerOptions": {"baseUrl": "./src",'
        ' "paths": {"kit/*": ["x/*"], "only": ["y"], "*": ["z/*"]}, }, }',
    )  # fmt: skip
    checkout = Checkouts().of(root / "any")
    for specifier, found in {
        "kit/a": "web/tsconfig.json",
        "only": "web/tsconfig.json",
        "only/not": None,
        "stores/cart": "web/src/stores",
        "colors": "web/src/colors.ts",
        "react": None,
    }.items():
        ref = the_import(f"import x from '{specifier}'", Language.JAVASCRIPT)
        assert checkout.shadows(ref, root / "web/src/main.ts") == found, specifier
        assert checkout.shadows(ref, root / "server/main.ts") is None, specifier


def test_without_git_only_the_given_folder_is_known_or_the_files_own(tmp_path: Path) -> None:
    write(tmp_path, "helper.py", "")
    write(tmp_path, "inner/main.py", "")
    file = tmp_path / "inner" / "main.py"
    assert Checkouts().of(file).root == tmp_path / "inner"
    assert (
        Checkouts().of(tmp_path / "x.py").defines(the_import("import main"), tmp_path / "x.py")
        is None
    )
    assert Checkouts([tmp_path]).of(file).root == tmp_path
    assert (
        Checkouts([tmp_path]).of(file).defines(the_import("import main"), file) == "inner/main.py"
    )
    assert Checkouts([tmp_path / "other"]).of(file).root == tmp_path / "inner"


def test_a_file_outside_of_the_checkout_is_nobodys(tmp_path: Path) -> None:
    root = tree(tmp_path / "one", "helper.py")
    ref = the_import("import helper")
    assert Checkouts().of(root / "x").shadows(ref, tmp_path / "main.py") is None
