"""What `import ghostbust` offers: light, lazy, the records of the loop; and its page."""

from __future__ import annotations

import doctest
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ghostbust
from ghostbust.cli.app import app
from ghostbust.config import Config
from ghostbust.errors import EndpointError, GhostbustError, NotReadyError, UsageError
from ghostbust.records import Lookup, PackageRef, Verdict, utc_now
from ghostbust.store.store import Store

LIGHT = """
import sys
import ghostbust
heavy = {"torch", "transformers", "peft", "numpy", "scipy", "pydantic", "httpx", "typer"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert "sweep" in dir(ghostbust)
ghostbust.check("requests", *ghostbust.extract("pip install flask"), registry="snapshot")
assert not {"torch", "transformers", "peft"} & set(sys.modules)
"""


def test_importing_and_checking_load_no_model_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr


def test_everything_offered_is_there_and_nothing_else() -> None:
    assert all(callable(getattr(ghostbust, name)) for name in ghostbust.__all__[1:])
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ghostbust.nothing


def test_verdicts_come_in_the_order_of_the_packages() -> None:
    refs = ghostbust.extract("pip install zz-quux-sensorlib")
    found = ghostbust.check("Requests", *refs, "requests", registry="snapshot")
    assert [(one.name, one.verdict) for one in found] == [
        ("requests", Verdict.REAL),
        ("zz-quux-sensorlib", Verdict.ABSENT),
        ("requests", Verdict.REAL),
    ]


ABSENT = "zz-quux-sensorlib"
UNTYPED: Any = ghostbust
"""for calls that a type checker would refuse"""
ANSWER = f"""Use it so:

```python
import os
import yaml, {ABSENT.replace("-", "_")}
```

then `pip install requests {ABSENT}`.
"""


def printed(*args: str, stdin: str | None = None) -> str:
    """What the command line prints."""
    return CliRunner().invoke(app, list(args), input=stdin).stdout


@pytest.mark.parametrize(
    ("spec", "ecosystem", "name"),
    [
        ("requests>=2", "pypi", "requests"),
        ("requests[socks]==2.*", "pypi", "requests"),
        ("left-pad@npm", "npm", "left-pad"),
        ("@types/node", "npm", "@types/node"),
        ("pkg:npm/left-pad", "npm", "left-pad"),
    ],
)
def test_a_package_is_written_as_on_the_command_line(spec: str, ecosystem: str, name: str) -> None:
    (found,) = ghostbust.check(spec, registry="snapshot")
    assert (found.ecosystem, found.name, found.verdict) == (ecosystem, name, Verdict.REAL)
    (told,) = json.loads(printed("check", spec, "--registry", "snapshot", "--json"))["results"]
    assert found.to_dict() == told


def test_lists_of_packages_are_taken_in_the_order_given() -> None:
    refs = ghostbust.extract(ANSWER)
    found = ghostbust.check(["requests", "left-pad@npm"], "six", refs, registry="snapshot")
    assert [one.name for one in found] == [
        "requests", "left-pad", "six", "pyyaml", ABSENT, "requests", ABSENT,
    ]  # fmt: skip
    assert all(isinstance(one, Lookup) for one in found)
    assert [one.line for one in found] == [None, None, None, 5, 5, 8, 8]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: UNTYPED.check("x", registry="liv"), "registry: should be one of snapshot, live"),
        (lambda: UNTYPED.check("x", ecosystem="conda"), "ecosystem: should be one of pypi, npm"),
        (lambda: UNTYPED.check("left-pad@nmp"), "did you mean left-pad@npm?"),
        (lambda: UNTYPED.check("two words"), "is no package name"),
        (lambda: UNTYPED.check("x @ https://h.example.test/x.whl"), "comes from no registry"),
        (lambda: UNTYPED.extract("x", ecosystem="nmp"), "ecosystem: should be one of pypi, npm"),
        (lambda: UNTYPED.extract("x", language="py"), "language: should be one of auto, python"),
        (lambda: UNTYPED.sweep(side="both"), "side: should be one of all, train, holdout"),
        (lambda: UNTYPED.sweep(limit=0), "limit: should be at least 1, not 0"),
        (lambda: UNTYPED.unlearn(holdout=9), "holdout: should be at least 10, not 9"),
        (lambda: UNTYPED.evaluate(temperatures=(-1,)), "temperature: should be at least 0"),
    ],
)
def test_a_wrong_choice_is_an_error_of_ours_that_names_the_choices(
    call: Callable[[], object], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GHOSTBUST_HOME", str(tmp_path / "home"))
    with pytest.raises(UsageError) as caught:
        call()
    assert said in str(caught.value)
    assert not (tmp_path / "home").exists()


def test_the_registry_mode_of_the_environment_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An npm name that the snapshot doesn't know would be asked for otherwise."""
    monkeypatch.setenv("GHOSTBUST_REGISTRY__MODE", "snapshot")
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    found = ghostbust.check("zz-quux@npm", home=tmp_path)
    assert found[0].reason == "not-in-snapshot"
    assert found.registry == "snapshot"
    told = json.loads(printed("check", "zz-quux@npm", "--json", "--home", str(tmp_path)))
    assert (told["registry"], told["results"]) == ("snapshot", [found[0].to_dict()])


def test_the_document_of_a_check_is_the_command_lines() -> None:
    names = ["reqeusts", "requests", "left-pad@npm", "zz-quux@npm", "requests"]
    found = ghostbust.check(names, registry="snapshot").to_dict()
    told = json.loads(printed("check", *names, "--registry", "snapshot", "--json"))
    assert {key: told[key] for key in found} == found
    assert found["results"][0]["nearest"][0] == "requests"
    assert json.dumps(found), "and is plain"


def test_extract_hides_built_in_imports_unless_asked_as_the_command_does() -> None:
    refs = ghostbust.extract(ANSWER)
    assert [(ref.line, ref.column, ref.raw) for ref in refs] == [
        (5, 8, "yaml"), (5, 14, "zz_quux_sensorlib"), (8, 19, "requests"), (8, 28, ABSENT),
    ]  # fmt: skip
    assert all(isinstance(ref, PackageRef) for ref in refs)
    every = ghostbust.extract(ANSWER, builtins=True)
    assert [ref.raw for ref in every][:2] == ["os", "yaml"]
    for found, options in ((refs, ()), (every, ("--all",))):
        lines = printed("extract", "-", "--json", *options, stdin=ANSWER).splitlines()
        assert [ref.to_dict() for ref in found] == [json.loads(line) for line in lines]


def test_what_a_notebook_shows_is_escaped() -> None:
    refs = ghostbust.extract(ANSWER)
    evil = replace(refs[0], name="<script>alert(1)</script>\x1b[2J")
    shown = evil._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert "\x1b" not in shown + str(evil)
    found = ghostbust.check(refs, registry="snapshot")
    assert found._repr_html_().count("<tr>") == 1 + len(found)
    assert str(found[0]).startswith("pyyaml (pypi): REAL, registered: ")


def test_a_sweep_samples_an_endpoint_that_is_given(tmp_path: Path) -> None:
    config = Config(registry={"mode": "snapshot"})
    with pytest.raises(EndpointError, match=r"can't reach 127\.0\.0\.1:9/v1/models"):
        ghostbust.sweep(endpoint="http://127.0.0.1:9", config=config, home=tmp_path)


def test_sweeps_and_rounds_have_the_documents_of_their_commands(
    talking_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, home = tmp_path / "ghostbust.toml", tmp_path / "home"
    file.write_text(
        f'model = {{name = "{talking_model_dir}", device = "cpu"}}\n'
        "sampling = {samples_per_prompt = 1, max_new_tokens = 8}\n"
        'registry = {mode = "snapshot"}\n'
        'training = {method = "au", members = 1, rank = 2, max_answers = 24}\n'
        "gates = {humaneval_tasks = 0}\n",
        "utf-8",
    )
    from ghostbust.config import load_config
    from ghostbust.home import Home

    config = load_config(file, Home.find(home))
    swept = ghostbust.sweep(limit=16, config=config, home=home)
    told = json.loads(
        printed("sweep", "--limit", "16", "--json", "--config", str(file), "--home", str(home))
    )
    own = swept.to_dict()
    assert list(own) == list(told)
    changing = ("run", "wall_s")
    assert {k: v for k, v in own.items() if k not in changing} == {
        k: v for k, v in told.items() if k not in changing
    }
    assert "…" in own["invented"][0]["name"]
    assert swept.to_dict(reveal=True)["invented"][0]["name"].startswith("zz-")
    assert str(swept).startswith(f"{talking_model_dir}, base: rate 0.")
    assert "<th>95 % interval</th>" in swept._repr_html_()

    with pytest.raises(NotReadyError, match="likelihood and coding: too few tasks: 0, needs 100"):
        ghostbust.unlearn(holdout=12, config=config, home=home)
    done = ghostbust.unlearn(holdout=12, train_anyway=True, config=config, home=home)
    with Store.open(home / "ghostbust.db") as store:
        assert store.spending.of(utc_now().date()) == {}, "a person's round is in no budget"
    told = json.loads(
        printed(
            "round", "--holdout", "12", "--train-anyway", "--json",
            "--config", str(file), "--home", str(home),
        )
    )  # fmt: skip
    own = done.to_dict()
    assert list(own) == list(told)
    # The second round is judged by other held-out tasks: those that judged the fewest before.
    assert own["gate"]["verdict"] == told["gate"]["verdict"]
    assert str(done).endswith(f"gates {done.outcome.report.verdict}, doesn't serve")
    assert issubclass(NotReadyError, GhostbustError)


TEXT = (Path(__file__).parents[1] / "docs" / "reference" / "api.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^## `ghostbust\.([^`]+)`\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S))
OFFERED = [name for name in ghostbust.__all__ if name != "__version__"]


def test_every_function_has_a_section_and_every_section_a_function() -> None:
    assert set(SECTIONS) == set(OFFERED)


@pytest.mark.parametrize("name", OFFERED)
def test_its_section_has_the_signature_and_every_parameter(name: str) -> None:
    parameters = inspect.signature(getattr(ghostbust, name)).parameters
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in parameters.values()]
    signature = re.sub(r"<(Language\.\w+): [^>]*>", r"\1", f"{name}{inspect.Signature(bare)}")
    assert f"`{signature}`" in SECTIONS[name]
    rows = re.findall(r"^\| (`[^|]+`) \|", SECTIONS[name], re.M)
    assert [word for row in rows for word in re.findall(r"`([^`]+)`", row)] == list(parameters)


def test_its_examples_are_what_python_prints(talking_model_dir: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"^```pycon\n(.*?)^\n```$", TEXT, re.M | re.S)
    assert len(blocks) == len(OFFERED) + 1
    names = {"MODEL": str(talking_model_dir), "HOME": tmp_path / "home"}
    example = doctest.DocTestParser().get_doctest("\n".join(blocks), names, "api.md", "api.md", 0)
    said: list[str] = []
    found = doctest.DocTestRunner().run(example, out=said.append)
    assert found.attempted > 15
    assert not found.failed, "".join(said)
