"""What a sparse index says of a crate, and which index cargo's settings name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ghostbust.errors import ConfigError, RegistryError
from ghostbust.records import Lookup, SuspectReason, Verdict
from ghostbust.registries.cargo_config import CargoSettings
from ghostbust.registries.crates import CratesRegistry, index_path, spellings
from ghostbust.registries.endpoints import endpoint
from ghostbust.registries.names import public_crates
from ghostbust.registries.transport import Client
from tests.registries.conftest import HASTE


def line(name: str, version: str, **more: object) -> str:
    return json.dumps({"name": name, "vers": version, "yanked": False, **more})


async def look_up(files: dict[str, str], name: str) -> Lookup:
    def answer(request: httpx.Request) -> httpx.Response:
        text = files.get(request.url.path.removeprefix("/index/"))
        return httpx.Response(404) if text is None else httpx.Response(200, text=text)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        index = endpoint("https://crates.example.test/index/", "test")
        return await CratesRegistry(Client(http, HASTE), lambda: index).look_up(name)


async def test_verdicts() -> None:
    files = {
        "se/rd/serde_json": line("serde_json", "1.0.0", pubtime="2017-04-20T15:00:00Z") + "\n"
        + line("serde_json", "1.0.1"),
        "ya/nk/yanked": line("yanked", "0.1.0", yanked=True),
    }  # fmt: skip
    real = await look_up(files, "Serde-JSON")
    assert (real.verdict, real.name) == (Verdict.REAL, "serde-json")
    assert real.first_released == datetime(2017, 4, 20, 15, tzinfo=UTC)
    assert "se/rd/serde_json: 2 versions, newest 1.0.1" in real.evidence
    yanked = await look_up(files, "yanked")
    assert (yanked.verdict, yanked.reason) == (Verdict.SUSPECT, SuspectReason.NO_RELEASES)
    assert (await look_up(files, "serde-yaml")).verdict is Verdict.ABSENT


@pytest.mark.parametrize(
    "text", ["", "<html>log in</html>", "[]", "{}", line("other", "1.0"), line("x", "1")[:-3]]
)
async def test_anything_else_is_no_answer(text: str) -> None:
    with pytest.raises(RegistryError):
        await look_up({"1/x": text}, "x")


def test_places_and_spellings() -> None:
    assert [index_path(name) for name in ("a", "ab", "syn", "Serde")] == [
        "1/a", "2/ab", "3/s/syn", "se/rd/serde",
    ]  # fmt: skip
    assert spellings("a-b-c") == ["a-b-c", "a_b_c", "a-b_c", "a_b-c"]
    assert spellings("a-b-c-d-e-f-g") == ["a-b-c-d-e-f-g", "a_b_c_d_e_f_g"]


def settings(home: Path, text: str, **environ: str) -> CargoSettings:
    (home / ".cargo").mkdir(exist_ok=True)
    (home / ".cargo" / "config.toml").write_text(text)
    return CargoSettings(None, environ, home)


MIRROR = '[source.crates-io]\nreplace-with = "corp-mirror"\n'


def test_the_index_that_cargo_asks(tmp_path: Path) -> None:
    default = settings(tmp_path, "").index()
    assert (default.url, default.origin) == (public_crates(), "default")
    url = "sparse+https://crates.example.test/index/"
    (tmp_path / ".cargo" / "credentials.toml").write_text(
        '[registries.corp-mirror]\ntoken = "word"\n'
    )
    variable = {"CARGO_REGISTRIES_CORP_MIRROR_INDEX": url}
    for text, environ in (
        (f'{MIRROR}[source.corp-mirror]\nregistry = "{url}"\n', {}),
        (f'{MIRROR}[registries.corp-mirror]\nindex = "{url}"\n', {}),
        (MIRROR, variable),
    ):
        at = settings(tmp_path, text, **environ).index()
        assert at.url == "https://crates.example.test/index"
        assert at.headers() == {"Authorization": "word"}
        assert "word" not in repr(at)


@pytest.mark.parametrize(
    "text",
    [
        MIRROR,
        f'{MIRROR}[source.corp-mirror]\ndirectory = "vendor"\n',
        f'{MIRROR}[source.corp-mirror]\nregistry = "https://git.example.test/index"\n',
        "broken = [",
    ],
)
def test_no_index_that_can_be_asked(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        settings(tmp_path, text).index()
