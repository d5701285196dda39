"""Adapter folders: complete or missing, with a manifest that says what made them.

A folder is written aside, its manifest last, and then renamed into place. Only safetensors
weights are kept; the manifest holds the hash of every file, and reading checks them. Nothing in a
folder may make peft import, read or search more than the adapter.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import ghostbust
from ghostbust import files
from ghostbust.documents import parse_json
from ghostbust.errors import HomeError, ModelError
from ghostbust.records import Ecosystem, content_id

MANIFEST = "ghostbust.json"
CARD = "README.md"
"""the model card that an export adds; nothing loads it"""
FORGOTTEN = "forgotten.json"
"""the keys of the names that the adapter was trained to forget, sorted"""
FORMAT = 1
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_RANK = 512
"""the highest ``--max-lora-rank`` of vLLM; its default is 16"""
_KINDS: Final = (".safetensors", ".json")
_MOST_BYTES: Final = 64 * 1024 * 1024
"""of a JSON file; the losses of a million steps take some 20 MB"""
_CHUNK: Final = 1 << 20
_LOADERS: Final = (
    "megatron_config", "loftq_config", "corda_config", "eva_config", "lora_ga_config",
)  # fmt: skip
"""keys of a config that make peft 0.21 import a module, or read or write other files"""
_STARTS: Final = (True, False, "gaussian", "orthogonal")
"""``init_lora_weights`` that leave the base's weights as they are"""
_PATTERNS: Final = (
    "target_modules", "exclude_modules", "modules_to_save", "layers_pattern", "rank_pattern",
    "alpha_pattern",
)  # fmt: skip
"""keys whose texts peft may take for regular expressions"""
_PLAIN_PATTERN: Final = re.compile(r"[\w.^$-]{1,200}")
"""no repetition: an expression with two of them can take for ever"""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What made an adapter, and the hashes of its files."""

    name: str
    model: str
    """the base, as the user gave it"""
    facts: Mapping[str, Any]
    """provenance: round, method, seed, settings, data; JSON values"""
    version: str
    """of ghostbust"""
    files: Mapping[str, str]
    """file name to SHA-256"""


def write_adapter(
    folder: Path, *, model: str, facts: Mapping[str, Any], save: Callable[[Path], None]
) -> Manifest:
    """Makes a complete adapter folder; ``save`` puts the weights and their config into it.

    A failure leaves nothing behind. Raises HomeError where the disk refuses, or where the
    folder exists: names are never reused.
    """
    if folder.exists():
        raise HomeError(f"the adapter folder {folder} is there already; names are never reused")
    with files.whole_folder(folder, private=True, error=HomeError) as aside:
        save(aside)
        hashes = {
            path.name: _hash(path) for path in sorted(aside.iterdir()) if path.suffix in _KINDS
        }
        for path in aside.iterdir():
            if path.name not in hashes:
                path.unlink()  # the model card that peft adds
        manifest = Manifest(folder.name, model, facts, ghostbust.__version__, hashes)
        row = {
            "format": FORMAT, "name": manifest.name, "model": model, "version": manifest.version,
            "facts": dict(facts), "files": hashes,
        }  # fmt: skip
        (aside / MANIFEST).write_text(json.dumps(row, indent=2), "utf-8")
    return manifest


def read_adapter(folder: Path) -> Manifest:
    """The manifest of a complete adapter in a folder with its name.

    Raises ModelError as `read_copy` does, and where the folder has another name.
    """
    manifest = read_copy(folder)
    _check_name(folder, manifest)
    return manifest


def read_copy(folder: Path) -> Manifest:
    """The manifest of a complete adapter in a folder of any name, such as an export's.

    Complete means: beside a model card the folder holds exactly the listed files, plain files of
    the kinds that `write_adapter` keeps, weights and config among them, each with its hash; and the
    config names nothing else that peft would load. Raises ModelError, one line, for anything else.
    """
    manifest = _read_manifest(folder)[0]
    try:
        hashes = {name: _hash(folder / name) for name in manifest.files}
    except OSError as exc:  # a failing disk
        raise ModelError(f"{folder} is not a complete ghostbust adapter: {exc}") from exc
    for name, digest in manifest.files.items():
        if hashes[name] != digest:
            raise ModelError(f"{folder / name} was changed after training; don't serve it")
    check_config(folder / CONFIG)
    return manifest


def copy_adapter(folder: Path, into: Path, *, for_others: bool = False) -> Manifest:
    """Copies a complete adapter into an empty folder, hashing the very bytes that it copies.

    ``for_others``: without its list of forgotten names, by which whoever samples the base could
    tell which of its inventions are in it. Raises ModelError as `read_adapter` does, and OSError
    where ``into`` can't be written.
    """
    manifest, text = _read_manifest(folder)
    listed = dict(manifest.files)
    if for_others and listed.pop(FORGOTTEN, None) is not None:
        text = json.dumps(parse_json(text) | {"files": listed}, indent=2).encode()
    for name, digest in listed.items():
        if copy_plain(folder / name, into / name) != digest:
            raise ModelError(f"{folder / name} was changed after training; don't serve it")
    (into / MANIFEST).write_bytes(text)
    _check_name(folder, manifest)
    return read_copy(into)


def copy_plain(source: Path, target: Path) -> str:
    """Copies a plain file, and returns the hash of the written bytes.

    Raises ModelError for anything but a plain file, such as a link, and OSError where
    ``target`` can't be written.
    """
    digest = hashlib.sha256()
    with _opened(source) as file, target.open("xb") as copy:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
    return digest.hexdigest()


def check_loadable(folder: Path) -> None:
    """Raises ModelError where peft would load anything but a LoRA from safetensors.

    Also for folders that ghostbust didn't make, such as the hub client's, whose files are links.
    """
    if (folder / MANIFEST).exists():
        read_copy(folder)
    elif (folder / CONFIG).is_file() and not (folder / WEIGHTS).is_file():
        pickled = any(folder.glob("*.bin"))
        why = "are a pickle (.bin), which can run code; save them as" if pickled else "aren't"
        raise ModelError(f"its weights {why} {WEIGHTS}")
    else:
        check_config((folder / CONFIG).resolve())


def _check_name(folder: Path, manifest: Manifest) -> None:
    name = Path(os.path.abspath(folder)).name  # noqa: PTH100 (a link's own name, not its target's)
    if manifest.name != name:
        raise ModelError(f"{folder} holds the adapter {manifest.name!r}, not {name!r}")


def _read_manifest(folder: Path) -> tuple[Manifest, bytes]:
    """The manifest, with its list of files checked but not their hashes, and its bytes."""
    try:
        text = _bytes_of(folder / MANIFEST)
    except ModelError as exc:
        raise ModelError(f"{folder} is not a complete ghostbust adapter: {exc}") from exc
    try:
        row = parse_json(text)
        if row["format"] != FORMAT:
            raise ModelError(f"{folder} was written by another version of ghostbust")
        manifest = Manifest(row["name"], row["model"], row["facts"], row["version"], row["files"])
        faults = [what for what, so in _listing_faults(folder, manifest) if so]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ModelError(f"{folder} is not a complete ghostbust adapter: {exc}") from exc
    if faults:
        raise ModelError(f"{folder} is not a complete ghostbust adapter: {faults[0]}")
    return manifest, text


def _listing_faults(folder: Path, manifest: Manifest) -> Iterator[tuple[str, bool]]:
    """What could be wrong with a manifest and the files beside it, and whether it is."""
    texts = (manifest.name, manifest.model, manifest.version, *manifest.files.values())
    all_texts = all(isinstance(text, str) for text in texts)
    yield "its manifest holds no text where one should be", not all_texts
    yield "its facts are no object", not isinstance(manifest.facts, dict)
    yield f"its name {manifest.name!r} is no name of a folder", not _is_plain(manifest.name)
    listed = set(manifest.files)
    lacking = sorted({CONFIG, WEIGHTS} - listed)
    yield f"its manifest doesn't list {', '.join(lacking)}", bool(lacking)
    odd = sorted(name for name in listed if Path(name).suffix not in _KINDS or not _is_plain(name))
    yield f"its manifest lists {odd[:1]}, which is no name of a file of an adapter", bool(odd)
    there = {path.name for path in folder.iterdir()} - {MANIFEST, CARD}
    unlisted = sorted(there - listed)
    yield f"it holds {unlisted[:1]}, which its manifest doesn't list", bool(unlisted)
    gone = sorted(listed - there)
    yield f"it lacks {gone[:1]}, which its manifest lists", bool(gone)


def _is_plain(name: str) -> bool:
    """Whether it is the printable name of one file or folder, not a path."""
    return Path(name).name == name and name.isprintable()


def _bytes_of(path: Path) -> bytes:
    """The content of a plain file. Raises ModelError where it isn't plain, or far too long."""
    with _opened(path) as file:
        found = file.read(_MOST_BYTES + 1)
    if len(found) > _MOST_BYTES:
        raise ModelError(f"{path} has more than {_MOST_BYTES:,} bytes")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[BufferedReader]:
    """A plain file, open for reading. Raises ModelError for anything else, links included."""
    try:
        if sys.platform == "win32":
            if path.is_symlink():
                raise OSError(errno.ELOOP, "it is a link")
            number = os.open(path, os.O_RDONLY | os.O_BINARY)
        else:
            # Not blocking: a pipe in the file's place might never be written.
            number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as exc:
        why = "it is a link" if exc.errno == errno.ELOOP else exc.strerror
        raise ModelError(f"can't read {path}: {why}") from exc
    with os.fdopen(number, "rb") as file:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise ModelError(f"{path} is no plain file")
        yield file


def name_key(ecosystem: Ecosystem, name: str) -> str:
    """The key under which an adapter lists a forgotten name.

    A hash, because unregistered names are a shopping list for squatters. Whoever guesses a name
    can still see whether it is in the list.
    """
    return content_id("forgotten", ecosystem, name)


def write_forgotten(folder: Path, keys: Iterable[str]) -> None:
    """Writes the keys of the forgotten names into the folder; for `write_adapter`'s ``save``."""
    (folder / FORGOTTEN).write_text(json.dumps(sorted(set(keys)), indent=0), "utf-8")


def read_forgotten(folder: Path) -> frozenset[str] | None:
    """The keys of the names that an adapter was trained to forget; None where it has no list.

    Raises ModelError where the list can't be read.
    """
    try:
        if not (folder / FORGOTTEN).exists():
            return None
        keys = parse_json(_bytes_of(folder / FORGOTTEN))
    except (OSError, ValueError) as exc:
        raise ModelError(f"can't read {folder / FORGOTTEN}: {exc}") from exc
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ModelError(f"{folder / FORGOTTEN} isn't a list of keys")
    return frozenset(keys)


def check_config(file: Path) -> Mapping[str, Any]:
    """An adapter's config, which makes peft load, import or search nothing else.

    Raises ModelError, one line, for any other; a missing key is peft's default.
    """
    try:
        config = parse_json(_bytes_of(file))
        if not isinstance(config, dict):
            raise ModelError(f"{file} is no JSON object")
        faults = [what for what, so in _config_faults(config) if so]
    except (OSError, ValueError, TypeError) as exc:
        raise ModelError(f"{file} can't be read: {exc}") from exc
    if faults:
        raise ModelError(f"{file}: {faults[0]}")
    return config


def _config_faults(config: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """What a config could make peft do besides loading a LoRA, and whether it does."""
    kind, rank = config.get("peft_type", "LORA"), config.get("r", 1)
    yield f"it is {kind}, not LORA", kind != "LORA"
    yield f"its rank is {rank!r}", not (isinstance(rank, int) and rank > 0)
    yield f"its rank {rank} is over {MOST_RANK}", isinstance(rank, int) and rank > MOST_RANK
    for key in _LOADERS:
        yield f"its {key} would load more than the adapter", bool(config.get(key))
    yield "it repeats layers of the base", bool(config.get("layer_replication"))
    start = config.get("init_lora_weights", True)
    yield f"its init_lora_weights {start!r} changes the base", start not in _STARTS
    for key in _PATTERNS:
        value = config.get(key)
        texts = [value] if isinstance(value, str) else list(value or ())
        odd = [text for text in texts if not _PLAIN_PATTERN.fullmatch(str(text))]
        yield f"its {key} holds {odd[:1]}, which is no name of a layer", bool(odd)


def check_servable(folder: Path, *, most_rank: int = MOST_RANK, rslora: bool = True) -> None:
    """Raises ModelError, one line, where vLLM would refuse the adapter, or serve it wrongly.

    By the rules of its 0.11 to 0.32 (``PEFTHelper.validate_legal`` and the loader of the weights):
    plain or rank-stabilised LoRA of one rank, at most ``--max-lora-rank``; no DoRA, no biases, no
    modules saved whole. 0.11 would ignore ranks and alphas by layer; 0.32 applies them.

    ``rslora``: whether the server scales rank-stabilised adapters correctly. SGLang doesn't: it
    multiplies by alpha / rank whatever the config says (0.5.23).
    """
    from safetensors import SafetensorError, safe_open

    try:
        config = check_config(folder / CONFIG)
        with safe_open(folder / WEIGHTS, framework="numpy") as weights:
            tensors = list(weights.keys())
        faults = [what for what, so in _serving_faults(config, tensors, most_rank) if so]
        if config.get("use_rslora") and not rslora:
            faults.append("it is rank-stabilised, and would be served with alpha / rank")
    except (ModelError, OSError, ValueError, KeyError, TypeError, SafetensorError) as exc:
        raise ModelError(f"{folder} holds no LoRA adapter that can be read: {exc}") from exc
    if faults:
        raise ModelError(f"{folder.name} can't be served: {'; '.join(faults)}")


def _serving_faults(
    config: Mapping[str, Any], tensors: Sequence[str], most_rank: int
) -> Iterator[tuple[str, bool]]:
    """What a server could refuse about an adapter, and whether it is so."""
    rank, kind = config["r"], config["peft_type"]
    yield f"it is {kind}, not LORA", kind != "LORA"
    yield f"its rank {rank} is over {most_rank}", not 0 < rank <= most_rank
    yield "it is a DoRA", bool(config.get("use_dora"))
    yield "it has biases", config.get("bias", "none") != "none"
    yield "it saves whole modules", bool(config.get("modules_to_save"))
    patterns = config.get("rank_pattern"), config.get("alpha_pattern")
    yield "its layers differ in rank or alpha", any(patterns)
    yield "it doesn't list its layers", not isinstance(config["target_modules"], list)
    others = [name for name in tensors if not name.endswith((".lora_A.weight", ".lora_B.weight"))]
    yield f"it holds {others[:1]}, which is no LoRA weight", bool(others)
    yield "it holds no weights", not tensors


def _hash(path: Path) -> str:
    with _opened(path) as file:
        return files.sha256_of(file)
