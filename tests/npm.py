"""Programs of npm that tests need, installed into ghostbust's cache folder."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from ghostbust.home import cache_dir


def npm_file(package: str, version: str, file: str, overrides: Mapping[str, str] = {}) -> Path:
    """A file of a package, installed by npm at the first call; skips where that can't be done.

    ``overrides``: versions of what it depends on.
    """
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip(f"no Node.js with npm on this machine, which {package} needs")
    folder = cache_dir() / "tests" / f"{package}-{version}"
    wanted = folder / "node_modules" / package / file
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker of the suite may be at it
        if not wanted.is_file():
            told = {"private": True, "dependencies": {package: version}, "overrides": {**overrides}}
            (folder / "package.json").write_text(json.dumps(told))
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            command += ["--prefix", "."]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"npm can't install {package} here: {done.stderr.strip()[-200:]}")
    return wanted
