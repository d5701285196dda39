"""The adapter as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ghostbust.adapters import read_adapter, read_copy
from ghostbust.errors import ModelError, UsageError
from ghostbust.exports.adapters import export_peft

MakeLora = Callable[..., Path]


def test_the_copy_is_a_complete_adapter(make_lora: MakeLora, tmp_path: Path) -> None:
    adapter = make_lora(rslora=False)
    export_peft(adapter, tmp_path / "out")
    assert read_copy(tmp_path / "out") == read_adapter(adapter)


def test_a_file_that_the_manifest_does_not_list_is_refused(
    make_lora: MakeLora, tmp_path: Path
) -> None:
    adapter = make_lora(rslora=False)
    (adapter / "left-behind.txt").write_text("not of the manifest", "utf-8")
    with pytest.raises(ModelError, match=r"holds \['left-behind.txt'\], which its manifest"):
        export_peft(adapter, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_changed_adapter_is_refused_and_nothing_is_left(
    make_lora: MakeLora, tmp_path: Path
) -> None:
    adapter = make_lora(rslora=False)
    with (adapter / "adapter_config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(ModelError, match="changed after training"):
        export_peft(adapter, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["adapters"]


def test_a_folder_that_is_there_stays(make_lora: MakeLora, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="is there already"):
        export_peft(make_lora(rslora=False), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
