"""Install commands in rows of words, and the table of tools."""

from __future__ import annotations

import pytest

from ghostbust.extractors.installers import TOOLS, Takes, Tool
from ghostbust.extractors.interface import Placed
from ghostbust.extractors.shell import installs
from ghostbust.extractors.shell_words import prose_words


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.programs[0])
@pytest.mark.parametrize("prose", [True, False])
def test_every_program_and_form(tool: Tool, prose: bool) -> None:
    expected = {
        Takes.ALL: ["left-pad", "rich"], Takes.FIRST: ["left-pad"], Takes.BUT_FIRST: ["rich"],
        Takes.NONE: [],
    }  # fmt: skip
    names = [tool.prefix + name for name in ("left-pad", "rich")]
    for program in tool.programs:
        for form in tool.forms:
            verb = [part.replace("*", "any") for part in form.verb]
            text = " ".join((program, *verb, *names))
            refs = list(installs(prose_words(text, 0, len(text)), prose=prose))
            assert [ref.raw for ref in refs] == expected[form.takes]
            assert {ref.ecosystem for ref in refs} <= {tool.ecosystem}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.programs[0])
def test_options_that_hold_packages(tool: Tool) -> None:
    for form in tool.forms:
        for option in form.adding | form.replacing:
            behind = [] if option in form.replacing or form.takes is Takes.NONE else ["rich"]
            for joint in (" ", "="):
                text = " ".join((tool.programs[0], *form.verb, f"{option}{joint}left-pad", "rich"))
                refs = list(installs(prose_words(text, 0, len(text)), prose=False))
                assert [ref.raw for ref in refs] == ["left-pad", *behind], text


def test_words_without_a_place_are_passed_over() -> None:
    text = "pip install"
    words = [*prose_words(text, 0, len(text)), Placed("", ())]
    assert list(installs(words, prose=False)) == []


def test_prose_stops_where_a_script_goes_on() -> None:
    text = "pip install a1 then b1"
    words = prose_words(text, 0, len(text))
    assert [ref.raw for ref in installs(words, prose=True)] == ["a1"]
    assert [ref.raw for ref in installs(words, prose=False)] == ["a1", "then", "b1"]


@pytest.mark.parametrize(
    "command",
    [
        "npm install --unsafe-perm true a1",
        "npm i --save-exact false --no-audit a1",
        "yarn add --production true a1",
        "npm install --loglevel error a1",
        "npm install --omit dev --omit optional a1",
        "npm install --cpu x64 --os linux --libc musl a1",
        "npm install --min-release-age 7 --https-proxy proxy:3128 a1",
        "npm install -L project a1",
        "yarn add --preferred-cache-folder cache --network-concurrency 1 a1",
        "yarn add --mode skip-build a1",
        "pnpm add --save-catalog-name ui a1",
        "pnpm add --config a1",
        "pnpm add --allow-build esbuild --filter-prod web a1",
        "bun add --linker hoisted --minimum-release-age 3600 a1",
        "bun add -p a1",
        "bun x -p a1 b1",
        "pip install --build-constraint limits.txt --only-final torch a1",
        "uv pip install --python-platform linux a1",
        "uv add --prerelease-package torch a1",
        "uv add --upgrade-group dev --no-build-package torch a1",
        "conda install --console json --exclude-newer 7d a1",
    ],
)
def test_values_of_options_are_no_packages(command: str) -> None:
    refs = list(installs(prose_words(command, 0, len(command)), prose=False))
    assert [ref.raw for ref in refs] == ["a1"]


def test_true_behind_an_option_of_pip_is_a_package() -> None:
    text = "pip install -U true"
    assert [ref.raw for ref in installs(prose_words(text, 0, len(text)), prose=False)] == ["true"]
