"""The daemon reads what is new in the logs that the settings name."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ghostbust.config import Config
from ghostbust.errors import UsageError
from ghostbust.home import Home
from ghostbust.loop.daemon.jobs import Stopped, Workplace, read_logs
from ghostbust.sections import IngestSection, RegistrySection
from ghostbust.store.store import Store

if TYPE_CHECKING:
    from tests.loop.conftest import MakeSampler


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def place(home: Home, logs: Path, scripted: MakeSampler) -> Workplace:
    config = Config(
        registry=RegistrySection(mode="snapshot"), ingest=IngestSection(paths=(logs,), workers=0)
    )
    return Workplace(home, config, [], lambda _: scripted(lambda _: ""), ["no"], threading.Event())


def add(logs: Path, name: str) -> None:
    line = {"prompt": f"Plot {name}.", "completion": f"```bash\npip install {name}\n```"}
    with (logs / "app.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_each_line_is_read_once(
    place: Workplace, logs: Path, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    add(logs, "zz-ghost-1")
    read_logs(place)
    assert "ingest: 1 completions in 1 new lines, 1 of them invent a name" in caplog.text
    assert "zz-ghost" not in caplog.text, "no names in the log"
    add(logs, "zz-ghost-2")
    read_logs(place)
    read_logs(place)
    assert {h.name for h in store.ledger.hallucinations()} == {"zz-ghost-1", "zz-ghost-2"}
    assert "0 completions in 0 new lines" in caplog.text


def test_a_stop_is_heard_and_what_was_left_is_read_later(
    place: Workplace, logs: Path, store: Store
) -> None:
    add(logs, "zz-ghost-1")
    place.stopping.set()
    with pytest.raises(Stopped):
        read_logs(place)
    place.stopping.clear()
    read_logs(place)
    assert {h.name for h in store.ledger.hallucinations()} == {"zz-ghost-1"}


def test_logs_that_are_not_there_and_none_at_all(
    place: Workplace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    gone = IngestSection(paths=(tmp_path / "gone",), workers=0)
    with pytest.raises(UsageError, match="there is no file or folder"):
        read_logs(replace(place, config=place.config.model_copy(update={"ingest": gone})))
    none = place.config.model_copy(update={"ingest": IngestSection()})
    read_logs(replace(place, config=none))
    assert "ingest.paths names no logs" in caplog.text
