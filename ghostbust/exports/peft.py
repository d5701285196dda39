"""The adapter as it is: what peft, vLLM and SGLang load."""

from __future__ import annotations

from pathlib import Path

from ghostbust.adapters import copy_adapter
from ghostbust.exports.folders import whole_folder


def export_peft(adapter: Path, out: Path) -> None:
    """Copies a complete adapter folder, every file checked against its hash as it is copied.

    Raises ModelError where the folder is incomplete or
    changed, and UsageError where ``out`` is there already or can't be written.
    """
    with whole_folder(out) as aside:
        copy_adapter(adapter, aside)
