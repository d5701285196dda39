"""The compose file: no engine runs it here, but its settings are read as settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ghostbust.config import load_config
from ghostbust.home import Home
from ghostbust.loop.build import refuse_guard

DOCKER = Path(__file__).parents[1] / "docker"


@pytest.fixture
def services() -> dict[str, Any]:
    text = (DOCKER / "compose.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


def test_its_variables_are_settings_that_fit(
    services: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in services["ghostbust"]["environment"].items():
        monkeypatch.setenv(key, value.replace("${MODEL}", "a/model"))
    settings = load_config(None, Home(tmp_path))  # an unknown variable is refused
    assert settings.model.name == "a/model"
    assert settings.guard.daemon
    assert settings.guard.upstream == settings.model.endpoint == settings.publish.replicas[0]
    assert settings.ingest.paths == (settings.guard.log,)
    refuse_guard(settings, [one.url for one in settings.model.servers], "the model's server")
    (port,) = services["ghostbust"]["ports"]
    assert port == f"127.0.0.1:{settings.guard.port}:{settings.guard.port}"


def test_the_server_sees_the_adapters_where_they_lie(services: dict[str, Any]) -> None:
    container = (DOCKER / "Containerfile").read_text("utf-8")
    (home,) = re.findall(r"GHOSTBUST_HOME=(\S+)", container)
    assert f"home:{home}:ro" in services["model"]["volumes"]
    assert f"home:{home}" in services["ghostbust"]["volumes"]
    assert "ports" not in services["model"], "whoever reaches it can load adapters"
