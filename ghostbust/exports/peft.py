"""The adapter as it is: what peft, vLLM and SGLang load."""

from __future__ import annotations

import shutil
from pathlib import Path

from ghostbust.adapters import MANIFEST, read_adapter
from ghostbust.exports.folders import whole_folder


def export_peft(adapter: Path, out: Path) -> None:
    """Copies a complete adapter folder, every file checked against its hash before and after.

    What isn't in its manifest isn't copied. Raises ModelError where the folder is incomplete or
    changed, and UsageError where ``out`` is there already or can't be written.
    """
    manifest = read_adapter(adapter)
    with whole_folder(out) as aside:
        for name in (*manifest.files, MANIFEST):
            shutil.copyfile(adapter / name, aside / name)
        read_adapter(aside)
