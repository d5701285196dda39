"""Settings come from the right place, and a wrong one is one line that says where and what."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
from pydantic import ValidationError

from ghostbust.config import Config, is_harmless, load_config
from ghostbust.errors import ConfigError
from ghostbust.home import Home
from ghostbust.sections import Section

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "config.md"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home folder; the current folder is another, empty one."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return Home.open(tmp_path / "home")


@pytest.fixture
def file(home: Home, tmp_path: Path) -> Path:
    return tmp_path / "given.toml"


def sections() -> dict[str, type[Section]]:
    """The model of each section."""
    found: dict[str, type[Section]] = {}
    for name, field in Config.model_fields.items():
        assert isinstance(field.annotation, type)
        assert issubclass(field.annotation, Section)
        found[name] = field.annotation
    return found


def test_without_a_file_there_are_the_defaults(home: Home) -> None:
    config = load_config(None, home)
    assert config.model.name == "smollm2"
    assert config.gates.min_drop == 0.5
    assert config == Config()


SIMPLE = (int, float, bool, type(None))


def kinds(annotation: object) -> Iterator[object]:
    """The types that a value can have, those in lists and the words of a Literal included."""
    if get_origin(annotation) is Literal:
        yield "word"
    elif parts := get_args(annotation):
        for part in parts:
            yield from kinds(part)
    else:
        yield annotation


KEYS = [
    (section, key, field)
    for section, model in sections().items()
    for key, field in model.model_fields.items()
]


def test_a_key_counts_from_the_current_folder_only_if_it_says_so(home: Home) -> None:
    """`{ zz = 1 }` fits no key: whoever takes it for a value says so."""
    here = Path("ghostbust.toml")
    for section, key, field in KEYS:
        here.write_text(f"[{section}]\n{key} = {{ zz = 1 }}\n")
        if is_harmless(field):
            said = rf"^ghostbust\.toml: {section}\.{key}: should be"
            with pytest.raises(ConfigError, match=said):
                load_config(None, home)
            continue
        noted: list[str] = []
        assert load_config(None, home, note=noted.append) == Config()
        assert noted == [
            f"./ghostbust.toml isn't trusted: ignored {section}.{key}; trust it with"
            f" --config ./ghostbust.toml, or put what you want of it into {home.config}"
        ]
        with pytest.raises(ConfigError, match=rf"{section}\.{key}"):
            load_config(here, home)


def test_what_can_name_something_is_not_harmless() -> None:
    """An address, a path, a program and a variable are texts. A number may still be a limit."""
    for section, key, field in KEYS:
        if is_harmless(field):
            assert all(kind == "word" or kind in SIMPLE for kind in kinds(field.annotation)), key
            assert section in {"model", "sampling", "training"}, f"{section}.{key} is a limit"


def test_the_reference_names_the_harmless_keys() -> None:
    told = REFERENCE.read_text("utf-8").partition("## Which file counts")[2].partition("\n## ")[0]
    listed = set(re.findall(r"`(\w+\.\w+)`", told.partition("Harmless:")[2].partition("\n\n")[0]))
    assert listed == {f"{section}.{key}" for section, key, field in KEYS if is_harmless(field)}


def test_a_strangers_file_leaves_the_homes_in_force(home: Home) -> None:
    home.config.write_text(
        '[gates]\nsandbox_layers = ["few system calls"]\n[registry]\nmode = "snapshot"\n'
        "[sampling]\ntop_k = 3\ntop_p = 0.5\n"
    )
    Path("ghostbust.toml").write_text("[gates]\nsandbox_layers = []\n[sampling]\ntop_k = 5\n")
    config = load_config(None, home)
    assert config.gates.sandbox_layers == ("few system calls",)
    assert config.registry.mode == "snapshot"
    assert (config.sampling.top_k, config.sampling.top_p) == (5, 0.5)


def test_the_homes_own_file_is_trusted_where_one_stands_in_the_home(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    home.config.write_text('[model]\nname = "mine"')
    monkeypatch.chdir(home.path)
    assert load_config(None, home).model.name == "mine"
    assert not caplog.messages


def test_a_fault_is_laid_at_the_file_that_has_it(home: Home) -> None:
    here = Path("ghostbust.toml")
    home.config.write_text("[sampling]\ntop_p = 3")
    here.write_text("[sampling]\ntop_k = 5")
    with pytest.raises(ConfigError, match=f"^{re.escape(str(home.config))}: sampling.top_p: "):
        load_config(None, home)
    for wrong in ("[sampling]\ntop_p = 3", "[sampling]\ntop_x = 3", "sampling = 3", "[smpling]"):
        here.write_text(wrong)
        home.config.write_text("[sampling]\ntop_k = 5")
        with pytest.raises(ConfigError, match=r"^ghostbust\.toml: "):
            load_config(None, home)


@pytest.mark.parametrize(
    "option", ['_cli_parse_args = ["--model.name", "x"]', '_env_prefix = "X"', "_zz = 1"]
)
def test_no_file_sets_options_of_what_reads_it(home: Home, file: Path, option: str) -> None:
    for where, given in ((Path("ghostbust.toml"), None), (file, file)):
        where.write_text(option)
        with pytest.raises(ConfigError, match=r"unknown key _\w+; "):
            load_config(given, home)


def test_the_nearest_file_counts(home: Home, file: Path) -> None:
    home.config.write_text("[training]\nrank = 1")
    assert load_config(None, home).training.rank == 1
    Path("ghostbust.toml").write_text("[training]\nrank = 2")
    assert load_config(None, home).training.rank == 2
    file.write_text("[training]\nalpha = 5")
    config = load_config(file, home)
    assert (config.training.rank, config.training.alpha) == (16, 5), "it stands alone"


def test_the_environment_comes_before_the_file(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[sampling]\ntop_k = 5\ntop_p = 0.5")
    monkeypatch.setenv("GHOSTBUST_SAMPLING__TOP_K", "7")
    monkeypatch.setenv("GHOSTBUST_SAMPLING__TOP_P", "")
    monkeypatch.setenv("GHOSTBUST_HOME", "elsewhere")
    config = load_config(file, home)
    assert (config.sampling.top_k, config.sampling.top_p) == (7, 0.5)


def test_several_servers_each_with_its_own_keys(home: Home, file: Path) -> None:
    file.write_text(
        '[[model.endpoints]]\nurl = "http://a"\n'
        '[[model.endpoints]]\nurl = "http://b"\nweight = 3\nper_s = 5'
    )
    model = load_config(file, home).model
    assert [(s.url, s.weight, s.concurrency, s.per_s) for s in model.servers] == [
        ("http://a", None, 8, None),
        ("http://b", 3, 8, 5),
    ]
    file.write_text('[[model.endpoints]]\nurl = "http://a"\nwieght = 3')
    with pytest.raises(ConfigError, match=r"key model\.endpoints\.0\.wieght; did you mean weight"):
        load_config(file, home)
    file.write_text('[model]\nendpoint = "http://c"\nendpoints = [{url = "http://a"}]')
    assert [server.url for server in load_config(file, home).model.servers] == ["http://c"]
    assert Config().model.servers == ()


def test_the_clients_pointer_lies_beside_the_settings_file(home: Home, file: Path) -> None:
    file.write_text('[publish]\npointer = "serving.json"')
    assert load_config(file, home).publish.pointer == file.parent / "serving.json"


def test_prompt_files_lie_beside_the_settings_file(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[prompts]\nfiles = ["a.jsonl", "/b.jsonl"]')
    assert load_config(file, home).prompts.files == (file.parent / "a.jsonl", Path("/b.jsonl"))
    monkeypatch.setenv("GHOSTBUST_PROMPTS__FILES", '["c.jsonl"]')
    assert load_config(file, home).prompts.files == (Path("c.jsonl"),)


def test_mbpps_file_lies_beside_the_settings_file_or_on_the_hub(home: Home, file: Path) -> None:
    for named, read in (
        ("data/mbpp.jsonl", str(file.parent / "data" / "mbpp.jsonl")),
        ("/data/mbpp.jsonl", "/data/mbpp.jsonl"),
        ("hub:owner/name/mbpp.jsonl", "hub:owner/name/mbpp.jsonl"),
    ):
        file.write_text(f'[gates]\nmbpp = "{named}"')
        assert load_config(file, home).gates.mbpp == read


def test_settings_do_not_change(home: Home) -> None:
    config = load_config(None, home)
    with pytest.raises(ValidationError, match="frozen"):
        config.training.rank = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[modle]\nname = 'a'", "unknown key modle; did you mean model?"),
        ("[model]\nnaem = 'a'", "unknown key model.naem; did you mean name?"),
        ("[registry]\nwhatever = 1", "unknown key registry.whatever; known are mode, as_of"),
        ("[model]\nname = 3", "model.name: should be a valid string, not 3"),
        ("model = 3", "model: should be a table, not 3"),
        ("[sampling]\ntop_p = 3", "sampling.top_p: should be less than or equal to 1, not 3"),
        (
            "[registry]\nmode = 'x'",
            "registry.mode: should be 'snapshot', 'live' or 'auto', not 'x'",
        ),
        ("[prompts]\nfiles = ['a', 3]", "prompts.files.1: should be a path, not 3"),
        ("[prompts]\nfiles = 'a'", "prompts.files: should be a valid tuple, not 'a'"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_expectation(
    home: Home, file: Path, toml: str, message: str
) -> None:
    file.write_text(toml)
    with pytest.raises(ConfigError) as caught:
        load_config(file, home)
    assert str(caught.value) == f"{file}: {message}"


@pytest.mark.parametrize("content", [b"x y", b"\xff\xfe", b"x = " + b"[" * 9999])
def test_broken_toml_is_one_line(home: Home, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(file))} isn't valid TOML: [^\n]+$"):
        load_config(file, home)


def test_a_given_file_must_be_there(home: Home, file: Path) -> None:
    with pytest.raises(ConfigError, match=r"given\.toml: No such file"):
        load_config(file, home)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("GHOSTBUST_SAMPLING__TOP_K", "many", "sampling.top_k: should be a valid integer"),
        ("GHOSTBUST_SAMPLING__TOPK", "3", "unknown key sampling.topk; did you mean top_k?"),
        ("GHOSTBUST_SAMPLNG__TOP_K", "3", "unknown section; did you mean sampling?"),
        ("GHOSTBUST_MODEL", "smollm2", "names a section; should be GHOSTBUST_MODEL__KEY"),
        ("GHOSTBUST_PROMPTS__FILES", "a.jsonl", "should be a JSON list"),
    ],
)
def test_a_wrong_variable_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        load_config(None, home)
    assert str(caught.value).startswith(f"environment variable {variable}: {message}")


def test_the_reference_holds_every_key_with_default_and_meaning() -> None:
    documented = {
        section.split("\n", 1)[0]: re.findall(
            r"^\| `(\w+)` \| `?(.+?)`? \| (.+) \|$", section, re.MULTILINE
        )
        for section in REFERENCE.read_text("utf-8").split("\n## ")[2:]
    }
    expected = {
        name: [
            (key, "none" if field.default is None else json.dumps(field.default), field.description)
            for key, field in section.model_fields.items()
        ]
        for name, section in sections().items()
    }
    assert documented == expected
