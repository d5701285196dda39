"""Install commands: the table, what their options take, and the indexes they name."""

from __future__ import annotations

import pytest

from ghostbust.extractors.extract import extract
from ghostbust.extractors.installers import (
    INDEX_OPTIONS,
    PROGRAMS,
    TOOLS,
    IndexSetting,
    Takes,
    Tool,
    few,
    index_of_option,
    installs,
    latest,
    setting_of_command,
    setting_of_variable,
)
from ghostbust.extractors.interface import Placed
from ghostbust.extractors.shell import prose_words
from ghostbust.records import Ecosystem, Flag, NamedIndex


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.programs[0])
@pytest.mark.parametrize("prose", [True, False])
def test_every_program_and_form(tool: Tool, prose: bool) -> None:
    expected = {
        Takes.ALL: ["left-pad", "rich"], Takes.FIRST: ["left-pad"], Takes.BUT_FIRST: ["rich"],
        Takes.NONE: [], Takes.FILES: [],
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


def test_true_behind_an_option_of_pip_is_a_package() -> None:
    text = "pip install -U true"
    assert [ref.raw for ref in installs(prose_words(text, 0, len(text)), prose=False)] == ["true"]


def test_every_program_belongs_to_one_tool() -> None:
    programs = [program for tool in TOOLS for program in tool.programs]
    assert len(programs) == len(set(programs)) == len(PROGRAMS)


def test_an_option_adds_packages_or_replaces_them() -> None:
    for tool in TOOLS:
        for form in tool.forms:
            assert form.adding.isdisjoint(form.replacing)
        assert tool.elsewhere <= tool.values


def test_every_ecosystem_has_its_index_options() -> None:
    assert set(INDEX_OPTIONS) == set(Ecosystem) == {tool.ecosystem for tool in TOOLS}


PYPI, NPM = Ecosystem.PYPI, Ecosystem.NPM

URL = "https://index.example.test/simple"


@pytest.mark.parametrize(
    ("command", "replaces"),
    [
        (f"pip install -i {URL} zz", True),
        (f"pip install zz --index-url={URL}", True),
        (f"pip install --extra-index-url {URL} zz", False),
        (f"pip install -f {URL} zz", False),
        (f"pip install --no-index --find-links {URL} zz", True),
        (f"uv pip install --index {URL} zz", False),
        (f"uv add --default-index {URL} zz", True),
        (f"pipenv install --index {URL} zz", True),
        (f"poetry add --source {URL} zz", True),
        (f'pipx install --pip-args="--index-url {URL}" zz', True),
        (f'pipx install --pip-args="--extra-index-url {URL}" zz', False),
        (f"PIP_INDEX_URL={URL} pip install zz", True),
        (f"PIP_EXTRA_INDEX_URL={URL} pip install zz", False),
        (f"UV_INDEX={URL} uv pip install zz", False),
        (f"UV_DEFAULT_INDEX={URL} uv pip install zz", True),
        (f"export PIP_FIND_LINKS={URL}\npip install zz", False),
        (f"ENV PIP_INDEX_URL {URL}\npip install zz", True),
        (f"pip config set global.index-url {URL}\npip install zz", True),
        (f"pip config set global.extra-index-url {URL}\npip install zz", False),
        (f"npm i --registry {URL} zz", True),
        (f"npm config set registry {URL} && npm i zz", True),
        (f"npm config set @zz:registry={URL} && npm i @zz/a", True),
        (f"NPM_CONFIG_REGISTRY={URL} npm i zz", True),
    ],
)
def test_the_index_of_a_command(command: str, replaces: bool) -> None:
    (ref,) = extract(f"```sh\n{command}\n```\n")
    assert ref.indexes == (NamedIndex(URL, replaces),)
    assert Flag.PRIVATE_INDEX in ref.flags


@pytest.mark.parametrize(
    "command",
    [
        f"npm config set registry {URL}\npip install zz",
        f"ENV NPM_CONFIG_REGISTRY={URL}\npip install zz",
        f"export PIP_INDEX_URL={URL}\nnpm i zz",
        f"npm config set @ours:registry {URL}\nnpm i zz",
        f"pip install -i {URL} aa && pip install zz",
        "export PIP_RETRIES=1\npip install zz",
    ],
)
def test_an_index_counts_for_its_own_installer_and_scope_only(command: str) -> None:
    ref = extract(f"```sh\n{command}\n```\n")[-1]
    assert (ref.name, ref.indexes, ref.flags) == ("zz", (), frozenset())


def test_every_option_says_something_of_an_index() -> None:
    for ecosystem, options in INDEX_OPTIONS.items():
        for option in options - {"--pip-args"}:
            assert index_of_option(ecosystem, option, "x") is not None
    assert index_of_option(PYPI, "--pip-args", "--quiet") is None
    assert index_of_option(PYPI, "--upgrade", "x") is None


def test_settings() -> None:
    assert setting_of_variable("PIP_INDEX_URL=x") == IndexSetting(PYPI, NamedIndex("x", True))
    assert setting_of_variable("PATH=x") is None
    assert setting_of_command(["npm", "config", "get", "registry"]) is None
    assert setting_of_command(["git", "config", "set", "user.name", "x"]) is None


def test_the_last_setting_of_a_kind_counts_and_their_number_is_limited() -> None:
    settings = [IndexSetting(PYPI, NamedIndex(str(n), True)) for n in range(9)]
    assert latest(settings) == (settings[-1],)
    scopes = [IndexSetting(NPM, NamedIndex("x", True), f"@{n}/") for n in range(900)]
    assert len(latest(scopes)) == 64


def test_one_replacing_index_and_a_few_others_are_kept() -> None:
    indexes = [NamedIndex(str(n), n % 2 == 0) for n in range(90)]
    kept = few(indexes)
    assert kept[0] == NamedIndex("88", True)
    assert len(kept) == 16
